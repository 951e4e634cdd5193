"""What noise does to the repeatability of spikes, and what the input's fluctuations do to it.

A LIF neuron with white noise of its own (sigma, the free membrane's standard deviation) gets one current again and again: a
constant one, or one frozen path of an Ornstein-Uhlenbeck process about the same mean, of growing standard deviation
("fluctuation"). That is the experiment of Mainen & Sejnowski 1995 (doi 10.1126/science.7770778). Each seed is another path, the
same one at all fluctuations and sigmas, so that differences are paired over seeds. Measured across trials, after a warm-up:

- Fano factor of the count; Schreiber's reliability; the coincidence factor Gamma, which is corrected for chance
- firing events, and the standard deviation (jitter) of the time of their first spike
- CV of the intervals, of which under a constant current Siegert's theory knows the value

Stated beforehand. Reliability and Gamma fall with sigma and rise with the fluctuation, jitter grows with sigma: slopes whose 95 %
intervals over seeds lie on one side of 0. The twin without noise has no variability at all. Under a constant current the intervals
are those of a renewal process, so the CV is Siegert's and the time of the n-th spike spreads with sqrt(n); |z| < 4 for both.
Under the strongest fluctuation a train can be irregular and repeatable at once: a Fano factor below CV^2, which a renewal process
reaches over long times.

Changed after the first full run: Schreiber's reliability was to fall with sigma under every fluctuating input, and under the
weakest one it didn't. It isn't corrected for chance, and chance grows with the rate, which sigma raises. The central claim now
concerns the two strongest fluctuations; the first form stays among the claims that aren't central, and fails.

Where the recordings of a rat's cortical neuron are present (challenge A of the 2007 competition, four repeats of each of 8 frozen
currents), it is measured in the same way, beside a LIF in the same currents: see `_variability_cell`. Its claims are not central:
8 settings of one cell differ in mean as well as in standard deviation.

Limits: one mean, just above threshold. Jitter is asked of the two strongest fluctuations only, and of the sigmas at which every
seed has firing events (peaks of three times the mean rate): weak fluctuations and strong noise leave none. Intervals that start
within 0.4 s of a trial's end aren't used for the CV, or long ones would be missing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import neo
import numpy as np
import pandas as pd
import quantities as pq
from brian2 import mV, second
from matplotlib.figure import Figure

import nsnn_neuro as nsnn
from nsnn_neuro import measures, theory

from ..harness import Claim, check, smaller
from ..shared import cortical_cell as cell
from ..shared.intervals import mean_and_half
from . import figures as drawn
from .verdicts import model_claims, strongest, wide_of

CLAIM = "Noise makes a neuron's spikes less repeatable and less precise, fluctuations of its input make them more so"
SABOTAGES = {
    "noise off": "sigma is 0 at every point",
    "input not frozen": "every trial sees a path of its own",
    "noise in the twin": "the neuron that should have no noise has the largest",
    "theory of another sigma": "Siegert's CV is that of twice the sigma",
}
COLUMNS = [
    "part",
    "source",
    "setting",
    "fluctuation",
    "sigma",
    "seed",
    "quantity",
    "x",
    "value",
    "se",
    "exact",
]
MARGIN = 0.4  # s; longer than any interval under the constant current
SAMPLE = 0.4e-3  # s, of the input paths


@dataclasses.dataclass(frozen=True)
class Config:
    """Everything that decides a run. Times in s, voltages in mV."""

    seed: int = 1
    quick: bool = False
    sabotage: str = ""
    mean: float = 12.0
    fluctuations: tuple[float, ...] = (0.0, 1.0, 2.0, 4.0, 8.0)
    """standard deviation of the input, R I; what the membrane makes of it is about half"""
    sigmas: tuple[float, ...] = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0)
    tau_input: float = 3e-3
    tau_m: float = 10e-3
    v_thresh: float = 10.0
    """above rest and reset"""
    tau_refrac: float = 2e-3
    seeds: int = 16
    trials: int = 40
    warm_up: float = 0.2
    seconds: float = 1.5
    dt: float = 1e-4
    kernel: float = 2e-3
    """standard deviation of the Gaussian of Schreiber's reliability, and of the PSTH in which events are found"""
    precision: float = 2e-3
    """of Gamma"""
    spikes: tuple[int, ...] = (1, 2, 5, 10, 20, 40)
    """n of the n-th spike, whose time spreads"""
    recordings: bool = True
    """whether to use the cell's, where they are present"""
    fit: cell.Fit = cell.Fit()

    def __post_init__(self) -> None:
        smaller(self, fluctuations=(0.0, 1.0, 4.0, 8.0), sigmas=(0.0, 0.25, 0.5, 1.0, 3.0))
        smaller(self, seeds=8, trials=20, seconds=1.2, dt=2e-4, fit=cell.QUICK)


