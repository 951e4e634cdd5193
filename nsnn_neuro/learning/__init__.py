"""Training of spiking networks in Brian2. The first use of a name imports Brian2, but for `coding` and `losses`.

- `Learner` and `OnlineLearner` run single batches, for their gradients, spikes and losses; `train` runs epochs of them.
- `TrainingLoop` is the loop of all trainings, for a `Trainer` of your own; its fits are `TrainedFit`s, and it raises `Diverged`.
- `read_checkpoint` and `write_checkpoint` are the format of its files.
- `coding` has encoders and decoders, `losses` the losses.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import coding, losses
    from .batched import Learner
    from .checkpoint import read as read_checkpoint
    from .checkpoint import write as write_checkpoint
    from .loop import Diverged, Outcome, Scored, Scores, TrainedFit, Trainer, TrainingLoop
    from .online import OnlineLearner

__all__ = [
    "Diverged",
    "Learner",
    "OnlineLearner",
    "Outcome",
    "Scored",
    "Scores",
    "TrainedFit",
    "Trainer",
    "TrainingLoop",
    "coding",
    "losses",
    "read_checkpoint",
    "write_checkpoint",
]

_PLACES = {
    "Learner": ("batched", "Learner"),
    "OnlineLearner": ("online", "OnlineLearner"),
    "read_checkpoint": ("checkpoint", "read"),
    "write_checkpoint": ("checkpoint", "write"),
}


def __getattr__(name: str) -> Any:
    if name in ("coding", "losses"):
        return importlib.import_module(f"{__name__}.{name}")
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _PLACES.get(name, ("loop", name))
    return getattr(importlib.import_module(f"{__name__}.{module}"), attribute)


def __dir__() -> list[str]:
    return sorted(__all__)
