"""The cortical neuron of the study `variability_reliability`, and the LIF that stands beside it.

The LIF gets the recorded current as R I = I / gL, with the published membrane, C 72 pF and gL 13 nS. Threshold, reset,
refractoriness and one sigma for all settings are fitted on the first halves of every second setting (in the order of the current's
standard deviation); everything is judged on the second halves, and apart on the settings that the fit never saw. The fit is a
cross-entropy search for the least mean over settings of (log ratio of rates)^2 + (difference of CVs)^2 + (difference of Gammas)^2.
"""

from __future__ import annotations

import dataclasses
import itertools
import warnings
from collections.abc import Callable
from typing import Any

import neo
import numpy as np
import pandas as pd
import quantities as pq
from brian2 import mV, second
from scipy import stats

import nsnn_neuro as nsnn
from nsnn_neuro import measures

from ..harness import Claim
from .recordings import CORTICAL, Sweep, cortical

TAU_M, G_LEAK = 72e-12 / 13e-9, 13.0  # s; nS, so that pA / nS is mV
KERNEL = PRECISION = 2e-3  # s
FITTED = ("v_thresh", "v_reset", "tau_refrac", "sigma")
SETTLING = 0.2  # s before each half that the model runs and nothing is measured


@dataclasses.dataclass(frozen=True)
class Fit:
    """How the LIF is fitted and judged. Times in s, voltages in mV above rest."""

    bounds: tuple[tuple[float, float], ...] = ((5.0, 35.0), (-30.0, 5.0), (1e-3, 8e-3), (0.3, 8.0))
    """of threshold, reset, refractoriness and sigma"""
    candidates: int = 60
    elite: int = 10
    generations: int = 8
    trials: int = 4
    """of the fit"""
    seconds: float = 3.4
    """of each first half that the fit sees"""
    judged_trials: int = 20
    factors: tuple[float, ...] = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 4.0)
    """multiples of the fitted sigma that are judged; 0 is the twin"""
    dt: float = 2e-4


QUICK = Fit(
    candidates=30, elite=6, generations=3, seconds=1.6, judged_trials=8, factors=(0.0, 0.5, 1.0, 2.0), dt=4e-4
)


# --- measures, for the cell and every model ----------------------------------------------------------------------------------


def by_neuron(block: neo.Block, copies: int = 1) -> list[measures.Trains]:
    """The repeats of each neuron; with `copies` the neurons stand side by side, as many for each point, and are its trials."""
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
    """Rate, Fano factor across trials, Schreiber's reliability, mean Gamma of all ordered pairs; NaN without spikes."""
    if not trains.times.size:
        return dict.fromkeys(("rate", "Fano factor", "reliability", "Gamma"), np.nan) | {"rate": 0.0}
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", measures.SilentNeuronWarning
        )  # some trials are empty: their pairs count as 0
        gamma = measures.gamma_coincidence(trains, precision=precision * pq.s)
        reliability = measures.schreiber_reliability(trains, sigma=kernel * pq.s)
    return {
        "rate": float(measures.firing_rate(trains)[0]),
        "Fano factor": float(measures.fano_factor(trains)[0]),
        "reliability": float(reliability),
        "Gamma": off_diagonal(np.nan_to_num(gamma)),
    }


def off_diagonal(matrix: np.ndarray) -> float:
    """Mean of all entries but those of the diagonal."""
    return float(matrix[~np.eye(len(matrix), dtype=bool)].mean())


def repeatability_and_cv(trains: measures.Trains) -> dict[str, float]:
    """Rate, Fano factor, reliability, Gamma and CV of intervals, the CV NaN with too few spikes."""
    values = repeatability(trains, KERNEL, PRECISION)
    enough = trains.times.size > 2 * trains.n_trials
    return {**values, "CV": float(measures.cv(trains)[0]) if enough else np.nan}


# --- the model ---------------------------------------------------------------------------------------------------------------


