#!/usr/bin/env python3
"""Duet as a part of somebody's CMake project: two lines, and it leaves everything else to its parent."""

import json
import os
import pathlib
import re
import unittest

import harness


def cache(folder):
    text = (folder / "build" / "CMakeCache.txt").read_text()
    return {name for name, kind in re.findall(r"^([^#/\s:][^:=\n]*):(\w+)=", text, re.M) if kind not in ("INTERNAL", "STATIC")}


def parent():
    folder = harness.copy(harness.PROJECTS / "subproject", "subproject", {"worker/main.cc": "main.cc"})
    (folder / "source" / "duet").symlink_to(harness.SOURCE)
    return folder


class Subproject(unittest.TestCase):
    def test_builds_runs_and_yields(self):
        folder = parent()
        lines = folder / "source" / "CMakeLists.txt"
        text = lines.read_text()
        # First the parent by itself, to know what is its own.
        lines.write_text(text.replace("add_subdirectory(duet)", "").replace("PRIVATE duet::duet", "PRIVATE"))
        harness.configure(folder)
        own = cache(folder)
        lines.write_text(text)
        # LibTorch would double the time; its half of the tree is declared like the rest.
        launcher = ["-DCMAKE_CXX_COMPILER_LAUNCHER=ccache"] if pathlib.Path("/usr/bin/ccache").exists() else []
        harness.configure(folder, "-DDUET_TORCH=OFF", "-DDUET_NCCL=OFF", *launcher)
        self.cache_has_only_ours(cache(folder) - own)
        self.flags_are_the_parents(folder)
        if "DUET_TEST_FULL" not in os.environ:
            # Compiling all of Duet once more takes minutes. A room compiles, and the test of a clean parent is done.
            harness.run(harness.CMAKE, "--build", folder / "build", "--target", "duet_topology")
            print("not built as a whole, nor run: that is in the full counts")
            return
        harness.run(harness.CMAKE, "--build", folder / "build", "--parallel", "2", timeout=900)

        self.assertFalse((folder / "build" / "bin").exists() or (folder / "build" / "lib").exists(),
                         "it chose folders for the parent's output")
        self.assertIn("Total Tests: 0", harness.run(harness.CMAKE.replace("cmake", "ctest"), "--test-dir",
                                                    folder / "build", "-N"))
        harness.run(harness.CMAKE, "--install", folder / "build", "--prefix", folder / "nothing")
        self.assertFalse((folder / "nothing").exists(), "it installs what the parent did not ask for")

        # Its plugins are beside its library, wherever the parent has that.
        harness.workers(2, folder / "build" / "parent", harness.INSTALLED)

        # And when the parent does ask, Duet is installed with it.
        harness.configure(folder, "-DDUET_INSTALL=ON")
        harness.run(harness.CMAKE, "--build", folder / "build", "--parallel", "2", timeout=900)
        harness.run(harness.CMAKE, "--install", folder / "build", "--prefix", folder / "all")
        for file in ("lib/libduet.so.1", "include/duet/duet.h", "lib/cmake/duet/duetConfig.cmake"):
            self.assertTrue((folder / "all" / file).exists(), file)

    def cache_has_only_ours(self, added):
        # Where find_package and find_program found a package is theirs to note, under the names that everybody uses.
        foreign = {name for name in added if not name.startswith(("DUET_", "duet_", "FETCHCONTENT_"))
                   and not name.endswith("_DIR") and not name.startswith(("PKG_CONFIG", "CMAKE_INSTALL_", "pkgcfg_lib_DUET_"))}
        self.assertEqual(foreign, {"CMAKE_CXX_COMPILER_LAUNCHER"} & foreign)

    def flags_are_the_parents(self, folder):
        commands = json.loads((folder / "build" / "compile_commands.json").read_text())
        (main,) = [entry["command"] for entry in commands if entry["file"].endswith("/source/main.cc")]
        flags = {part for part in main.split() if part.startswith("-") and not part.startswith("-I")}
        self.assertLessEqual(flags, {"-std=gnu++20", "-o", "-c", "-isystem"}, main)
        (core,) = [entry["command"] for entry in commands if entry["file"].endswith("/sdk/src/worker/worker.cc")]
        self.assertNotIn("-Werror", core, "warnings in Duet's code must not stop the parent's build")


if __name__ == "__main__":
    unittest.main()
