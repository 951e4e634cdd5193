"""Two-layer networks fitted to the spikes of a cell with a non-monotonic response to its stimulus.

The cell fires if the filtered stimulus (Gaussian white noise through four cosine bumps) deviates from 0 in either direction. It
has hidden noisy neurons with a filter, as many with the opposite filter, and equal weights to the output. There are two cells:
one hidden neuron of each sign with weight 1 (theta 1, sigma .4), and eight of each sign with weight 1/8. Networks of several sizes
(`fit_network`) and a single neuron (`fit_neuron`) with a free history of three steps are fitted. Scores are held-out bits per
spike relative to a constant probability, by a particle filter. `bound` is the mean log-likelihood given the hidden spikes, which
is the objective of the fit. Refined fits continue with the likelihood itself (`Training(refine=20)`).
"""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path
from typing import Any, ClassVar

import neo
import numpy as np
import pandas as pd
import quantities as pq
from matplotlib.figure import Figure

import nsnn_neuro as nsnn
from nsnn_neuro.likelihood import NetworkModel, RaisedCosines, Training

from .harness import Claim, Progress, StudyConfig, quiet, secondary
from .shared.figures import BLACK, BLUE, GREEN, ORANGE, finish, log_axis, points
from .shared.tables import where

CLAIM = "Networks of sixteen hidden neurons learn a response that no single neuron has, to within a few per cent of its information"
SABOTAGES = {"another stimulus": "fits receive white noise that did not drive the cell"}
STEP = 1 * pq.ms
BASIS = RaisedCosines(4, 10 * pq.ms)
FILTER = np.array([0.6, 0.3, -0.5, -0.2])
NOISE = nsnn.Gaussian(0.4)
COLUMNS = ["part", "cell", "model", "n_hidden", "x", "value", "se", "bound", "lost", "lost_se", "cost"]
PARTS = 20  # segments of the test data, for standard errors of differences
BINS = np.linspace(-1.75, 1.75, 15)


@dataclasses.dataclass(frozen=True)
class Config(StudyConfig):
    """Configuration of a run."""

    cells: tuple[int, ...] = (1, 8)
    """hidden neurons per pathway of each cell"""
    n_hidden: tuple[int, ...] = (2, 4, 16)
    steps: int = 20_000
    """training steps of 1 ms"""
    test: int = 8_000
    """test steps"""
    epochs: int = 25
    refine: int = 20
    """epochs of refinement on the likelihood"""
    particles: int = 100

    QUICK: ClassVar[dict[str, Any]] = {"n_hidden": (2, 16), "refine": 4, "steps": 8_000, "test": 4_000}


def cell(each: int) -> tuple[NetworkModel, tuple[np.ndarray, np.ndarray]]:
    """The cell with `each` hidden neurons per pathway, and its weights."""
    columns = [np.append(-0.2, sign * FILTER) for sign in (1, -1) for _ in range(each)]
    model = NetworkModel(dt=STEP, stimulus=BASIS, n_hidden=2 * each, family=NOISE)
    return model, (np.stack(columns, axis=1), np.append(0.0, np.full(2 * each, 1 / each))[:, None])


def white(n: int, seed: Any) -> neo.AnalogSignal:
    """Gaussian white noise."""
    values = np.random.default_rng(seed).normal(size=n)
    return neo.AnalogSignal(values, units=pq.dimensionless, sampling_period=STEP)


