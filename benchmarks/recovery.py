"""Recovery of parameters by `calibrate`: coverage of 95 % intervals (of the profile and Wald), bias, time rescaling, seconds.

`python benchmarks/recovery.py --recordings 100 --out FOLDER` simulates recordings of 300 spikes, each with a new signal and seed.
It fits them from starts that do not know the truth and appends a line for each to FOLDER/MODEL.jsonl. A run that was stopped
continues. `--summary` prints the table of the lines that are there; `--page` also writes it to docs/likelihood.md. `--scores` tests
the likelihood itself, at the true values.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import tempfile
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import neo
import numpy as np
import quantities as pq
from brian2 import ms, mV, second
from scipy.signal import lfilter
from scipy.stats import chi2, kstest
from timing import machine, table

import nsnn_neuro as nsnn

PAGE = Path(__file__).parents[1] / "docs" / "likelihood.md"
KEPT = PAGE.with_name("likelihood_recovery.json")
KINDS = ("profile", "wald")
SPIKES, HELD_OUT = 300, 75
DURATION, PERIOD = 9.0, 0.1e-3  # s: of the simulation, of a sample of the signal
CORRELATION, SMOOTHING = 5e-3, 2e-3  # s: of the signal
STEP = 0.01  # of the logarithm of a parameter, for its score
VOLTAGES = {"v_rest": 0 * mV, "v_reset": 8 * mV, "v_thresh": 20 * mV, "tau_refrac": 2 * ms}
DRIVE = {"stimulus.gain": (0 * mV, 60 * mV), "stimulus.offset": (0 * mV, 80 * mV)}
DELAY = {"stimulus.delay": (0 * ms, 10 * ms)}
MEMBRANE = {"tau_m": (2 * ms, 60 * ms), "noise.sigma": (0.5 * mV, 20 * mV)}


@dataclass(frozen=True)
class Case:
    """A neuron to find again, with the bounds within which it is sought."""

    model: Any
    noise: Any
    drive: dict[str, Any]
    free: dict[str, Any]


CASES = {
    "lif": Case(
        nsnn.LIF(tau_m=10 * ms, **VOLTAGES),
        nsnn.WhiteNoise(3 * mV),
        {"gain": 14 * mV, "offset": 24 * mV, "delay": 4 * ms},
        {**MEMBRANE, **DRIVE, **DELAY},
    ),
    "eif": Case(
        nsnn.EIF(
            tau_m=10 * ms,
            delta_T=1.5 * mV,
            v_spike=22 * mV,
            **{**VOLTAGES, "v_reset": 4 * mV, "v_thresh": 14 * mV},
        ),
        nsnn.WhiteNoise(2.5 * mV),
        {"gain": 14 * mV, "offset": 20 * mV, "delay": 4 * ms},
        {**MEMBRANE, **DRIVE, **DELAY},
    ),
    "gif": Case(
        nsnn.GIF(tau_m=10 * ms, tau_w=100 * ms, b=2 * mV, tau_thresh=10 * ms, b_thresh=6 * mV, **VOLTAGES),
        nsnn.WhiteNoise(2.5 * mV),
        {"gain": 14 * mV, "offset": 40 * mV},
        {
            **MEMBRANE,
            **DRIVE,
            "tau_w": (20 * ms, 500 * ms),
            "b": (-5 * mV, 20 * mV),
            "b_thresh": (-10 * mV, 30 * mV),
        },
    ),
}


def signal(rng: np.random.Generator, seconds: float = DURATION + 1.0) -> neo.AnalogSignal:
    """An Ornstein-Uhlenbeck path through a low-pass filter, of variance 1, for the simulation and a delay.

    Without the filter the likelihood has a kink wherever the delay moves a sample across the edge of a step.
    """
    settle = round(10 * (CORRELATION + SMOOTHING) / PERIOD)
    path = rng.normal(size=round(seconds / PERIOD) + settle)
    poles = np.exp(-PERIOD / np.array([CORRELATION, SMOOTHING]))
    path = lfilter([1.0], np.poly(poles), path)[settle:]
    a, b = poles
    path *= np.sqrt((1 - a**2) * (1 - b**2) * (1 - a * b) / (1 + a * b))
    return neo.AnalogSignal(path, units="mm", sampling_period=PERIOD * pq.s)


def start(case: Case, rng: np.random.Generator) -> tuple[Any, Any, dict[str, Any]]:
    """Neuron, noise and drive with random values within the bounds."""
    drawn = {}
    for name, (low, high) in case.free.items():
        at = rng.uniform(0.1, 0.9)
        drawn[name] = low + at * (high - low) if float(low) <= 0 else low * (float(high) / float(low)) ** at
    own = {name: value for name, value in drawn.items() if "." not in name}
    known = {
        f.name: getattr(case.model, f.name)
        for f in case.model.parameter_fields()
        if getattr(case.model, f.name) is not None
    }
    drive = {**case.drive, **{k.split(".")[1]: v for k, v in drawn.items() if k.startswith("stimulus.")}}
    return type(case.model)(**{**known, **own}), nsnn.WhiteNoise(drawn["noise.sigma"]), drive


def truth(case: Case) -> dict[str, float]:
    """The values to be found, SI."""
    parts = {"noise": case.noise, "stimulus": case.drive}
    values = {}
    for name in case.free:
        part, _, last = name.rpartition(".")
        if part == "stimulus":
            values[name] = float(case.drive[last])
        else:
            values[name] = float(parts.get(part, case.model).si(last))
    return values


def recording(
    name: str, number: int, engine: str
) -> tuple[Case, neo.AnalogSignal, neo.Block, np.random.Generator]:
    """The neuron, its signal and simulated spikes, and the generator that drew them."""
    case = CASES[name]
    rng = np.random.default_rng([sorted(CASES).index(name), number])
    drive = signal(rng)
    block = nsnn.simulate(
        case.model,
        case.noise,
        nsnn.Filtered(drive, **case.drive),
        duration=DURATION * second,
        seed=int(rng.integers(2**31)),
        engine=engine,
    )
    return case, drive, block, rng


def scores(name: str, number: int, engine: str = "cython") -> np.ndarray:
    """Derivatives of the log-likelihood of the first spikes by the logarithms of the parameters, at their true values: a row for
    each interval between spikes, (SPIKES, n_parameters)."""
    case, drive, block, _ = recording(name, number, engine)
    spikes = block.segments[0].spiketrains[0].rescale("s").magnitude[:SPIKES]
    stop = round(float(spikes[-1]) + 1e-4, 4)
    fired = np.zeros(round(stop / 1e-4), dtype=bool)
    fired[np.round(spikes / 1e-4).astype(int)] = True
    first = np.concatenate([[0], np.flatnonzero(fired)[:-1] + 1])

    def logs(values: dict[str, float]) -> np.ndarray:
        own = {k: v for k, v in values.items() if "." not in k}
        model = dataclasses.replace(
            case.model, **{k: v * (ms if k.startswith("tau") else mV) * 1e3 for k, v in own.items()}
        )
        noise = nsnn.WhiteNoise(values["noise.sigma"] * 1e3 * mV)
        units = {"gain": mV, "offset": mV, "delay": ms}
        given = {
            k: values[f"stimulus.{k}"] * 1e3 * unit for k, unit in units.items() if f"stimulus.{k}" in values
        }
        p = nsnn.likelihood.spike_probability(
            model, block, noise=noise, stimulus=nsnn.Filtered(drive, **given), t_stop=stop * second
        )
        return np.add.reduceat(np.where(fired, np.log(np.where(fired, p, 1.0)), np.log1p(-p)), first)

    true, found = truth(case), []
    for parameter in case.free:
        up, down = ({**true, parameter: true[parameter] * np.exp(sign * STEP)} for sign in (1, -1))
        found.append((logs(up) - logs(down)) / (2 * STEP))
    return np.transpose(found)


def score_report(name: str, free: list[str], found: list[np.ndarray]) -> str:
    """Whether the likelihood is that of `simulate`: mean score 0, its variance the information, at the true values.

    free : parameters; found : `scores` of recordings"""
    recordings = len(found)
    total = np.array([one.sum(axis=0) for one in found])
    information = np.mean([one.T @ one for one in found], axis=0)
    inverse, k = np.linalg.inv(information), len(information)
    mean = total.mean(axis=0)
    p = chi2.sf(recordings * mean @ inverse @ mean, k)
    squared = np.einsum("ri,ij,rj->r", total, inverse, total)
    z = total @ inverse / np.sqrt(np.diag(inverse))
    outside = {a: int(b) for a, b in zip(free, (np.abs(z) > 1.96).sum(axis=0), strict=True)}
    return (
        f"{name}: mean score 0: p = {p:.2g}; score' information^-1 score: mean {squared.mean():.2f} +- "
        f"{np.sqrt(2 * k / recordings):.2f} ({k} expected), Kolmogorov-Smirnov p = {kstest(squared, chi2(k).cdf).pvalue:.2g}; "
        f"estimates linear in the score beyond 1.96 errors, of {recordings}: {outside}"
    )


def in_si(intervals: dict[str, tuple[Any, Any]]) -> dict[str, list[float]]:
    """Limits in the units of Brian2 as SI floats."""
    return {name: [float(one) for one in pair] for name, pair in intervals.items()}


def fit_one(name: str, number: int, engine: str = "cython", n_spikes: int = SPIKES) -> dict[str, Any]:
    """Simulate recording `number` of a neuron, fit its first spikes, and test the fit with the next ones."""
    case, drive, block, rng = recording(name, number, engine)
    spikes = block.segments[0].spiketrains[0].rescale("s").magnitude
    last, end = (round(float(spikes[k - 1]) + 1e-4, 4) for k in (n_spikes, n_spikes + HELD_OUT))
    model, noise, begun = start(case, rng)
    stopwatch = time.process_time(), time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit = nsnn.calibrate(
            model, case.free, noise=noise, stimulus=nsnn.Filtered(drive, **begun), trains=block, t_stop=last * second,
            progress=False,
        )  # fmt: skip
        cpu, wall = time.process_time() - stopwatch[0], time.perf_counter() - stopwatch[1]
        profile = fit.interval(method="profile", progress=False)
        cpu_profile = time.process_time() - stopwatch[0] - cpu
    probability = nsnn.likelihood.spike_probability(
        case.model, block, noise=case.noise, stimulus=nsnn.Filtered(drive, **case.drive), t_stop=end * second
    )
    steps = np.arange(round(last / 1e-4), len(probability))
    fired = np.isin(steps, np.round(spikes / 1e-4).astype(int))
    return {
        "number": number,
        "t_stop": last,
        "truth": truth(case),
        "estimate": fit.parameters,
        "se": fit.se,
        "wald": in_si(fit.interval(method="wald")),
        "profile": in_si(profile),
        "log_likelihood": fit.log_likelihood,
        "p": fit.rescaled(block, t_start=last * second, t_stop=end * second).p,
        "p_truth": nsnn.likelihood.Rescaled.of(probability[steps], fired).p,
        "cpu": cpu,
        "cpu_profile": cpu_profile,
        "seconds": wall,
        "warnings": [str(one.message) for one in caught if "bound" in str(one.message)],
    }


def append(path: Path, line: dict[str, Any]) -> None:
    """Add a line to a file, which is replaced as a whole, so that a stop leaves no half line."""
    text = path.read_text() if path.exists() else ""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
        file.write(text + json.dumps(line) + "\n")
    os.replace(file.name, path)


def lines(folder: Path, name: str) -> list[dict[str, Any]]:
    """What is there, in order of the recordings."""
    path = folder / f"{name}.jsonl"
    found = [json.loads(text) for text in path.read_text().splitlines()] if path.exists() else []
    return sorted(found, key=lambda line: line["number"])


def run(folder: Path, models: list[str], recordings: int, jobs: int, n_spikes: int = SPIKES) -> None:
    """All recordings that are not there yet, one of each model in turn."""
    folder.mkdir(parents=True, exist_ok=True)
    done = {name: {line["number"] for line in lines(folder, name)} for name in models}
    todo = [(name, k) for k in range(recordings) for name in models if k not in done[name]]
    begun = time.perf_counter()
    with ProcessPoolExecutor(jobs) as pool:
        one = partial(fit_one, n_spikes=n_spikes) if n_spikes != SPIKES else fit_one
        results = pool.map(one, *zip(*todo, strict=True)) if jobs > 1 else (one(*each) for each in todo)
        for k, ((name, number), line) in enumerate(zip(todo, results, strict=True)):
            append(folder / f"{name}.jsonl", line)
            left = (time.perf_counter() - begun) / (k + 1) * (len(todo) - k - 1)
            print(f"{name} {number}: {line['cpu']:.1f} s; {left / 60:.0f} min left", flush=True)


def summary(found: list[dict[str, Any]]) -> dict[str, Any]:
    """Coverage of each parameter's interval, its bias in standard errors, and the law of p."""
    n = len(found)
    rows = {}
    for name in found[0]["truth"]:
        true = np.array([line["truth"][name] for line in found])
        covered = {}
        for kind in KINDS:
            if all(kind in line for line in found):
                low, high = np.array([line[kind][name] for line in found]).T
                covered[kind] = int(((low <= true) & (true <= high)).sum())
        z = np.array([line["estimate"][name] for line in found]) - true
        z /= np.array([line["se"][name] for line in found])
        z = z[np.isfinite(z)]
        rows[name] = {
            "covered": covered,
            "bias": float(z.mean()),
            "bias_se": float(z.std(ddof=1) / np.sqrt(z.size)),
            "spread": float(z.std(ddof=1)),
            "at_bound": n - z.size,
        }
    return {
        "recordings": n,
        "parameters": rows,
        "uniform_p": float(kstest([line["p"] for line in found], "uniform").pvalue),
        "uniform_p_truth": float(kstest([line["p_truth"] for line in found], "uniform").pvalue),
        "cpu": float(np.median([line["cpu"] for line in found])),
        "cpu_profile": float(np.median([line.get("cpu_profile", np.nan) for line in found])),
        "recording": float(np.mean([line["t_stop"] for line in found])),
    }


