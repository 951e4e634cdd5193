"""Noise levels of P-unit electroreceptors by exact likelihood, beside published values: writes docs/punits.json and docs/punits.md.

    python docs/punits.py FOLDER     fit all cells whose spikes are in the folder (about a minute each), then write the page
    python docs/punits.py            write the page from docs/punits.json

The data are of the Benda laboratory (github.com/bendalab/punitmodel, GPL-3.0): for each cell
`celldata/CELL/baseline_spikes_trial_1.npy`, to be stored as FOLDER/CELL_baseline_spikes.npy, and `models.csv`, to be stored as
FOLDER/models.csv. They are not part of this package.

The published model, with v from 0 at the reset to 1 at the threshold, N standard normal in each step of 0.05 ms:

    tau_d dv_d/dt = -v_d + max(sin(2 pi EODf t), 0)
    mem_tau dv/dt = -v + v_offset + input_scaling v_d - a + noise_strength N / sqrt(dt),    tau_a da/dt = -a
    at a spike v = 0 for ref_period, a += delta_a / tau_a

is a `GIF` with tau_m = mem_tau, tau_w = tau_a, b = delta_a / tau_a and `WhiteNoise(sigma)` with
sigma = noise_strength / sqrt(2 mem_tau), as both give dv the variance (noise_strength / mem_tau)^2 dt in dt.
Its drive is offset + gain s(t - delay), with s the filtered sine without its mean and with a standard deviation of one. The phase
of the fish's field was not recorded with most cells: its frequency is that within 2 Hz of EODf to which the spikes lock most, its
phase is the free parameter stimulus.delay.
"""

from __future__ import annotations

import csv
import json
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import neo
import numpy as np
import quantities as pq
from brian2 import second
from scipy.signal import lfilter
from scipy.stats import spearmanr

import nsnn_neuro as nsnn

RESULTS = Path(__file__).with_name("punits.json")
PAGE = Path(__file__).with_name("punits.md")
COLUMNS = (
    "cell",
    "spikes",
    "rate (Hz)",
    "noise strength, fitted",
    "published",
    "ratio",
    "p of time rescaling",
)
HEAD = f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|\n"
AFTER = "## What this says"
DT = 1e-4
GIVEN, END = 1.0, 3.0  # s: spikes before are given, those after are left out
SUFFIX = "_baseline_spikes.npy"


def load(folder: Path) -> dict[str, tuple[dict[str, float], np.ndarray]]:
    """Published parameters and spike times (s) from the first spike, by cell."""
    with (folder / "models.csv").open(newline="") as file:
        rows = {row.pop("cell"): row for row in csv.DictReader(file)}
    found = {}
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        cell = path.name.removesuffix(SUFFIX)
        times = np.load(path)
        found[cell] = {k: float(v) for k, v in rows[cell].items()}, times - times[0] + 0.01
    return found


def field_frequency(row: dict[str, float], times: np.ndarray) -> float:
    """Frequency (Hz) close to EODf to which the spikes lock most."""
    candidates = row["EODf"] + np.linspace(-2, 2, 4001)
    locking = np.abs(np.exp(-2j * np.pi * np.outer(candidates, times)).mean(axis=1))
    return float(candidates[locking.argmax()])


def drive(row: dict[str, float], frequency: float) -> tuple[neo.AnalogSignal, float]:
    """The filtered sine without its mean, in units of its SD, and this SD."""
    step = DT / 4
    settle = round(20 * row["dend_tau"] / step)
    n = round((END + 0.01) / step)
    sine = np.maximum(np.sin(2 * np.pi * frequency * (np.arange(-settle, n) + 0.5) * step), 0)
    decay = np.exp(-step / row["dend_tau"])
    v_d = lfilter([1 - decay], [1, -decay], sine)[settle:]
    v_d = v_d - v_d.mean()
    signal = neo.AnalogSignal(v_d / v_d.std(), units="dimensionless", sampling_period=step * pq.s)
    return signal, float(v_d.std())


def published(row: dict[str, float], rate: float, frequency: float) -> tuple[nsnn.GIF, nsnn.Filtered, float]:
    """The published neuron with its drive, of unknown phase, and the standard deviation of its noise."""
    signal, sd = drive(row, frequency)
    gain, offset = row["input_scaling"] * sd, row["v_offset"] + row["input_scaling"] / np.pi
    cell = nsnn.GIF(
        tau_m=row["mem_tau"] * second, v_rest=0.0, v_reset=0.0, v_thresh=1.0, tau_refrac=row["ref_period"] * second,
        tau_w=row["tau_a"] * second, b=row["delta_a"] / row["tau_a"], tau_thresh=1 * second, b_thresh=0.0,
        w_start=row["delta_a"] * rate,
    )  # fmt: skip
    stimulus = nsnn.Filtered(signal, gain=gain, offset=offset, delay=0.5 / frequency * second)
    return cell, stimulus, float(row["noise_strength"] / np.sqrt(2 * row["mem_tau"]))


