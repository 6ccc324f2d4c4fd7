"""What a build's ABI is, and whether it is compatible with the baseline's.

Two things are described: libduet.so together with the types of the C++ headers, and the plugin header, of which there is
no library: a file that includes it and nothing else is compiled with full debug information."""

import pathlib
import re
import subprocess
import tempfile

import growth
import slim

SOURCE = pathlib.Path(__file__).resolve().parents[2]
HEADERS = SOURCE / "sdk" / "include"


def run(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def is_plugin_header(path):
    return "include/duet/plugin/" in path


def is_cpp_header(path):
    """The core's headers; an adapter's (duet/torch/…) are another library's."""
    return re.search(r"include/duet/\w+\.h$", path) is not None


def describe(library, target, is_public, *options):
    """Writes the reduced description of a library to `target`."""
    with tempfile.TemporaryDirectory() as folder:
        full = pathlib.Path(folder) / "full.abi"
        run("abidw", "--no-corpus-path", "--no-comp-dir-path", "--no-parameter-names", "--no-elf-needed", "--no-architecture",
            "--type-id-style", "hash", *options, "--out-file", full, library)
        slim.Slimmer(is_public).slim(full, target)


def describe_library(library, target):
    """libduet.so, built with debug information (sdk/CMakeLists.txt says for which files that matters)."""
    describe(library, target, is_cpp_header, "--exported-interfaces-only")


def describe_view(target, compiler, standard, header, is_public, headers=HEADERS):
    """The types of a header, by itself."""
    with tempfile.TemporaryDirectory() as folder:
        view = pathlib.Path(folder) / ("view.c" if standard.startswith("c1") else "view.cc")
        # abidw wants a symbol; slimming leaves it out again, being no function and no type of a public header.
        view.write_text(f'#include "{header}"\nextern int view;\nint view;\n')
        library = view.with_suffix(".so")
        run(compiler, f"-std={standard}", "-g", "-O0", "-fno-eliminate-unused-debug-types",
            *(() if view.suffix == ".c" else ("-femit-class-debug-always",)), "-fPIC", "-shared", "-I", headers,
            "-o", library, view)
        describe(library, target, is_public, "--load-all-types")


def describe_plugin_header(target, c_compiler, headers=HEADERS):
    describe_view(target, c_compiler, "c11", "duet/plugin/transport.h", is_plugin_header, headers)


def differences(baseline, present):
    """abidiff's report of what is not compatible, or "". Whatever was only added is compatible."""
    done = subprocess.run(["abidiff", "--no-added-syms", "--redundant", str(baseline), str(present)], capture_output=True, text=True)
    if done.returncode & 3:  # bits 0 and 1: abidiff itself failed; 2 and 3: what it found
        raise RuntimeError(f"abidiff ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout if done.returncode else ""


def plugin_differences(baseline, present):
    """As above, by the plugin ABI's rules (growth.py)."""
    with tempfile.TemporaryDirectory() as folder:
        cut = pathlib.Path(folder) / "present.abi"
        growth.cut_growth(baseline, present, cut)
        return growth.added_values(baseline, present) + differences(baseline, cut)


def declared_types():
    """The names of what the public C++ headers declare, for a description to have them all."""
    names = set()
    for header in HEADERS.glob("duet/*.h"):
        names |= set(re.findall(r"^(?:struct|class|enum class) (?:DUET_API )?(\w+)[^;{]*\{", header.read_text(), re.M))
    return {f"duet::{name}" for name in names}
