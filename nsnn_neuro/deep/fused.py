"""Steps of a large layer with Gaussian noise, in few loops over memory: float32 on a CPU with few threads, compiled by Numba.

Torch takes a loop for each operation, and moves all values to and from memory in each. Here one loop computes potentials and
another the spikes or slopes. Each instruction takes several values, so the normal distribution is computed by polynomials.
Values are those of torch, to rounding.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import torch

from ..core.numba_jit import njit

__all__ = ["backward_step", "flat", "forward_step", "normal_probability", "power_of_two"]

_Array = np.ndarray
_Pair = tuple[_Array, _Array]


def flat(x: torch.Tensor) -> np.ndarray:
    """The memory of a dense tensor, (numel,)."""
    return np.asarray(x.detach().as_strided((x.numel(),), (1,)).numpy())


# division by zero gives infinity, as in NumPy: a check of each divisor would leave one value in an instruction
_compiled: Any = functools.partial(njit, cache=True, nogil=True, error_model="numpy")
_BEND = np.float32(0.3)
# of rising powers from 1 on, of w = 1 / (1 + .3 t) in q(t) and of f in 2^f - 1 (|f| <= .5), fitted to the exact functions
_TAIL = tuple(np.float32(c) for c in (
    0.1196293, 0.12075395, 0.099913527, 0.12856151, -0.053683434, 0.20635328, -0.15720296, 0.035674746
))  # fmt: skip
_POWER = tuple(np.float32(c) for c in (0.69314698, 0.24022242, 0.05550734, 0.00967152, 0.00132647))
_ZERO, _HALF, _ONE, _UNIT = (np.float32(x) for x in (0, 0.5, 1, 2.0**-24))


@_compiled
def power_of_two(y: Any) -> Any:
    """2^y for y <= 0 in float32, with a relative error below 2e-7; 2^-126 where y is less."""
    y = max(y, np.float32(-126))
    whole = np.floor(y + _HALF)
    part = y - whole
    value = _POWER[4]
    for k in (3, 2, 1, 0):
        value = value * part + _POWER[k]
    exponent = (np.int32(whole) + np.int32(127)) << np.int32(23)
    return (value * part + _ONE) * np.int32(exponent).view(np.float32)


@_compiled
def normal_probability(z: Any) -> Any:
    """Phi(z) in float32, with an error below 3e-7: Phi(-t) = exp(-t^2 / 2) q(t), and q(t) a polynomial in w = 1 / (1 + .3 t)."""
    t = abs(z)
    w = _ONE / (_ONE + _BEND * t)
    value = _TAIL[7]
    for k in (6, 5, 4, 3, 2, 1, 0):
        value = value * w + _TAIL[k]
    below = value * w * power_of_two(t * t * np.float32(-0.5 / math.log(2)))
    return below if z < _ZERO else _ONE - below


@_compiled
def _advance(drive: Any, before: Any, fired: Any, u: Any, beta: Any, theta: Any, hard: bool) -> None:
    for i in range(drive.size):
        u[i] = (before[i] - (before[i] if hard else theta) * fired[i]) * beta + drive[i]


@_compiled
def _above(u: Any, theta: Any, o: Any) -> None:
    for i in range(u.size):
        o[i] = np.float32(u[i] - theta > _ZERO)


@_compiled
def _draw(u: Any, theta: Any, factor: Any, words: Any, o: Any) -> None:
    for i in range(u.size):
        uniform = np.float32(words[i] >> np.uint32(8)) * _UNIT
        o[i] = np.float32(uniform < normal_probability((u[i] - theta) * factor))


@_compiled
def _slope(
    g: Any, u: Any, o: Any, after: Any, by_drive: Any, beta: Any, theta: Any, factor: Any, front: Any, hard: bool, acts: Any
) -> None:  # fmt: skip
    for i in range(g.size):
        later, x, o_i = after[i] * beta, u[i] - theta, o[i] if hard else _ZERO
        density = power_of_two(x * x * factor) * front
        by_drive[i] = (g[i] - acts * later * (u[i] if hard else theta)) * density + later * (_ONE - o_i)


def forward_step(drive: _Array, before: _Pair | None, words: _Array | None, after: _Pair, law: Any) -> None:
    """One step of flat arrays: from u and o `before` (None: the first step) to those in `after`, which are written.

    words : random numbers of 32 bits that decide about the spikes; None: neurons without noise
    """
    beta, theta = np.float32(law.beta), np.float32(law.theta)
    u, o = after
    if before is None:
        u[:] = drive
    else:
        _advance(drive, *before, u, beta, theta, law.hard)
    if words is None:
        _above(u, theta, o)
    else:
        _draw(u, theta, np.float32(1 / law.numbers["sigma"]), words, o)


def backward_step(g: _Array, state: _Pair, after: _Array, by_drive: _Array, law: Any) -> None:
    """The slope in the drive of a step, from those in its spikes, g, and in the drive of the step `after` it, 0 for the last."""
    width = law.numbers["sigma"] if law.width is None else law.width
    beta, theta = np.float32(law.beta), np.float32(law.theta)
    factor = np.float32(-0.5 / math.log(2) / width**2)
    front = np.float32(1 / (math.sqrt(2 * math.pi) * width))
    acts = np.float32(not law.detached)  # whether a spike acts on the potential after it
    _slope(g, *state, after, by_drive, beta, theta, factor, front, law.hard, acts)
