#!/usr/bin/env python3
"""`cmake --install`: what is in the tree, and that nothing in it knows where it was built or installed. Leaves the two
trees that the other tests of this folder build against."""

import pathlib
import re
import shutil
import unittest

import harness

# The core with its adapters, and what a part has of its own beside its code.
PUBLIC = (harness.SOURCE / "sdk" / "include" / "duet", harness.SOURCE / "monitor" / "observer" / "include" / "duet")


def is_elf(path):
    return path.read_bytes()[:4] == b"\x7fELF"


def files(tree):
    return sorted(path for path in tree.rglob("*") if path.is_file() and not path.is_symlink())


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        shutil.rmtree(harness.ROOT, ignore_errors=True)
        harness.ROOT.mkdir(parents=True)
        first = harness.ROOT / "first-place"
        for tree in (harness.INSTALLED, first):
            harness.run(harness.CMAKE, "--install", harness.BUILD, "--prefix", tree)
        harness.MOVED.parent.mkdir()
        first.rename(harness.MOVED)

    def test_programs_and_libraries(self):
        for file in ("bin/duet-run", "bin/duet-info", "lib/libduet.so", "lib/libduet.so.1", "lib/pkgconfig/duet.pc",
                     "lib/cmake/duet/duetConfig.cmake", "lib/cmake/duet/duetConfigVersion.cmake"):
            self.assertTrue((harness.INSTALLED / file).exists(), file)
        self.assertEqual((harness.INSTALLED / "lib" / "libduet_torch.a").exists(), harness.WITH_TORCH)
        self.assertEqual((harness.INSTALLED / "lib" / "libduet_cuda.so").exists(), harness.WITH_CUDA)
        # Tools and plugins of the build, all of them, and no sample or test among them.
        built = {path.name for path in (harness.BUILD / "lib" / "duet").glob("*.so")}
        installed = {path.name for path in (harness.INSTALLED / "lib" / "duet").glob("*.so")}
        self.assertLessEqual(installed, built)
        self.assertIn("libduet_transport_libfabric.so", installed | ({"libduet_transport_libfabric.so"} - built))
        # Of the programs, those that were built.
        for program in ("duet-sim", "duet-top", "duet-exporter", "duet-dashboard"):
            self.assertEqual((harness.INSTALLED / "bin" / program).exists(), (harness.BUILD / "bin" / program).exists(), program)
        for sample in ("duet-train", "duet-gossip", "duet-quadratic"):
            self.assertFalse((harness.INSTALLED / "bin" / sample).exists(), sample)

    def test_headers_are_the_public_ones(self):
        """All of them, unchanged, and nothing else; those of an adapter only together with the adapter."""
        include = harness.INSTALLED / "include" / "duet"
        installed = {path.relative_to(include) for path in files(include)}
        public = {path.relative_to(folder): path for folder in PUBLIC for path in folder.rglob("*.h")}
        self.assertEqual(installed - public.keys(), {pathlib.Path("version.h")})
        adapters = {path for path in public if path.parent.name not in ("", "plugin")}
        self.assertLessEqual(public.keys() - installed, adapters)
        self.assertEqual(pathlib.Path("torch/trainer.h") in installed, harness.WITH_TORCH)
        for path in installed & public.keys():
            self.assertEqual((include / path).read_bytes(), public[path].read_bytes(), path)
        # The dashboard's rooms, in a folder of their own.
        source, dashboard = harness.SOURCE / "monitor" / "dashboard", include.parent / "duet-dashboard" / "dashboard"
        self.assertEqual({path.relative_to(dashboard) for path in files(dashboard)} if dashboard.exists() else set(),
                         {path.relative_to(source) for path in source.rglob("*.h")} if harness.WITH_DASHBOARD else set())
        self.assertLessEqual({path.name for path in include.parent.iterdir()}, {"duet", "duet-dashboard"})

    def test_nothing_knows_where_it_was(self):
        roots = {str(harness.SOURCE) + "/", str(harness.BUILD) + "/", str(harness.ROOT / "first-place")}
        for path in files(harness.MOVED):
            text = harness.content(path)
            text = text.replace(harness.TORCH, "LibTorch") if harness.TORCH else text
            for root in roots:
                at = text.find(root)
                self.assertEqual(at, -1, f"{path} mentions {text[at:at + 200]!r}")

    def test_libraries_find_each_other(self):
        for path in files(harness.MOVED):
            if is_elf(path):
                for place in re.findall(r"R(?:UN)?PATH\).*\[(.*)\]", harness.run("readelf", "-d", path)):
                    self.assertTrue(all(part.startswith("$ORIGIN") for part in place.split(":")), f"{path}: {place}")
                self.assertNotIn("not found", harness.run("ldd", path), path)
        harness.loads(harness.MOVED / "bin" / "duet-info", harness.MOVED)

    def test_library_shows_the_api_alone(self):
        for line in harness.run("nm", "-DC", "--defined-only", harness.INSTALLED / "lib" / "libduet.so").splitlines():
            name = re.sub(r"^\w* \w (typeinfo (name )?for |vtable for |non-virtual thunk to )?", "", line)
            self.assertRegex(name, r"^duet::", line)
            # Private classes, and rooms of the house, are none of the API.
            self.assertNotRegex(name, r"^duet::(\w+::)?Impl\b|^duet::[a-z_]+::", line)
        self.assertIn("[libduet.so.1]", harness.run("readelf", "-d", harness.INSTALLED / "lib" / "libduet.so"))

    def test_plugins_are_found_after_the_move(self):
        listed = harness.run(harness.MOVED / "bin" / "duet-info", "plugins", "--json")
        for path in (harness.MOVED / "lib" / "duet").glob("*.so"):
            self.assertIn(str(path), listed)
        self.assertNotIn(str(harness.BUILD / "lib"), listed)

    def test_halves(self):
        """The two components that packagers split a library into."""
        halves = {}
        for half in ("runtime", "development"):
            folder = harness.ROOT / half
            harness.run(harness.CMAKE, "--install", harness.BUILD, "--prefix", folder, "--component", half)
            halves[half] = {path.relative_to(folder) for path in folder.rglob("*") if not path.is_dir()}
        self.assertFalse(halves["runtime"] & halves["development"])
        whole = {path.relative_to(harness.INSTALLED) for path in harness.INSTALLED.rglob("*") if not path.is_dir()}
        self.assertEqual(halves["runtime"] | halves["development"], whole)
        self.assertIn(pathlib.Path("lib/libduet.so.1"), halves["runtime"])
        self.assertIn(pathlib.Path("lib/libduet.so"), halves["development"])


if __name__ == "__main__":
    unittest.main()
