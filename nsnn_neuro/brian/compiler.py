"""The C++ compiler: the flags that it accepts, what it reports of itself, what it makes, and its errors.

What a failing compiler has output is kept as a note in the cache (`core/run_notes.py`).
"""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import os
import re
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from brian2 import prefs

from ..core import run_notes
from .child_process import CompiledCodeError, call
from .find_compiler import find_compiler

ANNOUNCEMENT = "compiling the model (once, some seconds)"
_MOST_LOGGED = 2**20  # characters
_ERROR = re.compile(
    r"\berror\b|undefined reference|fatal|cannot |can't |unavailable|not found|no such|unterminated",
    re.IGNORECASE,
)


@contextlib.contextmanager
def flags_apart() -> Iterator[list[str]]:
    """Take the compiler's flags out of Brian2's preferences, which would compile a test file per flag; yields those usable."""
    chosen = prefs.codegen.cpp.extra_compile_args
    flags = prefs.codegen.cpp.extra_compile_args_gcc if chosen is None else chosen
    try:
        prefs.codegen.cpp.extra_compile_args = []
        yield usable(flags)
    finally:
        prefs.codegen.cpp.extra_compile_args = chosen


def usable(flags: Sequence[str]) -> list[str]:
    """The `flags` that the C++ compiler accepts; all of them if there is no compiler."""
    return list(_ask(tuple(find_compiler() or ()), tuple(flags), os.environ.get("PATH", ""))[0])


def described(flags: Sequence[str]) -> str:
    """Path, version and target processor that the C++ compiler reports with these flags."""
    return _ask(tuple(find_compiler() or ()), tuple(flags), os.environ.get("PATH", ""))[1]


@functools.lru_cache(maxsize=8)
def _ask(command: tuple[str, ...], flags: tuple[str, ...], path: str) -> tuple[tuple[str, ...], str]:
    """The flags that a compiler accepts, and its report: version and the meaning of -march=native, by PATH."""

    if not command:
        return flags, ""

    def tried(flags: Sequence[str]) -> tuple[int, str]:
        asked = [*command, "-v", *flags, "-fsyntax-only", "-x", "c++", os.devnull]
        return call(asked, tempfile.gettempdir(), {**os.environ, "LC_ALL": "C"})

    code, output = tried(flags)
    if code:
        flags = tuple(flag for flag in flags if not tried([flag])[0])
        code, output = tried(flags)
    return flags, "\n".join([shutil.which(command[0]) or "", *command, output])


def make(directory: str) -> None:
    """Compile the C++ program `main` of a project with a makefile; nothing goes on compiling after an exception."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    settings = prefs.devices.cpp_standalone
    command = [
        *shlex.split(settings.make_cmd_unix),
        *(f"-j{cores}" if argument == "-j" else argument for argument in settings.extra_make_args_unix),
        f"CXX={shlex.join(find_compiler() or ['c++'])}",
    ]
    compile_file(command, Path(directory) / "main", "cpp", "cython")


def compile_file(command: Sequence[str], target: Path, engine: str, other: str) -> None:
    """Run a command that compiles `target` in its folder, which also gets the compiler's temporary files.

    engine : which one needs the file; other : an engine to use instead, in the message

    Raises
    ------
    CompiledCodeError : the command cannot be started, fails, or writes no file
    OSError : the disk is full
    """
    folder = str(target.parent)
    try:
        code, output = call(command, folder, {**os.environ, "TMPDIR": folder, "LC_ALL": "C"})
    except CompiledCodeError as error:
        raise CompiledCodeError(f'engine = "{engine}": {error}', f'or use engine="{other}"') from error
    if code == 0 and target.exists():
        return
    if os.strerror(errno.ENOSPC) in output:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), folder)
    output, named = output.replace(os.path.join(folder, ""), ""), shlex.join(find_compiler() or ["c++"])
    digest = hashlib.sha256(output.encode()).hexdigest()
    log = run_notes.write(f"compiler-{digest[:16]}.log", f"{shlex.join(command)}\n{output[:_MOST_LOGGED]}")
    raise CompiledCodeError(
        f'engine = "{engine}": the C++ compiler {named} failed: {_first_error(output, code)}; the whole log is {log}',
        f'use engine="{other}", or name another compiler by the environment variable CXX',
    )


def _first_error(output: str, code: int) -> str:
    """The first line of a compiler's output that is an error; what `make` says of it counts last.

    >>> _first_error("parts.cpp: In function f:\\nparts.cpp:70:69: error: no Clock\\nmake: *** Error 1\\n", 2)
    'parts.cpp:70:69: error: no Clock'
    >>> _first_error("bad luck\\nmake: *** Error 1", 2), _first_error("", 0)
    ('bad luck', 'exit code 0, but it has written no file')
    """
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith("make")] or lines
    lines.append(f"exit code {code}" + (", but it has written no file" * (not code)))
    return next((line for line in lines if _ERROR.search(line)), lines[0])[:300]
