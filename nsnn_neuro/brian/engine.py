"""Engines (NumPy, Cython, C++): set Brian2's target, device and random functions for one run, then restore them.

Brian2 keeps global state (active device, preferences). `running` sets what a simulation needs and restores it on return and on an
exception; runs in other threads wait. NumPy's global random state is never used: noise is keyed (`philox.py`).
"""

from __future__ import annotations

import contextlib
import functools
import gc
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from brian2 import Function, Network, prefs, second
from brian2.codegen.generators.cpp_generator import CPPCodeGenerator
from brian2.codegen.generators.cython_generator import CythonCodeGenerator
from brian2.codegen.generators.numpy_generator import NumpyCodeGenerator
from brian2.codegen.runtime.cython_rt import CythonCodeObject
from brian2.codegen.translation import make_statements
from brian2.core.base import BrianObject
from brian2.devices.cpp_standalone.device import CPPStandaloneDevice

from ..core import special
from ..core.checks import one_of
from ..core.errors import NsnnError
from ..core.progress import progress_bar
from ..core.temporary_folder import temporary_folder
from ..core.warn import warn
from . import compiler, cython_target, global_state, philox, shortcuts, standalone
from .find_compiler import find_compiler
from .global_state import brian_device

_MOST_TEXTS = 1000
"""that Brian2 may remember, in some 15 kB each: it keeps one for every value of a parameter"""
_SMOOTH = (Path(__file__).parent / "vector_math.h").read_text(encoding="utf-8")
# By default GCC does not vectorise loops over more than a few arrays, and treats the loops of Cython functions, which follow many
# error checks, as cold code
FLAGS = ["--param=vect-max-version-for-alias-checks=1000", "--param=builtin-expect-probability=100"]
# -funroll-loops: for scalar loops of C++ programs, mainly those over thresholds
PROGRAM_FLAGS = [*FLAGS, "-funroll-loops"]
ENGINES = ("cython", "numpy", "cpp", "torch")  # "torch": of `simulate` and `sweep`


class NoCompilerWarning(UserWarning):
    """There is no C++ compiler, or it fails: another engine runs instead, which may be several times slower.

    >>> from unittest.mock import patch
    >>> import os, warnings
    >>> with patch.dict(os.environ, PATH="", CXX=""), warnings.catch_warnings(record=True, action="always") as caught:
    ...     choose("cython")
    'numpy'
    >>> caught[-1].category.__name__
    'NoCompilerWarning'
    """


class Prepared(Network):
    """Brian2's Network for many runs of the same objects: with `prepared` set, a run reuses the code of the previous run.

    Valid as long as no array has been replaced or resized; it saves Brian2's code generation, 50 ms per run. In each step, objects
    without code are skipped and the compiled functions are called directly, which saves 20 % of the time of small groups. Objects
    in `only_when` run in steps in which the first element of their array is not 0, which is cheaper than a second clock.
    """

    prepared = False
    only_when: Mapping[BrianObject, np.ndarray] = {}

    def before_run(self, run_namespace: Any) -> None:
        """Prepare the run as Brian2 does, unless that is done."""
        if self.prepared:
            return
        asked = [obj for obj in self.sorted_objects if type(obj).run is BrianObject.run]
        for obj in asked:
            obj._active = True
            vars(obj).pop("run", None)
        super().before_run(run_namespace)
        # the heap before is frozen; freezing what compiling leaves saves 100 ms of garbage collection per run
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
    """The compiled function of a code object, or None if its values may change between runs."""
    if not isinstance(code, CythonCodeObject) or code.nonconstant_values or not code.compiled_code["run"]:
        return None
    # interned names make dictionary look-ups faster
    code.namespace = {sys.intern(name): value for name, value in code.namespace.items()}
    return functools.partial(code.compiled_code["run"].main, code.namespace)


def has_compiler() -> bool:
    """Whether a C++ compiler is on the PATH or named by CXX.

    >>> fastest = "cython" if has_compiler() else "numpy"
    >>> fastest in ("cython", "numpy")
    True
    """
    return find_compiler() is not None


def choose(engine: str, *, auto: bool = False, tensors: bool = False) -> str:
    """Check `engine`; return "numpy" with a warning instead of "cython" if there is no compiler.

    auto, tensors : whether "auto" and "torch" are engines, too; they are returned
    """
    known = ["auto"] * auto + [name for name in ENGINES if tensors or name != "torch"]
    one_of(engine, known, "engine")
    if engine in ("auto", "numpy", "torch") or has_compiler():
        return engine
    cure = "install one (Debian: apt-get install g++; macOS: xcode-select --install)"
    if engine == "cpp":
        raise NsnnError(f'engine = "cpp" needs a C++ compiler: {cure}, or use engine="numpy"')
    warn(f"no C++ compiler found: running with NumPy code generation; {cure}", NoCompilerWarning)
    return "numpy"