def run(config: Config, out: Path | None = None, progress: Progress = quiet) -> pd.DataFrame:
    """Rows of part "score": value with se, bound, `lost` (true model minus fit) with its error, and `cost`, the mean loss of
    maximum likelihood from estimating the weights, weights / (2 spikes ln 2). Rows of part "response": spike probability against
    the filtered stimulus x."""
    rows: list[dict[str, Any]] = []
    signal, other = (white(n, [config.seed, k]) for k, n in enumerate((config.steps, config.test)))
    for each in config.cells:
        model, true = cell(each)
        shown = white(config.steps, [config.seed, 2]) if config.sabotage == "another stimulus" else signal
        block = model.simulate(true, signal, seed=config.seed)
        test = model.simulate(true, other, seed=config.seed + 1)
        data = model.data(test, other)
        drive = data.x[:, 1:] @ FILTER

        def evaluated(name: str, m: NetworkModel, weights: Any, each=each, data=data) -> dict[str, Any]:
            score, bound = (m.score(weights, data, particles=k) for k in (config.particles, 1))
            values = {"value": score.value, "se": score.se, "bound": bound.value}
            return score_row("score", each, name, m.n_hidden, **values)

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
                training=Training(epochs=config.epochs, refine=refine),
                seed=config.seed,
                engine="numpy",
            )
            logs = fit.model.log_likelihood(fit.weights, data, particles=config.particles)
            lost, error = bits_lost(reference - logs, data.o.sum())
            cost = sum(w.size for w in fit.weights) / (2 * fit.n_spikes * np.log(2))
            loss = {"lost": lost, "lost_se": error, "cost": cost}
            rows.append(evaluated(name, fit.model, fit.weights) | loss)
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
    """A difference in bits per spike, with its standard error over consecutive segments."""
    parts = np.array([part.sum() for part in np.array_split(nats, PARTS)]) / np.log(2) / n_spikes
    return float(parts.sum()), float(np.sqrt(PARTS) * parts.std(ddof=1))


def _response(each: int, model: str, n_hidden: int, drive: np.ndarray, o: np.ndarray) -> list[dict[str, Any]]:
    """Rows of the share of steps with a spike, in bins of the filtered stimulus."""
    rows = []
    for low, high in itertools.pairwise(BINS):
        here = o[(drive >= low) & (drive < high)]
        if len(here) > 10:
            p, x = here.mean(), 0.5 * (low + high)
            se = np.sqrt(p * (1 - p) / len(here))
            rows.append(score_row("response", each, model, n_hidden, x=x, value=p, se=se))
    return rows


