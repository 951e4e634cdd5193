"""Where surrogate gradients come from: each is the learning rule of a neuron with the noise whose density it is.

A deterministic neuron's spike has no derivative, so a surrogate is put in its place. A noisy neuron needs none: its spike has the
probability F(u - theta), whose derivative, the noise's density f, is the middle factor of noise-driven learning (NDL). Four parts:

- six densities against the surrogates in use elsewhere, written with their own parameters, and against the slope of F
- NDL's gradient along the spikes of a deterministic two-layer network against backpropagation with those surrogates
- what the rule costs: its mean over all spike patterns against the exact gradient of the expected loss, by enumeration. In depth,
  an input weight .8 onto hidden neurons that share the weight 1 to an output of bias .5, thresholds 1, one step, Gaussian noise,
  the loss its spike; through the reset, two steps of one neuron with the drive .8
- the noisy network's spikes against those of the deterministic one, as the noise goes to 0

`width` is 1 / f(0), so that families can be compared; all else is dimensionless too.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

import nsnn_neuro as nsnn
from nsnn_neuro import reference

from ..harness import Claim, check, smaller
from ..shared.surrogate_rules import SURROGATES, backpropagation, deterministic
from .figures import draw_bias, draw_densities, draw_limit

CLAIM = "A surrogate gradient is the noise-driven rule of a neuron with that noise; its bias in depth vanishes with weight / sigma"
PAPER = "Noise-driven learning contains surrogate gradients and explains them"
SABOTAGES = {"another density": "NDL has the density of noise that is a tenth wider than the surrogate"}
PUBLISHED = {
    0.1: (1.487e-5, 8),
    0.2: (0.088744, 6),
    0.4: (0.578956, 6),
    0.8: (0.876444, 6),
    1.6: (0.967870, 6),
}
"""sigma -> NDL / exact gradient of one hidden neuron, computed independently, and its decimals"""
COLUMNS = ["part", "case", "reset", "x", "sigma", "synapses", "weight", "value", "exact", "se"]
SAME, SLOPE = 1e-12, 1e-9
DRIVE, BIAS, THETA, BETA = 0.8, 0.5, 1.0, 0.5
SIGMA = 0.4  # where the weight is varied


@dataclasses.dataclass(frozen=True)
class Config:
    """Everything that decides a run."""

    seed: int = 1
    quick: bool = False
    sabotage: str = ""
    points: int = 60
    """distances to threshold in -3 to 3 widths; none of them at a kink or an edge"""
    sigmas: tuple[float, ...] = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8)
    synapses: tuple[int, ...] = (1, 2, 4, 8, 16)
    weights: tuple[float, ...] = tuple(2.0**-k for k in range(11))
    widths: tuple[float, ...] = tuple(10.0**-k for k in (0, 0.5, 1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 12))
    sizes: tuple[int, ...] = (20, 20, 10)
    """inputs and the neurons of two layers, of the deterministic limit"""
    steps: int = 200
    trials: int = 20

    def __post_init__(self) -> None:
        smaller(self, synapses=(1, 2, 4, 8), widths=(1.0, 0.1, 0.01, 1e-4, 1e-12), steps=100, trials=10)


class _Sum:
    """The loss: the sum of a layer's spikes."""

    def __call__(self, o: list[np.ndarray]) -> float:
        return float(o[-1].sum())

    def gradient(self, o: list[np.ndarray]) -> list[np.ndarray]:
        return [*(0 * a for a in o[:-1]), np.ones_like(o[-1])]


class _Distance:
    """The loss: half the squared distance of the last layer's spikes from an aim."""

    def __init__(self, aim: np.ndarray) -> None:
        self.aim = aim

    def __call__(self, o: list[np.ndarray]) -> float:
        return float(0.5 * ((o[-1] - self.aim) ** 2).sum())

    def gradient(self, o: list[np.ndarray]) -> list[np.ndarray]:
        return [*(0 * a for a in o[:-1]), o[-1] - self.aim]


