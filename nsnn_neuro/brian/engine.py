"""Where and how a model runs: code generation target, device, keyed noise inside generated code, global state.

Brian2 keeps global state (active device, preferences). `running` sets what one simulation needs and puts everything back, on
return and on an exception; the runs of other threads wait. Nothing here touches NumPy's global random state: noise is keyed
(`keyed_noise.py`).
"""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from brian2 import Function, Network, prefs, second
from brian2.codegen.generators.cpp_generator import CPPCodeGenerator
from brian2.codegen.generators.cython_generator import CythonCodeGenerator
from brian2.codegen.generators.numpy_generator import NumpyCodeGenerator
from brian2.codegen.runtime.cython_rt import CythonCodeObject
from brian2.core.base import BrianObject
from brian2.devices.cpp_standalone.device import CPPStandaloneDevice
from scipy import special

from ..core.errors import NsnnError
from ..core.progress import progress_bar
from . import cython_target, global_state, philox, standalone
from .global_state import frozen_heap, taking_turns

__all__ = [
    "ENGINES",
    "FLAGS",
    "PROGRAM_FLAGS",
    "NoCompilerWarning",
    "Prepared",
    "choose",
    "draw",
    "dtype",
    "functions",
    "has_compiler",
    "reporting",
    "run",
    "running",
    "frozen_heap",
    "taking_turns",
]

brian_device: Any = importlib.import_module(
    "brian2.devices.device"
)  # the package holds a proxy under this name

_SMOOTH = (Path(__file__).parent / "vector_math.h").read_text(encoding="utf-8")
# GCC gives up vectorising loops over more than a few arrays, and takes the loops of Cython's functions for cold code after the
# many errors that might have come before
FLAGS = ["--param=vect-max-version-for-alias-checks=1000", "--param=builtin-expect-probability=100"]
PROGRAM_FLAGS = [
    *FLAGS,
    "-funroll-loops",
]  # the loops of C++ programs that stay scalar, over thresholds above all

ENGINES = ("cython", "numpy", "cpp")


class NoCompilerWarning(UserWarning):
    """There is no C++ compiler: the NumPy code generation target runs instead, several times slower."""


class Prepared(Network):
    """Brian2's Network for many runs of the same objects: with `prepared` set a run takes the code that the last one made.

    Right as long as no array has been replaced or resized; Brian2 makes all code anew, a twentieth of a second. And in a step
    it asks objects without code too, and calls the others' through four functions: neither here, a fifth of small groups' time.
    Objects in `only_when` run in steps in which the first element of their array isn't 0: cheaper than a second clock.
    """

    prepared = False
    only_when: Mapping[BrianObject, np.ndarray] = {}

    def before_run(self, run_namespace: Any) -> None:
        """Brian2's preparations, unless they are done."""
        if self.prepared:
            return
        asked = [obj for obj in self.sorted_objects if type(obj).run is BrianObject.run]
        for obj in asked:
            obj._active = True
            vars(obj).pop("run", None)
        super().before_run(run_namespace)
        # what was there is aside, what compiling leaves isn't: a tenth of a second for each run
        if global_state.is_heap_frozen():
            gc.collect()
            gc.freeze()
        for obj in asked:
            calls = [_direct(code) for code in obj._code_objects]
            if not calls:
                obj._active = False
                continue
            call = calls[0] if len(calls) == 1 and calls[0] is not None else obj.run
            if obj in self.only_when:
                vars(obj)["run"] = functools.partial(_when, self.only_when[obj], call)
            elif call is calls[0]:
                vars(obj)["run"] = call


def _when(due: np.ndarray, call: Callable) -> None:
    if due[0]:
        call()


def _direct(code: Any) -> Callable | None:
    """The compiled function of a code object that finds all it needs where it was."""
    if not isinstance(code, CythonCodeObject) or code.nonconstant_values or not code.compiled_code["run"]:
        return None
    # names that are the very objects which the function looks up need no comparison
    code.namespace = {sys.intern(name): value for name, value in code.namespace.items()}
    return functools.partial(code.compiled_code["run"].main, code.namespace)


def has_compiler() -> bool:
    """True when a C++ compiler is on the PATH (or named by CXX)."""
    return standalone.compiler() is not None


