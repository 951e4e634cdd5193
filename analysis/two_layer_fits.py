"""Two-layer networks fitted to the spikes of a cell whose response isn't monotone: what a hidden layer finds, and when it can't.

The cell fires when the filtered stimulus (Gaussian white noise through four cosine bumps) is far from 0, either way: hidden noisy
neurons of a filter, as many of its opposite, all with the same weight to the output. Twice: one hidden neuron each, of weight 1
(theta 1, sigma .4), and eight each, of weight 1/8. Fitted are networks of several sizes (`fit_network`), and a single neuron
(`fit_neuron`) with a free history of three steps. Scores are bits per spike over a constant probability, of spikes that no
fit has seen, by a particle filter; `bound` is the mean log-likelihood given the hidden spikes, which is what a fit raises.
Refined fits go on with the likelihood itself (`fit_network(..., refine=20)`).
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import neo
import numpy as np
import pandas as pd
import quantities as pq
from matplotlib.figure import Figure

import nsnn_neuro as nsnn
from nsnn_neuro.likelihood import NetworkModel, RaisedCosines

from .harness import Claim, StudyConfig, verifier

CLAIM = "Networks of sixteen hidden neurons find a response that no single neuron has, all but a few per cent of it"
SABOTAGES = {"another stimulus": "fits are given white noise that the cell wasn't driven by"}
STEP = 1 * pq.ms
BASIS = RaisedCosines(4, 10 * pq.ms)
FILTER = np.array([0.6, 0.3, -0.5, -0.2])
NOISE = nsnn.Gaussian(0.4)
COLUMNS = ["part", "cell", "model", "n_hidden", "x", "value", "se", "bound", "lost", "lost_se", "cost"]
PARTS = 20  # of the test data, for the standard error of a difference
BINS = np.linspace(-1.75, 1.75, 15)


@dataclasses.dataclass(frozen=True)
class Config(StudyConfig):
    """Everything that decides a run."""

    cells: tuple[int, ...] = (1, 8)
    """hidden neurons of each of the two pathways"""
    n_hidden: tuple[int, ...] = (2, 4, 16)
    steps: int = 20_000
    """of 1 ms, that are fitted"""
    test: int = 8_000
    """steps that aren't"""
    epochs: int = 25
    refine: int = 20
    """epochs up the likelihood itself"""
    particles: int = 100

    QUICK: ClassVar[dict[str, Any]] = {
        "n_hidden": (2, 16),
        "refine": 4,
        "steps": 8_000,
        "test": 4_000,
    }


def cell(each: int) -> tuple[NetworkModel, tuple[np.ndarray, np.ndarray]]:
    """The cell with so many hidden neurons in each pathway, and its weights."""
    columns = [np.append(-0.2, sign * FILTER) for sign in (1, -1) for _ in range(each)]
    model = NetworkModel(dt=STEP, stimulus=BASIS, n_hidden=2 * each, family=NOISE)
    return model, (np.stack(columns, axis=1), np.append(0.0, np.full(2 * each, 1 / each))[:, None])


def white(n: int, seed: Any) -> neo.AnalogSignal:
    """Gaussian white noise."""
    values = np.random.default_rng(seed).normal(size=n)
    return neo.AnalogSignal(values, units=pq.dimensionless, sampling_period=STEP)


