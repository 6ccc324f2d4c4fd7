"""Where the baselines are. Each is for one version of an ABI, one machine and one compiler: layout and debug information
depend on them. The build says what it is by variables of the environment."""

import os
import pathlib
import platform
import re
import shutil

import description

FOLDER = pathlib.Path(__file__).resolve().parent / "baseline"


class Place:
    """kind: "library" or "plugin". `path`: its baseline, whether it exists or not. `reason`: why there cannot be one, or ""."""

    def __init__(self, kind):
        self._library = os.environ["DUET_LIBRARY"]
        self._c_compiler = os.environ["DUET_CC"]
        compiler = os.environ["DUET_COMPILER"]  # "GNU 12.2.0 RelWithDebInfo"
        self._kind = kind
        self.path = pathlib.Path()
        self.reason = self._missing(*compiler.split())
        if not self.reason:
            name, version, _ = compiler.split()
            folder = FOLDER / f"{platform.machine()}-{name.lower()}-{version.split('.')[0]}"
            self.path = folder / (f"{self._soname()}.abi" if kind == "library" else f"transport.h.{self._abi_major()}.abi")
            if not folder.exists() and "DUET_RENEW" not in os.environ:
                self.reason = f"there are no baselines for {folder.name}, only for " + ", ".join(
                    sorted(path.name for path in FOLDER.iterdir()))

    def describe(self, target):
        if self._kind == "library":
            description.describe_library(self._library, target)
        else:
            description.describe_plugin_header(target, self._c_compiler)

    def differences(self, present):
        compare = description.differences if self._kind == "library" else description.plugin_differences
        return compare(self.path, present)

    def _missing(self, name, version, build_type):
        for program in ("abidw", "abidiff"):
            if shutil.which(program) is None:
                return f"{program} is not installed (Debian: abigail-tools)"
        if name != "GNU":
            return f"the baselines are g++'s, and this build is {name}'s"
        if build_type not in ("RelWithDebInfo", "Debug"):
            return f"build type {build_type or '(none)'} has no debug information"
        return ""

    def _soname(self):
        return re.search(r"SONAME.*\[(.*)\]", description.run("readelf", "-d", self._library)).group(1)

    def _abi_major(self):
        header = description.HEADERS / "duet" / "plugin" / "transport.h"
        return re.search(r"define DUET_TRANSPORT_ABI_MAJOR (\d+)", header.read_text()).group(1)