def choose(engine: str) -> str:
    """The engine that will run: `engine`, or "numpy" with a warning when "cython" lacks a compiler.

    Raises
    ------
    NsnnError : unknown engine; "cpp" without a compiler
    """
    if engine not in ENGINES:
        raise NsnnError(f'engine = {engine!r}: expected "cython", "numpy" or "cpp"')
    if engine == "numpy" or has_compiler():
        return engine
    cure = "install one (Debian: apt-get install g++; macOS: xcode-select --install)"
    if engine == "cpp":
        raise NsnnError(f'engine = "cpp" needs a C++ compiler: {cure}, or use engine="numpy"')
    warnings.warn(
        f"no C++ compiler found: running with NumPy code generation; {cure}", NoCompilerWarning, stacklevel=4
    )
    return "numpy"


def dtype() -> str:
    """The type of state variables: Brian2's preference."""
    return str(np.dtype(prefs.core.default_float_dtype).name)


_C_ARGUMENTS = (
    "int64_t step, int32_t neuron, int32_t trial, int32_t point, int32_t stream, int32_t key0, int32_t key1"
)


def _in_turn(pyfunc: Callable, c_name: str) -> Function:
    """A keyed draw whose first argument says of which of four steps."""

    def numpy_target(turn, step, neuron, trial, point, stream, key0, key1):
        return pyfunc(turn, step, neuron, trial, point, stream, np.ravel(key0)[0], np.ravel(key1)[0])

    function = Function(
        pyfunc,
        arg_units=[1] * 8,
        return_unit=1,
        arg_types=["integer"] * 8,
        return_type="float",
        stateless=True,
    )
    _implement(function, numpy_target, c_name, f"int32_t turn, {_C_ARGUMENTS}")
    return function


def _chosen_in_turn() -> Function:
    def numpy_target(step, *numbers):
        return numbers[int(np.ravel(step)[0]) % 4]

    function = Function(
        numpy_target, arg_units=[1] * 5, return_unit=1, arg_types=["integer", *["float"] * 4], return_type="float", stateless=True
    )  # fmt: skip
    names = ("first", "second", "third", "fourth")
    _implement(
        function,
        numpy_target,
        "nsnn_in_turn",
        "int64_t step, " + ", ".join(f"double {name}" for name in names),
    )
    return function


_PATH = ("jumps", "weight", "jumps_inh", "weight_inh", "drift", "room")
_PASSAGE = (
    "stream_shared", "way", "kick", "now", "later", "room", "room_end", "pieces", "keep", "ebb", "pull", "lapse", "root_ii",
    "root_vi", "root_vv", "far", "full", "common", "apart",
)  # fmt: skip


def _keyed_function(pyfunc: Callable, c_name: str, further: tuple[str, ...] = ()) -> Function:
    """A keyed draw as a function of generated code; `further` are its parameters after the keys (floats)."""

    def numpy_target(step, neuron, trial, point, stream, key0, key1, *rest):
        # shared values (the keys) may reach us as arrays of one element
        return pyfunc(step, neuron, trial, point, stream, np.ravel(key0)[0], np.ravel(key1)[0], *rest)

    function = Function(
        pyfunc,
        arg_units=[1] * (7 + len(further)),
        return_unit=1,
        arg_types=["integer"] * 7 + ["float"] * len(further),
        return_type="float",
        stateless=True,
    )
    _implement(function, numpy_target, c_name, _C_ARGUMENTS + "".join(f", double {name}" for name in further))
    return function


def _implement(
    function: Function,
    numpy_target: Callable,
    c_name: str,
    c_arguments: str,
    header: str = philox.HEADER,
) -> None:
    implementations = function.implementations
    implementations.add_implementation(NumpyCodeGenerator, code=numpy_target)
    implementations.add_implementation(CPPCodeGenerator, code=header, name=c_name)
    indented = "\n".join("    " + line for line in header.splitlines())
    cython = f'cdef extern from *:\n    """\n{indented}\n    """\n    double {c_name}({c_arguments}) nogil\n'
    implementations.add_implementation(CythonCodeGenerator, code=cython, name=c_name)


def _of_numbers(
    numpy_target: Callable, c_name: str, header: str = philox.HEADER, names: tuple[str, ...] = ("x",)
) -> Function:
    n = len(names)
    function = Function(
        numpy_target,
        arg_units=[1] * n,
        return_unit=1,
        arg_types=["float"] * n,
        return_type="float",
        stateless=True,
    )
    _implement(function, numpy_target, c_name, ", ".join(f"double {name}" for name in names), header)
    return function


