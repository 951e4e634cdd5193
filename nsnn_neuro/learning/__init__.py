"""Training of spiking networks in Brian2. The first use of a name imports Brian2, but for `coding` and `losses`.

- `Learner` and `OnlineLearner` run single batches, for their gradients, spikes and losses; `train` runs epochs of them.
- `TrainingLoop` is the loop of all trainings, for a `Trainer` of your own; its fits are `TrainedFit`s, and it raises `Diverged`.
- `read_checkpoint` and `write_checkpoint` are the format of its files.
- `coding` has encoders and decoders, `losses` the losses.
"""

from ..core import lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
