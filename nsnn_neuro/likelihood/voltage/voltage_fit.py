"""`calibrate(..., method="voltage")`: the membrane, then the threshold, and the default bounds of their parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import quantities as pq

from ...core import units
from ...core.errors import NsnnError
from ...core.progress import progress_bar
from ...models.escape import EscapeNoise
from ...models.neurons.expressions import STATEMENT, names_in, statements
from ...models.parameter_names import replaced
from ...models.stimuli import Filtered
from ..calibration.calibrated import Given, count_spikes, estimates
from ..calibration.free_parameters import FreeParameter, FreeParameters, full_path, read_free, value_at
from ..calibration.maximise import FLAT_RIDGE, Ascent, Curvature, climb, curvature, ridge, search
from ..calibration.undetermined import REFRACTORY, refuse_indistinct, warn_held, warn_similar
from ..continuous.conditional import Parts, check_parts
from ..continuous.trials import searched
from .errors import block_logs, two_step_errors
from .membrane import VARIED, Regression, difference, regress, series_scale
from .samples import Samples, read_samples
from .spikes import end_of_spike
from .voltage_calibration import VoltageCalibration

_ABOVE = 1e-4  # V, of the threshold above the reset
_N_STARTS = 15
# smallest eigenvalue of the scaled information: joint errors are some thirty times the single ones
_NEARLY_COLLINEAR = 1e-3
_LONGER = "record more spikes"
_SHOWN = {"s": (1e-3, "ms"), "V": (1e-3, "mV"), "ohm": (1e6, "megaohm")}
_RATIO = 50.0  # of the bounds of the gain to a first guess


def calibrate_by_voltage(given: Given, voltage: Any, dt: Any) -> VoltageCalibration:
    """The membrane and the threshold of a neuron; dt as given to `calibrate`."""
    parts, free = given.parts, given.free
    _check(parts)
    samples = read_samples(parts[2], voltage, given.trains, given.t_start, given.t_stop, dt)
    chosen = _bounds(parts, free, samples)
    refractory = _refractory(parts, chosen, samples)
    parts = refractory.models(refractory.values(refractory.start()))
    with progress_bar(given.progress, "calibrating") as report:
        tell = report or (lambda _: None)
        first, rest = _split(parts, chosen)
        fitted = regress(first, samples)
        if first.each:
            result = first.models(first.values(fitted.u))
            parts = _with_threshold(result, float(parts[0].si(parts[0].threshold)))
        tell(0.3)
        second = _second(parts, rest, chosen)
        count_spikes(samples.trials, second.names, " of the threshold")
        at, bent = _threshold(second, samples, given.seed)
        tell(0.8)
        return _result(
            second.models(second.values(at.u)), first, fitted, second, at, bent, refractory, samples
        )


def _check(parts: Parts) -> None:
    neuron, noise, stimulus = parts
    if not isinstance(noise, EscapeNoise):
        raise NsnnError(
            f"noise = {type(noise).__name__}(...): method='voltage' needs EscapeNoise, such as "
            "EscapeNoise(hazard=ExponentialHazard(100*Hz, 2*mV)), as its membrane is free of noise given the spikes; with "
            "WhiteNoise fit the spikes: method='likelihood'"
        )
    for one in stimulus if isinstance(stimulus, tuple) else (stimulus,):
        check_parts(neuron, noise, one)
    if neuron.membrane_unit != "V":
        raise NsnnError(
            f"model = {type(neuron).__name__}(...), whose membrane is dimensionless: expected one in volts, as a recorded potential"
        )
    if stimulus is None:
        raise NsnnError("stimulus = None: expected the injected current, Filtered(current, gain=100*Mohm)")


def _bounds(parts: Parts, free: Any, samples: Samples) -> dict[str, Any]:
    """Path -> bounds of free parameters; defaults for None, later ones for the threshold."""
    default = {REFRACTORY: (samples.dt * pq.s, 10 * pq.ms), **_membrane_bounds(parts, samples)}
    later = dict.fromkeys(_threshold_bounds(parts))
    if free is None:
        return default | later
    if not isinstance(free, Mapping) or not free:
        raise NsnnError(
            f'free = {units.shown(free)}: expected a dict such as {{"tau_m": (1*ms, 50*ms), "v_rest": None}}, or None for all'
        )
    chosen = {}
    for name, pair in free.items():
        path = full_path(name)
        if pair is None and path not in default and path not in later:
            known = ", ".join(one.removeprefix("model.") for one in (*default, *later))
            raise NsnnError(
                f"free[{name!r}] = None: expected a lower and an upper bound, (5*ms, 200*ms); only {known} have default ones"
            )
        chosen[path] = default.get(path) if pair is None else pair
    return chosen


def _refractory(parts: Parts, chosen: dict[str, Any], samples: Samples) -> FreeParameters:
    """tau_refrac, where it is free, at the duration of the mean spike."""
    if REFRACTORY not in chosen:
        return FreeParameters(parts, ())
    free = _read({REFRACTORY: chosen[REFRACTORY]}, parts)
    steps = [np.flatnonzero(trial.o) for trial in samples.trials]
    time = float(np.clip(end_of_spike(samples.values, steps, samples.dt), free.low[0], free.high[0]))
    model = replaced(parts[0], "model", {REFRACTORY: units.pq_quantity(time, "s")})
    return replace(free, parts=(model, parts[1], parts[2]))


def _with_threshold(parts: Parts, volts: float) -> Parts:
    """The parts with another threshold, or one just above the reset."""
    neuron = parts[0]
    value = max(volts, float(neuron.si("v_reset")) + _ABOVE)
    model = replaced(neuron, "model", {f"model.{neuron.threshold}": units.pq_quantity(value, "V")})
    return model, parts[1], parts[2]


def _split(parts: Parts, chosen: dict[str, Any]) -> tuple[FreeParameters, FreeParameters]:
    """The free parameters of the voltage between spikes, and the rest without threshold: by the equations, whatever the values."""
    # out of the way of v_reset, which has to be below it whatever its value
    high = _with_threshold(parts, 1.0)
    later = (f"model.{parts[0].threshold}", REFRACTORY)
    free = _read(
        {path: pair for path, pair in chosen.items() if path not in later and pair is not None}, high
    )
    names = {f"model.{name}" for name in _of_membrane(parts[0])}
    first: list[FreeParameter] = []
    rest: list[FreeParameter] = []
    for one in free.each:
        (first if one.path in names or one.path.startswith("stimulus.") else rest).append(one)
    return FreeParameters(high, tuple(first)), FreeParameters(high, tuple(rest))


def _of_membrane(neuron: Any) -> set[str]:
    """The names in the equation of the membrane, its reset, and the variables that drive it."""
    result = {"tau_m", "v_reset"} | names_in(neuron.linear)
    for name in result & set(neuron.slow):
        tau, target = neuron.slow[name]
        result |= {tau} | names_in(target) | names_in(neuron.slow_start.get(name, ""))
        for line in statements(neuron.after_spike):
            match = STATEMENT.fullmatch(line)
            if match and match[1] == name:
                result |= names_in(match[3])
    return result


def _second(parts: Parts, rest: FreeParameters, chosen: dict[str, Any]) -> FreeParameters:
    """The free parameters of the spikes alone; the threshold's bounds begin above the reset."""
    default, threshold, given = _threshold_bounds(parts), f"model.{parts[0].threshold}", {}
    for path, pair in chosen.items():
        if path == threshold and isinstance(pair, tuple | list) and len(pair) == 2:
            lowest, low = default[path][0], units.si(pair[0], "V", f"free[{path.removeprefix('model.')!r}]")
            given[path] = (lowest, pair[1]) if low < lowest.rescale("V") else pair
        elif path == threshold or pair is None:
            given[path] = default[path] if pair is None else pair
    return joined(parts, rest, _read(given, parts))


