"""Runs with `engine="auto"`: measure the work, choose the engine (`engine_choice`), say so, remember the run (`engine_history`)."""

from __future__ import annotations

import os
import sys
from typing import Any

import neo
from brian2 import Network, NeuronGroup, second

from ..core.progress import announce, announcing
from ..core.run_notes import used_keys
from ..core.warn import warn
from ..models.neurons import IntegrateAndFire, PoissonSource
from . import engine, engine_choice, engine_history, standalone
from .child_process import CompiledCodeError
from .engine_choice import Choice, Work
from .equations.group_text import MANY
from .equations.noises import is_silent, weighted
from .single_run import Run

_RATE, _SHARE = 50.0, 0.25  # expected spikes: per second; of a neuron in discrete time, per step
_LOOPS = f"{__package__}.philox_numba"
_said: set[tuple[str, str]] = set()
_failed: set[tuple[str, str, str]] = set()  # model, engine and CXX of code that could not be compiled or run
_warned: set[str] = set()


def execute(run: Run, progress: Any) -> neo.Block:
    """Run on the engine that is expected to end first, and return the Block; its annotation "engine_choice" gives the reason.

    Where its code cannot be compiled or run, the next one runs instead, with one warning.
    """
    history, size = history_of(run), work(run)
    while True:
        choice = choose(size, history)
        if (history.model, choice.engine) not in _said:
            _said.add((history.model, choice.engine))
            with announcing(progress):
                announce(f'engine="auto" has chosen {choice.reason}')
        ready = history.ready()
        run.choice = choice.reason
        try:
            with used_keys() as keys:
                block = run.execute(choice.engine, progress)
        except CompiledCodeError as error:
            if choice.engine == "numpy":
                raise
            _failed.add((history.model, choice.engine, os.environ.get("CXX", "")))
            _warn_once(error)
            continue
        history.add(choice.engine, keys, _lost(choice, size, ready))
        return block


def fastest() -> str:
    """ "cpp" if C++ programs can be compiled and run here, else "numpy", with a warning; it compiles a small one the first time."""
    try:
        if engine.choose("cython") == "cython":
            with engine.running("cpp") as device:
                group = NeuronGroup(1, "v : 1", name="probe", dt=1e-3 * second, namespace={})
                engine.run(Network(group, name="probe_network"), 1e-3, device, progress=False)
            return "cpp"
    except CompiledCodeError as error:
        _warn_once(error)
    return "numpy"


def _warn_once(error: CompiledCodeError) -> None:
    """Warn of compiled code that fails, once in a process for each compiler."""
    named = os.environ.get("CXX", "")
    if named not in _warned:
        _warned.add(named)
        warn(
            f'{error.reason}; engine="auto" uses another engine, which may be slower',
            engine.NoCompilerWarning,
        )


def choose(size: Work, history: engine_history.History) -> Choice:
    """The engine for this work; warns if compiled code would be faster but there is no compiler."""
    ready = history.ready() | ({"numpy"} if _LOOPS in sys.modules else set())
    named = os.environ.get("CXX", "")
    failed = {name for name in engine_choice.BUILD if (history.model, name, named) in _failed}
    choice = engine_choice.decide(
        size, has_compiler=True, ready=ready, credit=history.credit(), without=failed
    )
    if choice.engine == "numpy":
        return choice
    try:
        if engine.choose("cython") == "cython":
            return choice
    except CompiledCodeError as error:
        _warn_once(error)
    return engine_choice.decide(size, has_compiler=False)


def _lost(choice: Choice, size: Work, ready: set[str]) -> dict[str, float]:
    """Seconds that each compiled engine would have saved in this run with cached code."""
    spent = choice.seconds[choice.engine]
    if choice.engine == "cpp" and "cpp" not in ready:
        spent += engine_choice.build_seconds("cpp", size)
    return {name: spent - choice.seconds[name] for name in engine_choice.BUILD if name != choice.engine}


def work(run: Run) -> Work:
    """The size of a run."""
    noisy = [p for p in run.net.populations if not is_silent(p.noise) or isinstance(p.neuron, PoissonSource)]
    arrivals = 0.0
    for p in run.net.projections:
        number = p.rule.n_synapses(p.pre, p.post)
        if number is None:
            number = run.net.connections(p).pre.size
        arrivals += number * _share(p.pre, run)
    members = sum(p.n for p in noisy)
    per_step = sum(p.n * _share(p, run) for p in run.net.populations)
    return Work(
        steps=run.n_steps,
        noisy=len(noisy),
        silent=len(run.net.populations) - len(noisy),
        projections=len(run.net.projections),
        noisy_members=members * run.trials,
        silent_members=(run.n_neurons - members) * run.trials,
        arrivals=arrivals * run.trials,
        spikes=0.0 if run.out is None else run.n_steps * run.trials * float(per_step),
        runtime_only=run.needs_runtime,
    )


def _share(population: Any, run: Run) -> float:
    """The expected number of spikes of a neuron per step."""
    return min(1.0, _RATE * run.dt) if isinstance(population.neuron, IntegrateAndFire) else _SHARE


def history_of(run: Run) -> engine_history.History:
    """The record of earlier runs of the model."""
    drives = [run.stimulus, *(p.stimulus for p in run.net.populations)]
    code = [
        {name: standalone.version(name) for name in ("brian2", "nsnn_neuro")},
        [engine.dtype(), engine.FLAGS, engine.PROGRAM_FLAGS, run.bridge, sorted(run.weights)],
        *(
            []
            if run.initial is None and not run.return_state
            else [[run.first > 0, run.return_state, run.starts]]
        ),
        [
            [is_silent(p.noise), weighted(p.noise), p.n * run.trials >= MANY, bool(run.recorded[p.name].size)]
            for p in run.net.populations
        ],
    ]
    sizes = [
        [run.trials, run.net.seed, *(p.n for p in run.net.populations)],
        *([] if run.threads in (None, 1) else [{"threads": True}]),
        [[p.rule.describe(), p.rule.n_synapses(p.pre, p.post)] for p in run.net.projections],
        run.end if any(drive is not None and drive.text is None for drive in drives) else None,
        {name: chosen.size for name, chosen in (run.recorded | run.weights).items()},
    ]
    return engine_history.of(run.parameters, code, sizes)