def run(
    config: Config, out: Path | None = None, progress: Callable[[str], None] = lambda text: None
) -> pd.DataFrame:
    """One row for each number and what it is held against, `value` and `exact`; `part` says which:

    - density, slope: f at x against the surrogate, and against the slope of F
    - gradient: NDL's, its largest difference from the surrogate's over the largest component; text: lines in which the Brian2 texts
      of the two rules differ
    - depth, reset: NDL's mean and the exact gradient
    - limit: fraction of differing spikes at a width (in `sigma`), its standard error over trials
    """
    rows: list[dict[str, Any]] = []
    progress("densities, gradients along the same spikes")
    rows += _densities(config)
    rows += _gradients(config)
    progress("bias by enumeration")
    rows += _depth(config)
    rows += _reset(config)
    progress("limit of no noise")
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
    """Weights of two layers that fire, and sparse graded input (trials, steps, inputs)."""
    rng = np.random.default_rng(config.seed)
    sizes = config.sizes
    W = [rng.normal(0.4, 1.3, (a, b)) / np.sqrt(a) for a, b in itertools.pairwise(sizes)]
    shape = (config.trials, config.steps, sizes[0])
    return W, rng.random(shape) * (rng.random(shape) < 0.6)


def _gradients(config: Config) -> Iterator[dict[str, Any]]:
    W, x = network(config)
    aim = np.random.default_rng([config.seed, 1]).random((config.steps, config.sizes[-1]))
    for reset in ("hard", "subtract"):
        neuron: dict[str, Any] = {"beta": 0.8, "theta": THETA, "reset": reset}
        u, o = ([a[0] for a in states] for states in deterministic(W, x[:1], **neuron))
        for name, surrogate in SURROGATES.items():
            family, parameter = surrogate.family(_width(config)), surrogate.parameter(1.0)
            found = reference.ndl(W, x[0], o, _Distance(aim), family, **neuron)
            psi = [surrogate.formula(a - THETA, parameter) for a in u]
            exact = backpropagation(W, x[0], u, o, psi, o[-1] - aim, **neuron)
            off = max(np.abs(a - b).max() / np.abs(b).max() for a, b in zip(found, exact, strict=True))
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
    """NDL's mean over all spike patterns and the exact gradient, of the first weight."""
    neuron = {name: value for name, value in options.items() if name != "reset_path"}
    patterns = reference.patterns(W, len(x))
    p = reference.probability(W, x, patterns, family, **neuron)
    found = reference.ndl(W, x, patterns, _Sum(), family, **options)[0]
    exact = reference.enumerate(W, x, _Sum(), family, **neuron)[1][0]
    return float(p @ found[:, 0, 0]), float(exact[0, 0])


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
                _, found = reference.forward(W, x, surrogate.family(width), seed=config.seed + k, **neuron)
                differ = [(a != b).reshape(len(x), -1) for a, b in zip(found, exact, strict=True)]
                fraction = np.concatenate(differ, axis=1).mean(axis=1)
                se = float(fraction.std(ddof=1) / np.sqrt(len(fraction)))
                yield {
                    "part": "limit", "case": name, "reset": reset, "sigma": width, "value": float(fraction.mean()), "exact": 0.0,
                    "se": se,
                }  # fmt: skip


def _relative(rows: pd.DataFrame) -> pd.Series:
    """Largest relative difference of value and exact, by case."""
    apart = (rows.value - rows.exact).abs()
    scale = rows.exact.abs().where(rows.exact != 0, rows.exact.abs().max())
    return (apart / scale).groupby(rows.case, sort=False).max()


def _each(numbers: pd.Series) -> str:
    return ", ".join(f"{name} {number:.1e}" for name, number in numbers.items())


def _bias(rows: pd.DataFrame, by: str, ascending: bool) -> tuple[np.ndarray, np.ndarray]:
    """Values of a column in order, and NDL / exact - 1."""
    rows = rows.sort_values(by, ascending=ascending)
    return rows[by].to_numpy(), (rows.value / rows.exact - 1).to_numpy()


def _falls(bias: np.ndarray) -> bool:
    return bool((np.diff(np.abs(bias)) < 0).all())


def _order(x: np.ndarray, y: np.ndarray) -> float:
    """d log |y| / d log x between the last two points."""
    return float(np.log(np.abs(y[-1] / y[-2])) / np.log(x[-1] / x[-2]))


def claims(table: pd.DataFrame) -> list[Claim]:
    """The study's claims with their evidence."""
    return [*_claims_of_the_rule(table), *_claims_of_bias(table), *_claims_of_the_limit(table)]


