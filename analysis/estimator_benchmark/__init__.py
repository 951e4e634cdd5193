"""Which estimator of information, when: bias, spread and coverage against the number of trials, on channels of known information.

The information of each channel is an exact sum or a closed form:
- words: eight stimuli, binary words of six bins. Each stimulus has its own time course of firing, with refractoriness, so that of
  the 64 words some are common, many are rare and some all but never occur, as in recordings
- counts: eight stimuli, Poisson counts of mean 1 to 15
- words of each kind: eight stimuli, 6 to 10 binary bins, 20 and 50 trials of each; independent bins, refractory ones, a common gain
  of two or three states; with information and without. Fewer trials than most corrections need, as in recordings
- uniform, Zipf: the entropy of a flat and of a steep law over 100 symbols
- Gaussian: two normal variables of correlation .6; curve: y = x^2 + noise, which depends on x without any correlation
All estimators see the same repeats. Bias is the mean over repeats less the truth, coverage the fraction of repeats in which the
truth lies within two standard errors as the estimator gives them, or within the bracket where it gives one. Repeats in which it
gives no value, because none is possible, claim nothing and are counted apart. An estimator is in its regime where it returns no
warning, and where what it supposes of the law, which no sample tells, holds: a long tail for Chao and Shen, normal variables for
KSG and copula. `python -m analysis.estimator_benchmark` prints the words of each kind alone, as a table for the documentation.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy import integrate, stats

from nsnn_neuro import measures

from ..harness import Claim, check, smaller
from .words import KINDS, ON_WORDS, few_trials, shown, word_law

CLAIM = (
    "Four trials per response are enough for Panzeri and Treves' correction; without one, eight are not; with fewer, what 'auto' "
    "says holds"
)
SABOTAGES = {"stimuli shuffled": "words and counts are paired with stimuli that aren't theirs"}
ESTIMATORS = {
    "plugin": "#555555",
    "miller-madow": "#B0B0B0",
    "panzeri-treves": "#0072B2",
    "quadratic": "#56B4E9",
    "shuffle": "#009E73",
    "chao-shen": "#E69F00",
    "grassberger": "#F0C419",
    "best-upper-bound": "#CC79A7",
    "nsb": "#A8201A",
    "auto": "#000000",
    "ksg": "#0072B2",
    "gaussian-copula": "#D55E00",
}
DISCRETE = list(ESTIMATORS)[:9]
BINS, STIMULI, SYMBOLS = 6, 8, 100
FEWEST = {"ksg": 300, "gaussian-copula": 100}  # samples, of the Gaussian channel, as their docstrings say
FOUND = {"plugin": 5.82, "nsb": 6.54}  # bits, uniform law, a sample per symbol; to the printed digits
ROOM = 3.0  # standard errors of a fraction of repeats
ROUNDING = 1e-9


@dataclasses.dataclass(frozen=True)
class Config:
    """Everything that decides a run."""

    seed: int = 1
    quick: bool = False
    sabotage: str = ""
    repeats: int = 200
    per_response: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0, 8.0, 32.0)
    """trials per stimulus for each of the 64 words, and samples for each of the 100 symbols"""
    trials: tuple[int, ...] = (10, 20, 40, 80, 160, 640)
    """per stimulus, of the counts"""
    samples: tuple[int, ...] = (50, 100, 200, 500, 1000)
    """of the continuous channels"""
    bins: tuple[int, ...] = (6, 8, 10)
    """of the words of each kind"""
    few: tuple[int, ...] = (20, 50)
    """trials per stimulus of the words of each kind"""

    def __post_init__(self) -> None:
        smaller(
            self,
            repeats=40,
            per_response=(1.0, 4.0, 8.0),
            trials=(20, 80),
            samples=(100, 500),
            bins=(6, 10),
            few=(20,),
        )


class Channel(NamedTuple):
    """A channel's truth in bits, its sizes, and for each size the estimates by name of one repeat."""

    name: str
    truth: float
    sizes: tuple[int, ...]
    alphabet: int  # symbols that a size is shared by, 1 for continuous ones
    estimate: Callable[[int, np.random.Generator], Iterator[tuple[str, measures.Estimate]]]
    shown: bool = True  # in the figure


