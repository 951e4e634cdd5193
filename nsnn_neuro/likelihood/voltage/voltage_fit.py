"""`calibrate` with method="voltage": the membrane by regression, then the threshold by maximum likelihood of the spikes.

Source: Mensi et al. 2012, doi 10.1152/jn.00408.2011; Pozzorini et al. 2015, doi 10.1371/journal.pcbi.1004275
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import quantities as pq
from scipy.stats.qmc import Sobol

from ...core import units
from ...core.errors import NsnnError
from ...core.progress import progress_bar
from ...models.escape import EscapeNoise
from ...models.neurons.expressions import STATEMENT, names_in, statements
from ...models.parameter_names import replaced
from ..calibration.free_parameters import FreeParameters, read_free
from ..calibration.maximise import FLAT_RIDGE, Ascent, Curvature, climb, curvature, ridge, search
from ..calibration.undetermined import refuse_indistinct, warn_bound, warn_idle, warn_similar
from ..continuous.cells import Grid
from ..continuous.conditional import Parts, check_parts
from .defaults import membrane_bounds, threshold_bounds
from .errors import block_logs, two_step_errors
from .membrane import VARIED, Regression, difference, regress, series_scale
from .samples import Samples, read_samples
from .spikes import end_of_spike
from .voltage_calibration import VoltageCalibration

_REFRACTORY = "model.tau_refrac"
_ABOVE = 1e-4  # V, of the threshold above the reset
_N_STARTS = 15
_ALMOST = 1e-3
_LONGER = "record more spikes"


def fit_voltage(
    parts: Parts,
    free: dict[str, Any] | None,
    voltage: Any,
    trains: Any,
    t_start: Any,
    t_stop: Any,
    dt: Any,
    seed: int,
    progress: Any,
) -> VoltageCalibration:
    """The result of `calibrate` with method="voltage"; see there for the arguments."""
    _check(parts)
    samples = read_samples(parts[2], voltage, trains, t_start, t_stop, dt)
    chosen = _bounds(parts, free, samples)
    refractory = _refractory(parts, chosen, samples)
    if refractory is not None:
        parts = refractory.models(refractory.values(refractory.start()))
    with progress_bar(progress, "calibrating") as report:
        first, rest = _split(parts, chosen)
        fitted = regress(first, samples) if first.names else None
        if fitted is not None:
            found = first.models(first.values(fitted.u))
            parts = _with_threshold(found, float(parts[0].si(parts[0].threshold)))
        (report or (lambda _: None))(0.3)
        second = _second(parts, rest, chosen)
        n_spikes = sum(trial.n_spikes for trial in samples.trials)
        if n_spikes < len(second.names):
            raise NsnnError(
                f"trains hold {n_spikes} spikes in the time of the fit: expected at least {len(second.names)}, one for each free "
                "parameter of the threshold, and some hundred for errors that hold"
            )
        at, bent = _threshold(second, samples, seed)
        (report or (lambda _: None))(0.8)
        if second.names:
            parts = second.models(second.values(at.u))
        return _result(parts, first, fitted, second, at, bent, refractory, samples)


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
        raise NsnnError(
            "stimulus = None: expected the injected current, as in Filtered(current, gain=100*Mohm)"
        )


def _bounds(parts: Parts, free: Any, samples: Samples) -> dict[str, Any]:
    """Path -> bounds of the free parameters; those of None are the defaults. The bounds of the threshold depend on the reset."""
    refractory = {_REFRACTORY: (samples.dt * pq.s, 10 * pq.ms)}
    default = refractory | {_path(name): pair for name, pair in membrane_bounds(parts, samples).items()}
    later = {_path(name): None for name in threshold_bounds(parts)}
    if free is None:
        return default | later
    if not isinstance(free, Mapping) or not free:
        raise NsnnError(
            f'free = {units.shown(free)}: expected a dict such as {{"tau_m": (1*ms, 50*ms), "v_rest": None}}, or None for all that '
            "the voltage determines"
        )
    chosen = {}
    for name, pair in free.items():
        path = _path(str(name))
        if pair is None and path not in default and path not in later:
            known = ", ".join(one.removeprefix("model.") for one in (*default, *later))
            raise NsnnError(
                f"free[{name!r}] = None: expected a lower and an upper bound, such as (5*ms, 200*ms); only {known} have "
                "default bounds"
            )
        chosen[path] = default.get(path) if pair is None else pair
    return chosen


def _path(name: str) -> str:
    return name if name.partition(".")[0] in ("model", "noise", "stimulus") else f"model.{name}"


def _one(path: str, bounds: Any, parts: Parts) -> FreeParameters:
    return read_free({path.removeprefix("model."): bounds}, parts)


def _refractory(parts: Parts, chosen: dict[str, Any], samples: Samples) -> FreeParameters | None:
    """tau_refrac, where it is free, at the duration of the mean spike."""
    if _REFRACTORY not in chosen:
        return None
    own = _one(_REFRACTORY, chosen[_REFRACTORY], parts)
    steps = [np.flatnonzero(trial.o) for trial in samples.trials]
    time = float(np.clip(end_of_spike(samples.values, steps, samples.dt), own.low[0], own.high[0]))
    model = replaced(parts[0], "model", {_REFRACTORY: units.pq_quantity(time, "s")})
    return replace(own, parts=(model, parts[1], parts[2]))


def _with_threshold(parts: Parts, volts: float) -> Parts:
    """The parts with another threshold, or one just above the reset."""
    neuron = parts[0]
    value = max(volts, float(neuron.si("v_reset")) + _ABOVE)
    model = replaced(neuron, "model", {f"model.{neuron.threshold}": units.pq_quantity(value, "V")})
    return model, parts[1], parts[2]


def _split(parts: Parts, chosen: dict[str, Any]) -> tuple[FreeParameters, FreeParameters]:
    """The free parameters that the voltage between spikes depends on, and those that it does not; not threshold and tau_refrac.

    By the equations, whatever the values: a time constant of a current that is 0 at first belongs to the membrane too.
    """
    threshold = f"model.{parts[0].threshold}"
    # out of the way of v_reset, which has to be below it whatever its value
    high = _with_threshold(parts, 1.0)
    given = [
        _one(path, pair, high)
        for path, pair in chosen.items()
        if path not in (threshold, _REFRACTORY) and pair is not None
    ]
    free = joined(high, *given)
    names = {f"model.{name}" for name in _of_membrane(parts[0])}
    own = [path in names or path.startswith("stimulus.") for path in free.paths]
    return _subset(free, np.flatnonzero(own)), _subset(free, np.flatnonzero(np.logical_not(own)))


def _of_membrane(neuron: Any) -> set[str]:
    """The names in the equation of the membrane, its reset, and the variables that drive it."""
    found = {"tau_m", "v_reset"} | names_in(neuron.linear)
    for name in found & set(neuron.slow):
        tau, target = neuron.slow[name]
        found |= {tau} | names_in(target) | names_in(neuron.slow_start.get(name, ""))
        for line in statements(neuron.after_spike):
            match = STATEMENT.fullmatch(line)
            if match and match[1] == name:
                found |= names_in(match[3])
    return found


def _second(parts: Parts, rest: FreeParameters, chosen: dict[str, Any]) -> FreeParameters:
    """The free parameters that only the spikes depend on; the bounds of the threshold begin above the reset."""
    default = {_path(name): pair for name, pair in threshold_bounds(parts).items()}
    some = [rest]
    for path, pair in chosen.items():
        if path == f"model.{parts[0].threshold}" and pair is not None:
            low, high = pair if isinstance(pair, tuple | list) and len(pair) == 2 else (None, None)
            if low is not None and units.si(low, "V", f"free[{path.removeprefix('model.')!r}]") < default[
                path
            ][0].rescale("V"):
                pair = default[path][0], high
            some.append(_one(path, pair, parts))
        elif pair is None:
            some.append(_one(path, default[path], parts))
    return joined(parts, *some)


def _subset(free: FreeParameters, index: np.ndarray) -> FreeParameters:
    texts: list[Any] = [
        tuple(one[k] for k in index) for one in (free.names, free.paths, free.units, free.shown)
    ]
    return FreeParameters(
        free.parts, texts[0], texts[1], free.low[index], free.high[index], texts[2], texts[3]
    )


def joined(parts: Parts, *some: FreeParameters) -> FreeParameters:
    """The parameters of several, in line."""
    names, paths, symbols, shown = (
        tuple(x for one in some for x in getattr(one, name)) for name in ("names", "paths", "units", "shown")
    )
    low, high = (
        np.concatenate([np.zeros(0), *(getattr(one, name) for one in some)]) for name in ("low", "high")
    )
    return FreeParameters(parts, names, paths, low, high, symbols, shown)


def _threshold(free: FreeParameters, samples: Samples, seed: int) -> tuple[Ascent, Curvature | None]:
    """The most likely threshold given the membrane: where, and the curvature there."""
    if not free.names:
        value = float(block_logs([free.parts], samples).sum())
        return Ascent(np.zeros(0), value, scores=np.zeros((samples.n_blocks, 0))), None

    def function(points: np.ndarray) -> np.ndarray:
        return block_logs([free.numbers(values) for values in free.values(points, within=False)], samples)

    spread = Sobol(len(free.names), seed=seed).random(_N_STARTS + 1)[1:]
    starts = np.concatenate([np.clip(free.start(), 0.0, 1.0)[None], 0.02 + 0.96 * spread])
    best = search(function, starts)[0]
    at = climb(function, Ascent(best.u, damping=1e-3, width=best.width), 30, 1e-3)
    bent = curvature(function, at)
    smallest, moved = ridge(bent.information)
    if smallest < FLAT_RIDGE:
        refuse_indistinct([free.names[bent.inner[k]] for k in moved], cure=_LONGER)
    if smallest < _ALMOST:
        warn_similar([free.names[bent.inner[k]] for k in moved], _LONGER)
    for k in bent.edge:
        warn_bound(free.names[k], at.u[k])
    for k in bent.idle:
        warn_idle(free.names[k])
    return at, bent


def _result(
    parts: Parts,
    first: FreeParameters,
    fitted: Regression | None,
    second: FreeParameters,
    at: Ascent,
    bent: Curvature | None,
    refractory: FreeParameters | None,
    samples: Samples,
) -> VoltageCalibration:
    some = [first, second] if refractory is None else [first, refractory, second]
    free = joined(parts, *some)
    if fitted is not None and fitted.weakest < _ALMOST:
        names = [first.names[k] for k in fitted.moved if k < len(first.names)]
        if len(names) > 1:
            warn_similar(names, VARIED)
    if fitted is not None:
        for k in np.flatnonzero((fitted.u <= 0) | (fitted.u >= 1)):
            warn_bound(first.names[k], fitted.u[k])
    both = np.concatenate([np.zeros(0) if fitted is None else fitted.u, at.u])
    inner = np.zeros(0, dtype=int) if bent is None else bent.inner
    sample = 0.0 if refractory is None else samples.dt / np.sqrt(3)
    two, own_freedom, shared, series_se = two_step_errors(
        first, fitted, joined(parts, first, second), both, inner, samples, sample
    )
    if bent is not None:
        idle = len(first.names) + bent.idle
        two[idle, :] = two[:, idle] = 0.0
        two[idle, idle] = np.inf
    own = np.array(
        [k for k, path in enumerate(free.paths) if refractory is None or path not in refractory.paths],
        dtype=int,
    )
    scaled = np.full((len(free.names), len(free.names)), np.nan)
    scaled[np.ix_(own, own)] = two
    freedom = np.full(len(free.names), np.nan)
    freedom[own] = own_freedom
    u = np.clip(free.place(np.array([float(_value(parts, path)) for path in free.paths])), 0.0, 1.0)
    slopes = free.slopes(u)
    if refractory is not None:
        k = free.paths.index(_REFRACTORY)
        scaled[k, k], freedom[k] = (sample / slopes[k]) ** 2, np.inf
        scaled[k, own] = scaled[own, k] = shared / slopes[k]
    covariance = scaled * np.outer(slopes, slopes)
    values = free.values(u)
    series = 0.0 if fitted is None else fitted.series
    explained, error = difference(parts, samples, series)
    o = np.concatenate([trial.o[slice(*trial.counted)] for trial in samples.trials])
    rate = o.mean()
    constant = o.sum() * np.log(rate) + (1 - o).sum() * np.log1p(-rate)
    return VoltageCalibration(
        *parts,
        dict(zip(free.names, values.tolist(), strict=True)),
        dict(zip(free.names, np.sqrt(np.diag(covariance)).tolist(), strict=True)),
        covariance,
        at.value,
        float((at.value - constant) / np.log(2) / o.sum()),
        int(o.sum()),
        samples.dt,
        Grid(),
        free,
        Ascent(u, at.value, scores=at.scores),
        scaled,
        samples.trials,
        explained,
        error,
        series,
        series_se * series_scale(samples),
        dict(zip(free.names, freedom.tolist(), strict=True)),
    )


def _value(parts: Parts, path: str) -> float:
    head, *inner, last = path.split(".")
    model: Any = parts[("model", "noise", "stimulus").index(head)]
    model = model[0] if isinstance(model, tuple) else model
    for step in inner:
        model = getattr(model, step)
    return float(model.si(last))
