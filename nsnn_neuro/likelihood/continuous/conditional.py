"""The likelihood of spikes under a neuron in continuous time, for many parameters at once."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np

from ...core.errors import NsnnError
from ...models.compatibility import check_compatible
from ...models.escape import EscapeNoise
from ...models.noise import OUNoise, WhiteNoise
from ...models.stimuli import Stimulus
from .cells import (
    INPUT_REACH,
    PROBABILITIES,
    Grid,
    automatic,
    cells,
    check_resolved,
    common,
    enough,
    voltages,
    with_input,
)
from .coloured import follow
from .density import march
from .escape import logs_of_steps, spike_chances
from .given_spikes import CURE, Membrane, Stretches, at_middle, check_neuron, membrane, stretches
from .passage import passages
from .synaptic import synaptic
from .trials import Trial

_UNLIKELY = float(np.log(1e-300))
_ROUNDING = 1e-6  # nats: a log-probability may be above 0 by rounding
_ROUNDED_OFF = -500.0  # nats, of a stretch whose density of spikes was a difference below 0
_AUTOMATIC = Grid()
_AT_ONCE = 4_000_000  # parts of steps, of all rows that are evaluated together: some 200 MB

Parts = tuple[Any, ...]
"""Neuron, noise, stimulus (a tuple of stimuli for several recordings), and each `SynapticInput`."""


def check_parts(neuron: Any, noise: Any, stimulus: Any) -> None:
    """Raise NsnnError unless the likelihood of this neuron with this noise is known."""
    check_neuron(neuron)
    if not isinstance(noise, WhiteNoise | OUNoise | EscapeNoise):
        given = "None" if noise is None else f"{type(noise).__name__}(...)"
        raise NsnnError(
            f"noise = {given}: the likelihood needs WhiteNoise, OUNoise or EscapeNoise"
            + ("" if noise is None else f"; {CURE}")
        )
    check_stimulus(stimulus, "a stimulus")
    check_compatible(neuron, noise, stimulus)
    check_single(neuron, noise, stimulus)
    if not isinstance(noise, WhiteNoise) and neuron.nonlinear is not None:
        given = type(noise).__name__
        raise NsnnError(
            f"model = {type(neuron).__name__}(...), noise = {given}(...): with {given} the likelihood needs a membrane without a "
            f"nonlinear part, such as LIF or GIF; take WhiteNoise, or {CURE}"
        )
    weighted = isinstance(noise, WhiteNoise) and noise.weighted
    if not isinstance(noise, EscapeNoise) and float(noise.si("sigma")) == 0.0 and not weighted:
        raise NsnnError(f"sigma = {noise.sigma}: expected a positive value: no likelihood without noise")


def check_stimulus(stimulus: Any, expected: str) -> None:
    """Raise NsnnError for what is neither a stimulus nor None."""
    if stimulus is not None and not isinstance(stimulus, Stimulus):
        raise NsnnError(
            f"stimulus = {type(stimulus).__name__} object: expected {expected} such as Constant(15*mV), or None"
        )


def check_single(*parts: Any) -> None:
    """Raise NsnnError for parts with a value for each of several neurons."""
    for part in parts:
        for field in () if part is None else part.parameter_fields():
            if np.ndim(part.si(field.name)):
                raise NsnnError(
                    f"{field.name} of {type(part).__name__} has {np.size(part.si(field.name))} values: expected one number"
                )


def stimulus_of(trial: Trial, stimulus: Any) -> Stimulus | None:
    """The stimulus of the recording that a trial is from."""
    return stimulus[trial.recording] if isinstance(stimulus, tuple) else stimulus


def check_start(stimulus: Any, trials: Sequence[Trial], dt: float) -> None:
    """Raise NsnnError unless a stimulus of samples starts with the trials."""
    for trial in trials:
        start = getattr(getattr(stimulus_of(trial, stimulus), "signal", None), "t_start", None)
        if start is None:
            continue
        begins = float(start.rescale("s").magnitude)
        if abs(begins - trial.t_start) > dt / 2:
            raise NsnnError(
                f"signal starts at {begins:g} s, and trains at {trial.t_start:g} s: expected one start; cut the signal with "
                "signal.time_slice, or pass trains whose t_start is that of the signal"
            )


def longest_refractory(trials: Sequence[Trial], noise: Any, dt: float) -> tuple[float, int]:
    """The longest tau_refrac (s) that the intervals between spikes allow, and the number of these intervals."""
    gaps = np.concatenate([np.diff(np.flatnonzero(trial.o)) for trial in trials])
    return (gaps.min(initial=np.iinfo(int).max) - (not at_middle(noise))) * dt, len(gaps)


def log_likelihoods(
    rows: Sequence[Parts],
    trials: Sequence[Trial],
    dt: float,
    grid: Grid,
    *,
    n_jobs: int = 1,
) -> np.ndarray:
    """The log-likelihood (nats), by steps, of the stretches of all trials under rows of parameters, (n_rows, n_stretches).

    A stretch without a step that counts has 0. The grid has numbers of cells and parts, without effect on escape noise."""
    if isinstance(rows[0][1], EscapeNoise):
        known: dict[Any, Any] = {}
        return np.stack([_escape_logs(parts, trials, dt, known) for parts in rows])
    if n_jobs == 1 or len(rows) == 1:
        return _diffusion_logs(rows, trials, dt, grid)
    chunks = [rows[k::n_jobs] for k in range(min(n_jobs, len(rows)))]
    with ThreadPoolExecutor(len(chunks)) as pool:
        result = list(pool.map(lambda chunk: _diffusion_logs(chunk, trials, dt, grid), chunks))
    logs = np.empty((len(rows), result[0].shape[1]))
    for k, part in enumerate(result):
        logs[k :: len(chunks)] = part
    return logs


def enough_for_a_fit(parts: Parts, trials: Sequence[Trial], dt: float, detail: float = 1.0) -> Grid:
    """A grid for a fit that ends near these parameters; escape noise needs none. `detail` is that of `with_input`."""
    noise = parts[1]
    if isinstance(noise, EscapeNoise):
        return Grid()
    needed = []
    for trial in trials:
        path, free = _free(parts, trial, dt, 1)
        counted = free.within(*trial.counted)
        if isinstance(noise, OUNoise):
            needed.append(with_input(path, counted, noise, dt, detail))
        else:
            needed.append(enough(path, counted, path.sigma(noise), dt))
    return common(needed)


def probabilities(
    parts: Parts,
    trial: Trial,
    dt: float,
    grid: Grid = _AUTOMATIC,
    *,
    start: float | None = None,
    in_parts: bool = False,
) -> np.ndarray:
    """The probability of a spike in each step, (n_steps,), or with `in_parts` in each part, given those before; 0 while refractory.

    `start` replaces the voltage at the start of the trial."""
    noise = parts[1]

    def given(n_parts: int) -> tuple[Membrane, Stretches]:
        path, free = _free(parts, trial, dt, n_parts)
        if start is not None:
            free = replace(free, start=np.where(free.first == 0, start - path.lift[0], free.start))
        return path, free

    path, free = given(1)
    if isinstance(noise, EscapeNoise):
        return spike_chances(path, free, noise, dt)
    if isinstance(noise, OUNoise):
        some = grid if grid.n_levels else with_input(path, free, noise, dt, PROBABILITIES)
        grid = replace(some, n_cells=grid.n_cells or some.n_cells, stride=1)
    elif grid.n_parts is None:
        grid = automatic(path, free, path.sigma(noise), dt, grid.n_cells)
        check_resolved(grid, dt)
    n_parts = grid.n_parts or 1
    chance = np.zeros((1, len(trial.o) * (n_parts if in_parts else 1)))
    _march([(path, free) if n_parts == 1 else given(n_parts)], [noise], trial, dt, grid, chance)
    return chance[0]


def _free(
    parts: Parts,
    trial: Trial,
    dt: float,
    n_parts: int,
    known: dict[Any, Any] | None = None,
    drives: dict[Any, Any] | None = None,
) -> tuple[Membrane, Stretches]:
    neuron, noise, stimulus, *synapses = parts
    middle, own = at_middle(noise), stimulus_of(trial, stimulus)
    inputs = synaptic(synapses, trial, dt, n_parts, known if drives is None else drives) if synapses else None
    shared: dict[str, Any] = {"known": known, "drives": drives, "inputs": inputs, "noise": noise}
    path = membrane(neuron, own, trial.o, dt, middle=middle, n_parts=n_parts, **shared)
    free = stretches(neuron, path.lift, trial.o, dt, middle=middle, t_start=trial.t_start, n_parts=n_parts)
    return path, free


def escape_logs(
    parts: Parts,
    trial: Trial,
    dt: float,
    *,
    known: dict[Any, Any] | None = None,
    drives: dict[Any, Any] | None = None,
) -> tuple[Stretches, np.ndarray]:
    """The stretches of a trial with escape noise, and the log-likelihood of each step, (n_steps,)."""
    path, free = _free(parts, trial, dt, 1, known, drives)
    return free, logs_of_steps(path, free, parts[1], dt, trial.o == 1)


def _escape_logs(parts: Parts, trials: Sequence[Trial], dt: float, known: dict[Any, Any]) -> np.ndarray:
    """(n_stretches,) with escape noise."""
    result = []
    for trial in trials:
        free, logs = escape_logs(parts, trial, dt, known=known)
        logs[: trial.counted[0]] = 0.0
        logs[trial.counted[1] :] = 0.0
        total = np.concatenate([[0.0], np.cumsum(logs)])
        result.append(total[free.first + free.n_steps] - total[free.first])
    return np.concatenate(result)


def _diffusion_logs(rows: Sequence[Parts], trials: Sequence[Trial], dt: float, grid: Grid) -> np.ndarray:
    """(n_rows, n_stretches) in white noise or with an Ornstein-Uhlenbeck input."""
    n_parts = grid.n_parts or 1
    logs = []
    for trial in trials:
        at_once = max(8, _AT_ONCE // (n_parts * len(trial.o)))
        result = []
        for k in range(0, len(rows), at_once):
            some = rows[k : k + at_once]
            known: dict[Any, Any] = {}
            items = [_free(parts, trial, dt, n_parts, known) for parts in some]
            result.append(_march(items, [parts[1] for parts in some], trial, dt, grid, np.empty((0, 0))))
        logs.append(np.concatenate(result))
    # noise so weak that the density underflows or the integral equation overflows: as unlikely as numbers can say
    total = np.concatenate(logs, axis=1)
    return np.where(total <= _ROUNDING, total, _UNLIKELY)


def _march(
    items: list[tuple[Membrane, Stretches]],
    noises: Sequence[Any],
    trial: Trial,
    dt: float,
    grid: Grid,
    chance: np.ndarray,
) -> np.ndarray:
    """The log-likelihood of the stretches of one trial under each row, (n_rows, n_stretches); items in parts of steps."""
    n_parts = grid.n_parts or 1
    dt = dt / n_parts
    begin, end = (n_parts * step for step in trial.counted)
    rows = []
    for r, (_, free) in enumerate(items):
        first, stop = free.first, free.first + free.n_steps
        counts = np.maximum(np.minimum(stop, end) - first, 0), np.maximum(begin - first, 0)
        spikes = free.spikes & (stop <= end)
        rows.append((first, *counts, free.length, free.start, spikes, np.full(len(first), r)))
    sigmas = [path.sigma(noise) for (path, _), noise in zip(items, noises, strict=True)]
    if grid.n_levels:
        of_rows = np.zeros((len(items), len(rows[0][0])))
        for r, (item, noise, sigma) in enumerate(zip(items, noises, sigmas, strict=True)):
            _, bottom = voltages(*item, sigma, dt, INPUT_REACH)
            follow(rows[r][:-1], item[0], noise, bottom, dt, grid, of_rows[r], chance[r : r + 1])
        return of_rows
    lanes = [np.concatenate(lane) for lane in zip(*rows, strict=True)]
    counted = lanes[1] > lanes[2]
    logs, some = np.zeros(len(counted)), np.zeros(int(counted.sum()))
    kept = tuple(lane[counted] for lane in lanes)
    drive = np.stack([path.drive for path, _ in items])
    spread, tau = np.array(sigmas) ** 2, np.array([path.tau for path, _ in items])
    load, kick = (np.stack([getattr(path, name) for path, _ in items]) for name in ("load", "kick"))
    growth = np.empty((len(items), 0))
    if any(path.spread.size for path, _ in items):
        growth = np.ones_like(drive)
        for r, (path, _) in enumerate(items):
            growth[r] = path.spread / spread[r] if path.spread.size else 1.0
    if grid.integral:
        threshold, leak = np.array([path.threshold for path, _ in items]), float(items[0][0].leaky)
        shared = drive, threshold, spread, tau, leak, dt
        passages(kept, *shared, grid.stride, n_parts, some, chance)
        lost = some < _ROUNDED_OFF  # of large terms, over long steps
        if grid.stride > 1 and lost.any():
            again = some[lost]
            passages(tuple(lane[lost] for lane in kept), *shared, 1, n_parts, again, chance)
            some[lost] = again
    else:
        faces = np.stack(
            [cells(*item, sigma, dt, grid.n_cells) for item, sigma in zip(items, sigmas, strict=True)]
        )
        force = np.stack([path.force(f) for (path, _), f in zip(items, faces, strict=True)])
        on_grid = growth, faces, force, spread, tau, dt, grid.stride, n_parts
        march(kept, drive, load, kick, *on_grid, some, chance)
    logs[counted] = some
    return logs.reshape(len(items), -1)
