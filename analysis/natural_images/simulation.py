"""The run of the study: networks are trained, disturbed and attacked, in a part each; blocks of a seed and a rate are kept."""

from __future__ import annotations

import contextlib
import functools
import itertools
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

import nsnn_neuro as nsnn
from nsnn_neuro import perturb

from ..harness import Progress, part, quiet
from ..shared import recordings
from ..shared.attack_protocol import attack_lists, is_noisy, one_pass, one_step_images
from ..shared.processes import in_processes
from . import config as c
from . import kept
from .config import TRAINED, Arm, Config

COLUMNS = [
    "arm", "seed", "rate", "kind", "strength", "passes", "images", "accuracy", "source", "width", "draws", "loss", "restarts",
    "steps", "zero_gradients", "seconds", "right",
]  # fmt: skip
Given = tuple[Config, Path, bool]
"""configuration, folder, and whether it is kept after the run"""
_CHUNK = 250  # images in a batch
_PIXEL = 1 / 255


class Cell(NamedTuple):
    """A trained network."""

    arm: str
    rate: float
    seed: int

    def __str__(self) -> str:
        return f"{self.arm}, rate {self.rate:g}, seed {self.seed}"


class Use(NamedTuple):
    """An arm: a trained network with its own neurons or with others."""

    name: str
    cell: Cell

    @property
    def neurons(self) -> Arm:
        """The neurons in use."""
        return c.IN_USE[self.name][1] if self.name in c.IN_USE else TRAINED[self.name]

    def __str__(self) -> str:
        return f"{self.name}, rate {self.cell.rate:g}, seed {self.cell.seed}"


@functools.lru_cache(maxsize=2)
def images_of(split: str) -> tuple[np.ndarray, np.ndarray]:
    """Images (n, 3, 32, 32) and labels of the training or the test part."""
    return nsnn.datasets.cifar10(recordings.required(c.SET, "natural_images"), split)


def run(config: Config, out: Path | None = None, progress: Progress = quiet) -> pd.DataFrame:
    """A row per network, arm, disturbance and strength; the attacks of the worst case have rows of their own.

    Seeds and learning rates are blocks, one after the other, whose tables are kept: a block that has been kept is not run again. In
    a block every network, and every attack on it, is a part of its own.
    """
    with contextlib.nullcontext(out) if out else tempfile.TemporaryDirectory() as folder:
        blocks = [
            _block(config, Path(folder), out is not None, rate, seed, progress)
            for seed, rate in itertools.product(config.all_seeds(), config.rates)
        ]
    table = pd.concat(blocks, ignore_index=True)
    progress("attacks:\n" + attack_lists(table).to_string(index=False))
    return table


def _block(
    config: Config, out: Path, keeps: bool, rate: float, seed: int, progress: Progress
) -> pd.DataFrame:
    """The rows of all arms of a seed and a learning rate."""
    if (table := kept.read(config, rate, seed, out)) is not None:
        progress(f"seed {seed}, rate {rate:g}: kept table")
        return table
    cells = [Cell(arm, rate, seed) for arm in TRAINED]
    uses = [Use(cell.arm, cell) for cell in cells]
    uses += [
        Use(name, cell) for cell in cells for name, (trained, _) in c.IN_USE.items() if trained == cell.arm
    ]
    given = config, out, keeps
    options: dict[str, Any] = {"jobs": config.jobs if keeps else 1, "progress": progress}
    rows = in_processes(_trained, given, cells, what="trained", **options)
    pairs = list(itertools.product(uses, config.strengths))
    rows += in_processes(_crafted, given, pairs, what="attacked", **options)
    rows += in_processes(_disturbed, given, uses, what="disturbed", **options)
    rows += in_processes(_judged, (*given, uses), uses, what="judged", **options)
    table = pd.DataFrame(list(itertools.chain(*rows)), columns=COLUMNS)
    if not keeps:
        return table
    kept.write(table, config, rate, seed, out)
    return kept.read(config, rate, seed, out)


# --- training ----------------------------------------------------------------------------------------------------------------


