"""What a population of noisy neurons tells about a stimulus, when its neurons share some of their noise and when they don't.

LIF neurons in white noise are driven with mu_i = a_i + g_i s. Two stimuli lie ds apart; the spikes of a window are counted on many
trials. Linear Fisher information I = f'^T S^-1 f' says how well a linear read-out can tell the stimuli apart: d' = ds sqrt(I), and
Phi(d'/2) of the trials at best. Three populations: "private", all noise private, all gains 1; "equal", a fraction c of every
membrane's noise is common, all gains 1; "mixed", the same common noise, every fourth gain -1.

Stated beforehand. Private noise averages out, so information grows in proportion to the number of neurons. Common noise enters
where the stimulus does: sigma sqrt(2 tau_m c) xi(t) beside a drive s is a stimulus that fluctuates by 2 tau_m sigma^2 c / T in a
window T, so by data processing no number of neurons with equal gains can know more than (T + warm-up) / (2 tau_m sigma^2 c). With
gains of both signs the noise pushes all neurons one way and the stimulus doesn't, and most of the information comes back. Linear
response says how much at every size (`linear_response`): f'_i from Siegert's rate, variances CV_i^2 r_i T, covariances of rank 1.

The plug-in estimate is far too high where trials are few against neurons; the study estimates from few and from all trials. A
linear discriminant, cross-validated, must not beat the bound, and must reach what a discriminant trained on so few trials can.

Where the recordings of a salamander's retina are at hand two moments of its film are the two stimuli, and repeats the trials.

Limits: linear response is first order in c and for windows much longer than tau_m; the window is short (15 tau_m), which alone
makes several per cent. Counts are only nearly Gaussian. The retina's bins are binary, and cells that hardly fire are left out.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from brian2 import mV, second
from matplotlib.figure import Figure
from scipy import stats

import nsnn_neuro as nsnn
from nsnn_neuro import measures, theory

from ..harness import Claim, check, smaller
from ..shared.recordings import retina
from . import figures as drawn
from . import verdicts
from .verdicts import CONDITIONS

CLAIM = (
    "Information about a stimulus grows with the number of noisy neurons without end if their noise is private, and stops at a "
    "bound that theory gives if some of it is shared, unless their gains differ in sign"
)
SABOTAGES = {
    "noise private": "the shared fraction of the noise is 0: nothing limits the population of equal gains",
    "trials shuffled": "each neuron's trials are put in an order of their own: correlations are gone, each neuron is as before",
    "labels shuffled": "trials are dealt to the two stimuli at random: there is nothing to know",
    "gains equal": "the gains of both signs are all 1: there is no way out of the common noise",
}
CELLS = (1, 2, 4, 8, 16)
LEAST = 0.1
"""mean variance of a recorded cell's count over repeats; others are left out"""


@dataclasses.dataclass(frozen=True)
class Config:
    """Everything that decides a run. Times in s, voltages in mV; the stimulus is a drive in mV."""

    seed: int = 1
    quick: bool = False
    sabotage: str = ""
    populations: int = 8
    trials: int = 1500
    """per stimulus"""
    sizes: tuple[int, ...] = (4, 8, 16, 32, 64)
    shared: float = 0.2
    sigma: float = 3.5
    drives: tuple[float, float] = (17.0, 23.0)
    """between these a_i is drawn"""
    ds: float = 0.9
    window: float = 0.3
    warm_up: float = 0.06
    dt: float = 0.5e-3
    tau_m: float = 20e-3
    v_thresh: float = 20.0
    v_reset: float = 10.0
    tau_refrac: float = 2e-3
    few: tuple[int, ...] = (20, 50, 150)
    """trials per stimulus of the estimates from few trials"""
    few_neurons: int = 16
    engine: str = "cython"
    frames: int = 5
    """20-ms bins of the film in one window"""

    def __post_init__(self) -> None:
        smaller(self, populations=5, trials=150, sizes=(4, 8, 16, 32), few=(20, 50), dt=1e-3, engine="numpy")

    @property
    def bound(self) -> float:
        """Most information that neurons of equal gains can have, in 1/mV^2."""
        return (self.window + self.warm_up) / (2 * self.tau_m * self.sigma**2 * self.shared)


