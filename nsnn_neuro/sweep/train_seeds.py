"""`train_seeds`: one network trained with several seeds, in processes or on a Dask cluster, as a table."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ..core.aliases import Progress
from ..core.checks import suggest_keywords
from ..core.errors import NsnnError
from ..core.results import folder_of
from ..models.network import Network
from .fingerprint import fingerprint
from .grid import seeds_of
from .run_many import run_named

_GIVEN = ("seed", "checkpoint", "progress")


@suggest_keywords
def train_seeds(
    net: Network,
    data: Any,
    *,
    seeds: int | Sequence[int],
    test: Any = None,
    passes: int = 1,
    out: str | os.PathLike[str] | None = None,
    n_jobs: int = 1,
    scheduler: Any = None,
    resume: bool = True,
    progress: Progress = None,
    **options: Any,
) -> pd.DataFrame:
    """Train a network with several seeds, each as `train` does, and return a row per seed.

    What differs between the rows is due to the seed alone: first feedback weights, the split, the order of samples, the noise.

    Parameters
    ----------
    net, data : as for `train`
    seeds : whole numbers, each once
    test : samples (X, y) that training does not see, or None; each fit is evaluated on them, `passes` times per sample, with the
        noise of seed 0
    out : folder, made if needed, for finished seeds, their fits, seed-1.npz and so on for `load_fit`, and a file per training
        that goes on where it was interrupted; on a Dask cluster one that all workers see. None keeps the table only
    n_jobs, scheduler, resume, progress : as for `run_many`
    options : of `train`, such as loss and epochs; not checkpoint, which `out` has

    Returns
    -------
    DataFrame : a row per seed. Columns: seed; epochs, how many were run; best_epoch, whose weights the fit has; the columns of
        `Fit.history` at that epoch but its number and seconds; with `test` those of `Fit.evaluate`, each with "test_" before its
        name; failed

    Raises
    ------
    NsnnError : invalid arguments, or what `run_many` raises

    Warns
    -----
    FailedPoints : seeds whose training ended with an error

    >>> import numpy as np
    >>> from nsnn_neuro import NDL, EscapeNoise, Gaussian, feedforward, losses
    >>> X, y = np.eye(2)[[0, 1] * 20], np.array([0, 1] * 20)
    >>> net = feedforward([2, 2], noise=EscapeNoise(Gaussian(0.4)), plasticity=NDL(0.5))
    >>> options = {"loss": losses.rate_mse, "epochs": 5, "engine": "numpy"}
    >>> table = train_seeds(net, (X, y), seeds=[1, 2], test=(X, y), **options)
    >>> table[["seed", "epochs", "failed"]]
       seed  epochs  failed
    0     1       5   False
    1     2       5   False
    """
    if not isinstance(net, Network):
        raise NsnnError(f"net = {net!r}: expected a Network, e.g. feedforward([64, 128, 10], ...)")
    if wrong := [name for name in _GIVEN if name in options]:
        raise NsnnError(
            f"train_seeds has no argument {wrong[0]!r}: it gives each training its seed and its checkpoint"
        )
    folder = None if out is None else folder_of(out).resolve()
    given = (net, data, test, passes, options)
    return run_named(
        functools.partial(_trained, *given, folder),
        fingerprint(given),  # without the folder, which may be moved
        {"seed": seeds_of(seeds, "seeds")},
        out=out,
        n_jobs=n_jobs,
        scheduler=scheduler,
        resume=resume,
        progress=progress,
    )


def _trained(
    net: Network, data: Any, test: Any, passes: int, options: dict[str, Any], folder: Path | None, seed: int
) -> dict[str, Any]:
    from ..learning.train import train

    checkpoint = None if folder is None else folder / f"seed-{seed}.checkpoint"
    fit = train(net, data, seed=seed, checkpoint=checkpoint, progress=False, **options)
    kept = fit.history[fit.history["epoch"] == fit.best_epoch]
    row: dict[str, Any] = {"epochs": len(fit.history), "best_epoch": fit.best_epoch}
    row |= {name: values.iloc[0] for name, values in kept.items() if name not in ("epoch", "seconds")}
    if test is not None:
        row |= {f"test_{name}": value for name, value in fit.evaluate(test, passes=passes).items()}
    if folder is not None and checkpoint is not None:
        fit.save(folder / f"seed-{seed}.npz")
        checkpoint.unlink(missing_ok=True)
    return row
