#!/usr/bin/env python3
"""That the comparison can fail, and does not fail too early: copies of the public headers are changed, compiled and compared
with the unchanged ones; the library is linked anew with a function hidden."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import baseline
import description

CHECK = pathlib.Path(__file__).resolve().parent / "check.py"
PLUGIN = "plugin/transport.h"

# (file, text, its replacement, the type that the report must name)
REFUSED = [
    ("options.h", "  int rank = 0;", "  int extra = 0;\n  int rank = 0;", "duet::Options"),
    ("options.h", "    std::string standard;", "    std::string standard, more;", "duet::Options::Setting"),
    ("algorithm.h", "  virtual std::string_view name() const = 0;\n  /// Whether",
     "  virtual void more();\n  virtual std::string_view name() const = 0;\n  /// Whether", "duet::MeetingAlgorithm"),
    ("algorithm.h", "  double alpha = 0.5;", "  float alpha = 0.5F;", "duet::MeetingCoefficients"),
    ("buffer.h", "{ kFloat32, kBFloat16", "{ kBFloat16, kFloat32", "duet::DType"),
    ("buffer.h", "  BufferRole role = BufferRole::kParameters;", "", "duet::Buffer"),
    ("status.h", "  std::uint64_t failures = 0;\n  std::uint64_t bytes_sent = 0;",
     "  std::uint64_t bytes_sent = 0;\n  std::uint64_t failures = 0;", "duet::EdgeStatistics"),
    ("error.h", "  ~Error() override;", "  ~Error() override;\n  int code = 0;", "duet::Error"),
    ("worker.h", "  std::unique_ptr<Impl> impl_;", "  std::unique_ptr<Impl> impl_;\n  int more_ = 0;", "duet::Worker"),
]
ALLOWED = [
    ("buffer.h", "{ kFloat32, kBFloat16", "{ kFloat32, kBFloat16, kInt8", None),
    ("topology.h", "  int workers() const;", "  int workers() const;\n  int more() const;", None),
    ("log.h", "DUET_API void set_log_level", "DUET_API void more();\nDUET_API void set_log_level", None),
    ("status.h", "/// What finish() came to.", "struct More {\n  int one = 0;\n};\n\n/// What it came to.", None),
    ("worker.h", "  class Impl;", "  class Impl;\n  class More;", None),
]
PLUGIN_REFUSED = [
    ("  duet_status (*cancel)", "  void (*more)(void);\n  duet_status (*cancel)", "duet_transport"),
    ("uint64_t timeout_ns, uint32_t* count", "uint32_t timeout_ns, uint32_t* count", "duet_transport"),
    ("DUET_AGAIN = 1", "DUET_AGAIN = 99", "DUET_OK"),
    ("DUET_NOT_SUPPORTED = 8 ", "DUET_NOT_SUPPORTED = 8, DUET_MORE = 9 ", "DUET_OK"),
    ("DUET_CONNECTION_FAILED = 2", "DUET_CONNECTION_FAILED = 2, DUET_CONNECTION_MORE = 3", "DUET_CONNECTION_PENDING"),
    ("DUET_CAPABILITY_REMOTE = 1u << 5", "DUET_CAPABILITY_REMOTE = 1u << 4", "DUET_CAPABILITY_HOST_MEMORY"),
    ("} duet_completion;", "  uint64_t more;\n} duet_completion;", "duet_completion"),
    ("  char reason[240]; ", "  char reason[250]; ", "duet_probe_result"),
    ("  uint64_t session; ", "  uint32_t session, more; ", "duet_connect_request"),
    ("  int32_t device; /*", "  /*", "duet_memory"),
    ("typedef int32_t duet_status;", "typedef int64_t duet_status;", "duet_error"),
]
PLUGIN_ALLOWED = [
    ("} duet_transport;", "  void (*more)(void);\n} duet_transport;"),
    ("} duet_services;", "  void (*more)(void);\n  uint64_t much_more[8];\n} duet_services;"),
    ("DUET_CAPABILITY_EXPERIMENTAL = 1u << 6", "DUET_CAPABILITY_EXPERIMENTAL = 1u << 6, DUET_CAPABILITY_MORE = 1u << 7"),
    ("typedef struct duet_completion {", "typedef struct duet_more {\n  int one;\n} duet_more;\ntypedef struct duet_completion {"),
]


class Changes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.root = pathlib.Path(cls.folder.name)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def changed(self, changes):
        """A copy of the headers with all the changes in it."""
        headers = self.root / "changed" / "include"
        shutil.rmtree(headers, ignore_errors=True)
        shutil.copytree(description.HEADERS, headers)
        generated = pathlib.Path(os.environ["DUET_GENERATED_HEADERS"]) / "duet" / "version.h"
        shutil.copy(generated, headers / "duet")
        for file, old, new in changes:
            text = (headers / "duet" / file).read_text()
            self.assertEqual(text.count(old), 1, f"{file} no longer has, once: {old!r}")
            (headers / "duet" / file).write_text(text.replace(old, new))
        return headers

    def cpp(self, name, changes):
        target = self.root / f"{name}.abi"
        description.describe_view(target, os.environ["DUET_CXX"], "c++20", "duet/duet.h", description.is_cpp_header,
                                  self.changed(changes))
        return target

    def plugin(self, name, changes):
        target = self.root / f"{name}.abi"
        description.describe_plugin_header(target, os.environ["DUET_CC"],
                                           self.changed([(PLUGIN, old, new) for old, new in changes]))
        return target

    def test_cpp_types(self):
        unchanged = self.cpp("unchanged", [])
        self.assertEqual(description.differences(unchanged, self.cpp("allowed", [one[:3] for one in ALLOWED])), "")
        # All at once, for the compiler's time: each is in another type.
        report = description.differences(unchanged, self.cpp("refused", [one[:3] for one in REFUSED]))
        for *change, kind in REFUSED:
            self.assertRegex(report, rf"'.*every {re.escape(kind)}' was changed", change)

    def test_plugin_header(self):
        unchanged = self.plugin("plugin", [])
        self.assertEqual(description.plugin_differences(unchanged, self.plugin("plugin-allowed", PLUGIN_ALLOWED)), "")
        for old, new, kind in PLUGIN_REFUSED:
            with self.subTest(change=new):
                report = description.plugin_differences(unchanged, self.plugin("plugin-refused", [(old, new)]))
                self.assertRegex(report, rf"every {kind}' was changed|is new among the values of {kind},")

    def linked_anew(self, name, hidden, soname):
        """libduet.so, linked from the same objects, without the symbol `hidden`."""
        script = self.root / f"{name}.map"
        script.write_text(f"{{ global: _ZN4duet*; _ZNK4duet*; _ZTVN4duet*; _ZTIN4duet*; _ZTSN4duet*; local: {hidden}; *; }};")
        library = self.root / f"{name}.so"
        subprocess.run([os.environ["DUET_CXX"], "-shared", "-o", library, "-Wl,--whole-archive", os.environ["DUET_CORE"],
                        "-Wl,--no-whole-archive", f"-Wl,--version-script={script}", f"-Wl,-soname,{soname}"], check=True)
        return library

    def check(self, library):
        """What the test of the library itself says, and its exit code."""
        done = subprocess.run([sys.executable, "-B", CHECK, "library"], capture_output=True, text=True,
                              env=os.environ | {"DUET_LIBRARY": str(library)})
        return done.returncode, done.stdout + done.stderr

    def test_function_that_is_gone(self):
        """libduet.so as it is, and without Worker::gather."""
        symbols = description.run("nm", "-D", "--defined-only", os.environ["DUET_LIBRARY"]).split()
        (gather,) = [symbol for symbol in symbols if symbol.startswith("_ZN4duet6Worker6gather")]
        libraries, names = {}, {}
        for name, hidden in (("whole", "nothing"), ("less", gather)):
            libraries[name] = self.linked_anew(name, hidden, "libduet.so.1")
            names[name] = self.root / f"{name}.abi"
            description.describe_library(libraries[name], names[name])
        self.assertEqual(description.differences(names["less"], names["whole"]), "", "one more function is no harm")
        report = description.differences(names["whole"], names["less"])
        self.assertRegex(report, r"(?s)Removed.*duet::Worker::gather")

        # The same through the front door, where it has to say what to do.
        code, output = self.check(libraries["less"])
        self.assertEqual(code, 1, output)
        self.assertIn("duet::Worker::gather", output)
        self.assertIn("DUET_SOVERSION", output)
        self.assertIn("tests/abi/renew", output)

    def test_version_without_a_baseline(self):
        code, output = self.check(self.linked_anew("next", "nothing", "libduet.so.999"))
        self.assertEqual(code, 1, output)
        self.assertIn("libduet.so.999.abi", output)
        self.assertIn("tests/abi/renew", output)

    def test_library_without_debug_information(self):
        """Of which nothing could be said: that must not pass for compatible."""
        library = self.root / "stripped.so"
        subprocess.run(["strip", "-g", "-o", library, os.environ["DUET_LIBRARY"]], check=True)
        code, output = self.check(library)
        self.assertEqual(code, 1, output)
        self.assertIn("debug information", output)


if __name__ == "__main__":
    missing = baseline.Place("library").reason
    if missing:
        print(f"skipped: {missing}")
    else:
        unittest.main()
