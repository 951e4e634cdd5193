"""How often intervals of `calibrate(method="voltage")` hold the true value, in simulated recordings.

`python benchmarks/voltage_coverage.py --recordings 200 --out FOLDER` fits simulated recordings of each kind and appends a line for
each to FOLDER/KIND.jsonl; a run that was stopped continues. `--page` writes the table of the lines that are there to
docs/voltage.md. The neuron is simulated step by step by tests/helpers/voltage_recordings.py, without the package's likelihood.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import json
import sys
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from brian2 import Mohm, ms
from recovery import append, lines
from timing import machine, table

import nsnn_neuro as nsnn

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))
recordings = importlib.import_module("helpers.voltage_recordings")
TRUTH = recordings.TRUTH

PAGE, KEPT = ROOT / "docs" / "voltage.md", ROOT / "docs" / "voltage_coverage.json"
GIVEN = "tau_refrac"
COVERED, DEVIATION = "95 % interval covers", "deviation in standard errors, mean ± SD"


@dataclass(frozen=True)
class Kind:
    """Simulated recordings of one kind."""

    title: str
    first_seed: int
    duration: float = 6.0
    slow: bool = False
    refractory: bool = False
    """whether tau_refrac is fitted, too"""


KINDS = {
    "long": Kind("6 s", 20_000),
    "short": Kind("3 s", 30_000, duration=3.0),
    "slow": Kind("6 s, slow noise", 50_000, slow=True),
    "refractory": Kind("6 s, tau_refrac fitted, too", 40_000, refractory=True),
}


def fit_one(name: str, number: int) -> dict[str, Any]:
    """Fit one recording."""
    kind = KINDS[name]
    current, voltage, spikes = recordings.data(kind.first_seed + number, kind.duration, kind.slow)
    cell = recordings.CELL if kind.refractory else dataclasses.replace(recordings.CELL, tau_refrac=3 * ms)
    free = dict.fromkeys(one for one in TRUTH if one != GIVEN or kind.refractory)
    begun = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = nsnn.calibrate(
            cell, free, noise=recordings.HAZARD, stimulus=nsnn.Filtered(current, gain=80 * Mohm), voltage=voltage, method="voltage",
            progress=False,
        )  # fmt: skip
    own = [one for one in fit.parameters if one != GIVEN]
    return {
        "number": number,
        "n_spikes": len(spikes),
        "truth": {one: TRUTH[one] for one in own},
        "estimate": {one: fit.parameters[one] for one in own},
        "se": {one: fit.se[one] for one in own},
        "interval": {one: [float(end.simplified) for end in fit.interval()[one]] for one in own},
        "interval_90": {one: [float(end.simplified) for end in fit.interval(0.9)[one]] for one in own},
        GIVEN: fit.model.si(GIVEN),
        "cpu": time.process_time() - begun,
    }


def summary(found: list[dict[str, Any]]) -> dict[str, Any]:
    """How often intervals and two standard errors hold the true value, and bias and spread in standard errors, by parameter."""
    rows = {}
    for name, true in found[0]["truth"].items():
        ends = {key: np.array([line[key][name] for line in found]) for key in ("interval", "interval_90")}
        off = np.array([line["estimate"][name] for line in found]) - true
        z = off / np.array([line["se"][name] for line in found])
        rows[name] = {
            "covered": int(((ends["interval"][:, 0] <= true) & (true <= ends["interval"][:, 1])).sum()),
            "covered_90": int(
                ((ends["interval_90"][:, 0] <= true) & (true <= ends["interval_90"][:, 1])).sum()
            ),
            "two_errors": int((np.abs(z) < 2).sum()),
            "bias": float(z.mean()),
            "spread": float(z.std(ddof=1)),
        }
    return {
        "recordings": len(found),
        "spikes": float(np.mean([line["n_spikes"] for line in found])),
        "tau_refrac_exact": int(sum(abs(line[GIVEN] - TRUTH[GIVEN]) < 1e-6 for line in found)),
        "parameters": rows,
    }


def page_tables(made: dict[str, Any]) -> str:
    """The two tables of the page: coverage; bias and spread of the estimates."""
    titles = [
        f"{KINDS[name].title}: {one['recordings']} recordings, {one['spikes']:.0f} spikes"
        for name, one in made.items()
    ]
    texts = []
    for head in (COVERED, DEVIATION):
        text = f"| {head} | {' | '.join(titles)} |\n|---{'|---' * len(titles)}|\n"
        for name in next(iter(made.values()))["parameters"]:
            cells = []
            for one in made.values():
                row = one["parameters"][name]
                covered = f"{100 * row['covered'] / one['recordings']:.0f} %"
                cells.append(covered if head == COVERED else f"{row['bias']:+.2f} ± {row['spread']:.2f}")
            text += f"| `{name}` | {' | '.join(cells)} |\n"
        texts.append(text)
    return "\n".join(texts)


def report(made: dict[str, Any]) -> str:
    """A summary as text."""
    share = 100 / made["recordings"]
    rows = [
        [
            name, *(f"{share * row[key]:.1f} %" for key in ("covered_90", "covered", "two_errors")),
            f"{row['bias']:+.2f} +- {row['spread'] / np.sqrt(made['recordings']):.2f}", f"{row['spread']:.2f}",
        ]
        for name, row in made["parameters"].items()
    ]  # fmt: skip
    return table(["parameter", "90 %", "95 %", "2 errors", "bias in errors", "SD in errors"], rows)


def main() -> None:
    """Run, or print what is there."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--recordings", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("results/voltage_coverage"))
    parser.add_argument("--summary", action="store_true", help="print what is there, without a run")
    parser.add_argument("--page", action="store_true", help="write the summary to docs/voltage.md")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    if not given.summary:
        print(machine())
        for name in given.kinds:
            done = {line["number"] for line in lines(given.out, name)}
            for number in range(given.recordings):
                if number not in done:
                    append(given.out / f"{name}.jsonl", fit_one(name, number))
    made = {name: summary(found) for name in given.kinds if len(found := lines(given.out, name)) > 1}
    for name, one in made.items():
        print(
            f"\n{KINDS[name].title}: {one['recordings']} recordings, {one['spikes']:.0f} spikes\n{report(one)}"
        )
    if given.page:
        text = PAGE.read_text(encoding="utf-8")
        begin, second = text.index(f"| {COVERED} |"), text.index(f"| {DEVIATION} |")
        KEPT.write_text(json.dumps(made, indent=1) + "\n")
        PAGE.write_text(
            text[:begin] + page_tables(made) + text[text.index("\n\n", second) + 1 :], encoding="utf-8"
        )


if __name__ == "__main__":
    main()