def _read(given: Mapping[str, Any], parts: Parts) -> FreeParameters:
    """The free parameters with these bounds, each checked beside the given values of the others."""
    return joined(parts, *(read_free({path.removeprefix("model."): given[path]}, parts) for path in given))


def joined(parts: Parts, *some: FreeParameters) -> FreeParameters:
    """The parameters of several, in line."""
    return FreeParameters(parts, tuple(one for free in some for one in free.each))


def _threshold(free: FreeParameters, samples: Samples, seed: int) -> tuple[Ascent, Curvature]:
    """The most likely threshold given the membrane: where, and the curvature there."""
    if not free.names:
        value, none = float(block_logs([free.parts], samples).sum()), np.zeros(0, dtype=int)
        return Ascent(np.zeros(0), value), Curvature(np.zeros((0, 0)), none, none, none)

    def function(points: np.ndarray, given: Samples = samples) -> np.ndarray:
        return block_logs(free.rows(points), given)

    part = replace(samples, trials=searched(samples.trials, len(free.names)))
    best = search(partial(function, given=part), free.starts(seed, _N_STARTS))[0]
    at = climb(function, Ascent(best.u, width=best.width), 30, 1e-3)
    bent = curvature(function, at)
    smallest, moved = ridge(bent.information)
    if smallest < FLAT_RIDGE:
        refuse_indistinct([free.names[bent.inner[k]] for k in moved], cure=_LONGER)
    if smallest < _NEARLY_COLLINEAR:
        warn_similar([free.names[bent.inner[k]] for k in moved], _LONGER)
    warn_held(free.names, at.u, bent.edge, bent.idle)
    return at, bent


