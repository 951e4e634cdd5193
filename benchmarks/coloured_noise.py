"""A LIF neuron in Ornstein-Uhlenbeck noise, fitted with its noise and with white noise: coverage of intervals, likelihoods.

`python benchmarks/coloured_noise.py --spikes 150 --recordings 30 --out FOLDER` simulates recordings of about 150 spikes, each with
a new signal and seed, and appends a line for each to FOLDER/150.jsonl; a run that was stopped continues. `--profile` names the
parameters that get profile intervals, if not all. `--summary` prints the table of all lines that are there, `--keep` writes them to
docs/coloured_noise.json.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from pathlib import Path
from typing import Any

import neo
import numpy as np
import quantities as pq
from brian2 import ms, mV, second
from recovery import append, in_si, lines, score_report
from scipy.stats import chi2

import nsnn_neuro as nsnn
from nsnn_neuro.likelihood.calibration.free_parameters import read_free
from nsnn_neuro.likelihood.continuous.conditional import enough_for_a_fit, log_likelihoods
from nsnn_neuro.likelihood.continuous.trials import read_recordings

KEPT = Path(__file__).parents[1] / "docs" / "coloured_noise.json"
FIXED = {"v_rest": 0 * mV, "v_reset": 10 * mV, "v_thresh": 20 * mV, "tau_refrac": 2 * ms}
TRUE = {"tau_m": 15e-3, "noise.sigma": 3e-3, "stimulus.gain": 5e-3, "noise.tau_noise": 5e-3}
FREE = {"tau_m": (2 * ms, 60 * ms), "noise.sigma": (0.5 * mV, 15 * mV), "stimulus.gain": (1 * mV, 25 * mV)}
MEMORY = {"noise.tau_noise": (0.3 * ms, 50 * ms)}
OFFSET, PERIOD, RATE = 20 * mV, 0.5e-3, 26.0  # RATE (Hz): of the neuron
DT = 0.2 * ms
STEP = 0.01  # of the logarithm of a parameter, for its score
KINDS = ("profile", "wald")
ONE_SIDED = 1.35  # nats: 5 % of a likelihood ratio test of tau_noise = 0, a bound


def recording(spikes: int, number: int) -> tuple[neo.AnalogSignal, tuple[Any, Any, Any], neo.Block]:
    """A signal; neuron, noise and drive; their simulated spikes."""
    seed, duration = 10_000 * spikes + 2 * number, round(spikes / RATE, 1)
    smooth = nsnn.FrozenNoise(0.0, 1.0, 10 * ms, seed=seed).samples(round(duration / PERIOD), PERIOD)
    signal = neo.AnalogSignal(smooth, units="dimensionless", sampling_period=PERIOD * pq.s)
    drive = nsnn.Filtered(signal, gain=5 * mV, offset=OFFSET)
    parts = nsnn.LIF(tau_m=15 * ms, **FIXED), nsnn.OUNoise(3 * mV, 5 * ms), drive
    return signal, parts, nsnn.simulate(*parts, duration=duration * second, seed=seed + 1)


def scores(spikes: int, number: int) -> np.ndarray:
    """Derivatives of the log-likelihood of a fit at the true values, by their logarithms: (n_parameters, n_intervals)."""
    _, parts, block = recording(spikes, number)
    free = read_free(FREE | MEMORY, parts)
    trials = read_recordings(block, parts[2], float(DT))
    at = free.place(np.array(list(TRUE.values())))
    grid, spans = enough_for_a_fit(free.numbers(free.values(at)), trials, float(DT)), free.slopes(at)
    steps = STEP * np.array(list(TRUE.values())) / spans
    points = [at + sign * d for sign in (1, -1) for d in np.diag(steps)]
    up, down = np.split(log_likelihoods(free.rows(np.array(points)), trials, float(DT), grid), 2)
    return np.asarray((up - down) / (2 * STEP))


def fit_one(spikes: int, number: int, profiled: list[str]) -> dict[str, Any]:
    """Fit one recording with both kinds of noise."""
    signal, _, block = recording(spikes, number)
    start, guess = nsnn.LIF(tau_m=25 * ms, **FIXED), nsnn.Filtered(signal, gain=8 * mV, offset=OFFSET)
    line: dict[str, Any] = {"number": number, "n_spikes": len(block.segments[0].spiketrains[0])}
    for name, kind, free in (
        ("ou", nsnn.OUNoise(5 * mV, 15 * ms), FREE | MEMORY),
        ("white", nsnn.WhiteNoise(5 * mV), FREE),
    ):
        begun = time.process_time()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            fit = nsnn.calibrate(start, free, noise=kind, stimulus=guess, trains=block, dt=DT, progress=False)
            fitted = time.process_time()
            ends = {"wald": in_si(fit.interval(method="wald"))}
            if name == "ou":  # on the grid of the fit, at the true values
                true = fit._logs()(fit._free.place(np.array([TRUE[k] for k in free]))[None]).sum()
                line["gain_over_truth"] = rounded(fit.log_likelihood - true)
                ends["profile"] = in_si(fit.interval(names=profiled))
        line[name] = {
            "cpu": [round(fitted - begun, 1), round(time.process_time() - fitted, 1)],
            "log_likelihood": round(fit.log_likelihood, 3),
            "values": {k: rounded(v) for k, v in fit.parameters.items()},
            "se": {k: rounded(v) for k, v in fit.se.items()},
            **{how: {k: [*map(rounded, pair)] for k, pair in each.items()} for how, each in ends.items()},
            "warnings": [str(one.message) for one in caught],
        }
    return line


def rounded(value: float) -> float:
    """To five digits."""
    return float(f"{value:.5g}")


def held(every: list[dict[str, Any]], kind: str, how: str, name: str) -> str:
    """In how many of the recordings that have it the interval holds the true value."""
    ends = [line[kind][how][name] for line in every if name in line[kind].get(how, {})]
    return f"{sum(low <= TRUE[name] <= high for low, high in ends)} of {len(ends)}" if ends else "–"


def summary(kept: dict[str, list[dict[str, Any]]]) -> str:
    """The table of the page, by number of spikes."""
    rows = []
    for every in kept.values():
        spikes = f"{np.mean([line['n_spikes'] for line in every]):,.0f}"
        for name, true in TRUE.items():
            values, se = (np.array([line["ou"][key][name] for line in every]) for key in ("values", "se"))
            z = np.log(values / true) * values / se  # on the logarithmic scale of the fit
            row = [spikes, f"`{name}`", *(held(every, "ou", how, name) for how in KINDS)]
            row += [f"{np.nanmean(z):+.2f}", f"{np.nanstd(z, ddof=1):.2f}"]
            rows.append([*row, held(every, "white", "wald", name)])
    head = ["spikes", "parameter", "covered, profile", "covered, wald", "bias", "SD", "`WhiteNoise`, wald"]
    return "".join(f"| {' | '.join(row)} |\n" for row in (head, ["---"] * len(head), *rows))


def remarks(every: list[dict[str, Any]]) -> str:
    """Likelihoods, processor time and warnings of recordings of one length."""
    gains = np.array([line["ou"]["log_likelihood"] - line["white"]["log_likelihood"] for line in every])
    above = np.array([2 * line["gain_over_truth"] for line in every])
    inside, n = int((above < chi2.ppf(0.95, len(TRUE))).sum()), len(every)
    cpu = np.array([line["ou"]["cpu"] + line["white"]["cpu"][:1] for line in every]).mean(axis=0)
    warned = [text[:60] for line in every for text in line["ou"]["warnings"]]
    return (
        f"log-likelihood above that of white noise by {gains.min():.1f} to {gains.max():.1f} nats, by more than {ONE_SIDED} in "
        f"{(gains > ONE_SIDED).sum()} of {n}; joint region holds the true values in {inside} of {n}, likelihood ratio "
        f"{above.mean():.1f} on average ({len(TRUE)} expected); CPU (s): fit {cpu[0]:.0f}, profiles {cpu[1]:.0f}, white noise "
        f"{cpu[2]:.0f}; warnings: {warned}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spikes", type=int, default=150)
    parser.add_argument("--recordings", type=int, default=6)
    parser.add_argument("--profile", nargs="*", choices=list(TRUE), default=list(TRUE))
    parser.add_argument("--out", type=Path, default=Path("coloured_noise"))
    parser.add_argument("--summary", action="store_true")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument(
        "--scores", action="store_true", help="test the likelihood at the true values, without fits"
    )
    options = parser.parse_args()
    if options.scores:
        slopes = [scores(options.spikes, number).T for number in range(options.recordings)]
        print(score_report(f"{options.spikes} spikes", list(TRUE), slopes))
        return
    options.out.mkdir(parents=True, exist_ok=True)
    if not options.summary:
        name = str(options.spikes)
        known = {line["number"] for line in lines(options.out, name)}
        for number in range(options.recordings):
            if number not in known:
                append(options.out / f"{name}.jsonl", fit_one(options.spikes, number, options.profile))
    sizes = sorted(int(path.stem) for path in options.out.glob("*.jsonl"))
    kept = {str(size): lines(options.out, str(size)) for size in sizes}
    print(summary(kept))
    for size, every in kept.items():
        print(f"{size}: {remarks(every)}")
    if options.keep:
        each = [f'"{k}": [\n' + ",\n".join(map(json.dumps, every)) + "\n]" for k, every in kept.items()]
        KEPT.write_text("{\n" + ",\n".join(each) + "\n}\n")


if __name__ == "__main__":
    main()