def dtype() -> str:
    """The floating-point type of state variables, from Brian2's preferences."""
    return str(np.dtype(prefs.core.default_float_dtype).name)


def unitless(numpy_target: Callable, types: list[str], *, stateless: bool = True) -> Function:
    """A function of Brian2 with the NumPy target's implementation; arguments of these types and result have no unit."""
    function = Function(
        numpy_target,
        arg_units=[1] * len(types),
        return_unit=1,
        arg_types=types,
        return_type="float",
        stateless=stateless,
    )
    function.implementations.add_implementation(NumpyCodeGenerator, code=numpy_target)
    # Brian2 never forgets what it has translated: it should remember the types, not the function with all that it refers to
    function._state_tuple = " ".join(["function of", *types, str(stateless)])
    return function


def _function(numpy_target: Callable, c_name: str, arguments: str, header: str = philox.HEADER) -> Function:
    """A function on every target; `arguments` as in the declaration of `c_name` in the C text `header`."""
    types = ["float" if argument.startswith("double") else "integer" for argument in arguments.split(", ")]
    function = unitless(numpy_target, types)
    implementations = function.implementations
    implementations.add_implementation(CPPCodeGenerator, code=header, name=c_name)
    indented = "\n".join("    " + line for line in header.splitlines())
    cython = f'cdef extern from *:\n    """\n{indented}\n    """\n    double {c_name}({arguments}) nogil\n'
    implementations.add_implementation(CythonCodeGenerator, code=cython, name=c_name)
    return function


def _doubles(names: str) -> str:
    return ", ".join(f"double {name}" for name in names.split())


def _chosen_in_turn(step: Any, *numbers: Any) -> Any:
    return numbers[int(np.ravel(step)[0]) % 4]


_KEYED = (
    "int64_t step, int32_t neuron, int32_t trial, int32_t point, int32_t stream, int32_t key0, int32_t key1"
)
_IN_TURN = f"int32_t turn, {_KEYED}"  # of a draw whose first argument selects one of four steps
_PATH = _doubles("jumps weight jumps_inh weight_inh drift room")
_PASSAGE = _doubles(
    "stream_shared way kick now later room room_end pieces keep ebb pull lapse root_ii root_vi root_vv far full common apart"
)


def functions() -> dict[str, Function]:
    """Functions for generated code on every target: keyed draws, normal_cdf, bridge_room, and smooth_exp, smooth_exprel,
    smooth_normal_cdf and smooth_in_turn, versions that the compiler can vectorise (slower in scalar loops).

    >>> from brian2 import NeuronGroup
    >>> group = NeuronGroup(1, "p = normal_cdf(x) : 1\\nx : 1", namespace=functions(), name="doc_functions")
    >>> network = Network(group, name="doc_functions_network")
    >>> with running("numpy"):
    ...     print(group.p[:])
    [0.5]
    """
    return dict(_functions())


@functools.cache
def _functions() -> dict[str, Function]:
    """The functions, always the same: Brian2 keeps each that it has translated, and what it has translated with it."""
    # scipy.special is imported when NumPy evaluates one of its functions
    four = f"int64_t step, {_doubles('first second third fourth')}"
    return {
        "keyed_normal": _function(philox.normal, "nsnn_normal", _KEYED),
        "keyed_normal_in_turn": _function(philox.normal_in_turn, "nsnn_normal_in_turn", _IN_TURN),
        "keyed_uniform": _function(philox.uniform, "nsnn_uniform", _KEYED),
        "keyed_uniform_in_turn": _function(philox.uniform_in_turn, "nsnn_uniform_in_turn", _IN_TURN),
        "keyed_crossed": _function(philox.crossed, "nsnn_crossed", f"{_KEYED}, double gap"),
        "keyed_summit": _function(philox.summit, "nsnn_summit", f"{_KEYED}, {_PATH}"),
        "keyed_passage": _function(philox.passage, "nsnn_passage", f"{_KEYED}, {_PASSAGE}"),
        "in_turn": _function(_chosen_in_turn, "nsnn_in_turn", four),
        "smooth_in_turn": _function(_chosen_in_turn, "nsnn_smooth_in_turn", four),
        "jumps_of": _function(philox.jumps, "nsnn_jumps", _doubles("u mean none")),
        "normal_cdf": _function(lambda x: special.ndtr(x), "nsnn_normal_cdf", "double x"),
        "bridge_room": _function(lambda x: np.clip(x, 0.0, 1e15), "nsnn_bridge_room", "double x", _SMOOTH),
        "smooth_exp": _function(np.exp, "nsnn_smooth_exp", "double x", _SMOOTH),
        "smooth_exprel": _function(lambda x: special.exprel(x), "nsnn_smooth_exprel", "double x", _SMOOTH),
        "smooth_normal_cdf": _function(
            lambda x: special.ndtr(x), "nsnn_smooth_normal_cdf", "double x", _SMOOTH
        ),
    }