# --- the model ---------------------------------------------------------------------------------------------------------------


def run(
    config: Config, out: Path | None = None, progress: Callable[[str], None] = lambda text: None
) -> pd.DataFrame:
    """One row for each number; `part` says which:

    - frozen: a quantity of one neuron, over its trials, at a fluctuation, a sigma and a seed
    - constant: CV, and spread of the n-th spike's time (n in `x`), each with its standard error and the exact value
    - raster: spikes of the first seed, trial in `x`
    - cell, parameter: see `_variability_cell`; absent without recordings
    """
    points = pd.DataFrame(
        [(f, s, seed) for f in config.fluctuations for s in config.sigmas for seed in range(config.seeds)],
        columns=["fluctuation", "sigma", "seed"],
    )
    progress(f"{len(points)} neurons, {config.trials} trials of {config.seconds:g} s")
    trains = simulated(points, config)
    progress("measuring")
    rows = [
        row for at, one in zip(_records(points), trains, strict=True) for row in _measured(at, one, config)
    ]
    rows += _constant(points, trains, config) + _raster(points, trains, config)
    if config.recordings:
        rows += cell.rows(config.fit, config.seed, progress)
    return pd.DataFrame(rows, columns=COLUMNS)


def _records(points: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(k): v for k, v in row.items()} for row in points.to_dict("records")]


def simulated(points: pd.DataFrame, config: Config) -> list[measures.Trains]:
    """The trials of each point, from 0 s on, all simulated as one group."""
    sigma = points.sigma.to_numpy()
    if config.sabotage == "noise off":
        sigma = np.zeros(len(points))
    elif config.sabotage == "noise in the twin":
        sigma = np.where(sigma == 0, sigma.max(), sigma)
    own = config.sabotage == "input not frozen"  # a neuron for each trial, since trials share their stimulus
    copies = config.trials if own else 1
    n_steps = round(config.seconds / SAMPLE)
    paths = {
        (seed, copy): nsnn.FrozenNoise(
            0.0, 1.0, config.tau_input * second, (config.seed * 1000 + seed) * 1000 + copy
        ).samples(n_steps, SAMPLE)
        for seed in range(config.seeds)
        for copy in range(copies)
    }
    drive = np.column_stack(
        [
            config.mean + row.fluctuation * paths[row.seed, copy]
            for row in points.itertuples()
            for copy in range(copies)
        ]
    )
    block = nsnn.simulate(
        _neuron(config),
        nsnn.WhiteNoise(np.repeat(sigma, copies) * mV),
        nsnn.Recorded(neo.AnalogSignal(drive, units="mV", sampling_rate=2.5 * pq.kHz)),
        n_neurons=drive.shape[1],
        trials=1 if own else config.trials,
        duration=config.seconds * second,
        dt=config.dt * second,
        seed=config.seed,
        engine="numpy",
        progress=False,
    )
    return cell.by_neuron(block, copies)


def _neuron(config: Config) -> nsnn.LIF:
    return nsnn.LIF(
        tau_m=config.tau_m * second,
        v_rest=0 * mV,
        v_reset=0 * mV,
        v_thresh=config.v_thresh * mV,
        tau_refrac=config.tau_refrac * second,
    )