def report(name: str, made: dict[str, Any]) -> str:
    """A summary as text."""
    n = made["recordings"]
    rows = []
    for parameter, row in made["parameters"].items():
        rows.append(
            [
                parameter,
                *(share(covered, n) for covered in row["covered"].values()),
                f"{row['bias']:+.2f} +- {row['bias_se']:.2f}",
                f"{row['spread']:.2f}",
                str(row["at_bound"]),
            ]
        )
    kinds = list(next(iter(made["parameters"].values()))["covered"])
    pooled = {k: 100 * np.mean([row["covered"][k] for row in made["parameters"].values()]) / n for k in kinds}
    over_all = ", ".join(f"{percent:.1f} % by {kind}" for kind, percent in pooled.items())
    head = ["parameter", *(f"covered by {k}" for k in kinds), "bias in errors", "SD in errors", "at a bound"]
    return (
        f"{name}: {n} recordings of {made['recording']:.1f} s; covered over all parameters: {over_all}; "
        f"p of rescaling uniform: p = {made['uniform_p']:.2f} (true parameters: {made['uniform_p_truth']:.2f}); processor time "
        f"{made['cpu']:.1f} s for each fit, {made['cpu_profile']:.1f} s for its profile intervals\n"
        + table(head, rows)
    )


def share(covered: int, n: int) -> str:
    """A fraction in per cent with its binomial error, at least that of 95 %."""
    p = covered / n
    return f"{100 * p:.0f} +- {100 * np.sqrt(max(p * (1 - p), 0.05 * 0.95) / n):.0f} %"