def draw(kind: str, stream: int, *further: str, neuron: str = "noise_neuron") -> str:
    """Brian2 text of one draw, "normal", "uniform", or "crossed", "summit" and "passage" (with `further` arguments) of a stream.

    neuron="-1" gives the draw that all neurons of a trial share.
    """
    place = f"t_in_timesteps, {neuron}, noise_trial, noise_point, {int(stream)}, noise_key0, noise_key1"
    return f"keyed_{kind}({', '.join([place, *further])})"


@contextlib.contextmanager
def running(engine: str, threads: int | None = None, *, in_parts: bool = False) -> Iterator[Any]:
    """Activate an engine ("numpy", "cython" or "cpp") inside the block; restore Brian2's device and preferences afterwards.

    Blocks of several threads run one after the other. Yields the active Brian2 device.

    threads : the most processes of a C++ program in parts; None: one, and Brian2's preference for OpenMP
    in_parts : whether a C++ program may advance independent neurons one part after the other, so that spikes of different neurons
        are not in order of time

    >>> from brian2 import NeuronGroup, ms
    >>> group = NeuronGroup(1, "dv/dt = 1/(10*ms) : 1", method="euler", namespace={"ms": ms}, name="doc_running")
    >>> with running("numpy"):
    ...     Network(group, name="doc_running_network").run(5*ms, namespace={})
    >>> group.v[:].round(6)
    array([0.5])
    """
    with global_state.borrowed(), contextlib.ExitStack() as stack:
        stack.callback(_forget_texts)
        shortcuts.use()
        flags = PROGRAM_FLAGS if engine == "cpp" else FLAGS
        if engine != "numpy":
            brian_flags = prefs.codegen.cpp.extra_compile_args_gcc
            prefs.codegen.cpp.extra_compile_args_gcc = [*brian_flags, *compiler.usable(flags)]
        if engine == "cpp":
            directory = str(stack.enter_context(temporary_folder()))
            # a new one: a model that the user is building for Brian2's device is not affected
            device = standalone.Device()
            device.in_parts = in_parts
            if threads is not None:
                prefs.devices.cpp_standalone.openmp_threads = 0
                device.processes = threads
            device.activate(build_on_run=False, directory=directory)
        else:
            device = brian_device.runtime_device
            prefs.codegen.target = cython_target.TARGET if engine == "cython" else engine
        brian_device.active_device = device
        # Brian2's handler ends the run early and returns normally; Ctrl-C should raise KeyboardInterrupt
        prefs.core.stop_on_keyboard_interrupt = False
        yield device


def _forget_texts() -> None:
    """Empty Brian2's cache of translated texts when it is long."""
    remembered = getattr(make_statements, "_cache", {})
    if len(remembered) > _MOST_TEXTS:
        remembered.clear()


def run(network: Network, duration: float, device: Any, progress: Any, t_start: float = 0.0) -> None:
    """Run `network` for `duration` seconds on the active `device`; `namespace={}` captures no name of the caller.

    t_start : s, the time at which a network begins that has not run before

    >>> from brian2 import NeuronGroup, ms
    >>> group = NeuronGroup(1, "dv/dt = 1/(10*ms) : 1", method="euler", namespace={"ms": ms}, name="doc_run")
    >>> with running("numpy") as device:
    ...     run(Network(group, name="doc_run_network"), 5e-3, device, progress=False)
    >>> group.v[:].round(6)
    array([0.5])
    """
    in_cpp = isinstance(device, CPPStandaloneDevice)
    if t_start:
        network.t_ = t_start
        if in_cpp:
            device.t_start = t_start
    with progress_bar(progress, "compiling and simulating (C++)" if in_cpp else "simulating") as report:
        if not in_cpp:
            network.run(duration * second, namespace={}, **reporting(report))
            return
        network.run(duration * second, namespace={})
        device.execute(device.build_options["directory"], report)
        if report is not None:
            report(1.0)


def reporting(report: Callable[[float], Any] | None) -> dict[str, Any]:
    """Arguments of Brian2's `run` that call `report` with the completed fraction, five times a second."""
    if report is None:
        return {}

    def called(elapsed: Any, completed: float, start: Any, duration: Any) -> None:
        report(float(completed))

    return {"report": called, "report_period": 0.2 * second}