# --- what theory says ----------------------------------------------------------------------------------------------------------


def linear_response(
    config: Config, drive: np.ndarray, gain: np.ndarray, shared: float
) -> tuple[float, float]:
    """Linear Fisher information in 1/mV^2, with the noise correlations and without them, of neurons of these a_i and g_i."""
    cell = {
        "tau_m": config.tau_m * second,
        "v_thresh": config.v_thresh * mV,
        "v_reset": config.v_reset * mV,
        "tau_refrac": config.tau_refrac * second,
    }
    sigma = config.sigma * mV
    low, high = (
        theory.siegert_rate((drive + gain * config.ds * side) * mV, sigma, **cell) for side in (-0.5, 0.5)
    )
    slope = (high - low) / config.ds * config.window
    rate, cv = theory.siegert_rate(drive * mV, sigma, **cell), theory.siegert_cv(drive * mV, sigma, **cell)
    steep = theory.siegert_gain(drive * mV, sigma, **cell)  # Hz/V
    variance = cv**2 * rate * config.window
    share = theory.count_correlation(shared, sigma, tau_m=config.tau_m * second, gain=steep, rate=rate, cv=cv)
    common = np.sqrt(share * variance)
    covariance = np.diag(variance * (1 - share)) + np.outer(common, common)
    return measures.gaussian_fisher(slope, covariance), float((slope**2 / variance).sum())


def trained(d_prime: float, neurons: int, trials: float) -> float:
    """Share of right trials of a linear discriminant that was trained on so many trials per stimulus; infinite: Phi(d'/2).

    Phi(d'/2 / sqrt((1 + 2 N/(d'^2 T)) (1 + N/(2T - N)))): the first factor is the means' cost, the second the covariance's.
    Source: Raudys & Young 2004, doi 10.1016/S0047-259X(02)00021-0
    """
    if not d_prime > 0:
        return 0.5
    means, covariance = 1 + 2 * neurons / (d_prime**2 * trials), 1 + neurons / (2 * trials - neurons)
    return float(stats.norm.cdf(d_prime / 2 / np.sqrt(means * covariance)))


# --- the run -------------------------------------------------------------------------------------------------------------------


def _counts(config: Config, drive: np.ndarray, gain: np.ndarray, shared: float, seed: int) -> np.ndarray:
    """Spike counts (2 stimuli, trials, neurons) of one window."""
    cell = nsnn.LIF(
        tau_m=config.tau_m * second,
        v_rest=0 * mV,
        v_reset=config.v_reset * mV,
        v_thresh=config.v_thresh * mV,
        tau_refrac=config.tau_refrac * second,
    )
    counts = []
    for k, side in enumerate((-0.5, 0.5)):
        block = nsnn.simulate(
            cell,
            nsnn.WhiteNoise(config.sigma * mV, shared=shared),
            nsnn.Constant((drive + gain * config.ds * side) * mV),
            n_neurons=drive.size,
            trials=config.trials,
            duration=(config.warm_up + config.window) * second,
            dt=config.dt * second,
            seed=seed,
            point=k,
            engine=config.engine,
            progress=False,
        )
        counts.append(measures.as_trains(block, t_start=config.warm_up * second).counts)
    return np.array(counts)


def _spoilt(counts: np.ndarray, sabotage: str, rng: np.random.Generator) -> np.ndarray:
    if sabotage == "trials shuffled":
        return rng.permuted(counts, axis=1)
    if sabotage == "labels shuffled":
        return rng.permutation(counts.reshape(-1, counts.shape[2])).reshape(counts.shape)
    return counts


