#!/usr/bin/env python3
"""A transport plugin in plain C, built out of tree against the package's header alone."""

import json
import unittest

import harness

SAMPLE = harness.SOURCE / "samples" / "transport"


def found(prefix, name, **env):
    """What the tree's duet-info says about the transport."""
    plugins = json.loads(harness.run(prefix / "bin" / "duet-info", "plugins", "--json", **env))["plugins"]
    return [plugin for plugin in plugins if plugin["name"] == name]


class Plugin(unittest.TestCase):
    def header_alone(self, prefix):
        """The header in C11 and in C++20, by itself, with every warning."""
        folder = harness.copy(harness.PROJECTS / "plugin", "header")
        for compiler, standard, language in (("CC", "c11", "c"), ("CXX", "c++20", "c++")):
            harness.run(harness.COMPILERS[compiler], f"-std={standard}", "-x", language, "-Wall", "-Wextra", "-pedantic",
                        "-Werror", "-fsyntax-only", prefix / "include" / "duet" / "plugin" / "transport.h",
                        folder=folder)

    def test_header_alone(self):
        self.header_alone(harness.INSTALLED)
        self.header_alone(harness.MOVED)

    def test_least(self):
        """The least that loads: it says why it cannot be used, and so does a run that asks for it."""
        for prefix in (harness.INSTALLED, harness.MOVED):
            folder = harness.build(harness.PROJECTS / "plugin", f"plugin-{prefix.name}", prefix)
            (plugin,) = found(prefix, "pigeon", DUET_PLUGIN_PATH=folder)
            self.assertEqual((plugin["version"], plugin["loaded"], plugin["viable"]), ("0.1", True, False))
            self.assertEqual(plugin["path"], str(folder / "libduet_transport_pigeon.so"))
            self.assertIn("no loft", plugin["reason"])

            trainer = harness.build(harness.PROJECTS / "worker", f"plugin-trainer-{prefix.name}", prefix) / "own_trainer"
            output = harness.workers(2, trainer, prefix, fails=True, DUET_PLUGIN_PATH=folder, DUET_TRANSPORT="pigeon")
            self.assertIn("no loft", output)

        # It shows its entry point and nothing else, and goes where Duet looks below a prefix that the two share.
        symbols = harness.run("nm", "-D", "--defined-only", folder / "libduet_transport_pigeon.so").split()
        self.assertEqual(symbols[2::3], ["duet_transport_plugin"])
        harness.run(harness.CMAKE, "--install", folder, "--prefix", folder / "prefix")
        self.assertTrue((folder / "prefix" / "lib" / "duet" / "libduet_transport_pigeon.so").exists())

    @unittest.skipUnless(SAMPLE.is_dir(), "this version has no samples/transport")
    def test_sample(self):
        """The sample transport: workers train over it, with the same program as over any other."""
        for prefix in (harness.INSTALLED, harness.MOVED):
            folder = harness.build(SAMPLE, f"sample-{prefix.name}", prefix)
            (path,) = folder.rglob("libduet_transport_*.so")
            name = path.stem.removeprefix("libduet_transport_")
            (plugin,) = found(prefix, name, DUET_PLUGIN_PATH=path.parent)
            self.assertTrue(plugin["viable"], plugin)
            trainer = harness.build(harness.PROJECTS / "worker", f"sample-trainer-{prefix.name}", prefix) / "own_trainer"
            harness.workers(2, trainer, prefix, DUET_PLUGIN_PATH=path.parent, DUET_TRANSPORT=name)
        # Once is enough for the contract: it takes a while.
        check = harness.MOVED / "bin" / "duet-plugin-check"
        if check.exists():
            harness.run(check, path)


if __name__ == "__main__":
    unittest.main()
