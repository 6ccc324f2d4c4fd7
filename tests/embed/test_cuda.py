#!/usr/bin/env python3
"""A trainer with its parameters on a CUDA device: where the installed Duet has that component it is built, from the tree
where it was installed and from the one that was moved, and runs where there is a device. Without one it is told so by the
installed libduet_cuda.so, wherever that was moved to; without the component by find_package."""

import pathlib
import re
import unittest

import harness

PC = "lib/pkgconfig"
HAS_CUDA = harness.WITH_CUDA


class Cuda(unittest.TestCase):
    def trains(self, name, prefix):
        program = harness.build(harness.PROJECTS / "cuda", name, prefix) / "device_trainer"
        harness.loads(program, prefix)
        status, output = harness.ends(program)
        if status == 0:  # alone, on a device
            harness.together(output, 1)
            harness.workers(2, program, prefix)
            return
        self.assertEqual(status, 2, output)
        self.assertRegex(output, "device_trainer: a buffer is in CUDA memory, and there is no CUDA device here: ")
        # It is this tree's library that says so: without it the message is another.
        library = prefix / "lib" / "libduet_cuda.so"
        output = harness.run(program, fails=True, DUET_CUDA_LIBRARY=prefix / "lib" / "elsewhere.so")
        self.assertRegex(output, r"nothing here to drive a CUDA device; looked at:\s+\S+/elsewhere.so: no such file")
        hidden = library.with_suffix(".hidden")
        library.rename(hidden)
        try:
            output = harness.run(program, fails=True)
        finally:
            hidden.rename(library)
        found = re.search(r"looked at:\s+(\S+libduet_cuda.so): no such file", output)
        self.assertTrue(found, output)
        self.assertEqual(pathlib.Path(found.group(1)).resolve(), library.resolve())

    @unittest.skipUnless(HAS_CUDA, "this build has no CUDA part")
    def test_installed(self):
        self.trains("cuda", harness.INSTALLED)

    @unittest.skipUnless(HAS_CUDA, "this build has no CUDA part")
    def test_moved(self):
        self.trains("cuda-moved", harness.MOVED)

    @unittest.skipUnless(HAS_CUDA, "this build has no CUDA part")
    def test_pkg_config(self):
        path = harness.run("pkg-config", "--variable=library", "duet-cuda", PKG_CONFIG_PATH=harness.MOVED / PC).strip()
        self.assertEqual(pathlib.Path(path).resolve(), harness.MOVED / "lib" / "libduet_cuda.so")
        flags = harness.run("pkg-config", "--libs", "duet-cuda", PKG_CONFIG_PATH=harness.MOVED / PC)
        self.assertEqual(flags, harness.run("pkg-config", "--libs", "duet", PKG_CONFIG_PATH=harness.MOVED / PC))

    @unittest.skipIf(HAS_CUDA, "this build has CUDA")
    def test_refused(self):
        folder = harness.copy(harness.PROJECTS / "cuda", "cuda")
        output = " ".join(harness.configure(folder, f"-DCMAKE_PREFIX_PATH={harness.MOVED}", fails=True).split())
        self.assertIn("component cuda: this Duet was built without it: ", output)
        self.assertFalse((harness.MOVED / "lib" / "libduet_cuda.so").exists())
        harness.run("pkg-config", "--exists", "duet-cuda", fails=True, PKG_CONFIG_PATH=harness.MOVED / PC)


if __name__ == "__main__":
    unittest.main()
