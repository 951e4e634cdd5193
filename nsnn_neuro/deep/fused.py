"""Steps of a large layer with Gaussian noise, in few loops over memory: float32 on a CPU with few threads, compiled by Numba.

Torch takes a loop for each operation, and moves all values to and from memory in each. Here one loop computes potentials, torch the
normal distribution function or its density, and another loop the spikes or slopes. Values are those of torch, to rounding.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from ..core.numba_jit import njit

__all__ = ["backward_step", "flat", "forward_step"]


def flat(x: torch.Tensor) -> np.ndarray:
    """The memory of a dense tensor, (numel,)."""
    return np.asarray(x.detach().as_strided((x.numel(),), (1,)).numpy())


@njit(cache=True, nogil=True)
def _advance(drive: Any, before: Any, fired: Any, u: Any, beta: Any, theta: Any, hard: bool) -> None:
    if hard:
        for i in range(drive.size):
            u[i] = (before[i] - before[i] * fired[i]) * beta + drive[i]
    else:
        for i in range(drive.size):
            u[i] = (before[i] - theta * fired[i]) * beta + drive[i]


@njit(cache=True, nogil=True)
def _scaled(u: Any, theta: Any, factor: Any, out: Any) -> None:
    for i in range(u.size):
        out[i] = (u[i] - theta) * factor


@njit(cache=True, nogil=True)
def _above(u: Any, theta: Any, o: Any) -> None:
    for i in range(u.size):
        o[i] = np.float32(u[i] - theta > np.float32(0))


@njit(cache=True, nogil=True)
def _decide(uniform: Any, twice: Any, o: Any) -> None:
    for i in range(o.size):
        o[i] = np.float32(uniform[i] < twice[i] * np.float32(0.5))


@njit(cache=True, nogil=True)
def _exponent(u: Any, theta: Any, factor: Any, out: Any) -> None:
    for i in range(u.size):
        x = u[i] - theta
        out[i] = x * x * factor


@njit(cache=True, nogil=True)
def _last_slope(g: Any, density: Any, front: Any, by_drive: Any) -> None:
    for i in range(g.size):
        by_drive[i] = g[i] * (density[i] * front)


@njit(cache=True, nogil=True)
def _slope(
    g: Any, u: Any, o: Any, after: Any, density: Any, front: Any, by_drive: Any, beta: Any, theta: Any, hard: bool, detached: bool
) -> None:  # fmt: skip
    one = np.float32(1)
    if hard:
        for i in range(g.size):
            later = after[i] * beta
            acts = g[i] - (np.float32(0) if detached else later * u[i])
            by_drive[i] = acts * (density[i] * front) + later * (one - o[i])
    else:
        for i in range(g.size):
            later = after[i] * beta
            acts = g[i] - (np.float32(0) if detached else later * theta)
            by_drive[i] = acts * (density[i] * front) + later


def forward_step(
    drive: np.ndarray,
    before: tuple[np.ndarray, np.ndarray] | None,
    uniform: np.ndarray | None,
    after: tuple[np.ndarray, np.ndarray],
    law: Any,
) -> None:
    """One step of flat arrays: from u and o `before` (None: the first step) to those in `after`, which are written.

    uniform : numbers from 0 to 1 that decide about the spikes; None: neurons without noise
    """
    beta, theta = np.float32(law.beta), np.float32(law.theta)
    u, o = after
    if before is None:
        u[:] = drive
    else:
        _advance(drive, *before, u, beta, theta, law.hard)
    if uniform is None:
        _above(u, theta, o)
        return
    scratch = torch.empty(u.size)
    _scaled(u, theta, np.float32(-math.sqrt(0.5) / law.numbers["sigma"]), scratch.numpy())
    torch.special.erfc(scratch, out=scratch)
    _decide(uniform, scratch.numpy(), o)


def backward_step(
    g: np.ndarray,
    state: tuple[np.ndarray, np.ndarray],
    after: np.ndarray | None,
    by_drive: np.ndarray,
    law: Any,
) -> None:
    """The slope in the drive of a step, from those in its spikes, g, and in the drive of the step `after` it."""
    width = law.numbers["sigma"] if law.width is None else law.width
    beta, theta = np.float32(law.beta), np.float32(law.theta)
    scratch = torch.empty(g.size)
    _exponent(state[0], theta, np.float32(-0.5 / width**2), scratch.numpy())
    torch.exp(scratch, out=scratch)
    front = np.float32(1 / (math.sqrt(2 * math.pi) * width))
    if after is None:
        _last_slope(g, scratch.numpy(), front, by_drive)
    else:
        _slope(g, *state, after, scratch.numpy(), front, by_drive, beta, theta, law.hard, law.detached)
