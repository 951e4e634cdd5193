"""The keyed noise of `philox.py` as PyTorch tensor operations; imported with `engine="torch"` only, as it needs torch.

The words are those of philox.h and philox_numba.py. Torch has no unsigned 64-bit arithmetic, so a 32-bit word is held in an int64
tensor: a product of two words wraps around, and its high half is what a shift and a mask leave. Each operation on tensors has a
constant cost, so the numbers of many steps are drawn in one call (`Draws`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from .philox import NEVER

_MASK = 0xFFFFFFFF
_GOLDEN = 0x9E3779B9
_MOST_JUMPS = 2000
_Words = tuple[Tensor, Tensor, Tensor, Tensor]


def philox4x32(c0: Tensor, c1: Tensor, c2: Tensor, c3: Tensor, key0: int, key1: int) -> _Words:
    """The four output words of Philox4x32-10, int64 tensors with values below 2^32.

    c0, c1, c2, c3 : the counter's words, int64 tensors with values from 0 to 2^32 - 1, which broadcast
    key0, key1 : the key's words; signed ones are taken modulo 2^32

    Source: Salmon et al. 2011, doi 10.1145/2063384.2063405.

    >>> zero = torch.zeros(1, dtype=torch.int64)
    >>> [hex(int(word)) for word in philox4x32(zero, zero, zero, zero, 0, 0)]
    ['0x6627e8d5', '0xe169c58d', '0xbc57ac4c', '0x9b00dbd8']
    """
    key0, key1 = key0 & _MASK, key1 & _MASK
    for _ in range(10):
        p, q = c0 * 0xD2511F53, c2 * 0xCD9E8D57
        # c1 and c3 are products, of which the low half counts
        c0, c1, c2, c3 = ((q >> 32) ^ c1 ^ key0) & _MASK, q, ((p >> 32) ^ c3 ^ key1) & _MASK, p
        key0, key1 = (key0 + _GOLDEN) & _MASK, (key1 + 0xBB67AE85) & _MASK
    return c0, c1 & _MASK, c2, c3 & _MASK


def uniform_of(high: Tensor, low: Tensor, dtype: torch.dtype) -> Tensor:
    """The uniform number in (0, 1) of 64 bits, two words."""
    u = (((high << 20) | (low >> 12)).to(dtype) + 0.5) * 2.0**-52
    return u if dtype == torch.float64 else u.clamp(max=1 - 2.0**-24)  # single precision rounds up to 1


def normals_of(words: _Words, dtype: torch.dtype) -> list[Tensor]:
    """The standard normals of four steps (Box and Muller 1958, doi 10.1214/aoms/1177706645)."""
    normals = []
    for radius, angle in (words[:2], words[2:]):
        length = torch.sqrt(-2.0 * torch.log((radius.to(dtype) + 0.5) * 2.0**-32))
        whole_turns = (angle.to(dtype) + 0.5) * 2.0**-32
        for quarter in (0.0, 0.25):
            turns = whole_turns - quarter
            # the cosine by the sine of a distance to a quarter of a turn, small where the cosine is
            turns = 0.25 - (turns - torch.round(turns)).abs()
            normals.append(length * torch.sin(2.0 * math.pi * turns))
    return normals


class Rows:
    """Rows of a long table, one for each step, of which a window of `size` rows is held.

    fill : function of the first step of a window, a multiple of `size`, and of its size; returns a tensor with a row for each step

    >>> rows = Rows(lambda first, size: torch.arange(first, first + size), 4)
    >>> int(rows[6]), int(rows[7]), int(rows[8])
    (6, 7, 8)
    """

    def __init__(self, fill: Callable[[int, int], Tensor], size: int) -> None:
        self._fill, self._size = fill, size
        self._first = -1
        self._rows: tuple[Tensor, ...] = ()

    def __getitem__(self, step: int) -> Tensor:
        first = step - step % self._size
        if first != self._first:
            self._first, self._rows = first, self._fill(first, self._size).unbind()
        return self._rows[step - first]


class Draws:
    """Keyed numbers of the members of a population, (members,) in each step.

    neuron, trial, point : the words of the counter, int64 tensors (members,)
    key0, key1 : the words of the key
    dtype : of the numbers
    size : steps that are drawn at once, a multiple of four
    """

    def __init__(
        self,
        neuron: Tensor,
        trial: Tensor,
        point: Tensor,
        key0: int,
        key1: int,
        dtype: torch.dtype,
        size: int,
    ) -> None:
        self.neuron, self.trial, self.point = (ids & _MASK for ids in (neuron, trial, point))
        self.shared = torch.full_like(self.neuron, _MASK)  # the number -1: of all neurons of a trial
        self.key0, self.key1, self.dtype = key0, key1, dtype
        self._size = size
        self._rows: dict[tuple[str, int, bool], Rows] = {}

    def __call__(self, kind: str, step: int, stream: int, shared: bool) -> Tensor:
        """The "normal" or "uniform" numbers of a stream in a step, (members,); shared ones depend on the trial alone."""
        key = (kind, stream, shared)
        if key not in self._rows:
            self._rows[key] = Rows(lambda first, size: self._drawn(first, size, *key), self._size)
        return self._rows[key][step]

    def words(
        self,
        first: Tensor,
        stream: int,
        shared: bool = False,
        key1: int | None = None,
        members: Tensor | None = None,
    ) -> _Words:
        """Words of blocks with the first counter word `first`, (blocks, 1) or a number, for all members or those chosen."""
        neuron = self.shared if shared else self.neuron
        ids = (neuron, self.trial, self.point)
        neuron, trial, point = ids if members is None else (one[members] for one in ids)
        last = ((point << 8) | stream) & _MASK
        return philox4x32(first & _MASK, neuron, trial, last, self.key0, self.key1 if key1 is None else key1)

    def _drawn(self, first: int, size: int, kind: str, stream: int, shared: bool) -> Tensor:
        steps, bit = (4, 128) if kind == "normal" else (2, 0)  # of a block
        blocks = torch.arange(first // steps, (first + size) // steps, device=self.neuron.device)[:, None]
        words = self.words(blocks, (stream & 127) | bit, shared)
        if kind == "normal":
            numbers = normals_of(words, self.dtype)
        else:
            numbers = [uniform_of(high, low, self.dtype) for low, high in (words[:2], words[2:])]
        return torch.stack(numbers, dim=1).flatten(0, 1)


def jumps(u: Tensor, mean: Any, none: Any) -> Tensor:
    """Poisson numbers by inversion of uniform numbers, as `philox.jumps`.

    >>> jumps(torch.tensor([0.01, 0.5, 0.99], dtype=torch.float64), 2.5, math.exp(-2.5)).tolist()
    [0.0, 2.0, 7.0]
    """
    mean, term = (torch.as_tensor(one, dtype=u.dtype, device=u.device) for one in (mean, none))
    total, number = term, torch.zeros_like(u)
    for k in range(1, _MOST_JUMPS + 1):
        larger = u > total
        # whether any number is larger is asked now and then, as the answer has to come from the device
        if k % 8 == 1 and not larger.any():
            break
        number = number + larger
        term = term * (mean / k)
        total = total + term
    return number


def summit(draws: Draws, step: int, stream: int, *path: Any) -> Tensor:
    """Maximum over a step of a path with jumps, (members,), as `philox.summit`; `path` as there."""
    size = draws.neuron.shape
    values = [
        torch.as_tensor(one, dtype=draws.dtype, device=draws.neuron.device).expand(size) for one in path
    ]
    left, weight, left_inh, weight_inh, drift, room = values
    least = drift.clamp(min=0.0)
    bound = least + left * weight.clamp(min=0.0) + left_inh * weight_inh.clamp(min=0.0)
    members = ((bound >= room) & (left + left_inh > 0)).nonzero().squeeze(1)
    left, weight, left_inh, weight_inh, drift = (one[members] for one in values[:5])
    passed, total, highest = (torch.zeros_like(drift) for _ in range(3))
    event, pair = 0, torch.full((1,), step >> 1, device=members.device)
    while (active := left + left_inh > 0).any():
        event += 1
        words = draws.words(pair, stream & 127, key1=_other(draws.key1, event), members=members)
        high, low = (words[3], words[2]) if step & 1 else (words[1], words[0])
        u, which = (((one.to(draws.dtype) + 0.5) * 2.0**-32) for one in (high, low))
        n = left + left_inh
        passed = torch.where(active, 1.0 - (1.0 - passed) * torch.exp(torch.log(u) / n), passed)
        highest = torch.maximum(highest, total + drift * passed)
        excited = which * n < left
        total = torch.where(active, total + torch.where(excited, weight, weight_inh), total)
        left = left - (active & excited).to(left.dtype)
        left_inh = left_inh - (active & ~excited).to(left.dtype)
        highest = torch.maximum(highest, total + drift * passed)
    return least.scatter(0, members, torch.maximum(highest, total + drift))


def _other(key1: int, number: int) -> int:
    """The second word of the key for a further block of the same step."""
    return (key1 & _MASK) ^ ((number * _GOLDEN) & _MASK)


def _cubic_top(p: Tensor, q: Tensor, m: Tensor, n: Tensor) -> Tensor:
    """Position in (0, 1) of a maximum >= 0 of the cubic from p to q, both below 0, with slopes m and n; -1 if there is none."""
    rise = q - p
    a, b = 3.0 * (m + n - 2.0 * rise), 2.0 * (3.0 * rise - 2.0 * m - n)
    square = b * b - 4.0 * a * m
    root = torch.sqrt(square)  # not a number where there is no extremum, as are the positions then
    half = -0.5 * torch.where(b < 0.0, b - root, b + root)
    top = torch.full_like(p, -1.0)
    for t in (m / half, half / a):  # the last one that is a maximum is the result
        good = (t > 0.0) & (t < 1.0) & (p + t * (m + t * (b / 2.0 + t * a / 3.0)) >= 0.0)
        top = torch.where(good, t, top)
    near = torch.maximum(p, q) + 4.0 / 27.0 * (m.clamp(min=0.0) + (-n).clamp(min=0.0)) >= 0.0
    return torch.where(near, top, -1.0)


def passage(draws: Draws, step: int, stream: int, stream_shared: int, *path: Any) -> Tensor:
    """Ornstein-Uhlenbeck current at the first crossing within a step, (members,), as `philox.passage`; `path` as there.

    The result is in double precision, as few currents need it and `NEVER` has no value in single precision.
    """
    size, device, double = draws.neuron.shape, draws.neuron.device, torch.float64
    values = [torch.as_tensor(one, dtype=double, device=device).expand(size) for one in path]
    way, kick, now, later, room, room_end, pieces, *_, root_ii, _, _, far, full, common, _ = values
    reach = kick.clamp(min=0.0) + way.clamp(min=0.0) + far + full * (now.abs() + later.abs())
    near = (pieces >= 1) & (root_ii > 0.0) & ~(reach < torch.minimum(room, room_end))
    members = near.nonzero().squeeze(1)
    result = torch.full(size, NEVER, dtype=double, device=device)
    if not members.numel():
        return result
    way, kick, now, later, room, room_end, pieces, keep, ebb, *rest = (one[members] for one in values)
    pull, lapse, root_ii, root_vi, root_vv, _, _, common, apart = rest
    zero = torch.zeros_like(now)
    current, moved, gone = [now], [zero], [zero]
    var_ii, var_vi, var_vv = [zero], [zero], [zero]
    most, has_common = int(pieces.max()), bool((common > 0.0).any())
    block = torch.full((1,), step, device=device)
    z: list[Tensor] = []
    for k in range(most):
        if k % 2 == 0:
            key1 = _other(draws.key1, k // 2 + 1)
            own = normals_of(draws.words(block, (stream & 127) | 128, key1=key1, members=members), double)
            z = [apart * one for one in own]
            if has_common:
                words = draws.words(block, (stream_shared & 127) | 128, True, key1, members)
                z = [one + common * other for one, other in zip(z, normals_of(words, double), strict=True)]
        z_i, z_v = z[2 * (k % 2) : 2 * (k % 2) + 2]
        inside, ii, vi, vv = k < pieces, var_ii[k], var_vi[k], var_vv[k]
        for series, value in (
            (moved, ebb * moved[k] + pull * current[k] + root_vi * z_i + root_vv * z_v),
            (current, keep * current[k] + root_ii * z_i),
            (var_vv, ebb * ebb * vv + 2.0 * ebb * pull * vi + pull * pull * ii + root_vi**2 + root_vv**2),
            (var_vi, keep * (ebb * vi + pull * ii) + root_ii * root_vi),
            (var_ii, keep * keep * ii + root_ii * root_ii),
            (gone, ebb * gone[k] + 1.0),
        ):
            series.append(torch.where(inside, value, series[k]))
    # pin the free path to its end: Cov(k, end) Cov(end)^-1 (end - free end), backwards
    off_i, off_v, vi = later - current[most], kick - moved[most], var_vi[most]
    det = var_ii[most] * var_vv[most] - vi * vi
    pin_i, pin_v = (var_vv[most] * off_i - vi * off_v) / det, (var_ii[most] * off_v - vi * off_i) / det
    leaky = (ebb < 1.0).to(double)
    steep = torch.where(ebb < 1.0, lapse / (1.0 - ebb), 1.0)
    scale, tilt = way / gone[most], (room_end - room) / pieces
    crossing, after, after_i = result[members], way + kick - room_end, later
    after_slope = steep * scale * (1.0 + (ebb - 1.0) * gone[most]) + lapse * (later - leaky * kick) - tilt
    for k in range(most - 1, -1, -1):
        inside = k < pieces
        pin_i, pin_v = (
            torch.where(inside, keep * pin_i + pull * pin_v, pin_i),
            torch.where(inside, ebb * pin_v, pin_v),
        )
        i = current[k] + var_ii[k] * pin_i + var_vi[k] * pin_v
        x = moved[k] + var_vi[k] * pin_i + var_vv[k] * pin_v
        here = scale * gone[k] + x - (room + tilt * k)
        slope = steep * scale * (1.0 + (ebb - 1.0) * gone[k]) + lapse * (i - leaky * x) - tilt
        t = _cubic_top(here, after, slope, after_slope)
        t = torch.where(here >= 0.0, 0.0, torch.where(after >= 0.0, here / (here - after), t))
        crossing = torch.where(inside & (t >= 0.0), i + t * (after_i - i), crossing)
        after, after_i = torch.where(inside, here, after), torch.where(inside, i, after_i)
        after_slope = torch.where(inside, slope, after_slope)
    return result.scatter(0, members, crossing)
