"""Delays that are learned: of the inputs of a layer, or of each of its synapses."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from ..core.checks import whole
from ..core.errors import NsnnError
from .neuron import shown


class Delays(nn.Module):
    """Learned delays of inputs, or of the synapses of a layer: takes x (T, batch, ...) to what arrives, of as many steps.

        arrives_t = (1 - a) x_(t-k) + a x_(t-k-1),      delay = k + a steps, 0 <= a <= 1, x = 0 before the first step

    The derivative with respect to a delay is x_(t-k-1) - x_(t-k), at a whole number of steps that towards a longer delay. A spike
    that arrives between two steps is divided between them; `round_` sets all delays to whole steps. Time is the first axis, so
    the module does not belong into an `EachStep`.

    Parameters
    ----------
    n : number of inputs along `axis`, each with a delay; or an nn.Linear, whose synapses have one each, and which is then
        applied too: sum_i w_ji x_i(t - delay_ji) + b_j, in max_steps + 1 products of matrices
    max_steps : whole number >= 1, longest delay, in steps; smaller than T
    initial : delays to start from, in steps from 0 to max_steps, a number or of the shape of `delay`; None: drawn uniformly, from
        torch's generator
    axis : the axis of a step's input along which delays vary: -1, or 1 for the channels of images

    The parameter `delay`, (n,) or (outputs, inputs), is learned, in steps; `steps` are those in use, from 0 to max_steps. Beyond
    these bounds only a gradient that leads back has an effect.

    Raises
    ------
    NsnnError : options or inputs that don't fit; a trial of max_steps or fewer steps

    Source: Hammouamri, Khalfaoui-Hassani & Masquelier 2023, arXiv:2306.17670

    >>> delayed = Delays(2, 3, initial=[1, 1.5])
    >>> x = torch.tensor([[1.0, 1.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
    >>> delayed(x).tolist()
    [[0.0, 0.0], [1.0, 0.5], [0.0, 0.5], [0.0, 0.0]]
    """

    axis: int
    max_steps: int

    def __init__(self, n: int | nn.Linear, max_steps: int, *, initial: Any = None, axis: int = -1) -> None:
        super().__init__()
        self.layer = n if isinstance(n, nn.Linear) else None
        shape = (n.out_features, n.in_features) if isinstance(n, nn.Linear) else (whole(n, 1, "n"),)
        self.max_steps, self.axis = whole(max_steps, 1, "max_steps"), axis
        if isinstance(axis, bool) or not isinstance(axis, int) or (self.layer is not None and axis != -1):
            raise NsnnError(
                f"axis = {axis!r}: expected a whole number, -1 for the last axis and an nn.Linear"
            )
        start = torch.rand(shape) * max_steps
        if initial is not None:
            values = np.asarray(initial)
            if values.dtype.kind not in "iuf" or not np.all((values >= 0) & (values <= max_steps)):
                raise NsnnError(f"initial = {initial!r}: expected numbers of steps from 0 to {max_steps}")
            if values.shape not in ((), shape):
                raise NsnnError(f"initial has shape {values.shape}: expected a number, or {shape}")
            start = torch.as_tensor(np.broadcast_to(values, shape).copy(), dtype=start.dtype)
        self.delay = nn.Parameter(start)

    @property
    def steps(self) -> torch.Tensor:
        """The delays in use, in steps from 0 to max_steps."""
        inside: torch.Tensor = _Within.apply(self.delay, self.max_steps)
        return inside

    def round_(self) -> Delays:
        """Set each delay to the nearest whole step, and return the module."""
        with torch.no_grad():
            self.delay.copy_(self.steps.round())
        return self

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """What arrives in each step, of the shape of x, or (T, batch, ..., outputs) of an nn.Linear."""
        n = self.delay.shape[-1]
        floats = isinstance(x, torch.Tensor) and x.is_floating_point()
        axis = self.axis + 1 if self.axis >= 0 else self.axis
        if not floats or not -x.ndim < axis < x.ndim or x.shape[axis] != n:
            raise NsnnError(
                f"x is {shown(x)}: expected floats (T, batch, ...) with {n} along axis {self.axis} of a step"
            )
        most = self.max_steps
        if len(x) <= most:
            raise NsnnError(
                f"max_steps = {most}: a delay is as long as the trial of {len(x)} steps, expected less, or longer trials"
            )
        delays = self.steps.to(x.dtype)
        first = delays.detach().floor().clamp(max=most - 1)
        late = delays - first
        padded = torch.cat([x.new_zeros(most, *x.shape[1:]), x])
        arrives: Any = 0 if self.layer is None or self.layer.bias is None else self.layer.bias
        for k in range(most + 1):
            part = (first == k) * (1 - late) + (first == k - 1) * late
            past = padded[most - k : most - k + len(x)]
            if self.layer is not None:
                arrives = arrives + nn.functional.linear(past, self.layer.weight * part)
            else:
                arrives = arrives + past * part.reshape(
                    -1, *[1] * (-axis - 1 if axis < 0 else x.ndim - axis - 1)
                )
        return torch.as_tensor(arrives)

    def get_extra_state(self) -> dict[str, Any]:
        """What belongs to the delays in a state_dict."""
        return {"max_steps": self.max_steps, "axis": self.axis}

    def set_extra_state(self, state: Any) -> None:
        """Refuse a state_dict of other delays."""
        if state != self.get_extra_state():
            raise NsnnError(f"state_dict has delays with {state}: expected {self.get_extra_state()}")

    def extra_repr(self) -> str:
        """What is shown in brackets."""
        return f"{tuple(self.delay.shape)}, max_steps={self.max_steps}, axis={self.axis}"


class _Within(torch.autograd.Function):
    """Delays clamped to 0 and the longest; the gradient passes where a step against it would not lead further out."""

    @staticmethod
    def forward(ctx: Any, delay: torch.Tensor, most: int) -> torch.Tensor:  # type: ignore[override]
        ctx.save_for_backward(delay)
        ctx.most = most
        return delay.clamp(0, most)

    @staticmethod
    def backward(ctx: Any, g: torch.Tensor) -> Any:  # type: ignore[override]
        (delay,) = ctx.saved_tensors
        return g * (((delay >= 0) | (g < 0)) & ((delay <= ctx.most) | (g > 0))), None