def _result(
    parts: Parts,
    first: FreeParameters,
    fitted: Regression,
    second: FreeParameters,
    at: Ascent,
    bent: Curvature,
    refractory: FreeParameters,
    samples: Samples,
) -> VoltageCalibration:
    free = joined(parts, first, refractory, second)
    names = [first.names[k] for k in fitted.moved if k < len(first.names)]
    if fitted.weakest < _NEARLY_COLLINEAR and len(names) > 1:
        warn_similar(names, VARIED)
    warn_held(first.names, fitted.u, np.flatnonzero((fitted.u <= 0) | (fitted.u >= 1)), ())
    sample = samples.dt / np.sqrt(3) if refractory.each else 0.0
    both = np.concatenate([fitted.u, at.u])
    two, own_freedom, shared, series_se = two_step_errors(
        first, fitted, joined(parts, first, second), both, bent.inner, samples, sample
    )
    idle = len(first.names) + bent.idle
    two[idle, :] = two[:, idle] = 0.0
    two[idle, idle] = np.inf
    own = np.array([k for k, path in enumerate(free.paths) if path != REFRACTORY], dtype=int)
    scaled, freedom = np.full((len(free.each),) * 2, np.nan), np.full(len(free.each), np.nan)
    scaled[np.ix_(own, own)], freedom[own] = two, own_freedom
    u = np.clip(free.place(np.array([value_at(parts, path) for path in free.paths])), 0.0, 1.0)
    slopes = free.slopes(u)
    if refractory.each:
        k = free.paths.index(REFRACTORY)
        scaled[k, k], freedom[k] = (sample / slopes[k]) ** 2, np.inf
        scaled[k, own] = scaled[own, k] = shared / slopes[k]
    explained, error = difference(parts, samples, fitted.series)
    return VoltageCalibration(
        **estimates(free, u, scaled, samples.trials, samples.dt, parts=parts, log_likelihood=at.value),
        variance_explained=explained,
        voltage_error=error,
        series_resistance=fitted.series,
        series_resistance_se=series_se * series_scale(samples),
        degrees_of_freedom=dict(zip(free.names, freedom.tolist(), strict=True)),
    )


def _membrane_bounds(parts: Parts, samples: Samples) -> dict[str, tuple[Any, Any]]:
    """Path -> bounds of what the voltage between spikes determines."""
    neuron, stimulus = parts[0], parts[2][0] if isinstance(parts[2], tuple) else parts[2]
    v = np.concatenate(samples.values)
    low, middle, high = (float(x) for x in np.percentile(v, [0.1, 50, 99]))
    fields = {field.name for field in neuron.parameter_fields()}
    bounds = {"model.tau_m": _quantities(0.3e-3, 0.3, "s")}
    if "v_rest" in fields:
        bounds["model.v_rest"] = _quantities(middle - 0.06, middle + 0.04, "V")
    bounds["model.v_reset"] = _quantities(low - 0.03, high + 0.03, "V")
    if isinstance(stimulus, Filtered) and samples.current is not None:
        guess = float(np.std(np.clip(v, low, high)) / np.std(np.concatenate(samples.current)))
        unit = "ohm" if stimulus.unit("gain") == "ohm" else "V"
        bounds["stimulus.gain"] = _quantities(guess / _RATIO, guess * _RATIO, unit)
    for name in _jumps(neuron, moving=False):
        bounds[f"model.{name}"] = _quantities(-0.03, 0.05, "V")
    return bounds


def _threshold_bounds(parts: Parts) -> dict[str, tuple[Any, Any]]:
    """Path -> bounds of what the spikes determine, given the membrane."""
    neuron, noise, _ = parts
    reset = float(neuron.si("v_reset"))
    bounds = {f"model.{neuron.threshold}": _quantities(reset + 1e-4, reset + 0.1, "V")}
    for name in _jumps(neuron, moving=True):
        bounds[f"model.{name}"] = _quantities(-0.05, 0.1, "V")
    # the rate of a hazard does what the threshold does
    scale = next((f.name for f in noise.law.parameter_fields() if "V" in f.metadata["units"]), None)
    if scale is not None:
        kind = "hazard" if noise.family is None else "family"
        bounds[f"noise.{kind}.{scale}"] = _quantities(5e-5, 0.03, "V")
    return bounds


def _jumps(neuron: Any, *, moving: bool) -> list[str]:
    """The parameters by which spikes change currents, or the threshold."""
    fields = {field.name for field in neuron.parameter_fields() if "V" in field.metadata["units"]}
    lifts = names_in(neuron.moving)
    result: list[str] = []
    for line in statements(neuron.after_spike):
        match = STATEMENT.fullmatch(line)
        if match and (match[1] in lifts) == moving:
            result += sorted(names_in(match[3]) & fields)
    return result


def _quantities(low: float, high: float, unit: str) -> tuple[Any, Any]:
    size, shown = _SHOWN[unit]
    return pq.Quantity(low / size, shown), pq.Quantity(high / size, shown)
