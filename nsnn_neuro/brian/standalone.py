"""Reuse compiled C++ standalone programs: parameter values are read from a file instead of being compiled in.

Numbers are data: scalar parameters, initial values, the key of the noise, dt and duration, which Brian2 writes into the code as
literals, are read from a file instead. The code contains equations, sizes and names only. Its checksum, combined with the
compiler's reported path and version, the flags and the processor, is the key of the program in `program_cache`.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import itertools
import os
import re
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from brian2 import prefs
from brian2.codegen.generators.cpp_generator import c_data_type
from brian2.core.names import find_name
from brian2.core.namespace import DEFAULT_CONSTANTS, DEFAULT_UNITS
from brian2.core.variables import Constant
from brian2.devices import all_devices
from brian2.devices.cpp_standalone.device import CPPStandaloneDevice, CPPWriter

from ..core import program_cache, run_notes
from ..core.errors import NsnnError
from ..core.progress import announce
from ..core.temporary_folder import temporary_folder
from . import compiler, program_loops, program_parts, program_progress
from .child_process import CompiledCodeError, call

_NUMBERS = ("reals", "wholes")
_FULL = 28  # exit code of a program that could not write its results
_CLOSED = re.compile(r"\b(outfile_\w+)\.close\(\);")
_NOT_OPENED = re.compile(r'std::cout << "Error writing [^"]*" << (?:std::)?endl;')
_DURATION = re.compile(r"(?<=\.run\()[^,()]+(?=,)")
# Parts of a program that are not critical for speed: a single file compiles faster than six. Optimising the last, which reads and
# writes all arrays, would take as long as compiling the others
_ONCE = ("main", "network", "parts", "run", "synapses_classes", "objects")
# Code objects in a file: most of the time for a file goes into the headers
_TOGETHER = 8
_SUPPORT = re.compile(r"^namespace \{$(.*?)^\}$", re.DOTALL | re.MULTILINE)
_DEFINED = re.compile(r"^\s*#\s*define\s+(\w+)", re.MULTILINE)
# Precompiled headers halve the compilation time of networks with many files; without them compilation still works
_MANY = 10
_EARLY = '#include "objects.h"\n#include "brianlib/common_math.h"\n' + "".join(
    f"#include <{name}>\n"
    for name in ("algorithm", "climits", "cmath", "ctime", "fstream", "iostream", "map")
)
_RULES = """
PARTS = $(filter code_objects/%,$(OBJS))
$(PARTS): OPTIMISATIONS += -include early.h
$(PARTS): early.h.gch
early.h.gch: early.h
\t-$(CXX) -Wno-write-strings FLAGS -I. -x c++-header early.h -o early.h.gch
"""


class Device(CPPStandaloneDevice):
    """Brian2's C++ standalone device with numbers as data and cached programs."""

    extra_compile_args: list[str]
    main_queue: list[Any]
    t_start = 0.0
    """s, the time at which the network begins"""
    in_parts = False
    """Whether the program may divide its neurons, if they are independent, between processes and into pieces"""
    processes = 1
    """The most processes that it may then start"""

    def __init__(self) -> None:
        super().__init__()
        self._divided: list[Any] = []  # the groups of a program that runs in parts
        self._pieces = 1
        self._values: dict[str, list] = {kind: [] for kind in _NUMBERS}

    def code_object(self, owner: Any, name: str, *args: Any, **kwargs: Any) -> Any:
        """Brian2's code object, with a name that does not depend on earlier models of this process."""
        return super().code_object(owner, find_name(name, self.code_objects), *args, **kwargs)

    def execute(self, directory: str, report: Callable[[float], Any] | None = None) -> None:
        """Compile the model unless its program is cached, and run it in `directory`; `report` gets the completed fraction."""
        self._divide()
        with compiler.flags_apart() as self.extra_compile_args:
            self.build(directory=directory, compile=False, run=False)
            _rewrite(Path(directory) / "objects.cpp", _with_checked_writing)
            _rewrite(Path(directory) / "network.cpp", program_progress.with_report)
        key, program = self._key(Path(directory)), Path(directory) / "main"
        run_notes.mark_used(key)
        if not program_cache.fetch(key, program):
            announce(compiler.ANNOUNCEMENT)
            super().copy_source_files(self.writer, directory)
            compiler.make(directory)
            program_cache.keep(key, program)
        self._run_program(directory, report)

    def _divide(self) -> None:
        """Decide whether the program runs in parts."""
        # OpenMP, which a preference of Brian2 switches on, has loops over all neurons
        allowed = self.in_parts and not prefs.devices.cpp_standalone.openmp_threads
        self._divided = groups = program_parts.independent_groups(self) if allowed else []
        self.processes = program_parts.number_of_processes(groups, self.processes)
        self._pieces = program_parts.number_of_pieces(groups, self.processes)

    def _run_program(self, directory: str, report: Callable[[float], Any] | None) -> None:
        """Brian2's `run` without changing the working directory, which all threads share."""
        if os.name == "nt":
            self.run(directory, "results", with_output=False)
            return
        results = Path(directory).absolute() / "results"
        others = program_parts.folders(results, self.processes) if self._divided else []
        for folder in (results, *others):
            folder.mkdir(exist_ok=True)
        self.results_dir: str = os.path.join(results, "")
        for clock in self.clocks:
            self.array_cache[clock.variables["t"]] = None
        settings = prefs.devices.cpp_standalone
        program = settings.run_cmd_unix
        command = [*([program] if isinstance(program, str) else program), "--results_dir", self.results_dir]
        environment = {**os.environ, **settings.run_environment_variables, **self.run_environment_variables}
        poll = program_progress.reader(results, report)
        try:
            code, output = call(command, directory, environment, poll, with_parent=True)
        except CompiledCodeError as error:
            raise CompiledCodeError(f'engine = "cpp": {error}', 'or use engine="cython"') from error
        if code == _FULL:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self.results_dir)
        if code:
            # one that was killed would have taken too much memory, or time, on another engine too
            kind = CompiledCodeError if code > 0 else NsnnError
            raise kind(
                f'engine = "cpp": the compiled program ended with exit code {code}; use engine="cython":\n{output[-2000:]}'
            )
        if others:
            program_parts.collect(self, self._divided, results, self.processes, self._pieces)
        self.has_been_run = True
        seconds, fraction = (results / "last_run_info.txt").read_text(encoding="ascii").split()
        self._last_run_time, self._last_run_completed_fraction = float(seconds), float(fraction)

    def copy_source_files(self, writer: CPPWriter, directory: str) -> None:
        """The names of Brian2's own files, which are the same in all programs: they are copied where one is compiled."""
        headers, sources, _ = _library()
        writer.header_files |= headers
        writer.source_files |= sources

    def _key(self, directory: Path) -> str:
        digest = hashlib.sha256(compiler.described(self.extra_compile_args).encode())
        for package in ("brian2", "nsnn_neuro"):
            digest.update(f"{package} {version(package)}\n".encode())
        digest.update(_library()[2] + _digest(directory))
        return digest.hexdigest()

    def _datum(self, value: float) -> str:
        """Store a number as data; return the text that reads it."""
        kind = "wholes" if isinstance(value, int) else "reals"
        self._values[kind].append(value)
        return f"_static_array_{kind}[{len(self._values[kind]) - 1}]"

    def _read(self, literal: str) -> str:
        """`_datum` for a literal number; other text is returned unchanged."""
        plain = literal.replace(" ", "")
        for kind in (int, float):
            with contextlib.suppress(ValueError):
                value = kind(plain)
                return literal if kind is int and abs(value) >= 2**63 else self._datum(value)
        return literal

    def write_static_arrays(self, directory: str) -> None:
        """Replace the numbers in the code by elements of arrays; then write the arrays as Brian2 does."""
        self.main_queue = [self._without_numbers(*entry) for entry in self._in_order()]
        for _, code_object in sorted(self.code_objects.items()):
            self._take_constants(code_object)
        for kind, dtype in zip(_NUMBERS, (np.float64, np.int64), strict=True):
            if self._values[kind]:
                self.static_array(kind, np.array(self._values[kind], dtype=dtype))
        super().write_static_arrays(directory)

    def _in_order(self) -> Iterator[tuple[str, Any]]:
        """The commands of the program, independent of the order of the set of clocks in this process."""
        for what, group in itertools.groupby(self.main_queue, key=lambda entry: entry[0]):
            if what == "set_by_single_value":
                yield from sorted(group, key=lambda entry: (entry[1][0], str(entry[1][1])))
            elif what == "run_network":
                for _, (network, lines) in group:
                    if self.t_start:
                        yield "insert_code", f"{network.name}.t = {self._datum(self.t_start)};"
                    idle = {line for line in lines if line.endswith(", NULL);")}
                    following = iter(sorted(idle))
                    yield what, (network, [next(following) if line in idle else line for line in lines])
            else:
                yield from group

    def _without_numbers(self, what: str, args: Any) -> tuple[str, Any]:
        if what == "set_by_single_value":
            name, item, value = args
            return what, (name, item, self._read(value))
        if what == "set_by_constant" and _is_number(args[1]):
            name, value, dynamic = args
            size = f"{name}.size()" if dynamic else f"_num_{name}"
            return "insert_code", f"for(int i=0; i<{size}; i++) {name}[i] = {self._datum(value)};"
        if what == "run_network":
            network, lines = args
            lines = [_DURATION.sub(lambda m: self._read(m[0]), line) for line in lines]
            if self._divided:
                numbers = self._datum(self.processes), self._datum(self._pieces)
                lines = [program_parts.run_in_parts(line, *numbers) for line in lines]
                if not any("nsnn_run_in_parts" in line for line in lines):
                    raise RuntimeError("Brian2's main program runs the network in a line of another form")
            return what, (network, lines)
        return what, args

    def _take_constants(self, code_object: Any) -> None:
        taken = {
            name: variable
            for name, variable in sorted(code_object.variables.items())
            if isinstance(variable, Constant) and variable.owner is None and _is_number(variable.value)
            if name not in DEFAULT_CONSTANTS and name not in DEFAULT_UNITS
        }
        code_object.variables = {k: v for k, v in code_object.variables.items() if k not in taken}
        lines = [
            f"const {c_data_type(variable.dtype)} {name} = {self._datum(variable.value)};"
            for name, variable in taken.items()
        ]
        for block in ("cpp_file", *(f"{block}_cpp_file" for block in code_object.before_after_blocks)):
            text = getattr(code_object.code, block)
            setattr(code_object.code, block, text.replace("%CONSTANTS%", "\n".join([*lines, "%CONSTANTS%"])))

    def generate_codeobj_source(self, writer: Any) -> None:
        """Brian2's with faster loops; in a program that runs in parts, a file more, and code objects for the neurons of a part."""
        super().generate_codeobj_source(writer)
        writer.write(program_loops.HEADER, program_loops.HEADER_TEXT)
        writer.write(program_progress.HEADER, program_progress.HEADER_TEXT)
        if self._divided:
            (network,) = self.networks
            writer.write(program_parts.TEXT, program_parts.text(self, self._divided, network.name))
        for code in self.code_objects.values():
            path = Path(writer.project_dir) / "code_objects" / f"{code.name}.cpp"
            if self._divided:
                _rewrite(path, functools.partial(program_parts.with_counts, code))
            if not prefs.devices.cpp_standalone.openmp_threads:
                _rewrite(path, functools.partial(program_loops.with_fast_loops, code))

    def generate_makefile(self, writer: Any, *args: Any, **kwargs: Any) -> None:
        """Brian2's, with one file for all that runs once, few for code objects, and precompiled headers for many files."""
        once = [f"{name}.cpp" for name in _ONCE if f"{name}.cpp" in writer.source_files]
        lines = [f'#include "{name}"\n' for name in once]
        writer.write("once.cpp", "".join([*lines[:-1], '#pragma GCC optimize("O0")\n', lines[-1]]))
        writer.source_files -= set(once)
        parts = sorted(name for name in writer.source_files if name.startswith("code_objects/"))
        writer.source_files -= set(parts)
        for k, start in enumerate(range(0, len(parts), _TOGETHER)):
            texts = [
                (Path(writer.project_dir) / name).read_text(encoding="utf-8")
                for name in parts[start : start + _TOGETHER]
            ]
            writer.write(f"code_objects/part_{k}.cpp", program_loops.included(joined(texts)))
        rules = "\nonce.o: OPTIMISATIONS += -O1\n"
        if len(writer.source_files) >= _MANY:
            writer.write("early.h", _EARLY)
            rules += _RULES.replace("FLAGS", " ".join(self.extra_compile_args))
        super().generate_makefile(writer, *args, **kwargs)
        folder = Path(writer.project_dir)
        with open(folder / "makefile", "a", encoding="utf-8") as makefile:
            makefile.write(rules)
        (folder / "make.deps").touch()  # everything is compiled once: nothing depends on what it was before