def page_table(made: dict[str, Any]) -> str:
    """The table of the page."""
    first = next(iter(made.values()))
    kinds = list(next(iter(first["parameters"].values()))["covered"])
    columns = ["neuron, recordings", "parameter", *(f"covered, {kind} (%)" for kind in kinds)]
    columns += ["bias, in standard errors", "SD, in standard errors"]
    text = "| " + " | ".join(columns) + " |\n" + "|---" * len(columns) + "|\n"
    for name, one in made.items():
        for parameter, row in one["parameters"].items():
            counts = " | ".join(f"{100 * row['covered'][kind] / one['recordings']:.1f}" for kind in kinds)
            text += (
                f"| {name.upper()}, {one['recordings']} | `{parameter}` | {counts} | {row['bias']:+.2f} +- {row['bias_se']:.2f} | "
                f"{row['spread']:.2f} |\n"
            )
    return text


def write_page(made: dict[str, Any]) -> None:
    """Put the table into the page, and the numbers into a file of the same folder."""
    KEPT.write_text(json.dumps(made, indent=1) + "\n")
    text = PAGE.read_text()
    start = text.index("| neuron, recordings | parameter |")
    end = text.index("\n\n", start) + 1
    PAGE.write_text(text[:start] + page_table(made) + text[end:])


def main() -> None:
    """Run, or print what is there."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--recordings", type=int, default=2)
    parser.add_argument(
        "--spikes",
        type=int,
        default=SPIKES,
        help="spikes of a recording, 500 at most; a folder holds one number",
    )
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("results/recovery"))
    parser.add_argument("--summary", action="store_true", help="print what is there, without a run")
    parser.add_argument("--page", action="store_true", help="write the summary to docs/likelihood.md")
    parser.add_argument(
        "--scores", action="store_true", help="test the likelihood at the true values, without fits"
    )
    given = parser.parse_args()
    if given.scores:
        for name in given.models:
            with ProcessPoolExecutor(given.jobs) as pool:
                found = list(pool.map(scores, [name] * given.recordings, range(given.recordings)))
            print(score_report(name, list(CASES[name].free), found), flush=True)
        return
    if not given.summary:
        print(machine())
        run(given.out, given.models, given.recordings, given.jobs, given.spikes)
    found = {name: lines(given.out, name) for name in given.models}
    made = {name: summary(rows) for name, rows in found.items() if len(rows) > 1}
    for name, one in made.items():
        print("\n" + report(name, one))
    if given.page:
        write_page(made)


if __name__ == "__main__":
    main()