def fit(row: dict[str, float], times: np.ndarray) -> dict[str, Any]:
    """Noise, offset, phase and adaptation of one cell; membrane, refractory time and gain have their published values."""
    times = times[times < END]
    frequency = field_frequency(row, times)
    cell, stimulus, sigma = published(row, len(times) / END, frequency)
    shortest = np.diff(times).min() - 1.5 * DT
    cell = replace(cell, tau_refrac=max(min(row["ref_period"], shortest), 0.0) * second)
    b, offset = cell.si("b"), stimulus.si("offset")
    data: dict[str, Any] = {"trains": [times], "t_start": GIVEN * second, "dt": DT * second}
    # the phase first, with more noise: with the published noise the likelihood of a wrong phase is 0
    first = {
        "stimulus.delay": (0 * second, 1 / frequency * second),
        "stimulus.offset": (offset - 3 - offset / 2, 3 * offset + 6),
        "noise.sigma": (2 * sigma, 30 * sigma),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        starts = [
            nsnn.calibrate(
                cell,
                first,
                noise=nsnn.WhiteNoise(6 * sigma),
                stimulus=stimulus,
                **data,
                t_stop=(GIVEN + 0.7) * second,
                seed=seed,
            )
            for seed in range(3)
        ]
        near = max(starts, key=lambda one: one.log_likelihood)
        free = first | {
            "noise.sigma": (sigma / 8, 8 * sigma),
            "b": (b / 50, b * 50),
            "tau_w": (row["tau_a"] / 50 * second, row["tau_a"] * 10 * second),
        }
        given = {**data, "noise": near.noise, "stimulus": near.stimulus, "t_stop": END * second}
        try:
            found = nsnn.calibrate(near.model, free, **given)
        except nsnn.NsnnError:  # a slow adaptation and the mean drive cannot be distinguished in two seconds
            free.pop("tau_w")
            found = nsnn.calibrate(near.model, free, **given)
    scale = float(np.sqrt(2 * row["mem_tau"]))
    return {
        "n_spikes": found.n_spikes,
        "rate": found.n_spikes / (END - GIVEN),
        "noise_strength": found.parameters["noise.sigma"] * scale,
        "se": found.se["noise.sigma"] * scale if np.isfinite(found.se["noise.sigma"]) else None,
        "published": row["noise_strength"],
        "delta_a": found.model.si("b") * found.model.si("tau_w"),
        "tau_a": found.model.si("tau_w"),
        "published_delta_a": row["delta_a"],
        "published_tau_a": row["tau_a"],
        "bits_per_spike": found.bits_per_spike,
        "p": found.rescaled().p,
        "parameters": found.parameters,
        "errors": {name: value if np.isfinite(value) else None for name, value in found.se.items()},
    }


def lines(results: dict[str, Any]) -> list[str]:
    """Rows of the table."""
    rows = []
    for cell, one in sorted(results.items()):
        error = "(at a bound)" if one["se"] is None else f"± {one['se']:.4f}"
        ratio = one["noise_strength"] / one["published"]
        rows.append(
            f"| {cell.removesuffix('-invivo-1')} | {one['n_spikes']} | {one['rate']:.0f} | {one['noise_strength']:.4f} {error} | "
            f"{one['published']:.4f} | {ratio:.2f} | {one['p']:.2g} |"
        )
    return rows


def summary(results: dict[str, Any]) -> str:
    """The sentences of the page: rank correlation of fitted and published noise, quartiles of their ratio, fits not rejected."""
    inner = [one for one in results.values() if one["se"] is not None]
    fitted, published = (np.array([one[k] for one in inner]) for k in ("noise_strength", "published"))
    rank = spearmanr(fitted, published)[0]
    low, middle, high = np.quantile(fitted / published, [0.25, 0.5, 0.75])
    kept = sum(one["p"] > 0.05 for one in results.values())
    return (
        f"Over {len(inner)} cells the rank correlation of fitted and published noise is {rank:.2f}; their ratio has the median "
        f"{middle:.2f} and the quartiles {low:.2f} and {high:.2f}. Time rescaling does not reject {kept} of {len(results)} fits at "
        "5 %."
    )


def main(arguments: list[str]) -> None:
    """Fit the cells of a folder, one after the other, and write the page; a killed run continues where it was."""
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    if arguments:
        for cell, (row, times) in load(Path(arguments[0])).items():
            if cell not in results:
                results[cell] = fit(row, times)
                RESULTS.write_text(json.dumps(results, indent=1) + "\n")
                print("\n".join(lines({cell: results[cell]})), flush=True)
    if not results:
        sys.exit(f"no results: expected FOLDER with the data, see the top of {Path(__file__).name}")
    text = PAGE.read_text()
    begin, end = text.index(HEAD), text.index(AFTER)
    PAGE.write_text(
        text[:begin] + HEAD + "\n".join(lines(results)) + "\n\n" + summary(results) + "\n\n" + text[end:]
    )


if __name__ == "__main__":
    main(sys.argv[1:])
