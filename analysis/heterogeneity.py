"""Membranes that are equal, drawn or learned per neuron, in noisy and deterministic networks that tell words by their timing.

A word is two sweeps, each over ten of twenty channels. Words of a task have the same spikes per channel, and differ in time only.
In the task `order` four words differ in which sweep is first, on the scale of ten steps, and in whether the sweeps rise and fall or
fall and rise, on that of single steps; the interval is random. In `interval` they differ in the time between the sweeps. Onset,
single times and lost spikes are random. Networks have one hidden layer, u_t = beta u_(t-1) (1 - o_(t-1)) + drive_t, and count the
spikes of four output neurons. Noisy ones have Gaussian escape noise and learn by NDL; deterministic ones fire if u > theta and
learn with the same density as surrogate gradient. Perez-Nieves et al. 2021 (doi 10.1038/s41467-021-26022-3) showed in deterministic
networks that different time constants help; here noise, and its learning, are new.

Membranes: `equal`, one beta; `drawn`, logit beta normal around it, fixed; `learned`, from equal ones on, beta of each neuron and,
where there is noise, its level. `noise only` learns the levels, with equal membranes. Every network has the fewest hidden neurons
with which it has at least as many trainable parameters as the noisy one that learns both. Epochs, batches and data are equal; beta
and learning rate are chosen for each network and task from one grid, on validation data of the seed before those reported. The
networks of a seed have the same data; all intervals are of paired differences over seeds.

Hypotheses, fixed before the full run. With noise, learned membranes are better than equal ones in each task, and than drawn ones;
they learn the tasks (half the way from chance to no errors), and equal ones do not. Drawn membranes are better than equal ones.
Learned noise without learned membranes is not enough. Learned membranes help noisy networks more than deterministic ones. The
control has the time steps of each channel shuffled in each word, which leaves the counts: there the accuracy is that of chance.
Known before: single networks, mostly with the seed that chooses. Noisy ones with equal or drawn membranes were at chance in an
interval task of longer words, and those that learn both were not; deterministic ones of every kind were well above chance. With
beta = .9 learning had failed too, so the grid has smaller values.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

import nsnn_neuro as nsnn

from .harness import Claim, Progress, StudyConfig, paired, part, quiet, secondary
from .shared.figures import BLUE, GREY, RED, finish, log_axis, means
from .shared.intervals import above, interval, interval_text
from .shared.tables import where

CLAIM = "Noisy networks that learn membranes and noise per neuron, compared with equal and drawn membranes, in tasks of timing"
NEEDS = "torch"
SABOTAGES = {"times shuffled": "all networks learn and are tested on words whose spike times are shuffled"}
MEMBRANES = {
    "noisy": ("equal", "drawn", "noise only", "learned"),
    "deterministic": ("equal", "drawn", "learned"),
}
ARMS = [f"{kind}, {membranes}" for kind, names in MEMBRANES.items() for membranes in names]
CHANNELS, WORDS, SWEEP, STEPS = 20, 4, 5, 28
GAPS = (1, 4, 8, 13)  # steps between the onsets, of the words of the task `interval`
ONSETS, KEPT = (1, 8), 0.8  # range of the first onset; share of spikes that are not lost
CHANCE, LEARNED, NEAR = 1 / WORDS, (1 + 1 / WORDS) / 2, 0.05
CONTROL = (
    f"with times shuffled the accuracy is within {100 * NEAR:.0f} points of chance, and below that in words by more than "
    "20 points, in each task (95 %)"
)
SPREAD = 1.5  # SD of logit beta of drawn membranes


@dataclasses.dataclass(frozen=True)
class Config(StudyConfig):
    """Configuration of a run."""

    tasks: tuple[str, ...] = ("order", "interval")
    seeds: int = 5
    words: int = 600  # of training, validation and test each
    hidden: int = 24  # of the noisy network that learns both
    sigma: float = 0.3  # first level of the noise, width of the surrogate; theta is 1
    weight: float = 3.0  # SD of the first weights, times the root of the inputs
    betas: tuple[float, ...] = (0.6, 0.8)
    rates: tuple[float, ...] = (0.02, 0.05)
    epochs: int = 20
    batch: int = 120
    passes: int = 10

    QUICK: ClassVar[dict[str, Any]] = {
        "tasks": ("order",), "seeds": 4, "betas": (0.8,), "rates": (0.02,), "epochs": 8,
    }  # fmt: skip


Words = tuple[np.ndarray, np.ndarray]  # spikes and labels


def words(task: str, n: int, rng: np.random.Generator, *, shuffle: bool = False) -> Words:
    """Spikes (n, STEPS, CHANNELS), 0 and 1, of random words, and their labels; `shuffle` permutes the steps of each channel."""
    y, half = rng.integers(0, WORDS, n), CHANNELS // 2
    gap = np.array(GAPS)[y] if task == "interval" else rng.integers(SWEEP, GAPS[-1] + 1, n)
    leads, falls = (y % 2, y // 2) if task == "order" else (0 * y, 0 * y)  # which sweep does
    onset = rng.integers(*ONSETS, n)[:, None] + gap[:, None] * (np.arange(2) != leads[:, None])
    place = np.where((np.arange(2) == falls[:, None])[..., None], np.arange(half)[::-1], np.arange(half))
    times = onset[..., None] + place * SWEEP // half + rng.integers(-1, 2, (n, 2, half))
    x = np.zeros((n, STEPS, CHANNELS), np.float32)
    word, sweep, channel = np.nonzero(rng.random(times.shape) < KEPT)
    x[word, times[word, sweep, channel], sweep * half + channel] = 1
    return (rng.permuted(x, axis=1) if shuffle else x), y


def n_parameters(membranes: str, noisy: bool, hidden: int) -> int:
    """Trainable parameters: weights, biases, and the beta and level of the noise of each neuron that learns them."""
    each = (membranes == "learned") + (noisy and membranes in ("learned", "noise only"))
    return (CHANNELS + 1) * hidden + (hidden + 1) * WORDS + each * (hidden + WORDS)


def n_hidden(config: Config, membranes: str, noisy: bool) -> int:
    """The least size with at least as many trainable parameters as the noisy network that learns both."""
    least, sizes = n_parameters("learned", True, config.hidden), itertools.count(config.hidden)
    return next(size for size in sizes if n_parameters(membranes, noisy, size) >= least)


def network(config: Config, arm: str, beta: float, seed: int) -> Any:
    """An untrained classifier of words."""
    import torch
    from torch import nn

    from nsnn_neuro import deep

    kind, membranes = arm.split(", ")
    noisy, rng = kind == "noisy", np.random.default_rng([seed, 1])

    class Steps(nn.Module):
        def forward(self, x: Any) -> Any:
            return x[0].transpose(0, 1)

    class Counts(nn.Module):
        def forward(self, o: Any) -> Any:
            return o.sum(0, keepdim=True)

    def cells(n: int) -> Any:
        logit = np.log(beta / (1 - beta)) + SPREAD * (membranes == "drawn") * rng.standard_normal(n)
        return deep.NoisySpike(
            nsnn.Gaussian(np.full(n, config.sigma)), beta=1 / (1 + np.exp(-logit)), noisy=noisy,
            learn_beta=membranes == "learned", learn_noise=noisy and membranes in ("learned", "noise only"),
        )  # fmt: skip

    size, generator = n_hidden(config, membranes, noisy), torch.Generator().manual_seed(seed)
    with torch.random.fork_rng():  # torch initialises the weights first
        linear = nn.Linear(CHANNELS, size), nn.Linear(size, WORDS)
    with torch.no_grad():
        for layer in linear:
            layer.weight.normal_(0, config.weight * layer.in_features**-0.5, generator=generator)
            layer.bias.zero_()
    module = nn.Sequential(Steps(), linear[0], cells(size), linear[1], cells(WORDS), Counts())
    return deep.Classifier(module, encoder=nsnn.coding.Direct(), n_steps=1)


def data(config: Config, task: str, seed: int, *, shuffle: bool = False) -> list[Words]:
    """Words of training and of test; those of the seed that chooses are of validation."""
    rng, shuffle = np.random.default_rng([seed, 2]), shuffle or config.sabotage == "times shuffled"
    return [words(task, config.words, rng, shuffle=shuffle) for _ in range(2)]


def train(config: Config, arm: str, train_data: Any, beta: float, rate: float, seed: int) -> Any:
    """The trained classifier."""
    from nsnn_neuro import deep

    return deep.fit(
        network(config, arm, beta, seed), train_data, loss=nsnn.losses.CrossEntropyMean(1.5), epochs=config.epochs,
        batch=config.batch, eta=rate, schedule="cosine", validation=0, seed=seed, progress=False,
    ).module  # fmt: skip


def run(config: Config, out: Path | None = None, progress: Progress = quiet) -> pd.DataFrame:
    """Rows of four parts: "choice" (accuracy on validation data), "test" and "control" (accuracy, by seed), and "cell" (value of
    beta and sigma of each hidden neuron of networks that learn them)."""
    rows: list[dict[str, Any]] = []
    for task, arm in itertools.product(config.tasks, ARMS):
        progress(f"{task}: {arm}")
        rows += part(out, f"{task} {arm}", functools.partial(_of_one, config, task, arm))
    return pd.DataFrame(rows)


def _of_one(config: Config, task: str, arm: str) -> list[dict[str, Any]]:
    """Rows of one network and task."""
    from nsnn_neuro import deep

    kind, membranes = arm.split(", ")
    size = n_hidden(config, membranes, kind == "noisy")
    count = sum(p.numel() for p in network(config, arm, 0.5, config.seed).parameters())
    row = {"task": task, "arm": arm, "hidden": size, "parameters": count, "epochs": config.epochs, "words": config.words,
           "sigma": config.sigma}  # fmt: skip
    rows: list[dict[str, Any]] = []

    def add(name: str, beta: float, rate: float, seed: int, *, shuffle: bool = False) -> Any:
        shown, held_out = data(config, task, seed, shuffle=shuffle)
        net = train(config, arm, shown, beta, rate, seed)
        scored = deep.accuracy(net, held_out, passes=config.passes if kind == "noisy" else 1, seed=seed)
        chosen = {"beta": beta, "rate": rate, "seed": seed}
        rows.append(row | {"part": name, **chosen, "accuracy": scored["accuracy"]})
        return net

    grid = list(itertools.product(config.betas, config.rates))
    for beta, rate in grid if len(grid) > 1 else ():
        add("choice", beta, rate, config.seed)
    beta, rate = grid[int(np.argmax([choice["accuracy"] for choice in rows]))] if rows else grid[0]
    for seed in range(config.seed + 1, config.seed + 1 + config.seeds):
        cells = add("test", beta, rate, seed).module[2]
        learned = {"beta": cells.neuron.beta, "sigma": cells.family.si("sigma")}
        if membranes in ("equal", "drawn"):
            continue
        for name, values in learned.items():
            label = {"part": "cell", "name": name, "seed": seed, "beta": beta}
            rows += [row | label | {"value": v} for v in values.tolist()]
        if arm == "noisy, learned":
            add("control", beta, rate, seed, shuffle=True)
    return rows


def _gain(table: pd.DataFrame, first: str, second: str) -> np.ndarray:
    return paired(where(table, part="test"), first, second, equal=("epochs", "words"))


def _by_seed(rows: pd.DataFrame) -> np.ndarray:
    return rows.groupby("seed").accuracy.mean().to_numpy()


def claims(table: pd.DataFrame) -> list[Claim]:
    """The study's claims with their evidence."""
    test, tasks = where(table, part="test"), list(table.task.unique())
    arms = {(arm, task): _by_seed(where(test, arm=arm, task=task)) for arm in ARMS for task in tasks}
    learned, equal = ({task: arms[f"noisy, {name}", task] for task in tasks} for name in ("learned", "equal"))
    gain = {task: learned[task] - equal[task] for task in tasks}
    control = {task: _by_seed(where(table, part="control", task=task)) for task in tasks}
    over = {name: _gain(table, "noisy, learned", f"noisy, {name}") for name in ("drawn", "noise only")}
    drawn = _gain(table, "noisy, drawn", "noisy, equal")
    by_kind = [_gain(table, f"{kind}, learned", f"{kind}, equal") for kind in MEMBRANES]
    more = by_kind[0] - by_kind[1]
    less = _gain(table, "noisy, learned", "deterministic, learned")
    cells = where(table, part="cell", arm="noisy, learned")
    level = where(cells, name="sigma").groupby("seed").value.median().to_numpy()
    first = float(cells.sigma.iloc[0])
    slow = where(cells, name="beta")
    tau = (-1 / np.log(slow.value)).groupby([slow.task, slow.seed])
    ratio = (tau.quantile(0.9) / tau.quantile(0.1)).groupby("seed").mean().to_numpy()

    def each(values: dict[str, np.ndarray], unit: str = "points") -> str:
        return "; ".join(f"{task} {points(v, unit)}" for task, v in values.items())

    return [
        Claim("with noise, learned membranes are better than equal ones in each task (95 %)",
              all(above(v, 0.0) for v in gain.values()), each(gain)),
        Claim("with noise, networks with learned membranes learn each task, those with equal ones do not: accuracy above and below "
              f"{LEARNED:.1%} (95 %)",
              all(above(v, LEARNED) for v in learned.values()) and all(above(-v, -LEARNED) for v in equal.values()),
              f"learned: {each(learned, '%')}; equal: {each(equal, '%')}"),
        Claim("with noise, drawn membranes are better than equal ones (mean of tasks, 95 %)", above(drawn, 0.0), points(drawn)),
        Claim("with noise, learned membranes are better than drawn ones (mean of tasks, 95 %)",
              above(over["drawn"], 0.0), points(over["drawn"])),
        Claim("learned noise is not enough: learned membranes add to it (mean of tasks, 95 %)",
              above(over["noise only"], 0.0), points(over["noise only"])),
        Claim("learned membranes help noisy networks more than deterministic ones (difference of gains, mean of tasks, 95 %)",
              above(more, 0.0), points(more)),
        Claim(CONTROL,
              all(abs(np.array(interval(v)[1:]) - CHANCE).max() < NEAR for v in control.values())
              and all(above(learned[task] - v, 0.2) for task, v in control.items()), each(control, "%")),
        secondary(f"noisy networks with learned membranes are not worse than deterministic ones by more than {100 * NEAR:.0f} "
                  "points (mean of tasks, 95 %)", above(less, -NEAR), points(less)),
        secondary("the learned noise of most hidden neurons is below its first level (median by seed, 95 %)",
                  above(first - level, 0.0), f"median {interval_text(level, 'of theta')}, first {first:g}"),
        secondary("learned membranes differ: the time constant of the slowest tenth of hidden neurons is at least twice that of "
                  "the fastest (95 %)", above(ratio, 2.0), f"ratio {interval_text(ratio, 'times', digits=2)}"),
    ]  # fmt: skip