def _claims_of_the_rule(table: pd.DataFrame) -> list[Claim]:
    same = _relative(table[table.part == "density"])
    slope = _relative(table[(table.part == "slope") & (table.x.abs() < 1)])
    gradient = table[table.part == "gradient"].groupby("case", sort=False).value.max()
    text = table[table.part == "text"]
    return [
        Claim(
            f"each of the six families' densities is a surrogate gradient in use, to {SAME:g} of its value",
            len(same) == len(SURROGATES) and bool((same < SAME).all()),
            "largest relative difference within 3 widths of threshold: " + _each(same),
        ),
        Claim(
            f"each is the slope of its neuron's probability of a spike, to {SLOPE:g} of its value",
            len(slope) == len(SURROGATES) and bool((slope < SLOPE).all()),
            "largest relative difference within a width: " + _each(slope),
        ),
        Claim(
            f"along the same spikes NDL's gradient is backpropagation with the surrogate, two layers, both resets, to {SAME:g}",
            len(gradient) == len(SURROGATES) and bool((gradient < SAME).all()),
            "largest difference over the largest component: " + _each(gradient),
        ),
        Claim(
            "the two rules are one text in Brian2, six families and both resets",
            len(text) == 2 * len(SURROGATES) and bool((text.value == 0).all()),
            f"{int((text.value > 0).sum())} of {len(text)} texts differ",
        ),
    ]


def _claims_of_bias(table: pd.DataFrame) -> list[Claim]:
    depth, reset = table[table.part == "depth"], table[table.part == "reset"]
    sigma, noise = _bias(depth[depth.case == "noise"], "sigma", True)
    ratio = dict(zip(sigma.tolist(), (1 + noise).tolist(), strict=True))
    weight, weaker = _bias(depth[depth.case == "weaker"], "weight", False)
    shared = depth[depth.case == "shared"]
    synapses, many = _bias(shared[shared.sigma == SIGMA], "synapses", True)
    least = shared.sigma.min()
    few = _bias(shared[shared.sigma == least], "synapses", True)[1]
    family = nsnn.Gaussian(SIGMA)
    first = float((family.cdf(DRIVE - THETA) - 0.5) * BIAS / SIGMA**2)  # (p - 1/2) f' / f at -BIAS
    through = {path: _bias(reset[reset.case == path], "sigma", True) for path in ("exact", "detached")}
    at = {path: float(bias[through[path][0] == SIGMA][0]) for path, (_, bias) in through.items()}
    orders = {path: _order(*through[path]) for path in through}
    return [
        Claim(
            "one hidden, one output neuron: NDL / exact gradient is as computed independently, to the printed digits",
            all(round(ratio[s], digits) == number for s, (number, digits) in PUBLISHED.items()),
            "; ".join(f"sigma {s:g}: {ratio[s]:.6g}" for s in PUBLISHED),
        ),
        Claim(
            "the bias falls at each doubling of sigma, with the square of weight / sigma in the end",
            _falls(noise) and abs(_order(1 / sigma, noise) - 2) < 0.02,
            f"{100 * noise[0]:.1f} % at sigma {sigma[0]:g}, {100 * noise[-1]:.2f} % at {sigma[-1]:g}; "
            f"order {_order(1 / sigma, noise):.3f}",
        ),
        Claim(
            "it falls with each halving of the weight, in proportion to it in the end: (p - 1/2) f'/f times the weight",
            _falls(weaker) and bool(abs(weaker[-1] / weight[-1] / first - 1) < 0.01),
            f"{100 * weaker[0]:.1f} % at weight {weight[0]:g}, {100 * weaker[-1]:.3f} % at {weight[-1]:.2g}; "
            f"bias / weight {weaker[-1] / weight[-1]:.4f}, predicted {first:.4f}",
        ),
        Claim(
            "it falls with each doubling of the synapses that share the weight, in proportion to a synapse's share in the end",
            _falls(many) and abs(_order(1 / synapses, many) - 1) < 0.06,
            ", ".join(f"{n:g}: {100 * b:.1f} %" for n, b in zip(synapses, many, strict=True))
            + f"; order {_order(1 / synapses, many):.3f}, sigma {SIGMA:g}",
        ),
        Claim(
            f"sharing is no cure where all of them together are strong: at sigma {least:g} more than half the gradient stays lost",
            bool((few < -0.5).all()),
            ", ".join(f"{n:g}: {100 * b:.0f} %" for n, b in zip(synapses, few, strict=True)),
            central=False,
        ),
        Claim(
            "through the reset, two steps: 1.6 % at sigma .4, of order 3 in 1 / sigma; with the path left out 20 %, of order 1",
            abs(at["exact"] - 0.0157) < 1e-4
            and abs(at["detached"] - 0.1951) < 1e-4
            and abs(orders["exact"] + 3) < 0.06
            and abs(orders["detached"] + 1) < 0.06,
            "; ".join(f"{path}: {100 * at[path]:.2f} %, order {orders[path]:.3f}" for path in at),
        ),
    ]


