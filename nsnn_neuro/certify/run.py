"""`certify`: simulate each case at several dt, estimate rate and CV, fit the discretisation bias, compare with theory."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import quantities as pq

from ..brian import auto_engine
from ..brian import engine as engines
from ..brian.simulate import simulate
from ..core.aliases import Progress
from ..core.checks import check_seed, did_you_mean, flag, suggest_keywords
from ..core.cluster import in_workers
from ..core.errors import NsnnError
from ..core.parallel import check_jobs
from ..core.progress import progress_bar
from ..measures import as_trains
from ..models.neurons import NSNNNeuron, PoissonSource
from .cases import Case, Estimated
from .pairs import Pair, pairs, refusal

_NAMES = ("model", "noise", "mode", "quantity")
_VALUES = ("simulated", "se", "theory", "z", "relative_error", "n_spikes", "dt_ms")
COLUMNS = [*_NAMES, *_VALUES, "order", "bias_percent", "bias_se_percent", "verdict", "reason"]
MOST_Z, MOST_ERROR, FEWEST = 4.0, 0.01, 100_000
_AIM = 108_000  # intervals that start in the window
_LEAST_WINDOW, _TAIL = 0.4, 0.3  # s: spikes are counted in both, intervals start in the first
_NEURONS = 2000  # of every run, since the code of a C++ program contains this number; rates change the window
_GROUPS = 25  # of neurons, for the jackknife
_RESOLVED = 4.0  # an order is fitted to a bias of more standard errors than this
_GAIN_DTS = (0.05, 0.1, 0.2)  # ms
_ORDERS = np.linspace(0.02, 4.0, 797)


class Bias(NamedTuple):
    """The order p of a discretisation error a dt^p, as text, and the bias with its standard error at one dt, in percent."""

    order: str
    percent: float
    se_percent: float


@suggest_keywords
def certify(
    models: Sequence[str] | str | None = None,
    *,
    ranges: bool = False,
    engine: str = "auto",
    seed: int = 1,
    n_jobs: int | None = None,
    scheduler: Any = None,
    progress: Progress = None,
) -> pd.DataFrame:
    """Check every neuron with every noise model, and synapses with memory, against theory that is independent of the simulator.

    A row passes when its value, from at least 1e5 spikes (or intervals), lies within 4 standard errors and within 1 % of theory. It
    is not corrected for the discretisation bias, which is estimated from several dt and reported too.

    Parameters
    ----------
    models : names of neurons, or "TsodyksMarkram", in upper or lower case; None: all
    ranges : True adds rates at the ends of the ranges of correlation times, noise strengths and rates (0.2 to 100 Hz), which takes
        three times as long as the rest
    engine : "auto", "cpp", "cython" or "numpy" for continuous membranes; "auto" is "cpp", or "numpy" where there is no compiler
        that works. Synapses and neurons in discrete time run on "numpy", which is faster than compiling
    seed : integer; results do not depend on n_jobs or the choice of models
    n_jobs : number of processes, -1: one for each core; None: two, or one on a machine with one core; 1 starts no process
    scheduler : address of a Dask scheduler, or a `distributed.Client`, instead of processes; needs `distributed`
    progress : as for `simulate`

    Returns
    -------
    DataFrame : one row per pair, case and quantity; model, noise, mode; quantity ("rate" in Hz, "cv", "rate, bridge gain", or of a
        synapse the mean "efficacy", the share of its weight that a spike transmits),
        simulated, se, theory, z, relative_error, n_spikes, dt_ms; order of the discretisation error, bias_percent at this dt and
        bias_se_percent; verdict ("pass", "fail", "known", "no theory", "not offered") and its reason

    Raises
    ------
    NsnnError : unknown model or engine, n_jobs below 1, a process that was killed, a scheduler that does not answer

    >>> table = certify("Relay")
    >>> table["verdict"].value_counts().to_dict()
    {'not offered': 9, 'no theory': 1}
    """
    flag(ranges, "ranges")
    chosen, target, seed = _chosen(models), engines.choose(engine, auto=True), check_seed(seed)
    jobs = min(2, check_jobs(-1)) if n_jobs is None else check_jobs(n_jobs)
    tasks = [
        (i, j)
        for i, pair in enumerate(pairs())
        if pair.model in chosen
        for j, case in enumerate(pair.cases)
        if ranges or not case.end_of_range
    ]
    if target == "auto":
        compiled = any(not _is_discrete(pairs()[i].cases[j]) for i, j in tasks)
        target = auto_engine.fastest() if compiled else "numpy"
    rows: dict[tuple[int, int], list[dict[str, Any]]] = {
        (i, 0): [_empty(p)] for i, p in enumerate(pairs()) if p.model in chosen and not p.cases
    }
    given = [(*task, target, seed) for task in tasks]
    jobs = max(1, min(jobs, len(tasks)))
    with progress_bar(progress, "certifying", len(tasks), unit="case") as report:
        results = in_workers(_rows_of, given, jobs, scheduler, "n_jobs=1 starts no process")
        for n_done, (k, its_rows) in enumerate(results, 1):
            rows[tasks[k]] = its_rows
            if report is not None:
                report(n_done / len(tasks))
    table = [row for key in sorted(rows) for row in rows[key]]
    return pd.DataFrame(table, columns=COLUMNS)


def ends_of_ranges(models: Sequence[str] | str | None = None) -> int:
    """How many rows `ranges=True` adds.

    >>> ends_of_ranges("PIF"), ends_of_ranges("Relay")
    (7, 0)
    """
    chosen = _chosen(models)
    return sum(case.end_of_range for pair in pairs() if pair.model in chosen for case in pair.cases)


def _chosen(models: Sequence[str] | str | None) -> set[str]:
    names = {pair.model.lower(): pair.model for pair in pairs()}
    given = [models] if isinstance(models, str) else list(models or names)
    unknown = [name for name in given if name.lower() not in names]
    if unknown:
        hint = did_you_mean(unknown[0], names.values())
        raise NsnnError(
            f"models = {', '.join(unknown)}: expected names among {', '.join(names.values())}{hint}"
        )
    return {names[name.lower()] for name in given}


def _empty(pair: Pair) -> dict[str, Any]:
    verdict = "not offered" if pair.refused else "no theory"
    return _row(pair.model, pair.noise, "", verdict=verdict, reason=pair.refused or pair.reason)


def _row(model: str, noise: str, mode: str, **more: Any) -> dict[str, Any]:
    blank: dict[str, Any] = dict.fromkeys(COLUMNS, np.nan) | {"n_spikes": 0}
    blank |= dict.fromkeys(("quantity", "order", "reason"), "")
    return blank | {"model": model, "noise": noise, "mode": mode} | more


def _rows_of(i: int, j: int, engine: str, seed: int) -> list[dict[str, Any]]:
    """The rows of case j of pair i, which another process finds by these numbers."""
    pair = pairs()[i]
    case = pair.cases[j]
    names = pair.model, pair.noise, case.mode
    if refused := refusal(case.neuron, case.noise):
        return [_row(*names, verdict="not offered", reason=refused)]
    if case.theory is None:
        return [_row(*names, verdict="no theory", reason=case.reason)]
    exact = case.exact()
    runs = {dt: _measured(case, dt, exact[dt], engine, seed, " ".join(names)) for dt in case.dts}
    rows = []
    for quantity in exact[case.dts[0]]:
        expected = {dt: values[quantity] for dt, values in exact.items()}
        rows.append(_judged(names, quantity, quantity, runs, expected, case.dts[0], case.reason))
    gains = {} if case.gain is None else {at: case.gain(1e-3 * at)["rate"] for at in runs}
    for dt in sorted(set(_GAIN_DTS) & set(gains)):
        rows.append(_judged(names, "rate", "rate, bridge gain", runs, gains, dt, ""))
        if not case.bridge:
            rows[-1] |= {"verdict": "known", "reason": "crossings between grid points are missed"}
    return rows


def _judged(
    names: tuple[str, str, str],
    quantity: str,
    label: str,
    runs: dict[float, dict[str, Estimated]],
    expected: dict[float, float],
    dt: float,
    note: str,
) -> dict[str, Any]:
    """The row of one quantity at one dt, with the bias estimated from all dt."""
    estimate, exact = runs[dt][quantity], expected[dt]
    errors = {
        at: (r[quantity].value / expected[at] - 1, r[quantity].se / expected[at]) for at, r in runs.items()
    }
    bias = fit_bias(errors, dt) if len(errors) > 1 else Bias("", np.nan, np.nan)
    verdict, wrong = judge(estimate, exact)
    return _row(
        *names,
        quantity=label,
        simulated=float(estimate.value),
        se=float(estimate.se),
        theory=exact,
        z=float((estimate.value - exact) / estimate.se),
        relative_error=float(errors[dt][0]),
        n_spikes=estimate.n,
        dt_ms=dt,
        order=bias.order,
        bias_percent=bias.percent,
        bias_se_percent=bias.se_percent,
        verdict=verdict,
        reason="; ".join(filter(None, [wrong, note])),
    )


def judge(estimate: Estimated, exact: float) -> tuple[str, str]:
    """The verdict "pass" or "fail", and why it fails.

    >>> judge(Estimated(10.02, 0.02, 120_000), 10.0)
    ('pass', '')
    >>> judge(Estimated(10.02, 0.02, 20_000), 10.0)
    ('fail', '20000 spikes, fewer than 100000')
    """
    z, error = (estimate.value - exact) / estimate.se, estimate.value / exact - 1
    wrong = []
    if not estimate.n >= FEWEST:
        wrong.append(f"{estimate.n} spikes, fewer than {FEWEST}")
    if not abs(z) < MOST_Z:
        wrong.append(f"|z| = {abs(z):.1f}, not below {MOST_Z:g}")
    if not abs(error) < MOST_ERROR:
        wrong.append(f"relative error {error:+.2%}, not below {MOST_ERROR:.0%}")
    return ("fail", "; ".join(wrong)) if wrong else ("pass", "")


def fit_bias(errors: dict[float, tuple[float, float]], dt: float) -> Bias:
    """Fit relative errors (dt -> value, standard error) by a dt^p, with weighted least squares.

    The order is given when an error exceeds 4 standard errors and the 95 % interval of the order is narrower than 1.5. Else the
    bias is fitted with first order: "not resolved" if it exceeds 4 standard errors, else "< x %", its 95 % bound at `dt`.

    >>> fit_bias({0.1: (0.010, 1e-4), 0.2: (0.020, 1e-4), 0.4: (0.040, 1e-4)}, 0.1).order
    '1.00 ± 0.01'
    >>> fit_bias({0.1: (0.001, 1e-3), 0.2: (-0.001, 1e-3)}, 0.1).order
    '< 0.11 %'
    """
    steps = np.array(list(errors))
    value, se = np.array(list(errors.values())).T

    def fitted(p: Any) -> tuple[Any, Any, Any]:
        """The bias at `dt`, its standard error and the misfit, for each order p."""
        x = (steps / dt) ** np.asarray(p)[..., None] / se
        square = np.sum(x**2, axis=-1)
        a = x @ (value / se) / square
        return a, square**-0.5, np.sum((value / se - a[..., None] * x) ** 2, axis=-1)

    misfit = fitted(_ORDERS)[2]
    best = _ORDERS[int(np.argmin(misfit))]
    inside = _ORDERS[misfit < misfit.min() + 1.96**2]
    resolved = len(steps) > 1 and np.max(np.abs(value / se)) > _RESOLVED and inside[-1] - inside[0] < 1.5
    if resolved and inside[0] > _ORDERS[0] and inside[-1] < _ORDERS[-1]:
        a, error, _ = fitted(best)
        return Bias(f"{best:.2f} ± {(inside[-1] - inside[0]) / 3.92:.2f}", float(100 * a), float(100 * error))
    a, error, _ = fitted(1.0)
    bound = f"< {100 * (abs(a) + 1.96 * error):.2f} %"
    return Bias("not resolved" if abs(a) > _RESOLVED * error else bound, float(100 * a), float(100 * error))


def _is_discrete(case: Case) -> bool:
    """Whether a case runs on NumPy, whatever the engine."""
    return case.measure is not None or isinstance(case.neuron, NSNNNeuron | PoissonSource)


def _measured(
    case: Case, dt: float, exact: dict[str, float], engine: str, seed: int, name: str
) -> dict[str, Estimated]:
    """Rate and CV of one run, whose size follows from the expected rate; its seed follows from its names and dt."""
    own = (seed + zlib.crc32(f"{name} {dt:g}".encode())) % 2**62
    if case.measure is not None:
        return case.measure(1e-3 * dt, own)
    discrete, rate = _is_discrete(case), exact["rate"]
    share = 2 if discrete else 1 if case.gain or dt == case.dts[0] else 0.5
    n = _NEURONS
    window = max(_LEAST_WINDOW, share * _AIM / (rate * n))
    sizes: dict[str, Any] = {"n_neurons": n}
    if case.shared:  # neurons of a trial are correlated, trials are not
        sizes = {"n_neurons": 10, "trials": n // 10}
    stop = case.burn_in + window + _TAIL
    stop = 1e-3 * dt * round(1e3 * stop / dt)
    block = simulate(
        case.neuron,
        case.noise,
        case.stimulus,
        **sizes,
        duration=1e3 * stop * pq.ms,
        dt=dt * pq.ms,
        seed=own,
        engine="numpy" if discrete else engine,
        bridge=case.bridge,
        progress=False,
    )
    trains = as_trains(block)
    unit = trains.trial if case.shared else trains.train
    return _estimated(trains.times, trains.train, unit, n, case.burn_in, stop)


def _estimated(
    times: np.ndarray, train: np.ndarray, unit: np.ndarray, n: int, start: float, stop: float
) -> dict[str, Estimated]:
    """Rate of the spikes in [start, stop), and CV of the intervals that start in it at least `_TAIL` before its end.

    `unit` numbers the independent samples: neurons, or trials of neurons that share noise.
    """
    units = int(unit.max()) + 1 if unit.size else 1
    inside = times >= start - 1e-12
    counts = np.bincount(unit[inside], minlength=units if units < n else n)
    exposure = (stop - start) * n / counts.size
    rate = Estimated(
        counts.mean() / exposure, counts.std(ddof=1) / np.sqrt(counts.size) / exposure, int(inside.sum())
    )
    kept = (np.diff(train) == 0) & inside[:-1] & (times[:-1] < stop - _TAIL)
    intervals, group = np.diff(times)[kept], unit[:-1][kept] % _GROUPS
    sums = np.array([np.bincount(group, intervals**k, minlength=_GROUPS) for k in range(3)])

    def cv(moments: np.ndarray) -> np.ndarray:
        mean, square = moments[1] / moments[0], moments[2] / moments[0]
        return np.sqrt(np.maximum(square - mean**2, 0.0)) / mean

    value = float(cv(sums.sum(axis=1)))
    parts = cv(sums.sum(axis=1, keepdims=True) - sums)
    error = float(np.sqrt((_GROUPS - 1) * np.mean((parts - parts.mean()) ** 2)))
    return {"rate": rate, "cv": Estimated(value, error, int(kept.sum()))}