def points(values: np.ndarray, unit: str = "points") -> str:
    """A mean in percentage points, with its interval."""
    return interval_text(values, unit, scale=100, digits=1)


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Sizes, chosen settings and accuracy of each network and task, and quartiles of what hidden neurons learned."""
    cells = where(table, part="cell")
    rows = []
    for (task, arm), test in where(table, part="test").groupby(["task", "arm"], sort=False):
        row = {name: test[name].iloc[0] for name in ("hidden", "parameters", "beta", "rate")}
        row["accuracy (%)"] = points(test.accuracy.to_numpy(), "").replace(" ,", ",").replace("+", "")
        for name in ("beta", "sigma"):
            quartiles = where(cells, task=task, arm=arm, name=name).value.quantile([0.25, 0.5, 0.75])
            row[f"learned {name}"] = " ".join(f"{q:.2f}" for q in quartiles.dropna())
        rows.append({"task": task, "arm": arm} | row)
    return pd.DataFrame(rows)


def figures(table: pd.DataFrame) -> dict[str, Figure]:
    """The figure with its caption."""
    caption = (
        "A: accuracy on test words, means over seeds with 95 % intervals; open: noisy, learned, with times shuffled; dotted: "
        "chance. B, C: cumulative distributions of what hidden neurons of all seeds learned, in the colours of A; solid: order, "
        "dashed: interval; dotted: first values."
    )
    return {f"{CLAIM}. {caption}": plot(table)}


def plot(table: pd.DataFrame) -> Figure:
    """Accuracy by membranes, and distributions of learned time constants and noise."""
    figure = Figure(figsize=(10.5, 3.4), layout="constrained")
    left, middle, right = figure.subplots(1, 3, width_ratios=(1.5, 1, 1))
    names, kinds = MEMBRANES["noisy"], list(zip(MEMBRANES, (RED, BLUE), strict=True))
    tasks = list(zip(table.task.unique(), "os", ("-", "--"), (-0.27, 0.03), strict=False))
    for (task, marker, line, shift), (kind, colour) in itertools.product(tasks, kinds):
        style, label = {"color": colour, "marker": marker, "ls": ""}, f"{task}, {kind}"
        x = np.array([names.index(name) for name in MEMBRANES[kind]]) + shift + 0.12 * (kind != "noisy")
        rows = where(table, part="test", task=task)
        groups = [_by_seed(where(rows, arm=f"{kind}, {name}")) for name in MEMBRANES[kind]]
        means(left, x, groups, 100, **style, label=label)
        cells = where(table, part="cell", task=task, arm=f"{kind}, learned")
        tau, sigma = (np.sort(where(cells, name=name).value) for name in ("beta", "sigma"))
        share = np.arange(1, tau.size + 1) / tau.size
        middle.step(-1 / np.log(tau), share, where="post", color=colour, ls=line, lw=1.2)
        middle.axvline(-1 / np.log(cells.beta.iloc[0]), color=colour, ls=":", lw=0.9)
        if kind == "noisy":
            means(
                left, x[-1:], [_by_seed(where(table, part="control", task=task))], 100, **style, mfc="white"
            )
            right.step(sigma, share, where="post", color=colour, ls=line, lw=1.2, label=label)
            right.axvline(cells.sigma.iloc[0], color=GREY, ls=":", lw=0.9)
    left.axhline(100 * CHANCE, color=GREY, ls=":", lw=0.9)
    left.set_xticks(range(len(names)), names)
    log_axis(middle, [1, 2, 5, 10, 20])
    at_top = {"ylim": (15, 125), "legend": {"loc": "upper center", "ncols": 2}}
    finish(left, "A", ylabel="accuracy (%)", xlabel="membranes", **at_top)
    finish(middle, "B", xlabel="learned time constant (steps)", ylabel="share of hidden neurons")
    finish(right, "C", xlabel="learned noise (units of theta)", ylabel="share of hidden neurons")
    left.set_yticks(range(20, 101, 20))
    return figure
