"""Compilation of Cython modules for the engine "cython", instead of Brian2's extension manager.

Modules are stored in `program_cache` under a checksum of their code, the flags, the compiler and all versions. The compiler runs in
a separate process group, which is ended by an exception such as Ctrl-C. Brian2's manager, in contrast, loads any file with the
right name in its folder, ignores a change of flags, lets Cython read declarations (`numpy.pxd`) from the working directory, and
redirects the output of all threads.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.machinery
import importlib.util
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType

import brian2
import Cython
import numpy as np

from ..core import program_cache, run_notes
from ..core.errors import NsnnError
from ..core.progress import announce
from ..core.temporary_folder import temporary_folder
from . import compiler, standalone
from .child_process import CompiledCodeError
from .find_compiler import find_compiler, words_of

# Brian2's headers, which generated code includes
_BRIAN = Path(brian2.__file__).parent
_HEADERS = (str(_BRIAN / "synapses"), str(_BRIAN / "devices" / "cpp_standalone" / "brianlib"))
_loaded: dict[str, ModuleType] = {}


def load(code: str, flags: Sequence[str], options: Mapping[str, Sequence]) -> ModuleType:
    """The compiled module of a Cython text, from the cache if possible.

    flags : of the C++ compiler
    options : include_dirs, library_dirs, runtime_library_dirs, libraries, define_macros (pairs), extra_link_args, as in distutils
    """
    compile_with, link_with = _arguments(flags, options)
    versions = (sys.version, sysconfig.get_config_var("EXT_SUFFIX"), Cython.__version__, np.__version__)
    command = (*compile_with, *link_with)
    parts = (code, *command, compiler.described(flags), *versions, standalone.version("brian2"))
    key = hashlib.sha256(repr(parts).encode()).hexdigest()
    run_notes.mark_used(key)
    if key not in _loaded:
        _loaded[key] = _cached(key) or _made(key, code, compile_with, link_with)
    return _loaded[key]


def _arguments(flags: Sequence[str], options: Mapping[str, Sequence]) -> tuple[list[str], list[str]]:
    """Commands that compile and link, without the names of files and libraries.

    `flags` are not passed to the linker: with -ffast-math, GCC before 13 links code that makes the process flush subnormal numbers
    to zero.
    """
    command = find_compiler()
    if command is None:
        raise CompiledCodeError(
            'engine = "cython" needs a C++ compiler, but it was not found any more', 'use engine="numpy"'
        )
    shared = ["-bundle", "-undefined", "dynamic_lookup"] if sys.platform == "darwin" else ["-shared"]
    paths = sysconfig.get_paths()
    includes = [*options["include_dirs"], np.get_include(), *_HEADERS, paths["include"], paths["platinclude"]]
    chosen = {name: words_of(name) for name in ("CPPFLAGS", "CXXFLAGS", "LDFLAGS")}
    compile_with = [
        *(*command, "-c", "-fPIC", "-fwrapv", "-fno-strict-aliasing", "-DNDEBUG"),
        *(f"-D{name}" if value is None else f"-D{name}={value}" for name, value in options["define_macros"]),
        *(f"-I{folder}" for folder in dict.fromkeys(includes)),
        *chosen["CPPFLAGS"],
        *chosen["CXXFLAGS"],
        *flags,
    ]
    link_with = [
        *command,
        *shared,
        *chosen["LDFLAGS"],
        *(f"-L{folder}" for folder in options["library_dirs"]),
        *(f"-Wl,-rpath,{folder}" for folder in options["runtime_library_dirs"]),
        *options["extra_link_args"],
        *(f"-l{name}" for name in options["libraries"]),
    ]
    return compile_with, link_with


def _name(key: str) -> str:
    return f"nsnn_{key[:32]}"


def _cached(key: str) -> ModuleType | None:
    path = program_cache.find(key, "cython")
    if path is not None:
        with contextlib.suppress(ImportError):  # removed in the meantime, or from another system
            return _imported(key, path)
    return None


def _imported(key: str, path: Path) -> ModuleType:
    loader = importlib.machinery.ExtensionFileLoader(_name(key), str(path))
    spec = importlib.util.spec_from_file_location(_name(key), path, loader=loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def _made(key: str, code: str, compile_with: Sequence[str], link_with: Sequence[str]) -> ModuleType:
    announce(compiler.ANNOUNCEMENT)
    with temporary_folder() as directory:
        text, target = directory / f"{_name(key)}.pyx", directory / f"{_name(key)}.so"
        translate(code, text)
        compiled = text.with_suffix(".o")
        command, *arguments = link_with
        # libraries follow the file that uses them
        link = [command, str(compiled), *arguments, "-o", str(target)]
        compile_it = [*compile_with, str(text.with_suffix(".cpp")), "-o", str(compiled)]
        compiler.compile_file(compile_it, compiled, "cython", "numpy")
        compiler.compile_file(link, target, "cython", "numpy")
        program_cache.keep(key, target, "cython")
        kept = program_cache.find(key, "cython")
        try:
            return _imported(key, target if kept is None else kept)
        except ImportError as error:
            raise CompiledCodeError(
                f'engine = "cython": a compiled module cannot be loaded ({error})',
                'use engine="numpy", or set NSNN_CACHE_DIR to a folder on a disk that is not mounted with noexec',
            ) from error


def translate(code: str, path: Path) -> None:
    """Write a Cython text to `path`, a .pyx file, and its translation to C++ next to it."""
    from Cython.Compiler.Main import compile as translated

    path.write_text(code, encoding="utf-8")
    # without include_path Cython looks for declarations in the working directory first
    target = str(path.with_suffix(".cpp"))
    if translated(str(path), cplus=True, include_path=[], output_file=target).num_errors:
        raise NsnnError('engine = "cython": Cython cannot compile the model; its messages are above')
