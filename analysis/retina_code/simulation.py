"""Run of the study `retina_code`: settings chosen on inner folds, final fits, and their scores."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from nsnn_neuro import datasets

from ..harness import Progress, part, quiet
from ..shared import recordings
from ..shared.processes import in_processes
from . import convolution, networks, rate_models
from .config import ADDED, CNN, COLUMNS, NOISELESS, NOISY, SET, Config
from .rate_models import Settings
from .responses import Responses, of_recording
from .scoring import Fitted, gain, rows_of_fit, rows_of_recording


def run(config: Config, out: Path | None = None, progress: Progress = quiet) -> pd.DataFrame:
    """Rows of scores; see `COLUMNS`."""
    place = recordings.required(SET, "retina_code")
    data = of_recording(datasets.salamander_retina(place), config)
    return tabulated(data, config, out, progress)


def tabulated(
    data: Responses, config: Config, out: Path | None = None, progress: Progress = quiet
) -> pd.DataFrame:
    """The table of responses. Parts are a fold of an arm and an initial seed, so that an interrupted run continues."""
    arms = list(config.arms)
    if CNN in arms and not convolution.available():
        progress(f"the {CNN} is skipped: it needs torch, which is not installed")
        arms.remove(CNN)
    tasks = [
        Task(fold, arm)
        for fold in range(config.n_folds)
        for arm in arms
        if arm != ADDED or NOISELESS not in arms  # else scored with the noiseless one, whose weights it has
    ]
    jobs = config.jobs if out else 1
    work = functools.partial(rows_of_task, choose=_choose, score=_scored)
    scored = in_processes(work, (data, config, out), tasks, jobs=jobs, progress=progress, what="scored")
    rows = []
    for fold in range(config.n_folds):
        _, held, numbers = divided(data, config, fold)
        rows += placed(rows_of_recording(held, config.samples), numbers, {"part": "score", "fold": fold})
        for task, own in zip(tasks, scored, strict=True):
            rows += own if task.fold == fold else []
    return pd.DataFrame(rows, columns=COLUMNS)


class Task(NamedTuple):
    """An arm on a fold."""

    fold: int
    arm: str

    def __str__(self) -> str:
        return f"{self.arm}, fold {self.fold + 1}"


def divided(data: Responses, config: Config, fold: int) -> tuple[Responses, Responses, dict[str, np.ndarray]]:
    """Training and test windows of a fold, and the numbers of the test windows in the recording."""
    test = np.arange(len(data.o)) % config.n_folds == fold
    parts = [data.windows(np.flatnonzero(where)) for where in (~test, test)]
    return parts[0], parts[1], {"window": np.flatnonzero(test)}


def rows_of_task(
    shared: tuple[Responses, Any, Path | None],
    task: Task,
    choose: Callable[..., Any],
    score: Callable[..., Any],
) -> list[dict[str, Any]]:
    """Scores of an arm on a fold: settings are chosen, then fits with each initial seed are scored, in parts of the run."""
    (data, config, out), (fold, arm) = shared, task
    train, held, numbers = divided(data, config, fold)
    choices = part(out, f"fold {fold} settings {arm}", functools.partial(choose, arm, train, config))
    rows = []
    for seed in range(config.seeds):
        make = functools.partial(score, arm, train, held, choices, config, seed)
        scored = part(out, f"fold {fold} scores {arm} {seed}", make)
        rows += placed(scored, numbers, {"part": "score", "fold": fold, "seed": seed})
    return rows


def _choose(arm: str, train: Responses, config: Config) -> list[dict[str, Any]]:
    return [chosen(arm, train, config)._asdict()]


def placed(
    rows: list[dict[str, Any]], numbers: dict[str, np.ndarray], here: dict[str, Any]
) -> list[dict[str, Any]]:
    """Rows with their place in the study: the numbers of windows are those of the recording."""
    return [
        here | row | {name: int(of[int(row[name])]) for name, of in numbers.items() if name in row}
        for row in rows
    ]


def chosen(arm: str, train: Responses, config: Config) -> Settings:
    """The point of the grid with the highest score of cells 0, 2, 4, ... on inner folds of the training windows."""
    grid = [Settings(*point) for point in itertools.product(config.epochs, config.ridges, config.etas)]
    if len(grid) == 1:
        return grid[0]
    scores = np.zeros(len(grid))
    for (k, settings), (learned, rest) in itertools.product(enumerate(grid), inner_parts(train, config)):
        result = fitted(arm, learned, settings, config, 0)
        if isinstance(result, networks.FittedNetwork):
            result = result.scored_by(config.inner_draws)
        scores[k] += score_of_choice(result, learned, rest)
    return grid[int(np.argmax(scores))]


def inner_parts(train: Responses, config: Config) -> list[tuple[Responses, Responses]]:
    """The training windows of a fold, divided for the choice of settings: what is fitted to, and what is scored."""
    fold = np.arange(len(train.o)) // config.n_folds % config.inner_folds
    return [
        (train.windows(np.flatnonzero(fold != inner)), train.windows(np.flatnonzero(fold == inner)))
        for inner in range(config.inner_folds)
    ]


def score_of_choice(result: Fitted, learned: Responses, rest: Responses) -> float:
    """The score that chooses settings: nats of cells 0, 2, 4, ... above the rates of the windows that were fitted to."""
    each = gain(result.log_likelihood(rest), rest.o, learned.o.mean(axis=(0, 1, 2)))
    return float(each[..., ::2].sum())


def fitted(arm: str, data: Responses, settings: Settings, config: Config, seed: int) -> Fitted:
    """The fit of an arm."""
    if arm in (NOISY, NOISELESS, ADDED):
        network = networks.fit(data, settings, config, noise=arm == NOISY, seed=seed)
        return network.with_noise() if arm == ADDED else network
    if arm == CNN:
        return convolution.fit(data, settings, config.batch, seed)
    return rate_models.fit(arm, data, settings, config.hidden, config.batch, seed)


def _scored(
    arm: str, train: Responses, held: Responses, choices: list[dict[str, Any]], config: Config, seed: int
) -> list[dict[str, Any]]:
    """Scores of a final fit; of the noiseless network also with noise added."""
    settings = Settings(**choices[0])
    text = f"{settings.epochs} epochs, ridge {settings.ridge:g}, rate {settings.eta:g}"
    result = fitted(arm, train, settings, config, seed)
    both = {arm: result}
    if arm == NOISELESS and ADDED in config.arms and isinstance(result, networks.FittedNetwork):
        both[ADDED] = result.with_noise()
    rates = train.o.mean(axis=(0, 1, 2))
    return [
        {"arm": name, "setting": text} | row
        for name, one in both.items()
        for row in rows_of_fit(one, held, rates, config.samples, [config.seed, seed])
    ]
