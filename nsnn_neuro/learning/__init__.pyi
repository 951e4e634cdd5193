from . import coding as coding
from . import losses as losses
from .batched import Learner as Learner
from .checkpoint import read_checkpoint as read_checkpoint
from .checkpoint import write_checkpoint as write_checkpoint
from .loop import Diverged as Diverged
from .loop import Outcome as Outcome
from .loop import Scored as Scored
from .loop import Scores as Scores
from .loop import TrainedFit as TrainedFit
from .loop import Trainer as Trainer
from .loop import TrainingLoop as TrainingLoop
from .online import OnlineLearner as OnlineLearner

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
