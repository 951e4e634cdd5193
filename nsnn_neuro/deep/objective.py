"""The package's NumPy losses applied to torch tensors, with their gradients; learning signals for the online algorithm."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ..core.errors import NsnnError
from ..learning.losses import Loss


def check_loss(loss: Any, *, online: bool = False) -> Loss:
    """`loss`, which has to be a loss of labels; `online`: one that is a mean over steps."""
    if not isinstance(loss, Loss):
        raise NsnnError(f"loss = {loss!r}: expected a loss such as losses.rate_mse")
    if loss.targets != "labels":
        raise NsnnError(f"loss = {loss!r}: it needs target spikes, expected one of labels: losses.rate_mse")
    if online and not loss.averaged:
        raise NsnnError(
            f'loss = {loss!r}: algorithm = "online" needs the mean of something over steps, expected such a loss, or "bptt"'
        )
    return loss


def values(loss: Loss, o: torch.Tensor, y: np.ndarray) -> torch.Tensor:
    """The loss (batch,) of output spikes o (T, batch, n) and labels y (batch,), with its gradient.

    The loss computes both in NumPy, on the CPU in float64.

    >>> from nsnn_neuro import losses
    >>> o = torch.tensor([[[1.0, 0.0]], [[1.0, 1.0]]], requires_grad=True)
    >>> value = values(losses.rate_mse, o, np.array([0]))
    >>> value.sum().backward()
    >>> value.tolist(), o.grad.flatten().tolist()
    ([0.25], [0.0, 0.5, 0.0, 0.5])
    """
    value: torch.Tensor = _Objective.apply(o, y, loss)
    return value


def signal_in_time(loss: Loss, o: torch.Tensor, y: np.ndarray) -> torch.Tensor:
    """The learning signal (T, batch, n) of each output spike from the steps so far.

    It is (t / T) dl_t/do(t), where l_t is the loss of the first t of T steps.
    """
    spikes = _as_array(o)
    steps = spikes.shape[1]
    signal = [loss.gradient(spikes[:, : t + 1], y)[:, t] * ((t + 1) / steps) for t in range(steps)]
    return torch.as_tensor(np.stack(signal), dtype=o.dtype, device=o.device)


def _as_array(o: torch.Tensor) -> np.ndarray:
    """(batch, T, n)."""
    return o.detach().transpose(0, 1).double().cpu().numpy()


class _Objective(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, o: torch.Tensor, y: np.ndarray, loss: Loss) -> torch.Tensor:  # type: ignore[override]
        spikes = _as_array(o)
        if ctx.needs_input_grad[0]:
            gradient = np.ascontiguousarray(np.swapaxes(loss.gradient(spikes, y), 0, 1))
            ctx.save_for_backward(torch.as_tensor(gradient, dtype=o.dtype, device=o.device))
        return torch.as_tensor(loss.value(spikes, y), dtype=o.dtype, device=o.device)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, g: torch.Tensor) -> Any:  # type: ignore[override]
        (gradient,) = ctx.saved_tensors
        return gradient * g[:, None], None, None