def simulate(
    parameters: pd.DataFrame, drives: list[np.ndarray], trials: int, dt: float, seed: int
) -> list[measures.Trains]:
    """Every row of parameters under every current (mV, at 5 kHz), rows outside; without the time of settling."""
    n = len(parameters) * len(drives)
    column = {name: np.repeat(parameters[name].to_numpy(float), len(drives)) for name in FITTED}
    block = nsnn.simulate(
        nsnn.LIF(
            tau_m=TAU_M * second,
            v_rest=0 * mV,
            v_reset=column["v_reset"] * mV,
            v_thresh=column["v_thresh"] * mV,
            tau_refrac=column["tau_refrac"] * second,
        ),
        nsnn.WhiteNoise(column["sigma"] * mV),
        nsnn.Recorded(
            neo.AnalogSignal(np.tile(np.column_stack(drives), (1, len(parameters))), units="mV", sampling_rate=5 * pq.kHz)
        ),
        n_neurons=n,
        trials=trials,
        duration=len(drives[0]) / 5000 * second,
        dt=dt * second,
        seed=seed,
        engine="numpy",
        progress=False,
    )  # fmt: skip
    return [one.crop(SETTLING, None) for one in by_neuron(block)]


def _early(sweep: Sweep, config: Fit) -> np.ndarray:
    """R I (mV) of the time that the fit sees."""
    return sweep.current[: round(config.seconds / sweep.dt)] / G_LEAK


