"""The run of the study: networks are trained, then disturbed and attacked, in a part each."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

import nsnn_neuro as nsnn
from nsnn_neuro import perturb

from ..harness import Progress, part, quiet
from ..shared import recordings
from ..shared.attack_protocol import is_noisy, one_pass, one_step_images
from ..shared.processes import in_processes
from . import config as c
from .config import TRAINED, Arm, Config

COLUMNS = [
    "arm", "seed", "rate", "kind", "strength", "passes", "images", "accuracy", "source", "width", "draws", "zero_gradients",
    "seconds",
]  # fmt: skip
_CHUNK = 250  # images in a batch
_PIXEL = 1 / 255


class Cell(NamedTuple):
    """A trained network."""

    arm: str
    rate: float
    seed: int

    def __str__(self) -> str:
        return f"{self.arm}, rate {self.rate:g}, seed {self.seed}"


@functools.lru_cache(maxsize=2)
def images_of(split: str) -> tuple[np.ndarray, np.ndarray]:
    """Images (n, 3, 32, 32) and labels of the training or the test part."""
    return nsnn.datasets.cifar10(recordings.required(c.SET, "natural_images"), split)


def run(config: Config, out: Path | None = None, progress: Progress = quiet) -> pd.DataFrame:
    """A row per network, arm, disturbance and strength; the attacks of the worst case have rows of their own."""
    cells = [
        Cell(arm, rate, seed)
        for rate, arm in itertools.product(config.rates, TRAINED)
        for seed in config.seeds_of(arm)
    ]
    jobs = config.jobs if out else 1  # without a folder the networks are kept in this process
    trained = in_processes(_trained, (config, out), cells, jobs=jobs, progress=progress, what="trained")
    kept = None if out else dict(zip(cells, (weights for weights, _ in trained), strict=True))
    given = (config, out, kept)
    measured = in_processes(_measured, given, cells, jobs=jobs, progress=progress, what="measured")
    rows = [row for _, own in trained for row in own] + [row for own in measured for row in own]
    return pd.DataFrame(rows, columns=COLUMNS)


# --- training ----------------------------------------------------------------------------------------------------------------


def _path(out: Path, cell: Cell) -> Path:
    return out / "networks" / f"{cell.arm}-{cell.rate:g}-{cell.seed}.pt"


def _trained(shared: tuple[Config, Path | None], cell: Cell) -> tuple[Any, list[dict[str, Any]]]:
    """Train a network; its weights, unless there is a folder for them, and a row for its last epoch."""
    config, out = shared
    from nsnn_neuro import deep

    from .networks import train

    made: list[Any] = []

    def rows() -> list[dict[str, Any]]:
        X, y = images_of("train")
        fit = train(cell.arm, cell.rate, cell.seed, (X[: config.train], y[: config.train]), config)
        made.append(fit.module)
        if out is not None:
            _path(out, cell).parent.mkdir(exist_ok=True)
            deep.save(fit.module, _path(out, cell))
        last = fit.history.iloc[-1]
        row = _row(cell.arm, cell, "training", np.nan, 1, config.train, last.accuracy)
        return [row | {"seconds": float(fit.history.seconds.sum())}]

    result = part(out, f"training: {cell}", rows)
    return (made[0].state_dict() if out is None else None), result


def _network(config: Config, out: Path | None, kept: dict[Cell, Any] | None, cell: Cell) -> Any:
    """A trained network. A file of another arm is refused."""
    from nsnn_neuro import deep

    from .networks import untrained

    net = untrained(TRAINED[cell.arm], config, cell.seed)
    if kept is not None:
        net.load_state_dict(kept[cell])
        return net
    assert out is not None
    return deep.load(net, _path(out, cell))


def _row(
    arm: str, cell: Cell, kind: str, strength: float, passes: int, images: int, accuracy: float
) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(COLUMNS, np.nan)
    return row | {
        "arm": arm, "seed": cell.seed, "rate": cell.rate, "kind": kind, "strength": float(strength), "passes": passes,
        "images": images, "accuracy": float(accuracy), "source": "",
    }  # fmt: skip


# --- measurement -------------------------------------------------------------------------------------------------------------


def _measured(shared: tuple[Config, Path | None, Any], cell: Cell) -> list[dict[str, Any]]:
    """All rows of a trained network and of its arms in use."""
    config, out, kept = shared

    def rows() -> list[dict[str, Any]]:
        from .networks import in_use

        net = _network(config, out, kept, cell)
        other_cell = cell._replace(arm=c.D3 if TRAINED[cell.arm].sigma else c.N3)
        other_arm = TRAINED[other_cell.arm]
        other = in_use(_network(config, out, kept, other_cell), other_arm, config)
        result, values = _of_arm(cell.arm, TRAINED[cell.arm], net, (other_cell.arm, other), cell, config, {})
        for name, (trained, arm) in c.IN_USE.items():
            if trained == cell.arm:
                result += _of_arm(name, arm, net, (other_cell.arm, other), cell, config, values)[0]
        return result

    return part(out, f"measurement: {cell}", rows)


def _of_arm(
    name: str, arm: Arm, net: Any, other: tuple[str, Any], cell: Cell, config: Config, found: dict[float, Any]
) -> tuple[list[dict[str, Any]], dict[float, Any]]:
    """Rows of one arm, and its worst images at each strength; `found` are those of the network as it was trained."""
    import torch

    from nsnn_neuro import deep

    from .networks import in_use

    used = in_use(net, arm, config)
    X, y = images_of("test")
    rows: list[dict[str, Any]] = []

    def seen(kind: str, strength: float, images: Any, labels: Any) -> None:
        random = is_noisy(used) or kind in c.INSIDE  # else all passes are the same, and one stands for them
        for passes, accuracy in accuracies(used, images, labels, config.passes, cell.seed, random).items():
            rows.append(_row(name, cell, kind, strength, passes, len(labels), accuracy))

    seen(c.CLEAN, 0, X[: config.test], y[: config.test])
    some = slice(config.disturbed)
    seen(c.CLEAN, 0, X[some], y[some])
    for kind, strength, images in _disturbed_images(config, X[some], cell.seed):
        seen(kind, strength, images, y[some])
    for kind, strength, how in _inside(config):
        with deep.disturbed(used, **how, seed=cell.seed):
            seen(kind, strength, X[some], y[some])
    attacked = (X[: config.images], y[: config.images])
    for strength in config.one_step:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(cell.seed)
            images = one_step_images(used, attacked, strength * _PIXEL)
            torch.manual_seed(cell.seed + 1)
            accuracy = one_pass(used, images, attacked[1])
        rows.append(_row(name, cell, c.ONE_STEP, strength, 1, config.images, accuracy))
    worst: dict[float, Any] = {}
    for strength in config.strengths:
        quiet = in_use(net, Arm(width=arm.sigma or arm.width), config)
        result = _worst(name, used, quiet, other, attacked, strength, worst, found, cell, config)
        worst[strength] = result.images
        rows.append(_row(name, cell, c.WORST, strength, config.passes, config.images, result.accuracy))
        seen(c.FRESH, strength, result.images, attacked[1])
        for one in result.table.itertuples():
            row = _row(name, cell, c.ATTACK, strength, config.passes, int(one.images), float(one.worst))
            row |= {"source": one.source, "width": float(one.width), "draws": float(one.draws)}
            rows.append(row | {"zero_gradients": float(one.zero_gradients)})
    return rows, worst


def accuracies(
    net: Any, X: Any, y: np.ndarray, passes: int, seed: int, random: bool = True
) -> dict[int, float]:
    """Accuracy of one pass, the mean over passes, and of scores averaged over all passes, from the same passes in every arm.

    random : whether passes differ; if not, one of them is run
    """
    import torch

    scores, runs = [], passes if random else 1
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        for rows in (slice(k, k + _CHUNK) for k in range(0, len(y), _CHUNK)):
            x = torch.as_tensor(X[rows], dtype=torch.float32)
            scores.append(torch.stack([net.scores(net.spikes(x)) for _ in range(runs)]))
    every = torch.cat(scores, 1).double().numpy()
    single = (every.argmax(2) == y).mean()
    return {1: float(single), passes: float((every.mean(0).argmax(1) == y).mean())}


def _disturbed_images(config: Config, X: np.ndarray, seed: int) -> Iterator[tuple[str, float, np.ndarray]]:
    """Disturbed images, the same for all arms of a seed."""
    for sd in config.pixels:
        yield c.PIXELS, sd, perturb.gaussian(X, sd=sd, seed=seed)
    for side in config.squares:
        high, wide = X.shape[2:]
        hidden = perturb.occlusion(np.ones((len(X), high, wide)), size=side, seed=seed)
        yield c.OCCLUSION, side, X * hidden[:, None]


def _inside(config: Config) -> Iterator[tuple[str, float, dict[str, Any]]]:
    lost, added, both, membrane, weights = c.INSIDE
    for p in config.lost:
        yield lost, p, {"delete": p}
    for p in config.added:
        yield added, p, {"insert": p}
    for p in config.both:
        yield both, p, {"delete": p, "insert": p}
    for sd in config.membrane:
        yield membrane, sd, {"membrane": sd}
    for sd in config.weights:
        yield weights, sd, {"weights": sd}


# --- attacks -----------------------------------------------------------------------------------------------------------------


def _worst(
    name: str,
    net: Any,
    quiet: Any,
    other: tuple[str, Any],
    data: tuple[np.ndarray, np.ndarray],
    strength: float,
    weaker: dict[float, Any],
    found: dict[float, Any],
    cell: Cell,
    config: Config,
) -> Any:
    """The worst case over all attacks on an arm, at a strength in 1/255."""
    from nsnn_neuro import deep, losses

    shared: dict[str, Any] = {
        "strength": strength * _PIXEL, "steps": config.steps, "momentum": config.momentum,
        "loss": losses.CrossEntropyMean(1.0), "seed": cell.seed,
    }  # fmt: skip
    candidates = {f"at {value:g}/255": images for value, images in weaker.items()}
    if strength in found:
        candidates["as trained"] = found[strength]
    candidates[f"on {other[0]}"] = deep.pgd(other[1], data, width=config.widths[0], draws=1, **shared)
    sources = {"noise off": quiet, "itself": net} if is_noisy(net) else {"itself": net}
    draws = config.draws if name in c.FULL_ATTACK else config.few_draws
    if name in c.TRANSFER_ONLY:
        sources, draws = {"noise off": quiet}, draws[:1]
    return deep.worst_case(
        net, data, widths=config.widths, draws=draws, sources=sources, candidates=candidates,
        passes=config.passes if is_noisy(net) else 1, skip_broken=True, **shared,
    )  # fmt: skip