def claims(table: pd.DataFrame) -> list[Claim]:
    """Claims for each cell with their evidence; then the secondary claims."""
    results: list[Claim] = []
    for each, own in table[table.part == "score"].groupby("cell"):
        true, neuron = (own[own.model == name].iloc[0] for name in ("true", "neuron"))
        networks = own[own.model == "network"].sort_values("n_hidden")
        few, many = networks.iloc[0], networks.iloc[-1]
        fine = where(own, model="refined", n_hidden=many.n_hidden).iloc[0]
        name = f"cell of {each} + {each} hidden neurons"
        lost = {
            label: f"{fit.lost:.3f} ± {fit.lost_se:.3f}"
            for label, fit in (("few", few), ("many", many), ("fine", fine))
        }
        results += [
            Claim(
                f"{name}: a network of {many.n_hidden} predicts it better than a single neuron, by 4 standard errors",
                many.value - neuron.value > 4 * np.hypot(many.se, neuron.se),
                f"{many.value:.3f} ± {many.se:.3f} and {neuron.value:.3f} ± {neuron.se:.3f} bits per spike",
            ),
            Claim(
                f"{name}: a network of {many.n_hidden} reaches 90 % of the score of the true model",
                many.value - 2 * many.lost_se > 0.9 * true.value,
                f"{many.value:.3f} of {true.value:.3f} bits per spike, {lost['many']} fewer",
            ),
            Claim(
                f"{name}: refinement reduces the loss of the network of {many.n_hidden}, by 2 standard errors",
                many.lost - fine.lost > 2 * np.hypot(many.lost_se, fine.lost_se),
                f"{lost['many']} and {lost['fine']} bits per spike",
            ),
            Claim(
                f"{name}: the loss of the refined network is no larger than the cost of estimating its weights, to 2 "
                "standard errors",
                fine.lost - fine.cost < 2 * fine.lost_se,
                f"{lost['fine']} bits per spike; cost {fine.cost:.3f}",
            ),
            secondary(
                f"{name}: the refined network of {many.n_hidden} is as good as the true model, to 2 standard errors",
                fine.lost < 2 * fine.lost_se,
                f"{lost['fine']} bits per spike lost",
            ),
            secondary(
                f"{name}: the network of {many.n_hidden} without refinement is as good as the true model, to 2 standard errors",
                many.lost < 2 * many.lost_se,
                f"{lost['many']} bits per spike lost",
            ),
        ]
        if each > 1:
            continue
        results += [
            Claim(
                f"{name}: the bound of the true model is below 60 % of its score",
                true.bound < 0.6 * true.value,
                f"{true.bound:.3f} and {true.value:.3f} bits per spike",
            ),
            Claim(
                f"{name}: a network of {few.n_hidden}, the true size, loses more than one of {many.n_hidden}, by 4 standard errors",
                few.lost - many.lost > 4 * np.hypot(few.lost_se, many.lost_se),
                f"{lost['few']} and {lost['many']} bits per spike",
            ),
            secondary(
                f"{name}: a network of {few.n_hidden} does not reach half of the score of the true model",
                few.value + 2 * few.lost_se < 0.5 * true.value,
                f"{few.value:.3f} of {true.value:.3f} bits per spike",
            ),
        ]
    return sorted(results, key=lambda claim: not claim.central)


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Scores of all models."""
    return table[table.part == "score"].drop(columns=["part", "x"]).round(3)


def plot(table: pd.DataFrame) -> Figure:
    """Responses of the larger cell to the filtered stimulus; scores against network size. Bars: standard errors."""
    figure = Figure(figsize=(11, 3.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    most = table.cell.max()
    looks = {
        "true": ("cell", BLACK, "o"),
        "refined": ("network", BLUE, "-"),
        "neuron": ("single neuron", ORANGE, "-"),
    }
    for model, (label, colour, style) in looks.items():
        rows = where(table, part="response", cell=most, model=model)
        label = f"network of {rows.n_hidden.iloc[0]}, refined" if model == "refined" else label
        points(left, rows.x, rows.value, rows.se, fmt=style, color=colour, label=label)
    labels = {"xlabel": "filtered stimulus (SD of the white noise)", "ylabel": "spike probability per step"}
    finish(left, title=f"cell of {most} + {most} hidden neurons", ylim=(0, None), **labels)
    scores = table[table.part == "score"]
    for colour, (each, own) in zip((GREEN, BLUE), scores.groupby("cell"), strict=False):
        networks, fine = (own[own.model == name].sort_values("n_hidden") for name in ("network", "refined"))
        true, label = own[own.model == "true"].iloc[0], f"cell of {each} + {each}, before refinement"
        points(right, networks.n_hidden, networks.value, networks.se, fmt="o-", color=colour, label=label)
        points(right, fine.n_hidden, fine.value, fine.se, fmt="s-", color=colour)
        right.plot(networks.n_hidden, networks.bound, "o:", mfc="none", color=colour, ms=4)
        right.axhline(true.value, color=colour, lw=0.8, ls="--")
    right.plot([], [], "ks-", ms=5, label="refined fits")
    right.plot([], [], "ko:", mfc="none", ms=4, label="bounds, before refinement")
    right.plot([], [], "k--", lw=0.8, label="true models")
    log_axis(right, sorted(scores[scores.model == "network"].n_hidden.unique()))
    figure.supxlabel("bars: standard errors over test steps (left) and of the test score (right)", fontsize=8)
    place = {"loc": "center left", "bbox_to_anchor": (1, 0.5)}
    labels = {"xlabel": "hidden neurons of the fit", "ylabel": "held-out score (bits per spike)"}
    finish(right, legend=place, ylim=(0, None), **labels)
    return figure
