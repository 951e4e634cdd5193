"""The noisy neuron as a torch module, with noise-driven learning as its backward pass (docs/deep.md); needs the extra "torch".

`text` computes a record's Brian2 text on tensors, `neuron` has `NoisySpike`, `residual` paths around layers, `transfer` moves
feed-forward nets to Brian2 and back (`between`: what is linear in them), `files` keeps what was learned.
"""

from ..errors import NsnnError


class TorchMissing(NsnnError, ImportError):
    """`nsnn_neuro.deep` was imported where torch isn't installed."""


try:
    from .files import load, save
    from .neuron import EachStep, NoisySpike, State, passes
    from .residual import Residual, Times
    from .transfer import from_network, to_network
except ImportError as error:
    if (error.name or "").split(".")[0] != "torch":
        raise
    raise TorchMissing(
        f'nsnn_neuro.deep needs torch ({error}): expected the extra, pip install "nsnn-neuro[torch]"'
    ) from None

__all__ = [
    "EachStep",
    "NoisySpike",
    "Residual",
    "State",
    "Times",
    "from_network",
    "load",
    "passes",
    "save",
    "to_network",
]