def _measured(at: dict[str, Any], trains: measures.Trains, config: Config) -> list[dict[str, Any]]:
    """Every quantity of one neuron over its trials, after the warm-up."""
    late = trains.crop(config.warm_up, None)
    values = cell.repeatability(late, config.kernel, config.precision)
    values["CV"] = float(measures.cv(late)[0])
    values["trials unlike the first"] = float(unlike_first(trains))
    if at["fluctuation"] >= strongest(config.fluctuations)[0]:
        events = measures.firing_events(late, sigma=config.kernel * pq.s)
        values["jitter"] = events.median_jitter
        middle = (config.warm_up + config.seconds) / 2
        for name, half in (("early", events.time < middle), ("late", events.time >= middle)):
            values[f"jitter, {name}"] = float(np.nanmedian(events.jitter[half])) if half.any() else np.nan
    return [{"part": "frozen", "source": "LIF", **at, "quantity": q, "value": v} for q, v in values.items()]


def unlike_first(trains: measures.Trains) -> int:
    """How many trials have other spikes than the first one."""
    each = np.split(trains.times, trains.offsets[1:-1])
    return sum(not np.array_equal(each[0], other) for other in each[1:])


# --- the constant current against the theory of renewal processes -------------------------------------------------------------


def _constant(points: pd.DataFrame, trains: list[measures.Trains], config: Config) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for sigma in config.sigmas:
        if sigma == 0:
            continue
        chosen = np.flatnonzero((points.fluctuation == 0) & (points.sigma == sigma))
        each = [part for k in chosen for part in np.split(trains[k].times, trains[k].offsets[1:-1])]
        base = {"part": "constant", "source": "LIF", "fluctuation": 0.0, "sigma": sigma}
        factor = 2.0 if config.sabotage == "theory of another sigma" else 1.0
        law = {
            "tau_m": config.tau_m * second,
            "v_thresh": config.v_thresh * mV,
            "v_reset": 0 * mV,
            "tau_refrac": config.tau_refrac * second,
        }
        mu, noise = config.mean * mV, factor * sigma * mV
        exact = float(theory.siegert_cv(mu, noise, **law))
        sd = exact / float(theory.siegert_rate(mu, noise, **law))
        value, se = interval_cv(each, config.seconds - MARGIN)
        rows.append({**base, "quantity": "CV", "value": value, "se": se, "exact": exact})
        for n in config.spikes:
            if min(len(times) for times in each) < n:
                continue
            spread, se = spread_of(np.array([times[n - 1] for times in each]))
            exactly = sd * np.sqrt(n)
            rows.append({**base, "quantity": "spread", "x": n, "value": spread, "se": se, "exact": exactly})
    return rows


def interval_cv(trials: list[np.ndarray], before: float) -> tuple[float, float]:
    """CV of the intervals that start before a time (s), the first of them at the first spike, and its jackknife error over trials.

    Chosen by where they start they are a fair sample, since the trials go on for longer than any interval.
    """
    sums = np.empty((len(trials), 3))
    for k, times in enumerate(trials):
        interval = np.diff(times)[times[:-1] < before]
        sums[k] = interval.size, interval.sum(), (interval**2).sum()
    total = sums.sum(axis=0)
    left_out = _cv_of(total - sums)
    n = len(trials)
    return float(_cv_of(total)), float(np.sqrt((n - 1) / n * ((left_out - left_out.mean()) ** 2).sum()))


def spread_of(values: np.ndarray) -> tuple[float, float]:
    """Standard deviation and its standard error, by the fourth moment: intervals are skewed, a Gaussian's error is too small."""
    sd = float(np.std(values, ddof=1))
    fourth = float(np.mean((values - values.mean()) ** 4))
    return sd, float(np.sqrt(max(fourth - sd**4, 0.0) / values.size) / (2 * sd))


def _cv_of(sums: np.ndarray) -> np.ndarray:
    n, first, second_moment = np.moveaxis(sums, -1, 0)
    return np.asarray(np.sqrt(np.maximum(second_moment * n / first**2 - 1, 0.0)))