def _largest_rise(values: np.ndarray, errors: np.ndarray) -> float:
    """In standard errors, from one value to the next."""
    return float(np.max(np.diff(values) / np.maximum(np.hypot(errors[1:], errors[:-1]), 1e-12)))


def _claims_of_the_limit(table: pd.DataFrame) -> list[Claim]:
    limit = table[table.part == "limit"].sort_values("sigma", ascending=False)
    curves = [group for _, group in limit.groupby(["case", "reset"], sort=False)]
    rises = [_largest_rise(c.value.to_numpy(), c.se.to_numpy()) for c in curves]
    widest, least = limit[limit.sigma == limit.sigma.max()], limit[limit.sigma == limit.sigma.min()]
    return [
        Claim(
            "with ever less noise the spikes become those of the deterministic neuron, all of them in the end",
            len(curves) == 2 * len(SURROGATES)
            and bool((least.value == 0).all() and (widest.value > 0.1).all())
            and max(rises) < 4,
            f"{100 * widest.value.min():.0f} to {100 * widest.value.max():.0f} % differ at width {widest.sigma.iloc[0]:g}, "
            f"{int((least.value > 0).sum())} of {len(least)} networks differ at {least.sigma.iloc[0]:g}; "
            f"largest rise in between {max(0.0, *rises):.1f} standard errors",
        ),
    ]


def verify(table: pd.DataFrame) -> None:
    """Raise `ClaimFailed` when one of the claims doesn't hold."""
    check(claims(table))


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """The families: which surrogate each is, and how closely."""
    same = _relative(table[table.part == "density"])
    gradient = table[table.part == "gradient"].groupby("case").value.max()
    limit = table[table.part == "limit"].groupby(["case", "sigma"]).value.mean()
    return pd.DataFrame(
        {
            "family": list(SURROGATES),
            "surrogate": [surrogate.name for surrogate in SURROGATES.values()],
            "density differs by": [f"{same[name]:.0e}" for name in SURROGATES],
            "gradient differs by": [f"{gradient[name]:.0e}" for name in SURROGATES],
            "spikes that differ at width 0.01 (%)": [f"{100 * limit[name, 0.01]:.2f}" for name in SURROGATES],
        }
    )


def tables(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The bias, number by number."""
    depth = table[table.part == "depth"]
    reset = table[table.part == "reset"]
    titles = {
        "noise": "What varies: sigma",
        "shared": "synapses that share the weight",
        "weaker": "the weight",
    }
    return {
        "Bias in depth": pd.DataFrame(
            {
                "what varies": depth.case.map(titles),
                "sigma": depth.sigma.map("{:g}".format),
                "synapses": depth.synapses.astype(int),
                "weight of each": depth.weight.map("{:.4g}".format),
                "NDL": depth.value.map("{:.6g}".format),
                "exact": depth.exact.map("{:.6g}".format),
                "NDL / exact": (depth.value / depth.exact).map("{:.6g}".format),
            }
        ),
        "Bias through the reset": pd.DataFrame(
            {
                "path through the reset": reset.case,
                "sigma": reset.sigma.map("{:g}".format),
                "NDL": reset.value.map("{:.6g}".format),
                "exact": reset.exact.map("{:.6g}".format),
                "bias (%)": (100 * (reset.value / reset.exact - 1)).map("{:.4g}".format),
            }
        ),
    }


def plot(table: pd.DataFrame) -> Figure:
    """Densities and surrogates; bias against weight / sigma; spikes that differ from the deterministic network's."""
    figure = Figure(figsize=(13, 4.2), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    draw_densities(left, table)
    draw_bias(middle, table, SIGMA)
    draw_limit(right, table)
    return figure


def plot_bias(table: pd.DataFrame) -> Figure:
    """The bias alone."""
    figure = Figure(figsize=(5.6, 4.2), layout="constrained")
    draw_bias(figure.subplots(), table, SIGMA)
    return figure


def figures(table: pd.DataFrame) -> dict[str, Figure]:
    """The three panels; the bias alone."""
    return {
        f"{CLAIM}. Left: the families' densities (lines) and the surrogates (dots). Middle: bias of noise-driven learning. Right: "
        "spikes of a noisy network that differ from those of the same network without noise.": plot(table),
        "Bias of noise-driven learning against what one spike moves a membrane by, in units of sigma.": plot_bias(
            table
        ),
    }