def _late(sweep: Sweep) -> np.ndarray:
    """R I (mV) of the second half, with the time of settling before it."""
    return sweep.current[sweep.current.size // 2 - round(SETTLING / sweep.dt) :] / G_LEAK


def _cell(sweeps: list[Sweep], start: float, stop: float) -> measures.Trains:
    block = nsnn.to_block([[s.spikes] for s in sweeps], t_stop=sweeps[0].seconds * second)
    return measures.as_repeats(block, start * pq.s, stop * pq.s)


def fit(
    drives: list[np.ndarray], targets: list[dict[str, float]], config: Fit, seed: int
) -> dict[str, float]:
    """The parameters whose rates, CVs and Gammas are nearest to the targets'."""
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
        if loss[order[0]] < least or best is not None:  # the best one was run again, with other noise
            least, best = loss[order[0]], draws[order[0]]
        elite = draws[order[: config.elite]]
        centre, spread = elite.mean(axis=0), elite.std(axis=0)
    return {**dict(zip(FITTED, elite.mean(axis=0).tolist(), strict=True)), "loss": float(least)}


def _distance(found: dict[str, float], target: dict[str, float]) -> float:
    apart = [
        np.log((found["rate"] + 1) / (target["rate"] + 1)),
        found["CV"] - target["CV"],
        found["Gamma"] - target["Gamma"],
    ]
    return float(np.square(np.nan_to_num(apart, nan=2.0)).sum())


# --- the rows of the table ---------------------------------------------------------------------------------------------------


def rows(config: Fit, seed: int, progress: Callable[[str], None]) -> list[dict[str, Any]]:
    """Cell and models, a row for each setting and quantity; none without the recordings.

    `fluctuation` is the current's standard deviation (mV of R I); `x` the current's mean (mV), of a model's row the multiple of the
    fitted sigma; `setting` ends in * where the fit saw it.
    """
    loaded = {setting: cortical(setting) for setting in CORTICAL}
    sweeps = {setting: found for setting, found in loaded.items() if found is not None}
    if len(sweeps) < len(CORTICAL):
        progress("the recordings of the cortical neuron are absent: left out")
        return []
    sd = {setting: float(np.std(found[0].current) / G_LEAK) for setting, found in sweeps.items()}
    ordered = sorted(sweeps, key=lambda setting: sd[setting])
    seen = ordered[1::2]
    progress(f"fitting a LIF to the first halves of settings {', '.join(seen)}")
    found = fit(
        [_early(sweeps[s][0], config) for s in seen],
        [repeatability_and_cv(_cell(sweeps[s], SETTLING, config.seconds)) for s in seen],
        config,
        seed,
    )
    progress("simulating the second halves")
    models = pd.DataFrame([{**found, "sigma": factor * found["sigma"]} for factor in config.factors])
    trains = simulate(
        models, [_late(sweeps[s][0]) for s in ordered], config.judged_trials, config.dt, seed + 100
    )
    parts = [
        {"part": "parameter", "source": "LIF", "quantity": name, "value": value} for name, value in found.items()
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
        base["sigma"] = factor * found["sigma"]
        parts += [{**base, "quantity": q, "value": v} for q, v in repeatability_and_cv(one).items()]
    return parts


def _name(setting: str, seen: list[str]) -> str:
    """As text that stays text in a file of comma-separated values."""
    return f"setting {setting}" + ("*" if setting in seen else "")


# --- verdicts ----------------------------------------------------------------------------------------------------------------


def rank_correlation(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Spearman's rho and the exact one-sided chance of one as large: over all orders of at most 8 values."""
    a, b = (stats.rankdata(v) - (len(v) + 1) / 2 for v in (x, y))
    size = np.sqrt((a @ a) * (b @ b))
    orders = np.array(list(itertools.permutations(b)))
    return float(a @ b / size), float(np.mean(orders @ a >= a @ b - 1e-9))


def _settings(table: pd.DataFrame, quantity: str, source: str, factor: float | None = None) -> pd.Series:
    rows = table[(table.part == "cell") & (table.source == source) & (table.quantity == quantity)]
    rows = rows if factor is None else rows[rows.x == factor]
    return rows.sort_values("fluctuation").set_index("setting").value


def claims(table: pd.DataFrame) -> list[Claim]:
    """What is asked of the cell, none of it central; nothing without its recordings."""
    if not (table.part == "cell").any():
        return []
    sd = table[(table.part == "cell") & (table.source == "cell") & (table.quantity == "Gamma")]
    by_sd = sd.set_index("setting").fluctuation.sort_values()
    found = []
    for name, words in (("Gamma", "Gamma"), ("reliability", "Schreiber's reliability")):
        values = _settings(table, name, "cell")[by_sd.index]
        rho, p = rank_correlation(by_sd.to_numpy(), values.to_numpy())
        found.append(
            Claim(
                f"the cortical neuron's {words} rises with its current's standard deviation, p < .05",
                bool(p < 0.05),
                f"{len(values)} settings: rank correlation {rho:.2f}, exact p {p:.2g}; {values.iloc[0]:.2f} at "
                f"{by_sd.iloc[0]:.1f} mV, {values.iloc[-1]:.2f} at {by_sd.iloc[-1]:.1f} mV",
                central=False,
            )
        )
    cell, model = (_settings(table, "Gamma", s, f)[by_sd.index] for s, f in (("cell", None), ("LIF", 1.0)))
    rho, p = rank_correlation(cell.to_numpy(), model.to_numpy())
    found.append(
        Claim(
            "the LIF with one sigma puts the settings' Gammas into the cell's order, p < .05",
            bool(p < 0.05),
            f"second halves, {len(cell)} settings: rank correlation {rho:.2f}, exact p {p:.2g}",
            central=False,
        )
    )
    unseen = [s for s in by_sd.index if not s.endswith("*")]
    off = (model - cell).abs()[unseen]
    twin = _settings(table, "Gamma", "LIF", 0.0)[unseen]
    other = (twin - cell[unseen]).abs()
    found.append(
        Claim(
            "in every setting that the fit never saw the noisy LIF's Gamma is nearer to the cell's than its twin's, which is 1",
            bool((off < other.fillna(np.inf)).all()),
            "distance, LIF and twin (none where that is silent): "
            + "; ".join(f"{s} {off[s]:.2f}, {other[s]:.2f}" for s in unseen),
            central=False,
        )
    )
    return found


def tables(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Cell and LIF side by side, for people."""
    if not (table.part == "cell").any():
        return {}
    out: dict[str, Any] = {}
    base = table[(table.part == "cell") & (table.source == "cell") & (table.quantity == "rate")].sort_values(
        "fluctuation"
    )
    out["setting"] = base.setting.tolist()
    out["mean, SD of R I (mV)"] = [f"{m:.1f}, {s:.1f}" for m, s in zip(base.x, base.fluctuation, strict=True)]
    for name, unit in (
        ("rate", " (Hz)"),
        ("CV", ""),
        ("Fano factor", ""),
        ("reliability", ""),
        ("Gamma", ""),
    ):
        cell, model = _settings(table, name, "cell"), _settings(table, name, "LIF", 1.0)
        out[f"{name}{unit}: cell, LIF"] = [f"{cell[s]:.2f}, {model[s]:.2f}" for s in out["setting"]]
    fitted = table[table.part == "parameter"]
    names = {
        "v_thresh": "threshold (mV)",
        "v_reset": "reset (mV)",
        "tau_refrac": "refractoriness (ms)",
        "sigma": "sigma (mV)",
    }
    shown = [
        {"parameter": names[row.quantity], "value": f"{row.value * (1e3 if row.quantity == 'tau_refrac' else 1):.2f}"}
        for row in fitted.itertuples()
        if row.quantity in names
    ]  # fmt: skip
    return {
        "Second halves; * the fit saw this setting's first half": pd.DataFrame(out),
        "The fitted LIF (threshold and reset above rest)": pd.DataFrame(shown),
    }
