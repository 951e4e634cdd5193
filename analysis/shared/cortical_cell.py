"""The cortical neuron of the study `variability_reliability`, and a LIF neuron fitted to it.

The LIF neuron receives the recorded current as R I = I / gL, with the published membrane, C 72 pF and gL 13 nS. Threshold, reset,
refractory period and one sigma for all settings are fitted to the first halves of every second setting (ordered by the standard
deviation of the current). Cell and model are compared on the second halves, separately for settings without a part in the fit. The
fit is a cross-entropy search for the smallest mean over settings of (log ratio of rates)^2 + (difference of CVs)^2 +
(difference of Gammas)^2.
"""

from __future__ import annotations

import dataclasses
import itertools
import warnings
from collections.abc import Iterator
from typing import Any

import neo
import numpy as np
import pandas as pd
import quantities as pq
from brian2 import mV, second
from scipy import stats

import nsnn_neuro as nsnn
from nsnn_neuro import measures

from ..harness import Claim, Progress, secondary
from .recordings import CORTICAL, Sweep, cortical
from .simulations import recorded, simulated
from .tables import where

TAU_M, G_LEAK = 72e-12 / 13e-9, 13.0  # s; nS, so that pA / nS is mV
KERNEL = PRECISION = 2e-3  # s
FITTED = ("v_thresh", "v_reset", "tau_refrac", "sigma")
SAMPLE = 0.2e-3  # s, of the current
SETTLING = 0.2  # s; run-in before each half, not analysed


@dataclasses.dataclass(frozen=True)
class Fit:
    """Settings of the fit and of the comparison. Times in s, voltages in mV above rest."""

    bounds: tuple[tuple[float, float], ...] = ((5.0, 35.0), (-30.0, 5.0), (1e-3, 8e-3), (0.3, 8.0))
    """bounds of threshold, reset, refractory period and sigma"""
    candidates: int = 60
    elite: int = 10
    generations: int = 8
    trials: int = 4
    """trials in the fit"""
    seconds: float = 3.4
    """length of each first half used in the fit"""
    test_trials: int = 20
    factors: tuple[float, ...] = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 4.0)
    """multiples of the fitted sigma that are simulated; 0 is the deterministic neuron"""
    dt: float = 2e-4


QUICK = Fit(
    candidates=30, elite=6, generations=3, seconds=1.6, test_trials=8, factors=(0.0, 0.5, 1.0, 2.0), dt=4e-4
)


# --- measures of cell and models ---------------------------------------------------------------------------------------------


def by_neuron(block: neo.Block, copies: int = 1) -> list[measures.Trains]:
    """Spike trains of each neuron. With `copies` > 1, each group of so many neurons is one point, and the neurons are its
    trials."""
    trains = measures.as_trains(block)
    order = np.lexsort((trains.times, trains.trial, trains.neuron))
    n_points, n_trials = trains.n_neurons // copies, trains.n_trials * copies
    point = trains.neuron[order] // copies
    trial = trains.trial[order] if copies == 1 else trains.neuron[order] % copies
    ends = np.cumsum(np.bincount(point, minlength=n_points))[:-1]
    start, stop = trains.window()
    return [
        measures.Trains(
            times, np.zeros(times.size, int), of, 1, n_trials, np.full(n_trials, start), np.full(n_trials, stop)
        )
        for times, of in zip(np.split(trains.times[order], ends), np.split(trial, ends), strict=True)
    ]  # fmt: skip