def _information(joint: np.ndarray) -> float:
    """I(S; R) in bits of a table of probabilities."""
    independent = joint.sum(1, keepdims=True) * joint.sum(0)
    seen = joint > 0
    return float((joint[seen] * np.log2(joint[seen] / independent[seen])).sum())


def words_channel(per_response: tuple[float, ...], *, shuffled: bool = False) -> Channel:
    """Binary words of six bins under eight stimuli; `shuffled`: each is told with a stimulus at random."""
    time, s = np.arange(BINS), np.arange(STIMULI)[:, None]
    fire = 0.03 + (0.2 + 0.06 * s) * np.exp(
        -0.5 * ((time - 0.7 * s) / 1.2) ** 2
    )  # without a spike just before
    words = np.array(np.meshgrid(*[[0, 1]] * BINS, indexing="ij")).reshape(BINS, -1).T
    before = np.column_stack([np.zeros(len(words), dtype=int), words[:, :-1]])
    chance = fire[:, None] * np.where(before, 0.2, 1.0)
    law = np.where(words, chance, 1 - chance).prod(axis=2)

    def estimate(trials: int, rng: np.random.Generator) -> Iterator[tuple[str, measures.Estimate]]:
        stimulus = np.repeat(np.arange(STIMULI), trials)
        response = np.concatenate([words[rng.choice(len(words), trials, p=p)] for p in law])
        response = rng.permutation(response) if shuffled else response
        for name in DISCRETE:
            yield name, _mutual(stimulus, response, name, len(words))

    sizes = tuple(round(x * len(words)) for x in per_response)
    return Channel("words", _information(law / STIMULI), sizes, len(words), estimate)


def kind_channel(
    kind: str, bins: int, trials: tuple[int, ...], *, informative: bool, shuffled: bool = False
) -> Channel:
    """Words of one kind, see `word_law`, or `shuffled` as words are."""
    words, law = word_law(kind, STIMULI, bins, informative=informative)

    def estimate(trials: int, rng: np.random.Generator) -> Iterator[tuple[str, measures.Estimate]]:
        stimulus = np.repeat(np.arange(STIMULI), trials)
        response = np.concatenate([words[rng.choice(len(words), trials, p=p)] for p in law])
        response = rng.permutation(response) if shuffled else response
        for name in ON_WORDS:
            yield name, _mutual(stimulus, response, name, len(words))

    name = f"{kind}, {bins} bins{'' if informative else ', no information'}"
    truth = max(0.0, _information(law / STIMULI))
    return Channel(name, truth, trials, len(words), estimate, shown=False)


def counts_channel(trials: tuple[int, ...], *, shuffled: bool = False) -> Channel:
    """Poisson counts under eight stimuli, or `shuffled` as words are."""
    mean, most = np.linspace(1, 15, STIMULI), 60
    law = stats.poisson.pmf(np.arange(most), mean[:, None])

    def estimate(trials: int, rng: np.random.Generator) -> Iterator[tuple[str, measures.Estimate]]:
        stimulus = np.repeat(np.arange(STIMULI), trials)
        response = rng.poisson(mean[rng.permutation(stimulus) if shuffled else stimulus])
        for name in DISCRETE:
            if name != "shuffle":  # that is for words
                yield name, _mutual(stimulus, response, name, 32)

    return Channel("counts", _information(law / STIMULI), trials, 24, estimate)


def _mutual(s: np.ndarray, r: np.ndarray, name: str, n_symbols: int) -> measures.Estimate:
    return measures.mutual_information(s, r, bias=name, n_shuffle=0, n_symbols=n_symbols)


def entropy_channel(name: str, law: np.ndarray, per_response: tuple[float, ...]) -> Channel:
    """Samples of one law over 100 symbols."""

    def estimate(n: int, rng: np.random.Generator) -> Iterator[tuple[str, measures.Estimate]]:
        x = rng.choice(law.size, n, p=law)
        for method in DISCRETE:
            if method != "shuffle":
                yield method, measures.entropy(x, method=method, n_symbols=law.size)

    sizes = tuple(round(x * law.size) for x in per_response)
    return Channel(name, float(-(law * np.log2(law)).sum()), sizes, law.size, estimate)


