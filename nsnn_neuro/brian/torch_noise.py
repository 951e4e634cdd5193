"""The keyed noise of `philox.py` as PyTorch tensor operations; imported with `engine="torch"` only, as it needs torch.

The words are those of philox.h and philox_numba.py. Torch has no unsigned 64-bit arithmetic, so a 32-bit word is held in an int64
tensor: a product of two words wraps around, and its high half is what a shift and a mask leave. Each operation on tensors has a
constant cost, so the numbers of many steps are drawn in one call (`Draws`).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

_MASK = 0xFFFFFFFF
_GOLDEN = 0x9E3779B9
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
        self._first, self._rows = -1, (torch.empty(0),)

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
        self, neuron: Tensor, trial: Tensor, point: Tensor, key0: int, key1: int, dtype: torch.dtype, size: int
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
            draw = {"normal": self._normals, "uniform": self._uniforms}[kind]
            self._rows[key] = Rows(lambda first, size: draw(first, size, stream, shared), self._size)
        return self._rows[key][step]

    def words(
        self, first: Tensor, stream: int, shared: bool = False, key1: int | None = None, members: Tensor | None = None
    ) -> _Words:
        """Words of blocks with the first counter word `first`, (blocks, 1) or a number, for all members or those chosen."""
        neuron = self.shared if shared else self.neuron
        ids = (neuron, self.trial, self.point)
        neuron, trial, point = ids if members is None else (one[members] for one in ids)
        last = ((point << 8) | stream) & _MASK
        return philox4x32(first & _MASK, neuron, trial, last, self.key0, self.key1 if key1 is None else key1)

    def _blocks(self, first: int, count: int) -> Tensor:
        return torch.arange(first, first + count, device=self.neuron.device)[:, None]

    def _normals(self, first: int, size: int, stream: int, shared: bool) -> Tensor:
        words = self.words(self._blocks(first // 4, size // 4), (stream & 127) | 128, shared)
        return torch.stack(normals_of(words, self.dtype), dim=1).flatten(0, 1)

    def _uniforms(self, first: int, size: int, stream: int, shared: bool) -> Tensor:
        w0, w1, w2, w3 = self.words(self._blocks(first // 2, size // 2), stream & 127, shared)
        both = [uniform_of(w1, w0, self.dtype), uniform_of(w3, w2, self.dtype)]
        return torch.stack(both, dim=1).flatten(0, 1)