def run(
    config: Config, out: Path | None = None, progress: Callable[[str], None] = lambda text: None
) -> pd.DataFrame:
    """Rows of three parts. "model": information, shuffled information, theory, bound and decoding by population, condition, size;
    "few trials": plug-in and corrected estimates; "retina": information and shuffled information by pair of moments and size."""
    rng = np.random.default_rng(config.seed)
    shared = 0.0 if config.sabotage == "noise private" else config.shared
    ones = np.ones(max(config.sizes))
    mixed = ones.copy()
    if config.sabotage != "gains equal":
        mixed[3::4] = -1
    rows: list[dict] = []
    for number in range(config.populations):
        progress(f"population {number + 1} of {config.populations}")
        drive = rng.uniform(*config.drives, ones.size)
        seeds = rng.integers(2**31, size=2)
        both = _counts(config, np.tile(drive, 2), np.concatenate([ones, mixed]), shared, int(seeds[0]))
        found = {
            "private": (ones, 0.0, _counts(config, drive, ones, 0.0, int(seeds[1]))),
            "equal": (ones, config.shared, both[:, :, : ones.size]),
            "mixed": (mixed, config.shared, both[:, :, ones.size :]),
        }
        for condition, (gain, fraction, counts) in found.items():
            counts = _spoilt(counts, config.sabotage, rng)
            same = {"population": number, "condition": condition}
            limit = config.bound if condition == "equal" else np.inf
            for n in config.sizes:
                expected = linear_response(config, drive[:n], gain[:n], fraction)
                rows.append({**same, **_of_size(config, counts[:, :, :n], expected), "limit": limit})
            if condition == "equal":
                rows += [{**same, **row} for t in config.few for row in _of_few(config, counts, t)]
    progress("recorded cells")
    rows += _of_retina(config)
    return pd.DataFrame(rows)


def _of_size(config: Config, counts: np.ndarray, expected: tuple[float, float]) -> dict:
    """Information of all these neurons, and what a discriminant gets right."""
    n = counts.shape[2]
    whole, single = (
        measures.linear_fisher_information(counts[0], counts[1], config.ds, shuffled=shuffled, n_shuffle=0)
        for shuffled in (False, True)
    )
    decoded = measures.decode(
        np.concatenate(counts),
        np.repeat([0, 1], config.trials),
        decoder=measures.LinearDiscriminant(shrinkage=None),
        n_shuffle=0,
    )
    d_prime = config.ds * np.sqrt(max(whole.value, 0.0))
    slope = config.ds**2 * stats.norm.pdf(d_prime / 2) / (4 * max(d_prime, 1e-9))  # of Phi(d'/2) in I
    return {
        "part": "model",
        "neurons": n,
        "trials": config.trials,
        "information": whole.value,
        "se": whole.se,
        "shuffled": single.value,
        "theory": expected[0],
        "theory shuffled": expected[1],
        "right": decoded.accuracy,
        "right se": decoded.se,
        "right at best": stats.norm.cdf(d_prime / 2),
        "right at best se": slope * whole.se,
        "right if trained": trained(d_prime, n, 0.8 * config.trials),
    }


