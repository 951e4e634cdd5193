"""Feedback alignment: learning signals go back through fixed random weights."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch
from torch import nn

from ..core.checks import whole
from ..core.errors import NsnnError
from .neuron import replaced


class RandomFeedback(nn.Module):
    """A layer whose backward pass uses fixed random weights B instead of its own.

    The layer's output and the gradient of its weights are unchanged. B is a buffer, `feedback`, of the shape of `layer.weight`:
    normal with variance 1 / (number of weights that a signal is summed over), as in `train`. Attacks use the layer's own weights.

    Parameters
    ----------
    layer : nn.Linear or nn.Conv2d
    seed : whole number, of B

    Source: Lillicrap et al. 2016, doi 10.1038/ncomms13276

    >>> layer = RandomFeedback(nn.Linear(3, 2), seed=1)
    >>> x = torch.zeros(3, requires_grad=True)
    >>> layer(x).sum().backward()
    >>> torch.equal(x.grad, layer.feedback.sum(0))
    True
    """

    transport: bool

    feedback: torch.Tensor

    def __init__(self, layer: nn.Linear | nn.Conv2d, *, seed: int = 0) -> None:
        super().__init__()
        if not isinstance(layer, nn.Linear | nn.Conv2d):
            raise NsnnError(f"layer is {type(layer).__name__}: expected nn.Linear or nn.Conv2d")
        whole(seed, 0, "seed")
        weight = layer.weight
        groups = layer.groups if isinstance(layer, nn.Conv2d) else 1
        gathered = weight.numel() / weight.shape[1] / groups
        drawn = torch.randn(weight.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        self.layer, self.transport = layer, False
        self.register_buffer("feedback", (drawn / gathered**0.5).to(weight))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The layer's output."""
        if self.transport or not x.requires_grad:
            out: torch.Tensor = self.layer(x)
            return out
        others = {name: p.detach() for name, p in self.layer.named_parameters()}
        back = torch.func.functional_call(self.layer, others | {"weight": self.feedback}, (x,))
        return self.layer(x.detach()) + (back - back.detach())


def transported(module: nn.Module) -> AbstractContextManager[None]:
    """In a `with` block, signals go back through the layers' own weights."""
    return replaced(module, RandomFeedback, "transport", True)
