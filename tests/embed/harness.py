"""What the embedders' tests share: clean folders, an environment that knows nothing of Duet's build, the installed trees.

Two trees are installed once, before all tests (test_install.py): INSTALLED stays where it was installed, MOVED was moved
away from there. Every embedder is copied to an empty folder and built there like anybody's project."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile

BUILD = pathlib.Path(os.environ["DUET_BUILD"])
SOURCE = pathlib.Path(__file__).resolve().parents[2]
PROJECTS = pathlib.Path(__file__).resolve().parent
CMAKE = os.environ["DUET_CMAKE"]
GENERATOR = os.environ["DUET_GENERATOR"]
COMPILERS = {"CC": os.environ["DUET_CC"], "CXX": os.environ["DUET_CXX"]}
WITH_TORCH = os.environ["DUET_WITH_TORCH"] == "ON"
WITH_CUDA = os.environ["DUET_WITH_CUDA"] == "ON"
WITH_DASHBOARD = os.environ["DUET_WITH_DASHBOARD"] == "ON"
# A LibTorch that was named is the one thing outside the tree whose place the tree may know, as a proposal.
TORCH = os.environ["DUET_TORCH_FOLDER"]
ROOT = BUILD / "embed"
INSTALLED = ROOT / "installed"
MOVED = ROOT / "elsewhere" / "moved"


def environment(**more):
    """Nothing but what every login shell has. Of ours, only the compilers."""
    clean = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
    for name in ("HOME", "TMPDIR", "CCACHE_DIR"):
        if name in os.environ:
            clean[name] = os.environ[name]
    return clean | COMPILERS | {name: str(value) for name, value in more.items()}


def ends(*command, folder=None, timeout=900, **env):
    """Runs a program to its end and returns its exit status and output."""
    process = subprocess.Popen(
        [str(part) for part in command],
        cwd=folder or ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(**env),
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        raise AssertionError(f"{command} was still running after {timeout} s:\n{output[-4000:]}") from None
    return process.returncode, output


def run(*command, fails=False, **how):
    """The same, and returns its output. It must succeed, or, with `fails`, must not."""
    status, output = ends(*command, **how)
    if (status != 0) != fails:
        raise AssertionError(f"{command} ended with {status}:\n{output[-6000:]}")
    return output


def copy(project, name, extra=None):
    """The project in an empty folder of its own. extra: files from elsewhere in PROJECTS, {from: to}."""
    folder = ROOT / "work" / name
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(project, folder / "source")
    for origin, target in (extra or {}).items():
        shutil.copy(PROJECTS / origin, folder / "source" / target)
    return folder


def configure(folder, *arguments, fails=False):
    return run(CMAKE, "-S", folder / "source", "-B", folder / "build", "-G", GENERATOR,
               "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON", *arguments, fails=fails)


def build(project, name, prefix, *arguments):
    """A CMake project against the tree in `prefix`; returns its build folder."""
    folder = copy(project, name)
    configure(folder, f"-DCMAKE_PREFIX_PATH={prefix}", "-DCMAKE_BUILD_TYPE=", *arguments)
    run(CMAKE, "--build", folder / "build", "--parallel", "2")
    check_origins(folder / "build", prefix)
    return folder / "build"


def content(path):
    """A file as text; of programs and libraries all but the debug information, which is for debuggers and which packagers
    strip."""
    data = path.read_bytes()
    if data.startswith((b"\x7fELF", b"!<arch>")):
        with tempfile.TemporaryDirectory() as folder:
            run("strip", "-g", "-o", pathlib.Path(folder) / "stripped", path)
            data = (pathlib.Path(folder) / "stripped").read_bytes()
    return data.decode(errors="replace")


def check_origins(folder, prefix):
    """What was built in `folder` knows of Duet only what is below `prefix`: not its sources, nor where it was built, nor
    another tree."""
    allowed = tuple(filter(None, (str(prefix), str(ROOT / "work"), TORCH)))
    for path in folder.rglob("*"):
        if path.is_symlink() or not path.is_file() or path.suffix == ".o":
            continue
        text = content(path)
        for root in {SOURCE, BUILD}:
            for found in re.finditer(re.escape(str(root)) + r"[/\w.+-]*", text):
                if not found.group().startswith(allowed):
                    raise AssertionError(f"{path} mentions {found.group()}")


def workers(count, program, prefix, arguments=(), timeout=180, fails=False, **env):
    """Runs `count` workers of a program with the tree's own duet-run."""
    output = run(prefix / "bin" / "duet-run", "-n", count, "--", program, *arguments, timeout=timeout, fails=fails, **env)
    if not fails:
        together(output, count)
    return output


def together(output, count):
    """All `count` of them say that they finished together, with the same parameters, and that they met."""
    lines = re.findall(r"rank \d+ of (\d+): (\d+) members, (\d+) meetings, ended at (\S+)", output)
    if len(lines) != count or {line[:2] for line in lines} != {(str(count), str(count))}:
        raise AssertionError(f"not a run of {count} workers:\n{output}")
    if len({line[3] for line in lines}) != 1:
        raise AssertionError(f"they ended apart, without the common average:\n{output}")
    if count > 1 and not any(int(line[2]) for line in lines):
        raise AssertionError(f"nobody met anybody:\n{output}")


def loads(program, prefix, **env):
    """That the program would take libduet.so from `prefix`."""
    output = run("ldd", program, **env)
    found = re.search(r"libduet\.so\.\d+ => (\S+)", output)
    if not found or pathlib.Path(found.group(1)).resolve().parent != (prefix / "lib").resolve():
        raise AssertionError(f"{program} does not take libduet from {prefix}:\n{output}")