def functions() -> dict[str, Function]:
    """The functions that generated code may call, for every target: keyed draws and normal_cdf; smooth_exp, smooth_exprel and
    smooth_normal_cdf, the same in a form that the compiler vectorises, slower where it can't."""
    return {
        "keyed_normal": _keyed_function(philox.normal, "nsnn_normal"),
        "keyed_normal_in_turn": _in_turn(philox.normal_in_turn, "nsnn_normal_in_turn"),
        "keyed_uniform": _keyed_function(philox.uniform, "nsnn_uniform"),
        "keyed_uniform_in_turn": _in_turn(philox.uniform_in_turn, "nsnn_uniform_in_turn"),
        "keyed_summit": _keyed_function(philox.summit, "nsnn_summit", _PATH),
        "keyed_passage": _keyed_function(philox.passage, "nsnn_passage", _PASSAGE),
        "in_turn": _chosen_in_turn(),
        "jumps_of": _of_numbers(philox.jumps, "nsnn_jumps", names=("u", "mean", "none")),
        "normal_cdf": _of_numbers(special.ndtr, "nsnn_normal_cdf"),
        "smooth_exp": _of_numbers(np.exp, "nsnn_smooth_exp", _SMOOTH),
        "smooth_exprel": _of_numbers(special.exprel, "nsnn_smooth_exprel", _SMOOTH),
        "smooth_normal_cdf": _of_numbers(special.ndtr, "nsnn_smooth_normal_cdf", _SMOOTH),
    }


def draw(kind: str, stream: philox.Stream, *further: str, neuron: str = "noise_neuron") -> str:
    """Brian2 text of one draw, "normal", "uniform", or "summit" and "passage" (with `further` arguments) of a stream.

    neuron="-1" gives the draw that a trial shares.
    """
    arguments = ", ".join(
        [
            "t_in_timesteps",
            neuron,
            "noise_trial",
            "noise_point",
            str(int(stream)),
            "noise_key0",
            "noise_key1",
            *further,
        ]
    )
    return f"keyed_{kind}({arguments})"


@contextlib.contextmanager
def running(engine: str) -> Iterator[Any]:
    """Make `engine` the active one inside the block and restore Brian2's device and preferences afterwards.

    Threads take turns. Yields the active Brian2 device.

    Raises
    ------
    NsnnError : the disk is full
    """
    with global_state.borrowed() as state, contextlib.ExitStack() as stack:
        flags = PROGRAM_FLAGS if engine == "cpp" else FLAGS
        if engine != "numpy":
            prefs.codegen.cpp.extra_compile_args_gcc = [*state.flags, *standalone.usable(flags)]
        if engine == "cpp":
            directory = stack.enter_context(_temporary_folder())
            device = (
                standalone.Device()
            )  # our own: a model that the user is building for theirs stays as it is
            device.activate(build_on_run=False, directory=directory)
        else:
            device = brian_device.runtime_device
            prefs.codegen.target = cython_target.TARGET if engine == "cython" else engine
        brian_device.active_device = device
        # Brian2's own handler ends a run early and returns as if it were whole; Ctrl-C is to raise KeyboardInterrupt
        prefs.core.stop_on_keyboard_interrupt = False
        yield device


@contextlib.contextmanager
def _temporary_folder() -> Iterator[str]:
    directory, process = tempfile.mkdtemp(prefix="nsnn_"), os.getpid()
    try:
        yield directory
    finally:
        if os.getpid() == process:  # a fork leaves the folder to the process that made it
            shutil.rmtree(directory, ignore_errors=True)


def run(network: Network, duration: float, device: Any, progress: Any) -> None:
    """Run `network` for `duration` seconds on the active `device`; with `namespace={}` no caller's name is captured."""
    in_cpp = isinstance(device, CPPStandaloneDevice)
    with progress_bar(progress, "compiling and simulating (C++)" if in_cpp else "simulating") as report:
        if not in_cpp:
            network.run(duration * second, namespace={}, **reporting(report))
            return
        network.run(duration * second, namespace={})
        device.execute(device.build_options["directory"])
        if report is not None:
            report(1.0)


def reporting(report: Callable[[float], Any] | None) -> dict[str, Any]:
    """Arguments of Brian2's `run` that call `report` with the completed fraction, five times a second."""
    if report is None:
        return {}

    def called(elapsed: Any, completed: float, start: Any, duration: Any) -> None:
        report(float(completed))

    return {"report": called, "report_period": 0.2 * second}
