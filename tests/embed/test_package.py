#!/usr/bin/env python3
"""What find_package(duet) says when it cannot give what was asked."""

import unittest

import harness

PROJECT = """cmake_minimum_required(VERSION 3.25)
project(asks LANGUAGES C)
find_package(duet {request})
message(STATUS "duet_FOUND=${{duet_FOUND}} torch=${{duet_torch_FOUND}} cuda=${{duet_cuda_FOUND}}")
foreach(target duet::duet duet::plugin duet::torch duet::cuda)
  if(TARGET ${{target}})
    message(STATUS "target ${{target}}")
  endif()
endforeach()
"""


class Package(unittest.TestCase):
    def ask(self, request, *arguments, fails=False):
        folder = harness.ROOT / "work" / "package"
        if not folder.exists():
            (folder / "source").mkdir(parents=True)
        (folder / "source" / "CMakeLists.txt").write_text(PROJECT.format(request=request))
        return " ".join(harness.configure(folder, "--fresh", f"-DCMAKE_PREFIX_PATH={harness.MOVED}", *arguments,
                                          fails=fails).split())

    def test_versions(self):
        self.assertIn("duet_FOUND=1", self.ask("1.0 REQUIRED"))
        self.assertIn('requested version "2.0"', self.ask("2.0 REQUIRED", fails=True))
        self.assertIn('requested version "1.999"', self.ask("1.999 REQUIRED", fails=True))

    def test_without_components(self):
        output = self.ask("REQUIRED")
        self.assertIn("target duet::duet", output)
        self.assertIn("target duet::plugin", output)
        self.assertNotIn("target duet::torch", output)

    def test_unknown_component(self):
        output = self.ask("1.0 REQUIRED COMPONENTS bicycle", fails=True)
        self.assertIn("component bicycle: Duet 1.", output)
        self.assertIn("has no component of that name", output)

    @unittest.skipIf(harness.WITH_CUDA, "this build has CUDA")
    def test_component_that_was_not_built(self):
        self.assertIn("component cuda: this Duet was built without it: ", self.ask("REQUIRED COMPONENTS cuda", fails=True))
        output = self.ask("REQUIRED OPTIONAL_COMPONENTS cuda")
        self.assertIn("duet_FOUND=1", output)
        self.assertIn("cuda=FALSE", output)

    @unittest.skipUnless(harness.WITH_CUDA, "this build has no CUDA part")
    def test_cuda(self):
        output = self.ask("1.0 REQUIRED COMPONENTS cuda")
        self.assertIn("cuda=TRUE", output)
        self.assertIn("target duet::cuda", output)
        # An installation whose other half is missing.
        library = harness.MOVED / "lib" / "libduet_cuda.so"
        library.rename(library.with_suffix(".away"))
        try:
            output = self.ask("REQUIRED COMPONENTS cuda", fails=True)
        finally:
            library.with_suffix(".away").rename(library)
        self.assertIn("component cuda: libduet_cuda.so is not in", output)

    @unittest.skipUnless(harness.WITH_TORCH, "this build has no LibTorch")
    def test_wrong_libtorch(self):
        self.assertIn("target duet::torch", self.ask("REQUIRED COMPONENTS torch"))
        output = self.ask("REQUIRED COMPONENTS torch", "-DDUET_TORCH_DIR=/nowhere", fails=True)
        self.assertIn("component torch: DUET_TORCH_DIR=/nowhere is no LibTorch", output)
        # One that is there, but of another version.
        other = harness.ROOT / "work" / "other-torch"
        api = other / "include" / "torch" / "csrc" / "api" / "include" / "torch"
        api.mkdir(parents=True, exist_ok=True)
        (api / "torch.h").touch()
        (api / "version.h").write_text("".join(f"#define TORCH_VERSION_{part} {value}\n"
                                               for part, value in (("MAJOR", 0), ("MINOR", 9), ("PATCH", 1))))
        (other / "lib").mkdir(exist_ok=True)
        for library in ("torch", "torch_cpu", "c10"):
            (other / "lib" / f"lib{library}.so").write_text("_ZN3c105Error__cxx1112basic_string\n")
        output = self.ask("REQUIRED COMPONENTS torch", f"-DDUET_TORCH_DIR={other}", fails=True)
        self.assertIn("component torch: it was compiled against LibTorch", output)
        self.assertIn("0.9.1", output)


if __name__ == "__main__":
    unittest.main()
