"""Score tests of a fit: on what do its residuals still depend?

Given the past, the spikes o of a step have the mean q and the variance w = q (1 - q). A regressor x that is known before the step
is tested by

    U = sum_t (o - q) x',     var U = sum_t w x'^2,     x' = x - A (A^T w A)^-1 A^T w x

A (n, 1 + K) has 1 and the derivatives of logit q by the K fitted parameters. To first order no change of these can mimic x',
so U / sqrt(var U) is standard normal for a true model whether or not its parameters were fitted to these spikes. Of several
regressors U^T (var U)^-1 U has a chi-square law.

Noise with a correlation time outlasts a spike, unlike the membrane, which is reset. So three things are still felt after it: what
the noise was (residuals), that it was high (spikes), and, as white noise is fitted with too short a membrane, the stimulus since.

Source: Rao 1948, doi 10.1017/S0305004100023987 (score test); Benjamini & Hochberg 1995, doi 10.1111/j.2517-6161.1995.tb02031.x
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import logit
from scipy.stats import chi2, false_discovery_control, norm

from ..core.errors import NsnnError
from .data import Data
from .model import NeuronModel
from .responses import leak

_LAGS = (0.0, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)  # s, of the stimulus
_SPIKES = (0.003, 0.01, 0.03, 0.1, 0.2, 0.5)  # s, time constants of the effect of spikes
_NOISE = (0.005, 0.02, 0.1)  # s, time constants of residuals
_SLOW = 4  # cosines over the recording
_SHORT = 0.025  # s: effects of spikes over longer times are called adaptation
# kinds that a missing filter of the stimulus mimics
_AFTER_STIMULUS: tuple[str, ...] = ("spikes", "short", "stimulus squared")
_STRONG = 1e-4  # p of the stimulus that correlated noise alone hardly leaves
_LEFT = 0.05  # of the variance of a regressor: what parameters leave has power from here on
_LITTLE = 0.01  # of the refractory time, which a membrane and a threshold mimic but for its sharp end
_RARE = 1e-9  # a lower probability is not told from this one
_REFRACTORY_TEST = "refractory time"  # name of the test of a held tau_refrac

COLUMNS = ["test", "kind", "lag", "statistic", "df", "p", "q", "advice"]
_FREE = {
    "stimulus": ("model.tau_m", "stimulus.tau", "stimulus.delay"),  # by how often each is the cure
    "short": ("model.tau_refrac",),
    "rate": ("stimulus.offset", "noise.sigma"),
}
_BOTH = {
    "other": "add what follows from spikes or the stimulus one at a time, and compare scores",
    "drift": "fit parts of the recording and compare them",
    "rate": "compare the recordings",
}
_NEURON = _BOTH | {
    "stimulus": "filter the signal",
    "stimulus squared": "let the signal saturate (Transduced, or a function of the signal), or in white noise take EIF",
    "spikes": "add a spike-triggered current or threshold (GIF)",
    "short": "add a threshold or a current that jumps (GIF)",
    "noise": "fit again with noise=OUNoise(...) and compare scores",
}
FILTERS = _BOTH | {
    "stimulus": "lengthen or refine the basis of the stimulus",
    "stimulus squared": 'add products=[("stimulus", "stimulus")], or try another family',
    "spikes": "lengthen or refine the basis of history",
    "short": "refine the first lags of history, or set refractory",
    "noise": 'add history, or a membrane that is reset (beta="fit")',
}
"""What to add to a fit of `fit_neuron` with stimulus and history, by kind of test."""
_WITHOUT = {
    "stimulus": {
        "stimulus": "add stimulus=, such as RaisedCosines(8, 60*ms)",
        "stimulus squared": "add stimulus=",
    },
    "history": {
        "spikes": "add history=, such as RaisedCosines(6, 500*ms, start=2*ms)",
        "short": "add history=, or set refractory",
    },
}


def filter_cures(model: NeuronModel) -> dict[str, str]:
    """What to add to a fit of `fit_neuron`, by kind of test."""
    less = [cures for name, cures in _WITHOUT.items() if getattr(model, name) is None]
    return {kind: cure for cures in (FILTERS, *less) for kind, cure in cures.items()}


def neuron_cures(free: Sequence[str]) -> dict[str, str]:
    """What to free of a neuron of `calibrate`, or to add, by kind of test; `free` are the parameters that were free."""
    result = dict(_NEURON)
    for kind, paths in _FREE.items():
        if names := [one.removeprefix("model.") for one in paths if one not in free]:
            result[kind] = f"free {', else '.join(names)}, or {_NEURON[kind]}"
    return result


@dataclass(frozen=True, eq=False)
class Predicted:
    """The spikes of a trial and what a fit says of each step."""

    o: np.ndarray  # (n,) spikes
    q: np.ndarray  # (n,) their mean
    weight: np.ndarray  # (n,) their variance
    slopes: np.ndarray  # (n, K) derivatives of the mean by the fitted parameters, over the variance
    signal: np.ndarray  # (n, n_channels)
    counted: slice  # steps that are tested; those before are given
    # a held refractory time (s), and (n,) change of log-odds by half of it
    rest: tuple[float, np.ndarray] | None = None


def of_chances(
    o: np.ndarray,
    q: np.ndarray,
    slopes: np.ndarray,
    signal: np.ndarray,
    counted: tuple[int, int],
    rest: tuple[float, np.ndarray] | None = None,
) -> Predicted:
    """From probabilities q (n,) of a spike and their derivatives by parameters (n, K); rest: time (s), q with half of it."""
    weight = q * (1 - q)
    scaled = np.divide(slopes, weight[:, None], out=np.zeros_like(slopes), where=weight[:, None] > 1e-12)
    if rest is not None:
        half, full = (logit(np.clip(x, _RARE, 1 - _RARE)) for x in (rest[1], q))
        rest = rest[0], half - full
    return Predicted(o, q, weight, scaled, signal, slice(*counted), rest)


def of_filters(model: NeuronModel, p: np.ndarray, data: Data, signal: np.ndarray | None) -> list[Predicted]:
    """The trials of a fit of `fit_neuron`; signal (n, n_channels), None: the filtered stimulus."""
    value = model.evaluate(p, data)
    q, weight, gain = value.response.moments
    if signal is None:
        n = model.channels * model.bases()[0].shape[1]
        signal = (data.drive[:, :n] @ p[1 : 1 + n])[:, None] if n else np.empty((len(data.o), 0))
    mean, variance = (np.where(data.free, x, 0.0) for x in (q, weight))
    return _of_trials(data, (data.o, mean, variance, value.traces * gain[:, None], signal))


def of_events(log_silence: np.ndarray, data: Data, signal: np.ndarray) -> list[Predicted]:
    """The trials of a fit that says how likely no spike is in each step, (n,) nats; its parameters are not accounted for."""
    q = -np.expm1(log_silence)
    return _of_trials(data, (np.minimum(data.o, 1), q, q * (1 - q), np.empty((len(q), 0)), signal))


def _of_trials(data: Data, columns: tuple[np.ndarray, ...]) -> list[Predicted]:
    trials = np.flatnonzero(data.begins)[1:].tolist()
    each = zip(*(np.split(x, trials) for x in columns), strict=True)
    return [Predicted(o, mean, var, slope, x, slice(None)) for o, mean, var, slope, x in each]


def misfit_table(
    trials: Sequence[Predicted], dt: float, alpha: Any, cures: Mapping[str, str]
) -> pd.DataFrame:
    """All tests of some trials with steps of dt (s)."""
    if isinstance(alpha, bool) or not isinstance(alpha, int | float) or not 0 < alpha < 1:
        raise NsnnError(f"alpha = {alpha!r}: expected a number between 0 and 1, such as 0.05")
    o, q, weight, slopes = (
        np.concatenate([getattr(one, name)[one.counted] for one in trials])
        for name in ("o", "q", "weight", "slopes")
    )
    if not o.any():
        raise NsnnError("trains hold no spikes: expected some hundred, to test what they depend on")
    signal = np.concatenate([one.signal[one.counted] for one in trials])
    varies, mean = np.ptp(signal, axis=0) > 0, signal.mean(axis=0)
    trials = [replace(one, signal=(one.signal - mean)[:, varies]) for one in trials]
    constant = np.ones((len(o), 1))
    score = _Score(o - q, weight, np.concatenate([constant, slopes], axis=1))
    rows = [("rate", "rate", np.nan, *_Score(o - q, weight, slopes)(constant))]
    for name, kind, lag, columns in _regressors(trials, dt, len(o)):
        x = columns - np.average(columns, axis=0, weights=weight)
        rows.append((name, kind, lag, *score(x, _LITTLE if name == _REFRACTORY_TEST else _LEFT)))
    table = pd.DataFrame(rows, columns=[*COLUMNS[:6], "sign"])
    known = table.p.notna()
    table["q"] = np.nan
    table.loc[known, "q"] = false_discovery_control(table.p[known])
    table["advice"] = _advice(table, float(alpha), cures)
    return table[COLUMNS]


class _Score:
    """Score tests of regressors (n, d), without what the columns of `fitted` (n, k) mimic."""

    def __init__(self, residual: np.ndarray, weight: np.ndarray, fitted: np.ndarray) -> None:
        self.residual, self.weight = residual, weight[:, None]
        size = np.sqrt(np.sum(self.weight * fitted**2, axis=0))
        self.fitted = fitted[:, size > 0] / size[size > 0]
        self.inverse = np.linalg.pinv(self.fitted.T @ (self.weight * self.fitted), rcond=1e-9, hermitian=True)

    def __call__(self, x: np.ndarray, least: float = _LEFT) -> tuple[float, int, float, float]:
        """Statistic (z of one regressor, chi-square of more), their number, p and sign; NaN where parameters leave too little."""
        total = np.sum(self.weight * x**2, axis=0)
        x = x - self.fitted @ (self.inverse @ (self.fitted.T @ (self.weight * x)))
        left = np.sum(self.weight * x**2, axis=0)
        some = left > least * total
        n = int(some.sum())
        if n == 0:
            return np.nan, 0, np.nan, np.nan
        score, variance = self.residual @ x[:, some], x[:, some].T @ (self.weight * x[:, some])
        z = np.zeros(len(some))
        z[some] = score / np.sqrt(np.diag(variance))
        sign = float(min(z[:2][some[:2]], default=np.nan))  # of noise: of residuals and spikes
        if len(z) == 1:
            return sign, 1, float(2 * norm.sf(abs(sign))), sign
        square = float(score @ np.linalg.pinv(variance, hermitian=True) @ score)
        return square, n, float(chi2.sf(square, n)), sign


def _regressors(
    trials: Sequence[Predicted], dt: float, n: int
) -> Iterator[tuple[str, str, float, np.ndarray]]:
    """Name, kind, lag or time constant (s) and columns (n, d) of each test."""

    def joined(columns: Iterable[np.ndarray]) -> np.ndarray:
        return np.concatenate([x[one.counted] for one, x in zip(trials, columns, strict=True)])

    channels = trials[0].signal.shape[1]
    for c in range(channels):
        called = "stimulus" if channels == 1 else f"stimulus[{c}]"
        for lag in sorted({round(lag / dt) for lag in _LAGS}):
            x = joined(_shifted(one.signal[:, [c]], lag) for one in trials)
            ago = f"{1e3 * lag * dt:g} ms ago" if lag else "now"
            yield f"{called} {ago}", "stimulus", lag * dt, x
            yield f"{called} squared {ago}", "stimulus squared", lag * dt, x**2
    for tau in _SPIKES:
        if tau > dt:
            x = joined(_decaying(_shifted(one.o[:, None], 1), tau / dt) for one in trials)
            yield f"spikes over {1e3 * tau:g} ms", "spikes", tau, x
    if held := [one.rest for one in trials if one.rest]:
        yield _REFRACTORY_TEST, "spikes", held[0][0], joined(change[:, None] for _, change in held)
    for tau in _NOISE:
        if tau > 2 * dt:
            yield f"noise of {1e3 * tau:g} ms", "noise", tau, joined(_memory(one, tau / dt) for one in trials)
    phase = np.pi * (np.arange(n) + 0.5) / n
    yield "trend over the recording", "drift", np.nan, -np.cos(phase)[:, None]
    slow = np.cos(phase[:, None] * np.arange(1, 1 + _SLOW))
    yield "slow changes over the recording", "drift", np.nan, slow


def _shifted(x: np.ndarray, steps: int) -> np.ndarray:
    """x (n, n_columns) so many steps ago, 0 before its start."""
    return np.concatenate([np.zeros_like(x[:steps]), x[: max(0, len(x) - steps)]])


def _decaying(x: np.ndarray, steps: float, kept: np.ndarray | None = None) -> np.ndarray:
    """Columns through an exponential with this time constant, in steps."""
    return leak(np.ascontiguousarray(x), np.ones(len(x)) if kept is None else kept, float(np.exp(-1 / steps)))


def _memory(one: Predicted, steps: float) -> np.ndarray:
    """Residuals, spikes, and the stimulus since the last spike, with one time constant in steps."""
    before = _shifted(np.stack([one.o - one.q, one.o], axis=1), 1)
    since = _decaying(one.signal, steps, np.where(before[:, 1] > 0, 0.0, 1.0))
    return np.concatenate([_decaying(before, steps), since], axis=1)


def _advice(table: pd.DataFrame, alpha: float, cures: Mapping[str, str]) -> list[str]:
    """What is missing and what to do, for each test with q below alpha."""
    result = [""] * len(table)
    some = table[table.q < alpha]
    kind = some.kind.where((some.kind != "spikes") | (some.lag > _SHORT), "short")
    spikes = some[some.kind == "spikes"]
    # a neuron that adapts mimics noise at short lags
    fewer = len(spikes) > 0 and spikes.sign[spikes.p.idxmin()] < 0
    kind = kind.where((some.kind != "noise") | ((some.sign > 0) & (not fewer)), "other")
    strongest = some.groupby("kind").p.min().to_dict()
    stimulus = strongest.get("stimulus", 1.0)
    # what a stimulus filter leaves is seen after spikes too, and what adaptation leaves in the stimulus, but less
    later = _AFTER_STIMULUS if stimulus < strongest.get("spikes", 1.0) else ()
    # noise with a correlation time leaves less in the stimulus than a filter leaves in the tests of noise
    later += ("noise",) * (stimulus < min(_STRONG, strongest.get("noise", 1.0) ** 0.5))
    if len(known := some.p.groupby(kind).min().drop("other", errors="ignore")):
        cures = {**cures, "other": f"first {cures[str(known.idxmin())]}, then test again"}
    for (name, more), rows in some.groupby([kind, some.sign > 0]):
        low, high = 1e3 * rows.lag.min(), 1e3 * rows.lag.max()
        span = f"{low:g} ms" if low == high else f"{low:g} to {high:g} ms"
        for row in rows.index:
            cure, missing = cures[str(name)], _missing(str(name), bool(more), span)
            if table.test[row] == _REFRACTORY_TEST:
                time = f"{1e3 * table.lag[row]:g} ms"
                missing = f"the refractory time of {time} is too {'long' if more else 'short'}"
                cure = 'free "tau_refrac": (0*ms, 20*ms)'
            if name in later:
                cure = f"first {cures['stimulus']}, then {cure}"
            result[row] = f"{missing}: {cure}"
    return result


def _missing(kind: str, more: bool, span: str) -> str:
    far, ago = "more" if more else "less", "now" if span == "0 ms" else f"{span} ago"
    return {
        "rate": f"the rate is {'higher' if more else 'lower'} than in the model",
        "stimulus": f"the stimulus {ago} acts {far} than in the model",
        "stimulus squared": f"strong stimuli {ago} excite {far} than in the model",
        "short": f"{'excitation' if more else 'refractoriness'} over {span} after a spike is missing",
        "spikes": f"{'facilitation' if more else 'adaptation'} over {span} is missing",
        "noise": f"noise with a correlation time is missing (tests over {span})",
        "other": f"what follows a spike depends on more than in the model (tests over {span})",
        "drift": "excitability drifts over the recording",
    }[kind]
