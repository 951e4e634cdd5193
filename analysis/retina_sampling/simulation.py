"""Run of the study `retina_sampling`: settings chosen on inner folds, final fits, and their nats on held-out windows."""

from __future__ import annotations

import functools
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nsnn_neuro import datasets

from ..harness import Progress, part, quiet
from ..retina_code.networks import FittedNetwork, fit
from ..retina_code.rate_models import Settings
from ..retina_code.responses import Responses, of_recording
from ..retina_code.scoring import rows_of_nats
from ..retina_code.simulation import Task, divided, inner_parts, placed, score_of_choice
from ..shared import recordings
from ..shared.processes import in_processes
from . import config as c

COLUMNS = ["fold", "seed", "arm", "cell", "window", "quantity", "value", "spikes", "setting"]


def run(config: c.Config, out: Path | None = None, progress: Progress = quiet) -> pd.DataFrame:
    """Rows of scores; see `COLUMNS`."""
    place = recordings.required(c.SET, "retina_sampling")
    return tabulated(of_recording(datasets.salamander_retina(place), config), config, out, progress)


def tabulated(
    data: Responses, config: c.Config, out: Path | None = None, progress: Progress = quiet
) -> pd.DataFrame:
    """The table of responses. Parts are a fold of a fitted arm and an initial seed, so that an interrupted run continues."""
    tasks = [Task(fold, arm) for fold in range(config.n_folds) for arm in config.arms]
    jobs = config.jobs if out else 1
    scored = in_processes(_rows_of, (data, config, out), tasks, jobs=jobs, progress=progress, what="scored")
    return pd.DataFrame(itertools.chain.from_iterable(scored), columns=COLUMNS)


def fitted(arm: str, data: Responses, settings: Settings, config: c.Config, seed: int) -> FittedNetwork:
    """The fit of an arm."""
    return fit(data, settings, config, noise=arm == c.NOISY, mean_field=arm == c.MEAN, seed=seed)


def chosen(arm: str, train: Responses, config: c.Config) -> list[dict[str, float]]:
    """Settings and scale with the highest score on inner folds: of the arm, then of its single prediction."""
    grid = [Settings(*point) for point in itertools.product(config.epochs, config.ridges, config.etas)]
    scales = (0.0,) if arm == c.NOISY else config.scales
    scores = np.zeros((len(grid), len(scales)))
    for (k, settings), (learned, rest) in itertools.product(enumerate(grid), inner_parts(train, config)):
        network = fitted(arm, learned, settings, config, 0)
        for m, scale in enumerate(scales):
            scores[k, m] += score_of_choice(network.scored_by(config.inner_draws, scale), learned, rest)
    best = [divmod(int(np.argmax(scores)), len(scales)), (int(np.argmax(scores[:, 0])), 0)]
    return [grid[row]._asdict() | {"scale": scales[column]} for row, column in best]


def _rows_of(shared: tuple[Responses, c.Config, Path | None], task: Task) -> list[dict[str, Any]]:
    """Scores of a fitted arm on a fold, and of the arms that share its fits, with all initial seeds."""
    (data, config, out), (fold, arm) = shared, task
    train, held, numbers = divided(data, config, fold)
    choices = part(out, f"fold {fold} settings {arm}", lambda: chosen(arm, train, config))
    rows = []
    for seed in range(config.seeds):
        make = functools.partial(_scored, arm, train, held, choices, config, seed)
        scored = part(out, f"fold {fold} scores {arm} {seed}", make)
        rows += placed(scored, numbers, {"fold": fold, "seed": seed})
    return rows


def _scored(
    arm: str, train: Responses, held: Responses, choices: list[dict[str, Any]], config: c.Config, seed: int
) -> list[dict[str, Any]]:
    """Nats of final fits, by cell and by window."""
    rates = train.o.mean(axis=(0, 1, 2))
    networks: list[FittedNetwork] = []
    for choice in choices:
        settings = Settings(int(choice["epochs"]), choice["ridge"], choice["eta"])
        same = networks and choice["scale"] == 0 and all(choice[k] == choices[0][k] for k in settings._fields)
        networks.append(networks[0] if same else fitted(arm, train, settings, config, seed))
    first, single = networks
    arms: dict[str, tuple[FittedNetwork, dict[str, Any]]]
    if arm == c.NOISY:
        arms = {arm: (first, choices[0]), c.READ: (first.with_noise(mean_field=True), choices[0])}
    else:
        arms = {
            arm: (first.scored_by(config.draws, choices[0]["scale"]), choices[0]),
            c.SINGLE.format(arm): (single, choices[1]),
            c.ADDED if arm == c.NOISELESS else c.DRAWN: (single.with_noise(), choices[1]),
        }
    return [
        {"arm": name, "setting": ", ".join(f"{key} {value:g}" for key, value in choice.items())} | row
        for name, (network, choice) in arms.items()
        for row in rows_of_nats(network, held, rates, exchanged=name == c.NOISY)
    ]