@functools.cache
def _library() -> tuple[frozenset[str], frozenset[str], bytes]:
    """Brian2's own headers and sources, by their names in a program's folder, and their checksum."""
    with temporary_folder() as folder:
        writer = CPPWriter(str(folder))
        all_devices["cpp_standalone"].copy_source_files(writer, str(folder))
        return frozenset(writer.header_files), frozenset(writer.source_files), _digest(folder)


def _digest(directory: Path) -> bytes:
    """The checksum of the sources in a folder."""
    digest = hashlib.sha256()
    sources = (p for p in directory.rglob("*") if p.suffix in (".cpp", ".h") or p.name == "makefile")
    for path in sorted(sources):
        text = path.read_bytes()
        digest.update(f"{path.relative_to(directory)} {len(text)}\n".encode() + text)
    return digest.digest()


def _rewrite(path: Path, change: Callable[[str], str]) -> None:
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")


def joined(texts: Sequence[str]) -> str:
    """One C++ file of several, whose support code gets a namespace each, and whose macros end with them.

    >>> print(joined(["#define ONE 1\\nnamespace {\\nint f();\\n}\\nvoid run()\\n{\\n    using namespace brian;\\n}"]))
    #define ONE 1
    namespace { namespace nsnn_0 {
    int f();
    }}
    void run()
    {
        using namespace brian; using namespace nsnn_0;
    }
    #undef ONE
    <BLANKLINE>
    """
    parts = []
    for k, text in enumerate(texts):
        own = _SUPPORT.sub(rf"namespace {{ namespace nsnn_{k} {{\1}}}}", text, count=1)
        if own != text:
            own = own.replace("using namespace brian;", f"using namespace brian; using namespace nsnn_{k};")
        macros = dict.fromkeys(_DEFINED.findall(text))
        parts.append("\n".join([own, *(f"#undef {name}" for name in macros), ""]))
    return "".join(parts)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _with_checked_writing(text: str) -> str:
    """Brian2's objects.cpp of a program that ends with its parent, and with `_FULL` when it cannot write its results."""
    text = _CLOSED.sub(rf"\g<0> if(!\g<1>) std::exit({_FULL});", text)
    text = _NOT_OPENED.sub(rf"\g<0> std::exit({_FULL});", text)
    begin = "static const bool nsnn_begun = (nsnn_end_without_parent(), true);"
    return f'#include <cstdlib>\n#include "{program_progress.HEADER}"\n{begin}\n{text}'


@functools.cache
def version(package: str) -> str:
    """The installed version of a package, or "unknown"."""
    try:
        return metadata.version(package.replace("_", "-"))
    except metadata.PackageNotFoundError:
        return "unknown"