def _raster(points: pd.DataFrame, trains: list[measures.Trains], config: Config) -> list[dict[str, Any]]:
    """Spikes of the first seed at the middle sigma: none, and the strongest fluctuation."""
    noisy = [s for s in config.sigmas if s > 0]
    sigma, rows = noisy[len(noisy) // 2], []
    for fluctuation in (min(config.fluctuations), max(config.fluctuations)):
        k = int(np.flatnonzero((points.fluctuation == fluctuation) & (points.sigma == sigma))[0])
        shown = (trains[k].times < 0.8) & (trains[k].trial < 20)
        base = {"part": "raster", "source": "LIF", "fluctuation": fluctuation, "sigma": sigma, "seed": 0}
        rows += [
            {**base, "quantity": "spike", "x": trial, "value": t}
            for t, trial in zip(trains[k].times[shown], trains[k].trial[shown], strict=True)
        ]
    return rows


# --- for people --------------------------------------------------------------------------------------------------------------


def claims(table: pd.DataFrame) -> list[Claim]:
    """The study's claims with their evidence, the model's before the cell's."""
    return [*model_claims(table), *cell.claims(table)]


def verify(table: pd.DataFrame) -> None:
    """Raise `ClaimFailed` when one of the central claims doesn't hold."""
    check(claims(table))


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Mean and 95 % interval over seeds of each quantity, a row for each fluctuation and sigma."""
    names = ("Fano factor", "CV", "reliability", "Gamma", "jitter")
    wides = {name: wide_of(table, name) for name in names}
    rows = []
    for fluctuation, sigma in wides["CV"].columns:
        row = {"fluctuation (mV)": f"{fluctuation:g}", "sigma (mV)": f"{sigma:g}"}
        for name, wide in wides.items():
            scale, label = (1e3, "jitter (ms)") if name == "jitter" else (1.0, name)
            if (fluctuation, sigma) in wide.columns and wide[fluctuation, sigma].notna().sum() > 1:
                mean, width = mean_and_half(scale * wide[fluctuation, sigma].dropna().to_numpy())
                row[label] = f"{mean:.3f} ± {width:.2g}"
            else:
                row[label] = "-"
        rows.append(row)
    return pd.DataFrame(rows)


def tables(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The cell beside the model, where its recordings were present."""
    return cell.tables(table)


def headline(table: pd.DataFrame) -> str:
    """What came out, in words."""
    wide = wide_of(table, "reliability").mean()
    sigmas = sorted(s for s in table[table.part == "frozen"].sigma.unique() if s > 0)
    low, high = sigmas[0], sigmas[-1]
    most, least = (end(table[table.part == "frozen"].fluctuation) for end in (max, min))
    text = (
        f"From sigma {low:g} to {high:g} mV the reliability falls from {wide[most, low]:.2f} to {wide[most, high]:.2f} under the "
        f"strongest fluctuation; under a constant current it is {wide[least, low]:.2f} at {low:g} mV. Without noise nothing varies."
    )
    absent = (
        ""
        if (table.part == "cell").any()
        else " The cortical neuron's recordings were absent: that part is left out."
    )
    return text + absent


def plot(table: pd.DataFrame) -> Figure:
    """Rasters, reliability, jitter, Fano factor and CV of the model."""
    return drawn.model(table)


def figures(table: pd.DataFrame) -> dict[str, Figure]:
    """The model; the constant current against theory; the cell beside the model, where its recordings were present."""
    found = {
        f"{CLAIM}. Top: spikes in 20 trials at one sigma, under a constant current and under the strongest frozen "
        "fluctuation. Below: Schreiber's reliability, the jitter of firing events, and the Fano factor of the count (filled) "
        "beside CV^2 of the intervals (open), against sigma. Bars: 95 % intervals over seeds.": plot(table),
        "Under a constant current: CV of the intervals against Siegert's theory (line), and spread of the n-th spike's "
        "time against that of a renewal process (lines). Bars: two standard errors.": drawn.constant(table),
    }
    if (table.part == "cell").any():
        found[
            "A rat's cortical neuron and the LIF in the same currents, later halves of the recordings. Left: Gamma against "
            "the current's standard deviation; lines join settings of nearly one mean. Middle: Gamma of the model against the "
            "cell's; filled settings were not used to fit it. Right: the model's Gamma, mean over settings, against its sigma in "
            "units of the fitted one."
        ] = drawn.recorded(table)
    return found