def run(
    config: Config, out: Path | None = None, progress: Callable[[str], None] = lambda text: None
) -> pd.DataFrame:
    """Rows of part "score": value and se, bound, and what is lost beside the true model with the error of that difference, and
    what maximum likelihood loses on average by estimating so many weights, `cost` = weights / (2 spikes ln 2); of part
    "response": probability of a spike against the filtered stimulus x."""
    rows: list[dict[str, Any]] = []
    signal, other = (white(n, [config.seed, k]) for k, n in enumerate((config.steps, config.test)))
    for each in config.cells:
        model, true = cell(each)
        shown = white(config.steps, [config.seed, 2]) if config.sabotage == "another stimulus" else signal
        block = model.simulate(true, signal, seed=config.seed)
        test = model.simulate(true, other, seed=config.seed + 1)
        data = model.data(test, other)
        drive = data.x[:, 1:] @ FILTER

        def evaluated(
            name: str, m: NetworkModel, weights: Any, each: int = each, data: Any = data
        ) -> dict[str, Any]:
            score, bound = (m.score(weights, data, particles=k) for k in (config.particles, 1))
            return score_row(
                "score", each, name, m.n_hidden, value=score.value, se=score.se, bound=bound.value
            )

        rows.append(evaluated("true", model, true))
        rows += _response(each, "true", 2 * each, drive, data.o[:, 0])
        reference = model.log_likelihood(true, data, particles=config.particles)
        for n, (name, refine) in itertools.product(
            config.n_hidden, (("network", 0), ("refined", config.refine))
        ):
            progress(f"cell of {each} + {each}: network of {n}" + ", refined" * (refine > 0))
            fit = nsnn.fit_network(
                block,
                shown,
                dt=STEP,
                stimulus=BASIS,
                n_hidden=n,
                family=NOISE,
                validation=0.0,
                epochs=config.epochs,
                refine=refine,
                seed=config.seed,
                engine="numpy",
            )
            logs = fit.model.log_likelihood(fit.weights, data, particles=config.particles)
            lost, error = bits_lost(reference - logs, data.o.sum())
            cost = sum(w.size for w in fit.weights) / (2 * fit.n_spikes * np.log(2))
            rows.append(
                evaluated(name, fit.model, fit.weights) | {"lost": lost, "lost_se": error, "cost": cost}
            )
            if n == config.n_hidden[-1]:
                drawn = model.data(fit.simulate(other, seed=config.seed + 2), other).o[:, 0]
                rows += _response(each, name, n, drive, drawn)
        one = nsnn.fit_neuron(block, shown, dt=STEP, stimulus=BASIS, history=3)
        score = one.score(test, other)
        rows.append(score_row("score", each, "neuron", 0, value=score.value, se=score.se))
        drawn = model.data(one.simulate(other, seed=config.seed + 2), other).o[:, 0]
        rows += _response(each, "neuron", 0, drive, drawn)
    return pd.DataFrame(rows, columns=COLUMNS)


def score_row(part: str, each: int, model: str, n_hidden: int, **values: float) -> dict[str, Any]:
    """A row of the table; values that are not given are NaN."""
    return {"part": part, "cell": each, "model": model, "n_hidden": n_hidden, **values}


def bits_lost(nats: np.ndarray, n_spikes: float) -> tuple[float, float]:
    """Bits per spike and their standard error over consecutive parts."""
    parts = np.array([part.sum() for part in np.array_split(nats, PARTS)]) / np.log(2) / n_spikes
    return float(parts.sum()), float(np.sqrt(PARTS) * parts.std(ddof=1))


def _response(each: int, model: str, n_hidden: int, drive: np.ndarray, o: np.ndarray) -> list[dict[str, Any]]:
    """Share of steps with a spike in bins of the filtered stimulus."""
    found = []
    for low, high in itertools.pairwise(BINS):
        here = o[(drive >= low) & (drive < high)]
        if len(here) > 10:
            p, x = here.mean(), 0.5 * (low + high)
            found.append(
                score_row(
                    "response", each, model, n_hidden, x=x, value=p, se=np.sqrt(p * (1 - p) / len(here))
                )
            )
    return found


