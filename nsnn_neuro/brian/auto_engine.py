"""Runs with `engine="auto"`: measure the work, choose the engine (`engine_choice`), say so, remember the run (`engine_history`)."""

from __future__ import annotations

import sys
from typing import Any

import neo

from ..core.progress import announce, announcing
from ..core.run_notes import used_keys
from ..models.neurons import IntegrateAndFire, PoissonSource
from . import engine, engine_choice, engine_history, standalone
from .engine_choice import Choice, Work
from .equations.group_text import MANY
from .equations.noises import is_silent
from .single_run import Run

_RATE, _SHARE = 50.0, 0.25  # expected spikes: per second; of a neuron in discrete time, per step
_LOOPS = f"{__package__}.philox_numba"
_said: set[tuple[str, str]] = set()


def execute(run: Run, progress: Any) -> neo.Block:
    """Run on the engine that is expected to end first, and return the Block; its annotation "engine_choice" gives the reason."""
    history, size = history_of(run), work(run)
    choice = choose(size, history)
    if (history.model, choice.engine) not in _said:
        _said.add((history.model, choice.engine))
        with announcing(progress):
            announce(f'engine="auto" has chosen {choice.reason}')
    ready = history.ready()
    run.choice = choice.reason
    with used_keys() as keys:
        block = run.execute(choice.engine, progress)
    history.add(choice.engine, keys, _lost(choice, size, ready))
    return block


def choose(size: Work, history: engine_history.History) -> Choice:
    """The engine for this work; warns if compiled code would be faster but there is no compiler."""
    found = engine.has_compiler()
    ready = history.ready() | ({"numpy"} if _LOOPS in sys.modules else set())
    choice = engine_choice.decide(size, has_compiler=True, ready=ready, credit=history.credit())
    if found or choice.engine == "numpy":
        return choice
    engine.choose("cython")
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
    return Work(
        steps=run.n_steps,
        noisy=len(noisy),
        silent=len(run.net.populations) - len(noisy),
        projections=len(run.net.projections),
        noisy_members=members * run.trials,
        silent_members=(run.n_neurons - members) * run.trials,
        arrivals=arrivals * run.trials,
        spikes=0.0 if run.out is None else run.n_steps * run.trials * _per_step(run),
        runtime_only=run.needs_runtime,
    )


def _per_step(run: Run) -> float:
    return float(sum(p.n * _share(p, run) for p in run.net.populations))


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
            [is_silent(p.noise), p.n * run.trials >= MANY, bool(run.recorded[p.name].size)]
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