def repeatability(trains: measures.Trains, kernel: float, precision: float) -> dict[str, float]:
    """Rate, Fano factor across trials, Schreiber's reliability, and mean Gamma over ordered pairs; NaN without spikes."""
    if not trains.times.size:
        return dict.fromkeys(("rate", "Fano factor", "reliability", "Gamma"), np.nan) | {"rate": 0.0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", measures.SilentNeuronWarning)  # pairs with an empty trial count as 0
        gamma = measures.gamma_coincidence(trains, precision=precision * pq.s)
        reliability = measures.schreiber_reliability(trains, sigma=kernel * pq.s)
    return {
        "rate": float(measures.firing_rate(trains)[0]),
        "Fano factor": float(measures.fano_factor(trains)[0]),
        "reliability": float(reliability),
        "Gamma": float(np.nan_to_num(gamma)[~np.eye(len(gamma), dtype=bool)].mean()),
    }


def repeatability_and_cv(trains: measures.Trains) -> dict[str, float]:
    """Rate, Fano factor, reliability, Gamma and CV of intervals, the CV NaN with too few spikes."""
    values = repeatability(trains, KERNEL, PRECISION)
    enough = trains.times.size > 2 * trains.n_trials
    return {**values, "CV": float(measures.cv(trains)[0]) if enough else np.nan}


# --- the model ---------------------------------------------------------------------------------------------------------------


def simulate(
    parameters: pd.DataFrame, drives: list[np.ndarray], trials: int, dt: float, seed: int
) -> list[measures.Trains]:
    """Spike trains of every row of parameters (outer) under every current (mV, at 5 kHz), without the run-in."""
    column = {name: np.repeat(parameters[name].to_numpy(float), len(drives)) for name in FITTED}
    neuron = nsnn.LIF(
        tau_m=TAU_M * second,
        v_rest=0 * mV,
        v_reset=column["v_reset"] * mV,
        v_thresh=column["v_thresh"] * mV,
        tau_refrac=column["tau_refrac"] * second,
    )
    drive = np.tile(np.column_stack(drives), (1, len(parameters)))
    time = {"seconds": len(drives[0]) * SAMPLE, "dt": dt}
    noise, n = nsnn.WhiteNoise(column["sigma"] * mV), drive.shape[1]
    block = simulated(neuron, noise, recorded(drive, SAMPLE), n_neurons=n, trials=trials, seed=seed, **time)
    return [one.crop(SETTLING, None) for one in by_neuron(block)]


def _early(sweep: Sweep, config: Fit) -> np.ndarray:
    """R I (mV) of the part used in the fit."""
    return sweep.current[: round(config.seconds / sweep.dt)] / G_LEAK


def _late(sweep: Sweep) -> np.ndarray:
    """R I (mV) of the second half with its run-in."""
    return sweep.current[sweep.current.size // 2 - round(SETTLING / sweep.dt) :] / G_LEAK


def _cell(sweeps: list[Sweep], start: float, stop: float) -> measures.Trains:
    block = nsnn.to_block([[s.spikes] for s in sweeps], t_stop=sweeps[0].seconds * second)
    return measures.as_repeats(block, start * pq.s, stop * pq.s)


def fit(
    drives: list[np.ndarray], targets: list[dict[str, float]], config: Fit, seed: int
) -> dict[str, float]:
    """Parameters with the smallest distance of rates, CVs and Gammas from the targets."""
    rng = np.random.default_rng(seed)
    low, high = np.array(config.bounds).T
    centre, spread, best, least = (low + high) / 2, (high - low) / 2, None, np.inf
    for generation in range(config.generations):
        draws = centre + spread * rng.standard_normal((config.candidates, len(FITTED)))
        if generation == 0:
            draws = rng.uniform(low, high, draws.shape)
        draws = np.clip(draws, low, high)
        if best is not None:
            draws[0] = best
        parameters = pd.DataFrame(draws, columns=list(FITTED))
        trains = simulate(parameters, drives, config.trials, config.dt, seed + generation)
        loss = np.array(
            [_distance(repeatability_and_cv(one), targets[k % len(drives)]) for k, one in enumerate(trains)]
        )
        loss = loss.reshape(-1, len(drives)).mean(axis=1)
        order = np.argsort(loss)
        if loss[order[0]] < least or best is not None:  # the best candidate is simulated again with new noise
            least, best = loss[order[0]], draws[order[0]]
        elite = draws[order[: config.elite]]
        centre, spread = elite.mean(axis=0), elite.std(axis=0)
    return {**dict(zip(FITTED, elite.mean(axis=0).tolist(), strict=True)), "loss": float(least)}


def _distance(values: dict[str, float], target: dict[str, float]) -> float:
    apart = [
        np.log((values["rate"] + 1) / (target["rate"] + 1)),
        values["CV"] - target["CV"],
        values["Gamma"] - target["Gamma"],
    ]
    return float(np.square(np.nan_to_num(apart, nan=2.0)).sum())


# --- the rows of the table ---------------------------------------------------------------------------------------------------


def rows(config: Fit, seed: int, progress: Progress) -> list[dict[str, Any]]:
    """Rows of cell and models, one per setting and quantity; none without the recordings.

    `fluctuation` is the standard deviation of the current (mV of R I). `x` is the mean current (mV), and in rows of models the
    multiple of the fitted sigma. `setting` ends in * if it was used in the fit.
    """
    loaded = {setting: cortical(setting) for setting in CORTICAL}
    sweeps = {setting: repeats for setting, repeats in loaded.items() if repeats is not None}
    if len(sweeps) < len(CORTICAL):
        progress("no recordings of the cortical neuron: skipped")
        return []
    sd = {setting: float(np.std(repeats[0].current) / G_LEAK) for setting, repeats in sweeps.items()}
    ordered = sorted(sweeps, key=lambda setting: sd[setting])
    seen = ordered[1::2]
    progress(f"fitting a LIF neuron to the first halves of settings {', '.join(seen)}")
    fitted = fit(
        [_early(sweeps[s][0], config) for s in seen],
        [repeatability_and_cv(_cell(sweeps[s], SETTLING, config.seconds)) for s in seen],
        config,
        seed,
    )
    progress("simulating the second halves")
    models = pd.DataFrame([{**fitted, "sigma": factor * fitted["sigma"]} for factor in config.factors])
    trains = simulate(
        models, [_late(sweeps[s][0]) for s in ordered], config.test_trials, config.dt, seed + 100
    )
    parts = [
        {"part": "parameter", "source": "LIF", "quantity": name, "value": value} for name, value in fitted.items()
    ]  # fmt: skip
    for s in ordered:
        base = {"part": "cell", "source": "cell", "setting": _name(s, seen), "fluctuation": sd[s]}
        base["x"] = float(np.mean(sweeps[s][0].current) / G_LEAK)
        length = sweeps[s][0].seconds
        for part, start in (("cell", length / 2), ("whole cell", 0.0)):
            values = repeatability_and_cv(_cell(sweeps[s], start, length))
            parts += [{**base, "part": part, "quantity": q, "value": v} for q, v in values.items()]
    for (factor, s), one in zip(itertools.product(config.factors, ordered), trains, strict=True):
        base = {"part": "cell", "source": "LIF", "setting": _name(s, seen), "fluctuation": sd[s], "x": factor}
        base["sigma"] = factor * fitted["sigma"]
        parts += [{**base, "quantity": q, "value": v} for q, v in repeatability_and_cv(one).items()]
    return parts


def _name(setting: str, seen: list[str]) -> str:
    """Label of a setting that a CSV file preserves as text."""
    return f"setting {setting}" + ("*" if setting in seen else "")


# --- verdicts ----------------------------------------------------------------------------------------------------------------


def rank_correlation(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Spearman's rho and its exact one-sided p, over all orders of at most 8 values."""
    a, b = (stats.rankdata(v) - (len(v) + 1) / 2 for v in (x, y))
    size = np.sqrt((a @ a) * (b @ b))
    orders = np.array(list(itertools.permutations(b)))
    return float(a @ b / size), float(np.mean(orders @ a >= a @ b - 1e-9))


def _settings(table: pd.DataFrame, quantity: str, source: str, factor: float | None = None) -> pd.Series:
    rows = where(table, part="cell", source=source, quantity=quantity)
    rows = rows if factor is None else rows[rows.x == factor]
    return rows.sort_values("fluctuation").set_index("setting").value


def claims(table: pd.DataFrame) -> list[Claim]:
    """Secondary claims about the cell; none without its recordings."""
    return list(_claims(table)) if (table.part == "cell").any() else []


def _claims(table: pd.DataFrame) -> Iterator[Claim]:
    sd = where(table, part="cell", source="cell", quantity="Gamma")
    by_sd = sd.set_index("setting").fluctuation.sort_values()
    for name, words in (("Gamma", "Gamma"), ("reliability", "Schreiber's reliability")):
        values = _settings(table, name, "cell")[by_sd.index]
        rho, p = rank_correlation(by_sd.to_numpy(), values.to_numpy())
        yield secondary(
            f"cortical neuron: {words} rises with the standard deviation of the current (rank correlation, p < .05)",
            p < 0.05,
            f"{len(values)} settings: rank correlation {rho:.2f}, exact p {p:.2g}; {values.iloc[0]:.2f} at "
            f"{by_sd.iloc[0]:.1f} mV, {values.iloc[-1]:.2f} at {by_sd.iloc[-1]:.1f} mV",
        )
    cell, model = (_settings(table, "Gamma", s, f)[by_sd.index] for s, f in (("cell", None), ("LIF", 1.0)))
    rho, p = rank_correlation(cell.to_numpy(), model.to_numpy())
    yield secondary(
        "the LIF neuron with one sigma reproduces the order of Gamma over the settings of the cell (rank correlation, p < .05)",
        p < 0.05,
        f"second halves, {len(cell)} settings: rank correlation {rho:.2f}, exact p {p:.2g}",
    )
    unseen = [s for s in by_sd.index if not s.endswith("*")]
    off = (model - cell).abs()[unseen]
    other = (_settings(table, "Gamma", "LIF", 0.0) - cell)[unseen].abs()
    yield secondary(
        "in every setting outside the fit, Gamma of the noisy LIF neuron is nearer to the cell than that of the "
        "deterministic one (1)",
        (off < other.fillna(np.inf)).all(),
        "distance of noisy and deterministic neuron (none if silent): "
        + "; ".join(f"{s} {off[s]:.2f}, {other[s]:.2f}" for s in unseen),
    )


def tables(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Cell and LIF neuron in each setting, and the fitted parameters."""
    if not (table.part == "cell").any():
        return {}
    out: dict[str, Any] = {}
    base = where(table, part="cell", source="cell", quantity="rate").sort_values("fluctuation")
    out["setting"] = base.setting.tolist()
    out["mean, SD of R I (mV)"] = [f"{m:.1f}, {s:.1f}" for m, s in zip(base.x, base.fluctuation, strict=True)]
    for name in ("rate", "CV", "Fano factor", "reliability", "Gamma"):
        cell, model = _settings(table, name, "cell"), _settings(table, name, "LIF", 1.0)
        title = "rate (Hz)" if name == "rate" else name
        out[f"{title}: cell, LIF"] = [f"{cell[s]:.2f}, {model[s]:.2f}" for s in out["setting"]]
    value = table[table.part == "parameter"].set_index("quantity").value
    shown = {
        "threshold (mV)": value.v_thresh,
        "reset (mV)": value.v_reset,
        "refractory period (ms)": 1e3 * value.tau_refrac,
        "sigma (mV)": value.sigma,
    }
    return {
        "Second halves; *: the first half of this setting was used in the fit": pd.DataFrame(out),
        "Fitted LIF neuron (threshold and reset above rest)": pd.DataFrame(
            {"parameter": list(shown), "value": [f"{x:.2f}" for x in shown.values()]}
        ),
    }
