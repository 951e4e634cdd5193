"""`calibrate`: fit the parameters of a noisy neuron that `simulate` runs to recorded spikes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal, overload

import numpy as np
from scipy.stats.qmc import Sobol

from ...core.checks import check_seed, one_of, positive, suggest_keywords, whole
from ...core.errors import NsnnError
from ...core.progress import progress_bar
from ...models.escape import EscapeNoise
from ...models.neurons import Neuron
from ...models.noise import Noise
from ...models.stimuli import Stimulus
from ..by_simulation.calibrate import calibrate_by_simulation, refuse_options
from ..by_simulation.result import SimulationCalibration
from ..continuous.cells import Grid, check_resolved
from ..continuous.conditional import Parts, check_parts, check_start, enough_for_a_fit, log_likelihoods
from ..continuous.given_spikes import stretches
from ..continuous.probability import DT
from ..continuous.trials import Trial, read_recordings
from ..voltage.fit import fit_voltage
from .calibration import Calibration
from .free_parameters import FreeParameters, read_free
from .maximise import FLAT_RIDGE, Ascent, Curvature, Function, climb, curvature, ridge, search
from .undetermined import refuse_indistinct, warn_bound, warn_fast, warn_idle, warn_similar

# of the search, without and with a nonlinear membrane
_COARSE = {False: Grid(48, 1, 4), True: Grid(72, 1, 2)}
_ROUGH = 144  # cells, at most, of a first climb where steps are divided
_BENT = 2  # parts that are taken at once where the curvature is measured
_N_STARTS = 31
_N_LEVELS = 9  # of the noise, over its bounds
_MOST_CLIMBS, _GAIN = 5, 0.02  # nats
_CLOSE = 5.0  # nats between ascents of a search of which either may be the better one
_WELL = 0.3  # of the range
_NEAR = 0.02  # nats that a climb on half of the cells leaves
_ALMOST = 1e-3  # smallest eigenvalue of the scaled information of parameters with some thirty times larger errors than one by one


@overload
def calibrate(
    model: Neuron,
    free: dict[str, tuple[Any, Any]] | None = None,
    *,
    noise: Noise,
    stimulus: Stimulus | Sequence[Stimulus] | None = None,
    trains: Any = None,
    voltage: Any = None,
    t_start: Any = None,
    t_stop: Any = None,
    dt: Any = None,
    method: Literal["likelihood", "voltage"] = "likelihood",
    seed: int = 0,
    n_jobs: int = 1,
    n_simulations: int | None = None,
    n_generations: int | None = None,
    engine: str | None = None,
    out: str | os.PathLike[str] | None = None,
    progress: Any = None,
) -> Calibration: ...
@overload
def calibrate(
    model: Neuron,
    free: dict[str, tuple[Any, Any]] | None = None,
    *,
    noise: Noise,
    stimulus: Stimulus | Sequence[Stimulus] | None = None,
    trains: Any = None,
    voltage: Any = None,
    t_start: Any = None,
    t_stop: Any = None,
    dt: Any = None,
    method: Literal["simulation"],
    seed: int = 0,
    n_jobs: int = 1,
    n_simulations: int | None = None,
    n_generations: int | None = None,
    engine: str | None = None,
    out: str | os.PathLike[str] | None = None,
    progress: Any = None,
) -> SimulationCalibration: ...
@suggest_keywords
def calibrate(
    model: Neuron,
    free: dict[str, tuple[Any, Any]] | None = None,
    *,
    noise: Noise,
    stimulus: Stimulus | Sequence[Stimulus] | None = None,
    trains: Any = None,
    voltage: Any = None,
    t_start: Any = None,
    t_stop: Any = None,
    dt: Any = None,
    method: str = "likelihood",
    seed: int = 0,
    n_jobs: int = 1,
    n_simulations: int | None = None,
    n_generations: int | None = None,
    engine: str | None = None,
    out: str | os.PathLike[str] | None = None,
    progress: Any = None,
) -> Calibration | SimulationCalibration:
    """Fit parameters of a noisy neuron to recorded spikes, by maximum likelihood or by simulation, with standard errors.

    The likelihood is that of the neuron that `simulate` runs, without approximation but for the grid: given its spikes, adaptation
    currents and moving thresholds are known functions of time, and a Fokker-Planck equation gives the probability of the next spike
    (`survival`). With escape noise the probability is known directly.

        fit = calibrate(cell, {"tau_m": (1*ms, 50*ms), "noise.sigma": (0.5*mV, 10*mV), "stimulus.gain": (0*mV, 30*mV)},
                        noise=WhiteNoise(3*mV), stimulus=Filtered(signal, gain=4*mV, offset=8*mV), trains=block, t_stop=5*second)
        print(fit)
        fit.score(block, t_start=5*second), fit.rescaled(block, t_start=5*second).p

    Spikes determine voltages only relative to each other: keep two of them, such as v_reset and v_thresh, out of `free`. Otherwise
    an error names the parameters that cannot be distinguished.

    `method="simulation"` is for neurons without such a likelihood (`AdEx`, `WangBuzsaki`, `OUNoise`, `ConductanceNoise`): it finds
    the parameters whose simulated recordings have the statistics of the recorded one, that is the rate, the quantiles, variability
    and order of the intervals, and the mean drive at spikes. Differential evolution maximises their synthetic likelihood, Fisher
    scoring finds the maximum and its errors; all candidates of a step are simulated as one population with common random numbers.
    Where both methods apply, prefer "likelihood": it is faster and its errors are smaller.

    method="voltage" fits a neuron with escape noise to its recorded membrane potential and the injected current in two steps: the
    membrane between spikes by regression, then the threshold by maximum likelihood of the spikes (`likelihood.VoltageCalibration`).

        calibrate(cell, noise=EscapeNoise(hazard=ExponentialHazard(1000*Hz, 2*mV)), stimulus=Filtered(current, gain=100*Mohm),
                  voltage=v, method="voltage")

    Recordings have to be bridge-balanced, or from a second electrode: a resistance in series that is left is fitted and reported,
    but the capacitance of an electrode is not removed (there is no active electrode compensation).

    Parameters
    ----------
    model : `LIF`, `PIF`, `EIF`, `QIF`, `GIF`, or your own neuron whose slow variables only spikes change; with
        `method="simulation"` any neuron that `simulate` runs. Parameters that are not free keep its values
    free : name -> (lower, upper) bound. "tau_m" is a parameter of the model, "noise.sigma" and "stimulus.gain" of the others, as
        in `sweep`. Bounds that are positive and a factor of 5 apart are searched on a logarithmic scale. For `method="voltage"` a
        bound of None is a default, and None in place of the dict frees all that has one: tau_m, v_rest, v_reset, tau_refrac, the
        gain, the jumps of currents and threshold, v_thresh and the width of the noise; time constants of currents are given
    noise : `WhiteNoise` or `EscapeNoise`; with `method="simulation"` any noise model, with `method="voltage"` `EscapeNoise`
    stimulus : drive of all trials; a recorded one as `Filtered` or `Recorded`; None: no drive. Of several recordings a list, with
        stimuli of one kind, which share the free parameters (not with `method="simulation"`)
    trains : spikes of one neuron: a neo.Block, a list of neo.SpikeTrain, or of arrays of seconds (with t_stop). Of several
        recordings a list of these, one for each stimulus. With `method="voltage"` None takes those of `voltage`, if it is a Block
        with spikes, else `likelihood.detect_spikes(voltage)`
    voltage : recorded membrane potential, for `method="voltage"`: a neo.AnalogSignal in mV, a neo.Block with one in each segment,
        or a list of them for repeats, of the time of the stimulus. Of several recordings a list of these, one for each stimulus
    t_start, t_stop : fit the spikes from here to here, of each trial; spikes before t_start count as given
    dt : step, default 0.1 ms, or the multiple of the sampling interval of `voltage` closest to it; a step has at most one spike
    method : "likelihood", "simulation" or "voltage"
    seed : of the starts of the search, 31 points within the bounds beside the model's own values; and of the simulations
    n_jobs : threads, or processes with `method="simulation"`
    n_simulations : with `method="simulation"`: recordings simulated for each set of parameters around the maximum, default 100; the
        search simulates a tenth of them, 8 or more. The variance of an estimate grows by 1 / n_simulations
    n_generations : likewise: of differential evolution, at most, default 20, each with 8 candidates per free parameter, 16 or more
    engine : likewise: as for `simulate`
    out : likewise: folder for finished simulations; the same call continues where a killed one was
    progress : True, False, a function of the completed fraction, or None: a bar in a terminal or notebook

    Returns
    -------
    `Calibration` : .parameters and .se (SI), .model, .noise, .stimulus ready for `simulate`, .interval, .profile, .score and
        .rescaled; with `method="simulation"` a `SimulationCalibration`: .statistics and their test, .p, in place of the scores

    Raises
    ------
    NsnnError : a neuron or noise whose likelihood is not known; unknown names and bounds that the models refuse, that allow a
        threshold below the reset or a refractory time above an interval; no spikes; a stimulus that is too short; parameters that
        cannot be distinguished; a voltage of another length than the stimulus, without spikes, with NaN, flat, clipped, or in volts
        where mV are meant

    Warns
    -----
    for a parameter at a bound, whose error is NaN and on which those of the others are conditional, for a likelihood that is flat
    within 2 nats up to a bound, for a parameter that does not matter, whose error is inf, for parameters that almost replace each
    other, and for a dt that is too long for a weak noise, or for the fitted time constants: above a fifth of tau_m or
    a third of another one, as for `simulate`

    Source: Paninski, Pillow & Simoncelli 2004, doi 10.1162/0899766042321797; Wood 2010, doi 10.1038/nature09319 (simulation); Mensi
    et al. 2012, doi 10.1152/jn.00408.2011, and Pozzorini et al. 2015, doi 10.1371/journal.pcbi.1004275 (voltage)

    >>> from brian2 import ms, mV, second
    >>> from nsnn_neuro import Constant, LIF, WhiteNoise, simulate
    >>> cell = LIF(tau_m=20*ms, v_rest=0*mV, v_reset=10*mV, v_thresh=20*mV, tau_refrac=2*ms)
    >>> block = simulate(cell, WhiteNoise(4*mV), Constant(19*mV), duration=2*second, seed=1, engine="numpy")
    >>> fit = calibrate(cell, {"noise.sigma": (1*mV, 20*mV), "stimulus.v": (0*mV, 40*mV)},
    ...                 noise=WhiteNoise(3*mV), stimulus=Constant(15*mV), trains=block)
    >>> print(fit)
    Calibration of LIF: 44 spikes in 20000 steps of 0.0001 s
    log-likelihood -306.375 nats, 0.224 bits per spike (of the fitted data)
      parameter         value         se              bounds  unit
      noise.sigma        4.88       0.67             1 to 20  mV
      stimulus.v        17.15        1.1             0 to 40  mV
    """
    one_of(method, ("likelihood", "simulation", "voltage"), "method")
    if voltage is not None and method != "voltage":
        raise NsnnError(
            f"voltage = {type(voltage).__name__} object, method = {method!r}: expected method='voltage'"
        )
    step = DT if dt is None else positive(dt, "s", "dt")
    seed, jobs = check_seed(seed), whole(n_jobs, 1, "n_jobs")
    options: dict[str, Any] = {
        "n_simulations": n_simulations,
        "n_generations": n_generations,
        "engine": engine,
        "out": out,
    }
    if method == "simulation":
        window: dict[str, Any] = {"t_start": t_start, "t_stop": t_stop, "dt": step}
        given = model, noise, stimulus
        return calibrate_by_simulation(
            given, free, trains, **window, seed=seed, n_jobs=jobs, progress=progress, **options
        )
    refuse_options(method, options)
    parts: Parts = model, noise, _stimuli(stimulus)
    if method == "voltage":
        return fit_voltage(parts, free, voltage, trains, t_start, t_stop, dt, seed, progress)
    for one in parts[2] if isinstance(parts[2], tuple) else (parts[2],):
        check_parts(model, noise, one)
    parameters = read_free(free, parts)
    trials = read_recordings(trains, parts[2], step, t_start, t_stop)
    check_start(parts[2], trials, step)
    n_spikes = sum(trial.n_spikes for trial in trials)
    if n_spikes < len(parameters.names):
        raise NsnnError(
            f"trains hold {n_spikes} spikes in the time of the fit: expected at least {len(parameters.names)}, one for each free "
            "parameter, and some hundred for errors that hold"
        )
    _check_refractory(parameters, trials, step)
    with progress_bar(progress, "calibrating") as report:
        tell = report or (lambda _: None)
        coarse = _coarse(parameters, trials, step)
        found = search(_function(parameters, trials, step, coarse, jobs), _starts(parameters, seed))
        tell(0.5)
        at, grid = _maximum(parameters, trials, step, jobs, found)
        tell(0.8)
        at, bent = _certain(
            _function(parameters, trials, step, grid, jobs),
            _function(parameters, trials, step, replace(grid, stride=_BENT), jobs),
            at,
        )
        tell(1.0)
    return _result(parameters, at, bent, trials, step, grid, jobs)


def _stimuli(stimulus: Any) -> Any:
    """The stimulus, or a tuple of those of several recordings."""
    if not isinstance(stimulus, list | tuple):
        return stimulus
    kinds = [type(one).__name__ for one in stimulus]
    if not stimulus or len(set(kinds)) > 1:
        raise NsnnError(
            f"stimulus: a list of {', '.join(kinds) or 'nothing'}: expected stimuli of one kind, one for each recording"
        )
    return tuple(stimulus)


def _function(free: FreeParameters, trials: list[Trial], dt: float, grid: Grid, jobs: int) -> Any:
    """Points (n, K) to log-likelihoods of stretches, (n, n_stretches)."""

    def function(points: np.ndarray) -> np.ndarray:
        rows = [free.numbers(values) for values in free.values(points, within=False)]
        return log_likelihoods(rows, trials, dt, grid, n_jobs=jobs)

    return function


def _maximum(
    free: FreeParameters, trials: list[Trial], dt: float, jobs: int, found: list[Ascent]
) -> tuple[Ascent, Grid]:
    """The maximum near the best points of a search, on as fine a grid as it needs."""
    best = found[0]
    at = Ascent(best.u, damping=1e-3, width=best.width)
    grid = enough_for_a_fit(free.numbers(free.values(at.u)), trials, dt)
    if grid.integral:
        grid = replace(grid, n_parts=1)
        at = _noise_level(_function(free, trials, dt, grid, jobs), free, found)
    elif (grid.n_parts or 1) > 1:
        # the search had few parts, and where it ended may need far more than the maximum
        rough = Grid(min(grid.n_cells or 0, _ROUGH), 1 + 2 * ((grid.n_parts or 1) // 4))
        at = climb(_function(free, trials, dt, rough, jobs), at, 30, 0.05)
        at = Ascent(at.u, damping=1e-3, width=at.width)
        grid = enough_for_a_fit(free.numbers(free.values(at.u)), trials, dt)
    elif grid.n_cells is not None:
        # most of the way, and the information there, cost half on half of the cells; errors of fewer cells are as large as the
        # differences between maxima
        cells = max(_COARSE[False].n_cells or 0, grid.n_cells // 2)
        between = _function(free, trials, dt, Grid(cells, 1, _BENT), jobs)
        some = [one for one in found if one.value > best.value - _CLOSE]
        some += [_inside(between, one) for one in some if np.any((one.u <= 0) | (one.u >= 1))]
        near = [climb(between, Ascent(one.u, damping=1e-3, width=one.width), 30, _NEAR) for one in some]
        at = max(near, key=lambda one: one.value)
        at = Ascent(at.u, damping=1e-3, width=at.width, information=_filled(curvature(between, at), at))
    for _ in range(3):
        at = climb(_function(free, trials, dt, grid, jobs), at, 30, 1e-3)
        needed = enough_for_a_fit(free.numbers(free.values(at.u)), trials, dt)
        if grid.holds(needed):
            break
        grid, at = needed, Ascent(at.u, damping=1e-3, width=at.width)
    return at, grid


def _noise_level(function: Function, free: FreeParameters, found: list[Ascent]) -> Ascent:
    """The best start near those of a search whose cells blur a narrow density, and so say nothing about a weak noise."""
    points = np.array([one.u for one in found])
    if "noise.sigma" in free.paths:
        levels = np.linspace(0.0, 1.0, _N_LEVELS)
        points = np.concatenate([points, np.repeat(points, _N_LEVELS, axis=0)])
        points[len(found) :, free.paths.index("noise.sigma")] = np.tile(levels, len(found))
    return Ascent(points[np.argmax(function(points).sum(axis=1))])


def _inside(function: Function, at: Ascent) -> Ascent:
    """Another start, with parameters that a bound holds well inside and the others at their best: a ridge may be higher there."""
    held = (at.u <= 0) | (at.u >= 1)
    u = np.where(held, np.clip(at.u, _WELL, 1 - _WELL), at.u)

    def others(points: np.ndarray) -> np.ndarray:
        rows = np.tile(u, (len(points), 1))
        rows[:, ~held] = points
        return function(rows)

    if not held.all():
        u[~held] = climb(others, Ascent(u[~held].copy()), 30, _NEAR).u
    return Ascent(u)


def _filled(bent: Curvature, at: Ascent) -> np.ndarray:
    """(K, K) the observed information, and that of the scores of parameters at a bound or without effect."""
    assert at.scores is not None
    information = np.diag((at.scores**2).sum(axis=0))
    information[np.ix_(bent.inner, bent.inner)] = bent.information
    return np.asarray(information)


def _coarse(free: FreeParameters, trials: list[Trial], dt: float) -> Grid:
    """The grid of the search: coarse, but with parts of steps where the model's own values need them."""
    own = free.numbers(free.values(np.clip(free.start(), 0.0, 1.0)))
    usual = _COARSE[own[0].nonlinear is not None]
    n_parts = enough_for_a_fit(own, trials, dt).n_parts or 1
    return usual if n_parts == 1 else replace(usual, n_parts=1 + 2 * (n_parts // 8), stride=1)


def _certain(function: Function, bent: Function, at: Ascent) -> tuple[Ascent, Curvature]:
    """The maximum and the curvature there, once a climb with this curvature gains nothing: curved ridges stop one early."""
    for _ in range(_MOST_CLIMBS):
        observed = curvature(bent, at)
        again = climb(
            function, Ascent(at.u.copy(), damping=1e-3, information=_filled(observed, at)), 30, 1e-3
        )
        gained = again.value - at.value
        if gained > 0:
            at = again
        if gained < _GAIN:
            break
    return at, observed


def _starts(free: FreeParameters, seed: int) -> np.ndarray:
    """(n, K) the values of the model, and points spread over the bounds."""
    spread = Sobol(len(free.names), seed=seed).random(_N_STARTS + 1)[1:]
    return np.concatenate([np.clip(free.start(), 0.0, 1.0)[None], 0.02 + 0.96 * spread])


def _check_refractory(free: FreeParameters, trials: list[Trial], dt: float) -> None:
    """Raise NsnnError where tau_refrac may be longer than an interval."""
    values = free.values(free.start())
    if "model.tau_refrac" in free.paths:
        values[free.paths.index("model.tau_refrac")] = free.high[free.paths.index("model.tau_refrac")]
    neuron, noise, _ = free.models(values)
    middle = not (isinstance(noise, EscapeNoise) and noise.family is not None)
    for trial in trials:
        stretches(neuron, np.zeros(len(trial.o) + 1), trial.o, dt, middle=middle, t_start=trial.t_start)


def _result(
    free: FreeParameters, at: Ascent, bent: Curvature, trials: list[Trial], dt: float, grid: Grid, jobs: int
) -> Calibration:
    n = len(free.names)
    smallest, moved = ridge(bent.information)
    if smallest < FLAT_RIDGE:
        refuse_indistinct([free.names[bent.inner[k]] for k in moved])
    matter = np.setdiff1d(np.arange(n), bent.idle)  # with those at a bound, to which a ridge may lead
    assert at.scores is not None
    smallest, moved = ridge((at.scores.T @ at.scores)[np.ix_(matter, matter)])
    if smallest < _ALMOST:
        warn_similar([free.names[matter[k]] for k in moved])
    for k in bent.edge:
        warn_bound(free.names[k], at.u[k], "; limits of the others: fit.profile(name)")
    for k in bent.idle:
        warn_idle(free.names[k])
    check_resolved(grid, dt)
    scaled = np.full((n, n), np.nan)
    scaled[np.ix_(bent.inner, bent.inner)] = np.linalg.inv(bent.information)
    for k in bent.idle:
        scaled[k, :], scaled[:, k] = 0.0, 0.0
        scaled[k, k] = np.inf
    slopes = free.slopes(at.u)
    with np.errstate(invalid="ignore"):
        covariance = scaled * np.outer(slopes, slopes)
    values = free.values(at.u)
    model, noise, stimulus = free.models(values)
    warn_fast(model, dt)
    counted = [trial.o[slice(*trial.counted)] for trial in trials]
    o = np.concatenate(counted)
    rate = o.mean()
    constant = o.sum() * np.log(rate) + (1 - o).sum() * np.log1p(-rate)
    fit = Calibration(
        model,
        noise,
        stimulus,
        dict(zip(free.names, values.tolist(), strict=True)),
        dict(zip(free.names, np.sqrt(np.diag(covariance)).tolist(), strict=True)),
        covariance,
        at.value,
        float((at.value - constant) / np.log(2) / o.sum()),
        int(o.sum()),
        dt,
        grid,
        free,
        at,
        scaled,
        trials,
    )
    return fit.flat_bounds(jobs)