def _path(out: Path, cell: Cell) -> Path:
    return out / "networks" / f"{cell.arm}-{cell.rate:g}-{cell.seed}.pt"


def _part(given: Given, name: str, rows: Callable[[], list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """A part of the run, which is kept where there is a folder for results."""
    return part(given[1] if given[2] else None, name, rows)


def _trained(given: Given, cell: Cell) -> list[dict[str, Any]]:
    """Train a network and keep its weights; a row for its last epoch."""
    config, out, _ = given
    from nsnn_neuro import deep

    from .networks import train

    def rows() -> list[dict[str, Any]]:
        X, y = images_of("train")
        fit = train(cell.arm, cell.rate, cell.seed, (X[: config.train], y[: config.train]), config)
        _path(out, cell).parent.mkdir(exist_ok=True)
        deep.save(fit.module, _path(out, cell))
        return [_row(cell.arm, cell, "training", np.nan, 1, config.train, fit.accuracy, seconds=fit.seconds)]

    return _part(given, f"training: {cell}", rows)


def _network(given: Given, use: Use, arm: Arm | None = None) -> Any:
    """A trained network in use, with the neurons of an arm; None: those of the use. A file of another arm is refused."""
    config, out, _ = given
    from nsnn_neuro import deep

    from .networks import in_use, untrained

    net: Any = deep.load(untrained(TRAINED[use.cell.arm], config, use.cell.seed), _path(out, use.cell))
    return in_use(net, arm or use.neurons, config)


def _row(
    arm: str,
    cell: Cell,
    kind: str,
    strength: float,
    passes: int,
    images: int,
    right: Any,
    **more: Any,
) -> dict[str, Any]:
    """A row; right : an accuracy, or of each image whether it was right, which is kept."""
    row: dict[str, Any] = dict.fromkeys(COLUMNS, np.nan)
    each = np.ndim(right) > 0
    return row | {
        "arm": arm, "seed": cell.seed, "rate": cell.rate, "kind": kind, "strength": float(strength), "passes": passes,
        "images": images, "accuracy": float(np.mean(right)), "source": "", "loss": "",
        "right": kept.packed(right) if each else "",
    } | more  # fmt: skip


# --- measurement -------------------------------------------------------------------------------------------------------------


def _disturbed(given: Given, use: Use) -> list[dict[str, Any]]:
    """Rows of an arm without attacks: clean and disturbed images, disturbances inside."""
    config, _, _ = given

    def rows() -> list[dict[str, Any]]:
        from nsnn_neuro import deep

        net, result = _network(given, use), []
        X, y = images_of("test")

        def seen(kind: str, strength: float, images: Any, labels: Any) -> None:
            random = is_noisy(net) or kind in c.INSIDE
            # else all passes are the same, and one stands for them
            each = accuracies(net, images, labels, config.passes, use.cell.seed, random)
            for passes, right in each.items():
                result.append(_row(use.name, use.cell, kind, strength, passes, len(labels), right))

        for some in {config.test: slice(config.test), config.disturbed: slice(config.disturbed)}.values():
            seen(c.CLEAN, 0, X[some], y[some])
        some = slice(config.disturbed)
        for kind, strength, images in _disturbed_images(config, X[some], use.cell.seed):
            seen(kind, strength, images, y[some])
        for kind, strength, how in _inside(config):
            with deep.disturbed(net, **how, seed=use.cell.seed):
                seen(kind, strength, X[some], y[some])
        return result

    return _part(given, f"disturbances: {use}", rows)


def accuracies(
    net: Any, X: Any, y: np.ndarray, passes: int, seed: int, random: bool = True
) -> dict[int, Any]:
    """Accuracy of one pass, the mean over passes, and which images are right by scores averaged over all passes; from the same
    passes in every arm.

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
    return {1: float(single), passes: every.mean(0).argmax(1) == y}


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


def _images_path(out: Path, use: Use, strength: float) -> Path:
    return out / "images" / f"{use} at {strength:g}.npy"


def _crafted(given: Given, item: tuple[Use, float]) -> list[dict[str, Any]]:
    """A row for each attack on an arm at a strength, on the network and its noise-free copy; the strongest images are kept."""
    config, out, _ = given
    use, strength = item

    def rows() -> list[dict[str, Any]]:
        net = _network(given, use)
        sources = {"noise off": _network(given, use, use.neurons.quiet), "itself": net}
        result = _worst(config, net, use, strength, judge_passes=1, sources=sources)
        path = _images_path(out, use, strength)
        path.parent.mkdir(exist_ok=True)
        np.save(path, result.images.numpy())
        table = result.table[result.table.source != "none"]
        row = functools.partial(_row, use.name, use.cell, c.ATTACK, strength, config.passes, config.images)
        made, names = [], ["source", "width", "draws", "loss"]
        for key, own in table.groupby(names, sort=False):
            more: dict[str, Any] = {"restarts": len(own), "steps": config.steps}
            more |= {"zero_gradients": float(own.zero_gradients.mean())}
            made.append(row(float(own.accuracy.mean()), **dict(zip(names, key, strict=True)), **more))
        return made

    return _part(given, f"attacks: {use}, {strength:g}", rows)


def _worst(config: Config, net: Any, use: Use, strength: float, **options: Any) -> Any:
    """The worst case of an arm, at a strength in 1/255."""
    from nsnn_neuro import deep, losses

    gains = {"cross_entropy": losses.CrossEntropyMean(1.0)}  # scores are those of a linear readout
    return deep.worst_case(
        net, _attacked(config), strength=strength * _PIXEL, widths=config.widths, draws=config.draws,
        losses=[gains.get(name, name) for name in config.losses], restarts=config.restarts, steps=config.steps,
        momentum=config.momentum, passes=config.passes, settled=config.settled, seed=use.cell.seed, **options,
    )  # fmt: skip


def _attacked(config: Config) -> tuple[np.ndarray, np.ndarray]:
    """Images that are attacked, and their labels."""
    X, y = images_of("test")
    some = slice(config.skip, config.skip + config.images)
    return X[some], y[some]


def _judged(given: tuple[Config, Path, bool, list[Use]], use: Use) -> list[dict[str, Any]]:
    """Rows of an arm under the worst of the images crafted on every arm, and under single attacks."""
    config, out, keeps, uses = given

    def rows() -> list[dict[str, Any]]:
        import torch

        from nsnn_neuro import deep

        net, result = _network((config, out, keeps), use), []
        X, y = _attacked(config)
        row = functools.partial(_row, use.name, use.cell)
        candidates: dict[str, Any] = {}
        for strength in config.strengths:
            candidates |= {
                f"on {other.name} at {strength:g}/255": np.load(_images_path(out, other, strength))
                for other in uses
            }
            judged = {"judge_passes": config.judge_passes, "sources": {}, "candidates": candidates}
            worst = _worst(config, net, use, strength, **judged)
            for name, accuracy in zip(worst.table.source[1:], worst.table.accuracy[1:], strict=True):
                result.append(row(c.ATTACK, strength, config.passes, len(y), accuracy, source=name))
            result.append(row(c.WORST, strength, config.judge_passes, len(y), worst.right))
        for strength in config.one_step:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(use.cell.seed)
                images = one_step_images(net, (X, y), strength * _PIXEL)
                torch.manual_seed(use.cell.seed + 1)
                result.append(row(c.ONE_STEP, strength, 1, len(y), one_pass(net, images, y)))
        for radius in config.radii:
            moved = deep.sphere(
                net, (X, y), radius=radius, steps=config.sphere_steps, step=0.11, optimizer="adam", draws=1,
                loss=nsnn.losses.CrossEntropyMean(1.0), seed=use.cell.seed,
            )  # fmt: skip
            right = accuracies(net, moved, y, config.judge_passes, use.cell.seed + 1, is_noisy(net))
            result.append(row(c.SPHERE, radius, config.judge_passes, len(y), right[config.judge_passes]))
        return result

    return _part((config, out, keeps), f"judged: {use}", rows)