def claims(table: pd.DataFrame) -> list[Claim]:
    """The claims for each cell, with their evidence; then what else was asked."""
    central, also = [], []
    scores = table[table.part == "score"]
    for each, mine in scores.groupby("cell"):
        true, neuron = (mine[mine.model == name].iloc[0] for name in ("true", "neuron"))
        networks = mine[mine.model == "network"].sort_values("n_hidden")
        few, many = networks.iloc[0], networks.iloc[-1]
        name = f"cell of {each} + {each} hidden neurons"
        margin = np.hypot(many.se, neuron.se)
        central.append(
            Claim(
                f"{name}: a network of {many.n_hidden} foretells it better than a single neuron",
                bool(many.value - neuron.value > 4 * margin),
                f"{many.value:.3f} ± {many.se:.3f} and {neuron.value:.3f} ± {neuron.se:.3f} bits per spike",
            )
        )
        central.append(
            Claim(
                f"{name}: a network of {many.n_hidden} has nine tenths of the true model's bits",
                bool(many.value - 2 * many.lost_se > 0.9 * true.value),
                f"{many.value:.3f} of {true.value:.3f} bits per spike, {many.lost:.3f} ± {many.lost_se:.3f} fewer",
            )
        )
        fine = mine[(mine.model == "refined") & (mine.n_hidden == many.n_hidden)].iloc[0]
        central.append(
            Claim(
                f"{name}: refined, the network of {many.n_hidden} loses less",
                bool(many.lost - fine.lost > 2 * np.hypot(many.lost_se, fine.lost_se)),
                f"{many.lost:.3f} ± {many.lost_se:.3f} and {fine.lost:.3f} ± {fine.lost_se:.3f} bits per spike",
            )
        )
        central.append(
            Claim(
                f"{name}: refined, it loses no more than it costs to estimate its weights",
                bool(fine.lost - fine.cost < 2 * fine.lost_se),
                f"{fine.lost:.3f} ± {fine.lost_se:.3f} bits per spike; on average {fine.cost:.3f}",
            )
        )
        also.append(
            Claim(
                f"{name}: refined, the network of {many.n_hidden} is as good as the true model",
                bool(fine.lost < 2 * fine.lost_se),
                f"{fine.lost:.3f} ± {fine.lost_se:.3f} bits per spike are lost",
                central=False,
            )
        )
        also.append(
            Claim(
                f"{name}: the network of {many.n_hidden} is as good as the true model",
                bool(many.lost < 2 * many.lost_se),
                f"{many.lost:.3f} ± {many.lost_se:.3f} bits per spike are lost",
                central=False,
            )
        )
        if each == 1:
            central.append(
                Claim(
                    f"{name}: the bound of the true model itself is far below its likelihood",
                    bool(true.bound < 0.6 * true.value),
                    f"{true.bound:.3f} and {true.value:.3f} bits per spike",
                )
            )
            central.append(
                Claim(
                    f"{name}: a network of {few.n_hidden}, as many as it has, loses more than one of {many.n_hidden}",
                    bool(few.lost - many.lost > 4 * np.hypot(few.lost_se, many.lost_se)),
                    f"{few.lost:.3f} ± {few.lost_se:.3f} and {many.lost:.3f} ± {many.lost_se:.3f} bits per spike",
                )
            )
            also.append(
                Claim(
                    f"{name}: a network of {few.n_hidden} doesn't come to half of the true model's bits",
                    bool(few.value + 2 * few.lost_se < 0.5 * true.value),
                    f"{few.value:.3f} of {true.value:.3f} bits per spike",
                    central=False,
                )
            )
    return central + also


verify = verifier(claims)


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """The scores, for people."""
    return table[table.part == "score"].drop(columns=["part", "x"]).round(3)


def plot(table: pd.DataFrame) -> Figure:
    """Responses to the filtered stimulus of the cell with many hidden neurons; scores against the size of the network."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    most = table.cell.max()
    looks = {
        "true": ("cell", "k", "o"),
        "refined": ("network", "C0", "-"),
        "neuron": ("single neuron", "C1", "-"),
    }
    for model, (label, colour, style) in looks.items():
        rows = table[(table.part == "response") & (table.cell == most) & (table.model == model)]
        label = f"network of {rows.n_hidden.iloc[0]}, refined" if model == "refined" else label
        left.errorbar(rows.x, rows.value, rows.se, fmt=style, ms=4, color=colour, label=label)
    left.set(xlabel="filtered stimulus", ylabel="probability of a spike", ylim=(0, None))
    left.set_title(f"cell of {most} + {most} hidden neurons", fontsize="medium")
    left.legend(frameon=False, fontsize="small")
    scores = table[table.part == "score"]
    for colour, (each, mine) in zip(("C2", "C0"), scores.groupby("cell"), strict=False):
        networks, fine = (mine[mine.model == name].sort_values("n_hidden") for name in ("network", "refined"))
        true, label = mine[mine.model == "true"].iloc[0], f"cell of {each} + {each}"
        right.errorbar(
            networks.n_hidden, networks.value, networks.se, fmt="o-", color=colour, ms=4, label=label
        )
        right.errorbar(fine.n_hidden, fine.value, fine.se, fmt="s-", color=colour, ms=5)
        right.plot(networks.n_hidden, networks.bound, "o:", mfc="none", color=colour, ms=4)
        right.axhline(true.value, color=colour, lw=0.8, ls="--")
    right.plot([], [], "ks-", ms=5, label="refined")
    right.plot([], [], "ko:", mfc="none", ms=4, label="bounds, not refined")
    right.plot([], [], "k--", lw=0.8, label="true models")
    right.set_xscale("log", base=2)
    right.set_xticks(sorted(scores[scores.model == "network"].n_hidden.unique()), minor=False)
    right.xaxis.set_major_formatter("{x:.0f}")
    right.set(xlabel="hidden neurons fitted", ylabel="held-out bits per spike", ylim=(0, None))
    right.legend(frameon=False, fontsize="small", loc="lower right")
    return figure