def _of_few(config: Config, counts: np.ndarray, trials: int) -> list[dict]:
    """Estimates from blocks of so many trials, which share none, beside that from all trials."""
    few = counts[:, :, : config.few_neurons]
    whole = measures.linear_fisher_information(few[0], few[1], config.ds, n_shuffle=0)
    found = []
    for k in range(config.trials // trials):
        a, b = few[:, k * trials : (k + 1) * trials]
        both = {
            bias: measures.linear_fisher_information(a, b, config.ds, bias=bias, n_shuffle=0).value
            for bias in ("none", "kanitscheider")
        }
        found.append(
            {
                "part": "few trials",
                "neurons": config.few_neurons,
                "trials": trials,
                "plug-in": both["none"],
                "information": both["kanitscheider"],
                "all trials": whole.value,
                "se": whole.se,
            }
        )
    return found


def _of_retina(config: Config) -> list[dict]:
    """Information of recorded cells on which of two moments of the film it was, by number of cells; d'^2, so ds is 1."""
    spikes = retina()
    if spikes is None:
        return []
    repeats, bins, cells = spikes.shape
    windows = bins // config.frames
    counts = spikes[:, : windows * config.frames].reshape(repeats, windows, config.frames, cells).sum(axis=2)
    rng, found = np.random.default_rng(config.seed), []
    for first in range(windows // 2):
        a, b = counts[:, first], counts[:, first + windows // 2]
        varies = np.flatnonzero((a.var(axis=0) + b.var(axis=0)) / 2 > LEAST)
        if varies.size < max(CELLS):
            continue
        chosen = rng.permutation(varies)
        for n in CELLS:
            some = chosen[:n]
            whole, single = (
                measures.linear_fisher_information(
                    a[:, some], b[:, some], 1.0, shuffled=shuffled, n_shuffle=0
                )
                for shuffled in (False, True)
            )
            found.append(
                {
                    "part": "retina",
                    "population": first,
                    "condition": "retina",
                    "neurons": n,
                    "trials": repeats,
                    "information": whole.value,
                    "se": whole.se,
                    "shuffled": single.value,
                }
            )
    return found


def claims(table: pd.DataFrame) -> list[Claim]:
    """The study's claims with their evidence."""
    model = table[table.part == "model"]
    found = verdicts.of_growth(model) + verdicts.of_theory(model) + verdicts.of_decoding(model)
    found += verdicts.of_few(table[table.part == "few trials"])
    cells = table[table.part == "retina"]
    return found + (verdicts.of_retina(cells) if len(cells) else [])


def verify(table: pd.DataFrame) -> None:
    """Raise `ClaimFailed` when one of the claims doesn't hold."""
    check(claims(table))


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Means over populations, by condition and size, for people."""
    model = table[table.part == "model"]
    rows = []
    for name in CONDITIONS:
        error = verdicts.error_of(model, name)
        mean = {
            c: verdicts.wide(model, name, c).mean()
            for c in ("information", "theory", "shuffled", "right", "right at best")
        }
        for n in error.index:
            rows.append(
                {
                    "population": name,
                    "neurons": int(n),
                    "information (1/mV^2)": f"{mean['information'][n]:.2f} ± {error[n]:.2f}",
                    "linear response": f"{mean['theory'][n]:.2f}",
                    "trials shuffled": f"{mean['shuffled'][n]:.2f}",
                    "right (%)": f"{100 * mean['right'][n]:.1f}",
                    "at best (%)": f"{100 * mean['right at best'][n]:.1f}",
                }
            )
    return pd.DataFrame(rows)


def plot(table: pd.DataFrame) -> Figure:
    """Information, shuffled over true information and right trials against the number of neurons."""
    figure = Figure(figsize=(10.5, 3.7), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    model = table[table.part == "model"]
    drawn.information(left, model)
    drawn.shuffled(middle, model)
    drawn.decoding(right, model)
    return figure


def figures(table: pd.DataFrame) -> dict[str, Figure]:
    """The three panels; the estimators and the retina."""
    second_figure = Figure(figsize=(8.5, 3.6), layout="constrained")
    cells = table[table.part == "retina"]
    panels = 2 if len(cells) else 1
    drawn.estimators(second_figure.add_subplot(1, panels, 1), table[table.part == "few trials"])
    if len(cells):
        drawn.recorded(second_figure.add_subplot(1, panels, 2), cells)
    return {
        f"{CLAIM}. Left: linear Fisher information (points, bars of two standard errors over all populations), linear response "
        "(lines) and the bound of equal gains in shared noise. Middle: information with each neuron's trials shuffled over the "
        "true one; bars are 95 % intervals over populations. Right: trials that a cross-validated discriminant gets right "
        "(points, two standard errors) and the most that a linear read-out can, Phi(d'/2) (lines).": plot(
            table
        ),
        "Left: plug-in and corrected estimates from few trials, against that from all (equal gains in shared noise); bars of two "
        "standard errors. Right, where the recordings are at hand: retinal ganglion cells, information on which of two moments "
        "of a film it was, repeats in order and shuffled; bars of two standard errors over pairs of moments.": second_figure,
    }
