"""Recovery of hidden states by `fit_states`: writes docs/states_recovery.json, prints the table of docs/likelihood.md.

python docs/states_recovery.py N      recordings of about 150, 500 and 2,000 spikes with two and three states, N of each
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import quantities as pq

from nsnn_neuro import Logistic
from nsnn_neuro.likelihood import StatesModel, fit_states

RESULTS = Path(__file__).with_name("states_recovery.json")
STEP, SPIKES, STARTS = 5e-3, (150, 500, 2000), 3
RATES = {2: (2.0, 20.0), 3: (1.0, 10.0, 40.0)}  # Hz
DWELL = {2: np.array([1.0, 0.5]), 3: np.array([1.0, 0.5, 0.3])}  # s


def truth(k: int) -> tuple[StatesModel, np.ndarray, float]:
    """The model, its parameters, and the mean rate (Hz)."""
    model = StatesModel(dt=STEP * pq.s, family=Logistic(1.0), n_states=k)
    chance, leave = np.array(RATES[k]) * STEP, STEP / DWELL[k]
    odds = np.repeat(np.log(leave / (1 - leave) / max(k - 1, 1)), k - 1)
    p = np.concatenate([np.log(chance / (1 - chance)), odds, np.zeros(k - 1)])
    return model, p, float(np.dot(RATES[k], DWELL[k]) / np.sum(DWELL[k]))  # all states are entered as often


def fit_one(k: int, n_spikes: int, seed: int) -> dict[str, Any]:
    """Whether the intervals of one recording hold the true values."""
    model, p, rate = truth(k)
    lasts = STEP * round(n_spikes / rate / STEP)
    block = model.simulate(p, duration=lasts * pq.s, seed=seed)
    begun = time.process_time()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit = fit_states(block, n_states=k, dt=STEP * pq.s, family=Logistic(1.0), n_starts=STARTS, seed=seed)
    cpu, ends = time.process_time() - begun, np.array(list(fit.interval().values()))
    held = (ends[:, 0] <= p) & (p <= ends[:, 1])
    return {
        "named": bool(caught),
        "rates": held[:k].tolist(),
        "odds": held[k : k * k].tolist(),
        "dwell": ((fit.table.dwell_low <= DWELL[k]) & (fit.table.dwell_high >= DWELL[k])).tolist(),
        "right": float(np.mean(fit.posterior().argmax(axis=1) == model.draw_states(p, duration=lasts * pq.s, seed=seed)[:, 0])),
        "cpu": cpu,
    }  # fmt: skip


def summary(fits: list[dict[str, Any]]) -> dict[str, Any]:
    """Shares of intervals that hold the true value, of all recordings and of those without a warning."""
    quiet = [one for one in fits if not one["named"]]
    result = {"recordings": len(fits), "without_warning": len(quiet)}
    for name in ("rates", "odds", "dwell"):
        for label, some in (("", fits), ("_quiet", quiet)):
            result[name + label] = float(np.mean([one[name] for one in some])) if some else None
    result |= {one: float(np.mean([each[one] for each in fits])) for one in ("right", "cpu")}
    return result


def table(made: dict[str, Any]) -> str:
    """The table of docs/likelihood.md; in brackets: of the fits without a warning, where they are few."""
    head = (
        "rate of a state",
        "odds of a transition",
        "dwell time",
        "most probable state is right",
        "without warning",
    )
    lines = [f"| states, spikes | {' | '.join(head)} |", f"|---{'|---' * len(head)}|"]
    for name, one in made.items():
        few = one["without_warning"] < 0.9 * one["recordings"]
        cells = [f"{one[x]:.1%}" + few * f" ({one[x + '_quiet']:.1%})" for x in ("rates", "odds", "dwell")]
        cells += [f"{one['right']:.1%}", f"{one['without_warning']} of {one['recordings']}"]
        lines.append(f"| {name} | {' | '.join(cells)} |".replace("%", " %"))
    return "\n".join(lines)


def main(n: int) -> None:
    """Fit, write the results and print the table."""
    made = {
        f"{k} states, {s} spikes": summary([fit_one(k, s, seed) for seed in range(n)])
        for k in (2, 3)
        for s in SPIKES
    }
    RESULTS.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    print(table(made))


if __name__ == "__main__":
    main(int(sys.argv[1]))
