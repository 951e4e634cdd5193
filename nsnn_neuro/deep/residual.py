"""Skip connections: paths around layers, as projections that skip layers in a Brian2 network."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from ..core.errors import NsnnError
from .neuron import NoisySpike


class Residual(nn.Module):
    """A residual block: its input spikes are added to the drive of its last layer, whose spikes are its output.

        drive of the last layer = inner layers before it (x) + skip(x)

    In Brian2 it is a projection around the block, which arrives in the same step.

    Parameters
    ----------
    inner : nn.Sequential whose last module is a `NoisySpike`
    skip : a module for the path around, such as EachStep(nn.Conv2d(4, 8, 1, bias=False)) where the number of channels changes, or
        `Times`; None: x itself

    >>> from nsnn_neuro import Gaussian
    >>> block = Residual(nn.Sequential(nn.Linear(2, 2, bias=False), NoisySpike(Gaussian(1e-3), theta=0.5)))
    >>> _ = nn.init.zeros_(block.inner[0].weight)
    >>> block(torch.tensor([[[1.0, 0.0]]])).tolist()
    [[[1.0, 0.0]]]
    """

    inner: Any
    skip: Any

    def __init__(self, inner: nn.Sequential, *, skip: nn.Module | None = None) -> None:
        super().__init__()
        if not isinstance(inner, nn.Sequential) or not len(inner) or not isinstance(inner[-1], NoisySpike):
            kinds = [type(m).__name__ for m in inner] if isinstance(inner, nn.Sequential) else []
            kind = f"{type(inner).__name__}({', '.join(kinds)})" if kinds else type(inner).__name__
            raise NsnnError(
                f"inner is {kind}: expected nn.Sequential(...) whose last module is a NoisySpike, the layer added to"
            )
        if skip is not None and not isinstance(skip, nn.Module):
            raise NsnnError(f"skip = {skip!r}: expected a module, or None for the identity")
        self.inner, self.skip = inner, skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The spikes of the last layer, of the shape of its drive."""
        *before, last = self.inner
        drive, around = x, x if self.skip is None else self.skip(x)
        for module in before:
            drive = module(drive)
        if drive.shape != around.shape:
            raise NsnnError(
                f"the drive of the last layer has shape {tuple(drive.shape)}, what skip adds {tuple(around.shape)}: expected one "
                "shape, e.g. by skip=EachStep(nn.Conv2d(4, 8, 1, bias=False))"
            )
        return last(drive + around)


class Times(nn.Module):
    """x times a constant, not learned: the weight of an average pooling or of a skip connection.

    factor : a number, or an array of the shape of a step (without the batch)

    >>> Times(0.5)(torch.ones(3, 1, 2)).sum().item()
    3.0
    """

    factor: torch.Tensor

    def __init__(self, factor: Any) -> None:
        super().__init__()
        try:
            values = torch.as_tensor(np.asarray(factor, dtype=float))
        except (TypeError, ValueError):
            values = torch.tensor(torch.nan)
        if not torch.isfinite(values).all():
            raise NsnnError(f"factor = {factor!r}: expected finite numbers")
        self.register_buffer("factor", values.clone())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The product, in the type of x."""
        return x * self.factor.to(x.dtype)
