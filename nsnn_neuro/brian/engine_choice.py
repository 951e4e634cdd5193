"""The choice of `engine="auto"`: the engine that is expected to end first, compilation included.

The expected time of a run is proportional to its steps. A step's time is linear in the numbers of populations, projections, neurons
and synaptic events; the time of compilation is linear in those of populations and projections. The constants `RUN` and `BUILD` are
CPU seconds of one core, as measured by `benchmarks/first_touch.py`. They are typical values; models differ from them by a factor of
two. NumPy's time therefore counts `MARGIN` times: a wrong choice of a compiled engine costs seconds, one of NumPy may cost hours.

What compilation would have saved in earlier runs of a model is credited to it (`engine_history`). So a model that is run often is
compiled when its runs have lost the time of one compilation, and at most twice the best possible time is spent.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping

MARGIN = 1.5
"""Factor of NumPy's expected time."""
MOST_SPIKES = 5e7
"""Expected spikes beyond which a run with `out` is not left to C++, which keeps 12 bytes of each in memory."""


@dataclasses.dataclass(frozen=True)
class Work:
    """The size of a run.

    steps : of dt
    noisy, silent : numbers of populations with and without noise
    projections : between them
    noisy_members, silent_members : neurons times trials in these populations
    arrivals : expected synaptic events per step, in all trials
    spikes : expected number, where they are written to disk during the run (`out`), else 0
    runtime_only : whether the run needs what a C++ program cannot give
    """

    steps: int
    noisy: int = 0
    silent: int = 0
    projections: int = 0
    noisy_members: int = 0
    silent_members: int = 0
    arrivals: float = 0.0
    spikes: float = 0.0
    runtime_only: bool = False

    def seconds(self, engine: str) -> float:
        """The expected time of the run."""
        steps, *numbers = dataclasses.astuple(self)[:7]  # in the order of the columns of `RUN`
        return float(steps * sum(cost * number for cost, number in zip(RUN[engine], numbers, strict=True)))


# of a population with noise, one without, a projection, whatever its size; of a member with noise, one without, a synaptic event
RUN = {
    "numpy": (1.1e-4, 3.5e-5, 5e-5, 1e-7, 1e-8, 5e-8),
    "cython": (5e-6, 4e-6, 5e-6, 3e-8, 5e-9, 5e-9),
    "cpp": (2e-7, 2e-7, 1e-6, 6e-9, 2e-9, 3e-9),
}
"""Expected seconds of a step on each engine."""
# seconds: of a program, of each population, of each projection
BUILD = {"cython": (11.0, 4.0, 2.0), "cpp": (1.0, 1.0, 1.0)}
"""Expected seconds of compilation."""
_NUMBA = 0.6  # s to load the functions that draw noise on NumPy


@dataclasses.dataclass(frozen=True)
class Choice:
    """An engine, the reason in words, and the expected seconds of a run on each engine."""

    engine: str
    reason: str
    seconds: Mapping[str, float]


def build_seconds(engine: str, work: Work) -> float:
    """Expected seconds until the code of an engine is ready.

    >>> build_seconds("cpp", Work(steps=1, noisy=1, noisy_members=100))
    2.0
    """
    if engine == "numpy":
        return _NUMBA if work.noisy else 0.0
    whole, population, projection = BUILD[engine]
    return whole + population * (work.noisy + work.silent) + projection * work.projections


def decide(
    work: Work,
    *,
    has_compiler: bool,
    ready: Collection[str] = (),
    credit: Mapping[str, float] | None = None,
    without: Collection[str] = (),
) -> Choice:
    """The engine for a run.

    ready : engines whose code for this model is loaded or cached
    credit : for an engine, the seconds that it would have saved in earlier runs of the model
    without : engines whose code for this model cannot be compiled or run here

    >>> decide(Work(steps=1000, noisy=1, noisy_members=10), has_compiler=True).reason
    'numpy: about 0.1 s, compiling would take about 2 s'
    >>> decide(Work(steps=20_000, noisy=1, noisy_members=2000), has_compiler=True).reason
    'cpp: about 0.2 s after compiling for about 2 s, numpy would take about 6 s'
    >>> decide(Work(steps=20_000, noisy=1, noisy_members=2000), has_compiler=False).engine
    'numpy'
    """
    seconds = {name: work.seconds(name) for name in RUN}
    build = {name: 0.0 if name in ready else build_seconds(name, work) for name in RUN}
    left_out = {*without, *(["cpp"] if work.runtime_only or work.spikes > MOST_SPIKES else [])}
    possible = [name for name in RUN if name not in left_out]
    if not has_compiler or possible == ["numpy"]:
        reason = "compiled code fails" if has_compiler else "there is no C++ compiler"
        return Choice("numpy", f"numpy: about {_shown(seconds['numpy'])}; {reason}", seconds)

    def expected(name: str) -> float:
        saved = (credit or {}).get(name, 0.0)
        factor = MARGIN if name == "numpy" else 1.0
        return factor * seconds[name] + max(0.0, build[name] - saved)

    engine = min(possible, key=expected)
    if engine == "numpy":
        other = min((name for name in possible if name != "numpy"), key=lambda name: build[name])
        text = f"numpy: about {_shown(seconds[engine])}, compiling would take about {_shown(build[other])}"
    else:
        code = f"after compiling for about {_shown(build[engine])}" if build[engine] else "with cached code"
        text = f"{engine}: about {_shown(seconds[engine])} {code}, numpy would take about {_shown(seconds['numpy'])}"
    return Choice(engine, text, seconds)


def _shown(seconds: float) -> str:
    """A time in one significant digit, from 0.1 s."""
    for unit, size in (("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * size:
            return f"{float(f'{seconds / size:.1g}'):.10g} {unit}"
    return f"{float(f'{max(seconds, 0.1):.1g}'):.10g} s"
