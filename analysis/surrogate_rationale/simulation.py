"""Simulations and measurements of the study `surrogate_rationale`."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import nsnn_neuro as nsnn
from nsnn_neuro import reference

from ..harness import Progress, quiet
from ..shared.surrogate_rules import SURROGATES, backpropagation, deterministic
from .config import BETA, BIAS, DRIVE, SIGMA, THETA, Config

COLUMNS = ["part", "case", "reset", "x", "sigma", "synapses", "weight", "value", "exact", "se"]


@dataclasses.dataclass(frozen=True)
class _Loss:
    """A loss of the output spikes and its slope."""

    value: Callable[[np.ndarray], Any]
    slope: Callable[[np.ndarray], np.ndarray]

    def __call__(self, o: list[np.ndarray]) -> float:
        return float(self.value(o[-1]))

    def gradient(self, o: list[np.ndarray]) -> list[np.ndarray]:
        return [*(0 * a for a in o[:-1]), self.slope(o[-1])]


_SUM = _Loss(np.sum, np.ones_like)


def run(config: Config, out: Path | None = None, progress: Progress = quiet) -> pd.DataFrame:
    """One row per comparison of `value` and `exact`; the column `part` is one of

    - density, slope: f at x against the surrogate, and against the slope of F
    - gradient: largest difference between the gradients of NDL and of the surrogate, over the largest component
    - text: number of lines in which the Brian2 code of the two rules differs
    - depth, reset: mean gradient of NDL and exact gradient
    - limit: fraction of differing spikes at a width (column `sigma`), with its standard error over trials
    """
    rows: list[dict[str, Any]] = []
    progress("densities and gradients along the same spikes")
    rows += _densities(config)
    rows += _gradients(config)
    progress("bias by enumeration")
    rows += _depth(config)
    rows += _reset(config)
    progress("deterministic limit")
    rows += _limit(config)
    return pd.DataFrame(rows, columns=COLUMNS)


def _width(config: Config) -> float:
    return 1.1 if config.sabotage == "another density" else 1.0


def _densities(config: Config) -> Iterator[dict[str, Any]]:
    h = 1e-3
    for name, surrogate in SURROGATES.items():
        family, parameter = surrogate.family(_width(config)), surrogate.parameter(1.0)
        x = np.linspace(-3, 3, config.points)
        ahead = [(family.cdf(x + k * h) - family.cdf(x - k * h)) / (2 * k * h) for k in (1, 2)]
        slope = (4 * ahead[0] - ahead[1]) / 3
        for part, exact in (("density", surrogate.formula(x, parameter)), ("slope", slope)):
            for at, value, against in zip(x, family.pdf(x), exact, strict=True):
                yield {"part": part, "case": name, "x": at, "value": value, "exact": against}


def network(config: Config) -> tuple[list[np.ndarray], np.ndarray]:
    """Weights of two layers that fire, and sparse graded input, (trials, steps, inputs)."""
    rng = np.random.default_rng(config.seed)
    sizes = config.sizes
    W = [rng.normal(0.4, 1.3, (a, b)) / np.sqrt(a) for a, b in itertools.pairwise(sizes)]
    shape = (config.trials, config.steps, sizes[0])
    return W, rng.random(shape) * (rng.random(shape) < 0.6)


def _gradients(config: Config) -> Iterator[dict[str, Any]]:
    W, x = network(config)
    aim = np.random.default_rng([config.seed, 1]).random((config.steps, config.sizes[-1]))
    distance = _Loss(lambda o: 0.5 * ((o - aim) ** 2).sum(), lambda o: o - aim)
    for reset in ("hard", "subtract"):
        neuron: dict[str, Any] = {"beta": 0.8, "theta": THETA, "reset": reset}
        u, o = ([a[0] for a in states] for states in deterministic(W, x[:1], **neuron))
        for name, surrogate in SURROGATES.items():
            family, parameter = surrogate.family(_width(config)), surrogate.parameter(1.0)
            gradients = reference.ndl(W, x[0], o, distance, family, **neuron)
            psi = [surrogate.formula(a - THETA, parameter) for a in u]
            exact = backpropagation(W, x[0], u, o, psi, o[-1] - aim, **neuron)
            off = max(np.abs(a - b).max() / np.abs(b).max() for a, b in zip(gradients, exact, strict=True))
            yield {"part": "gradient", "case": name, "reset": reset, "value": off, "exact": 0.0}
            texts = [
                str(rule).splitlines()
                for rule in (
                    nsnn.NDL(0.1).text(noise=family, reset=reset),
                    nsnn.SurrogateGradient(family, 0.1).text(reset=reset),
                )
            ]
            differing = len(set(texts[0]) ^ set(texts[1]))
            yield {"part": "text", "case": name, "reset": reset, "value": float(differing), "exact": 0.0}


def _expected(W: list[np.ndarray], x: np.ndarray, family: nsnn.Family, **options: Any) -> tuple[float, float]:
    """Mean gradient of NDL over all spike patterns, and exact gradient, of the first weight."""
    neuron = {name: value for name, value in options.items() if name != "reset_path"}
    patterns = reference.patterns(W, len(x))
    p = reference.probability(W, x, patterns, family, **neuron)
    gradients = reference.ndl(W, x, patterns, _SUM, family, **options)[0]
    exact = reference.enumerate(W, x, _SUM, family, **neuron)[1][0]
    return float(p @ gradients[:, 0, 0]), float(exact[0, 0])


def _depth(config: Config) -> Iterator[dict[str, Any]]:
    settings = [("noise", sigma, 1, 1.0) for sigma in config.sigmas]
    settings += [("shared", s, n, 1 / n) for s in (min(config.sigmas), SIGMA) for n in config.synapses]
    settings += [("weaker", SIGMA, 1, weight) for weight in config.weights]
    for case, sigma, n, weight in settings:
        W = [np.full((1, n), DRIVE), np.full((n, 1), weight)]
        # an output bias of .5 is a threshold of .5
        value, exact = _expected(
            W, np.ones((1, 1)), nsnn.Gaussian(sigma), beta=BETA, theta=[THETA, THETA - BIAS], reset="hard"
        )
        yield {
            "part": "depth", "case": case, "sigma": sigma, "synapses": n, "weight": weight, "value": value, "exact": exact,
        }  # fmt: skip


def _reset(config: Config) -> Iterator[dict[str, Any]]:
    for path in ("exact", "detached"):
        for sigma in config.sigmas:
            if sigma < SIGMA:
                continue
            value, exact = _expected(
                [np.full((1, 1), DRIVE)], np.ones((2, 1)), nsnn.Gaussian(sigma),
                beta=BETA, theta=THETA, reset="hard", reset_path=path,
            )  # fmt: skip
            yield {
                "part": "reset", "case": path, "reset": "hard", "sigma": sigma, "weight": BETA * DRIVE,
                "value": value, "exact": exact,
            }  # fmt: skip


def _limit(config: Config) -> Iterator[dict[str, Any]]:
    W, x = network(config)
    for reset in ("hard", "subtract"):
        neuron: dict[str, Any] = {"beta": 0.8, "theta": THETA, "reset": reset}
        _, exact = deterministic(W, x, **neuron)
        for name, surrogate in SURROGATES.items():
            for k, width in enumerate(config.widths):
                _, spikes = reference.forward(W, x, surrogate.family(width), seed=config.seed + k, **neuron)
                differ = [(a != b).reshape(len(x), -1) for a, b in zip(spikes, exact, strict=True)]
                fraction = np.concatenate(differ, axis=1).mean(axis=1)
                se = float(fraction.std(ddof=1) / np.sqrt(len(fraction)))
                yield {
                    "part": "limit", "case": name, "reset": reset, "sigma": width, "value": float(fraction.mean()), "exact": 0.0,
                    "se": se,
                }  # fmt: skip