def _continuous(name: str, truth: float, sizes: tuple[int, ...], draw: Callable[..., Any]) -> Channel:
    def estimate(n: int, rng: np.random.Generator) -> Iterator[tuple[str, measures.Estimate]]:
        x, y = draw(n, rng)
        yield "ksg", measures.ksg(x, y, n_shuffle=0)
        yield "gaussian-copula", measures.gaussian_copula(x, y, n_shuffle=0)

    return Channel(name, truth, sizes, 1, estimate)


def gaussian_channel(sizes: tuple[int, ...], rho: float = 0.6) -> Channel:
    """Two normal variables of correlation rho."""

    def draw(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        x = rng.normal(size=n)
        return x, rho * x + np.sqrt(1 - rho**2) * rng.normal(size=n)

    return _continuous("Gaussian", float(-0.5 * np.log2(1 - rho**2)), sizes, draw)


def curve_channel(sizes: tuple[int, ...], noise: float = 0.5) -> Channel:
    """y = x^2 + noise: h(Y) by quadrature of its density, less h of the noise."""
    x = np.linspace(-9, 9, 4001)
    weight = stats.norm.pdf(x) * (x[1] - x[0])  # the trapezoidal rule is exact to rounding here

    def surprise(y: float) -> float:
        p = weight @ stats.norm.pdf(y, x**2, noise)
        return float(-p * np.log2(p)) if p > 0 else 0.0

    h = integrate.quad(surprise, -6 * noise, 60, limit=2000, points=[0, 1, 4, 10], epsabs=1e-7)[0]

    def draw(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        x = rng.normal(size=n)
        return x, x**2 + noise * rng.normal(size=n)

    return _continuous("curve", h - 0.5 * np.log2(2 * np.pi * math.e * noise**2), sizes, draw)


def channels(config: Config) -> list[Channel]:
    """All of them, at the sizes of the configuration."""
    shuffled = config.sabotage == "stimuli shuffled"
    zipf = 1 / np.arange(1, SYMBOLS + 1)
    return [
        words_channel(config.per_response, shuffled=shuffled),
        counts_channel(config.trials, shuffled=shuffled),
        entropy_channel("uniform", np.full(SYMBOLS, 1 / SYMBOLS), config.per_response),
        entropy_channel("Zipf", zipf / zipf.sum(), config.per_response),
        gaussian_channel(config.samples),
        curve_channel(config.samples),
        *(
            kind_channel(kind, bins, config.few, informative=informative, shuffled=shuffled)
            for kind in KINDS
            for informative in (True, False)
            for bins in config.bins
        ),
    ]


def run(
    config: Config, out: Path | None = None, progress: Callable[[str], None] = lambda text: None
) -> pd.DataFrame:
    """One row for each channel, size and estimator: truth, mean, SD and mean standard error over repeats, coverage, regime."""
    rows = []
    for number, channel in enumerate(channels(config)):
        rows += _rows(channel, number, config, progress)
    return pd.DataFrame(rows)


def _rows(
    channel: Channel, number: int, config: Config, progress: Callable[[str], None]
) -> list[dict[str, Any]]:
    rows = []
    for size in channel.sizes:
        progress(f"{channel.name}: {size} trials, {config.repeats} repeats")
        found: dict[str, list[measures.Estimate]] = {}
        for repeat in range(config.repeats):
            rng = np.random.default_rng([config.seed, number, size, repeat])
            for name, estimate in channel.estimate(size, rng):
                found.setdefault(name, []).append(estimate)
        rows += [_row(channel, size, name, estimates) for name, estimates in found.items()]
    return rows


def _row(channel: Channel, size: int, name: str, estimates: list[measures.Estimate]) -> dict[str, Any]:
    value = np.array([e.value for e in estimates])
    low, high = (
        np.array([e.value + k * e.se if end is None else end for e, end in ends])
        for k, ends in ((-2, [(e, e.lower) for e in estimates]), (2, [(e, e.upper) for e in estimates]))
    )
    said = np.isfinite(low)
    held = (low[said] <= channel.truth + ROUNDING) & (channel.truth - ROUNDING <= high[said])
    known = value[np.isfinite(value)]
    return {
        "channel": channel.name,
        "estimator": name,
        "trials": size,
        "per response": size / channel.alphabet,
        "truth": channel.truth,
        "mean": known.mean() if known.size else math.nan,
        "sd": known.std(ddof=1) if known.size > 1 else math.nan,
        "se": (high[said] - low[said]).mean() / 4 if said.any() else math.nan,
        "lower": low[said].mean() if said.any() else math.nan,
        "upper": high[said].mean() if said.any() else math.nan,
        "coverage": float(held.mean()) if said.any() else 1.0,
        "without value": float(np.mean(np.isnan(value))),
        "warned": float(np.mean([e.warning is not None for e in estimates])),
        "in regime": _in_regime(channel.name, name, size, estimates),
        "repeats": len(estimates),
    }


def _in_regime(channel: str, name: str, size: int, estimates: list[measures.Estimate]) -> bool:
    if name in FEWEST:
        return channel == "Gaussian" and size >= FEWEST[name]
    if name == "auto":
        return True  # it says how far it can be trusted in every regime
    supposed = name != "chao-shen" or channel != "uniform"
    return supposed and not any(e.warning for e in estimates)


def claims(table: pd.DataFrame) -> list[Claim]:
    """The study's claims with their evidence."""
    bias = (table["mean"] - table.truth).rename("bias")
    at = table.assign(bias=bias).set_index(["channel", "estimator", "per response"]).bias
    inside = table[table["in regime"]]
    room = ROOM * np.sqrt(0.9 * 0.1 / inside.repeats)
    covered = inside.groupby("estimator").coverage
    mean, least = covered.mean(), covered.min()
    flat = table[(table.channel == "uniform") & (table.trials == SYMBOLS)].set_index("estimator")
    error = flat.sd / np.sqrt(flat.repeats)
    curve = table[(table.channel == "curve") & (table.trials == table.trials[table.channel == "curve"].max())]
    curve = curve.set_index("estimator")
    found = curve["mean"] / curve.truth
    four = {name: float(at["words", name, 4.0]) for name in ("panzeri-treves", "miller-madow", "plugin")}
    eight = float(at["words", "plugin", 8.0])
    return [
        Claim(
            "words, four trials per response: Panzeri-Treves is within .02 bit of the truth",
            bool(abs(four["panzeri-treves"]) < 0.02),
            f"{four['panzeri-treves']:+.4f} bit; counting only the words that were seen {four['miller-madow']:+.4f}",
        ),
        Claim(
            "words, eight trials per response: the plug-in is still more than .02 bit too high",
            eight > 0.02,
            f"{eight:+.4f} bit; at four {four['plugin']:+.4f}",
        ),
        Claim(
            f"every estimator, channel and size in the regime: the truth is within two standard errors in 90 % of the repeats, "
            f"less {ROOM:g} standard errors of that fraction",
            bool((inside.coverage >= 0.9 - room).all()),
            "; ".join(
                f"{name} {100 * mean[name]:.0f} % (worst channel and size {100 * least[name]:.0f} %)"
                for name in mean.index
            ),
        ),
        _few_trials(table),
        Claim(
            "uniform law, one sample per symbol: plug-in 5.82, NSB 6.54 bit, as found independently (truth 6.644), |z| < 4",
            all(abs(flat["mean"][x] - number) < 0.005 + 4 * error[x] for x, number in FOUND.items()),
            "; ".join(f"{x} {flat['mean'][x]:.3f}, SD {flat.sd[x]:.2f}" for x in FOUND),
        ),
        Claim(
            "a curve without correlation: KSG finds nine tenths of it or more, the Gaussian copula less than one",
            bool(found["ksg"] > 0.9 and found["gaussian-copula"] < 0.1),
            f"KSG {100 * found['ksg']:.1f} %, copula {100 * found['gaussian-copula']:.1f} % of {curve.truth.iloc[0]:.3f} bit",
        ),
    ]


def _few_trials(table: pd.DataFrame) -> Claim:
    rows = table[~table.channel.isin(shown(table)) & (table.estimator == "auto")]
    worst = rows.loc[rows.coverage.idxmin()]
    others = table[~table.channel.isin(shown(table)) & (table.estimator != "auto")]
    least = others.groupby("estimator").coverage.min()
    room = ROOM * np.sqrt(0.9 * 0.1 / rows.repeats)
    return Claim(
        f"words of every kind with few trials: two standard errors or the bracket of 'auto' hold the truth in 90 % of the repeats, "
        f"less {ROOM:g} standard errors of that fraction",
        bool((rows.coverage >= 0.9 - room).all()),
        f"worst {100 * worst.coverage:.0f} % ({worst.channel}, {worst.trials} trials); the others, all with a warning there: "
        + "; ".join(f"{name} {100 * value:.0f} %" for name, value in least.items()),
    )


def verify(table: pd.DataFrame) -> None:
    """Raise `ClaimFailed` when one of the claims doesn't hold."""
    check(claims(table))


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Bias, spread and coverage for people."""
    bias = table["mean"] - table.truth
    spread = table.sd / np.sqrt(table.repeats)
    return pd.DataFrame(
        {
            "channel": table.channel,
            "estimator": table.estimator,
            "trials": table.trials,
            "truth (bit)": table.truth.map("{:.3f}".format),
            "bias (bit)": [f"{b:+.4f} ± {e:.4f}" for b, e in zip(bias, spread, strict=True)],
            "SD": table.sd.map("{:.4f}".format),
            "SE as given": table.se.map("{:.4f}".format),
            "within 2 SE (%)": (100 * table.coverage).map("{:.0f}".format),
            "in its regime": table["in regime"].map({True: "yes", False: "no"}),
            "no value (%)": (100 * table["without value"]).map("{:.0f}".format),
            "warned (%)": (100 * table.warned).map("{:.0f}".format),
        }
    )


def plot(table: pd.DataFrame) -> Figure:
    """Bias (above) and standard deviation (below) against trials; filled points are in the estimator's regime."""
    names = shown(table)
    figure = Figure(figsize=(2.3 * len(names), 5.6), layout="constrained")
    axes = figure.subplots(2, len(names), sharex="col", squeeze=False)
    for column, channel in enumerate(names):
        for estimator, colour in ESTIMATORS.items():
            rows = table[(table.channel == channel) & (table.estimator == estimator)].sort_values("trials")
            if rows.empty:
                continue
            inside = rows["in regime"].to_numpy(dtype=bool)
            for ax, y in zip(axes[:, column], (rows["mean"] - rows.truth, rows.sd), strict=True):
                ax.plot(rows.trials, y, color=colour, lw=1.2, label=estimator)
                ax.plot(rows.trials[inside], y[inside], "o", color=colour, ms=4)
                ax.plot(rows.trials[~inside], y[~inside], "o", color=colour, ms=4, mfc="white")
        top, bottom = axes[:, column]
        top.set_title(f"{channel}, {table.truth[table.channel == channel].iloc[0]:.2f} bit", fontsize=10)
        top.axhline(0, color="black", lw=0.8, zorder=0)
        top.set_yscale("symlog", linthresh=0.02)
        bottom.set(xscale="log", yscale="log")
        ticks = np.unique(table.trials[table.channel == channel])
        bottom.set_xticks(ticks, [f"{t:g}" for t in ticks], fontsize=8)
        bottom.minorticks_off()
        bottom.set_xlabel("trials per stimulus" if channel in ("words", "counts") else "samples")
        for ax in (top, bottom):
            ax.spines[["top", "right"]].set_visible(False)
            ax.tick_params(labelsize=8)
    axes[0, 0].set_ylabel("bias (bit)")
    axes[1, 0].set_ylabel("SD over repeats (bit)")
    handles = dict(zip(*reversed(axes[0, 0].get_legend_handles_labels()), strict=True))
    handles |= dict(zip(*reversed(axes[0, -1].get_legend_handles_labels()), strict=True))
    figure.legend(handles.values(), handles, loc="outside lower center", ncols=6, frameon=False, fontsize=8)
    return figure


def _print_few_trials(config: Config) -> None:
    rows = []
    for number, channel in enumerate(channels(config)):
        rows += [] if channel.shown else _rows(channel, number, config, lambda text: None)
    table = pd.DataFrame(rows)
    for trials in config.few:
        print(few_trials(table, trials), end="\n\n")


if __name__ == "__main__":
    _print_few_trials(Config(repeats=100))
