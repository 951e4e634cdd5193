"""Seeded random numbers that leave torch's generators as they were."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from ..core.checks import whole

_LARGE = 4096  # values of a step from which on starting NumPy's faster generator pays off


@contextlib.contextmanager
def seeded(seed: int | None, module: nn.Module, *others: Any) -> Iterator[None]:
    """Seed the generators of the CPU and of the tensors' CUDA devices, and restore them afterwards; None: leave them alone.

    >>> with seeded(1, nn.Identity()):
    ...     one = torch.rand(1)
    >>> with seeded(1, nn.Identity()):
    ...     print(torch.equal(one, torch.rand(1)))
    True
    """
    if seed is not None:
        whole(seed, 0, "seed")
    tensors = [
        *module.parameters(),
        *module.buffers(),
        *(o for o in others if isinstance(o, torch.Tensor)),
    ]
    cards = sorted({t.device.index for t in tensors if t.device.type == "cuda"})
    with torch.random.fork_rng(devices=cards, enabled=seed is not None):
        if seed is not None:
            torch.default_generator.manual_seed(int(seed))
            for card in cards:
                torch.cuda.default_generators[card].manual_seed(int(seed))
        yield


def child(seed: int, *path: int) -> int:
    """A seed for one use of random numbers, derived from `seed` and its path.

    >>> child(1, 0) == child(1, 0), child(1, 0) == child(1, 1)
    (True, False)
    """
    state = np.random.SeedSequence(seed, spawn_key=path).generate_state(1, np.uint64)
    return int(state[0]) >> 1  # torch's seeds are signed


def random_like(
    draw: Callable[..., torch.Tensor], x: torch.Tensor, generator: torch.Generator | None = None
) -> torch.Tensor:
    """Numbers of `torch.rand` or `torch.randn` of the shape and type of x, laid out in memory as x for fast sums with it.

    >>> with seeded(1, nn.Identity()):
    ...     one = random_like(torch.rand, torch.zeros(5))
    >>> with seeded(1, nn.Identity()):
    ...     print(torch.equal(one, torch.rand(5)))
    True
    """
    numbers = draw(x.shape, generator=generator, dtype=x.dtype, device=x.device)
    return numbers if numbers.stride() == x.stride() else torch.empty_like(x).copy_(numbers)


def source_of_step(generator: torch.Generator | None = None) -> np.random.SFC64:
    """NumPy's fast generator for a large step, seeded with one number of torch's."""
    return np.random.SFC64(int(torch.randint(2**63 - 1, (), generator=generator)))


def words(source: np.random.SFC64, n: int) -> np.ndarray:
    """The next n random numbers of 32 bits, two of each that the source draws."""
    drawn: np.ndarray = source.random_raw((n + 1) // 2)
    return drawn.view(np.uint32)[:n]


def uniform_of_step(
    x: torch.Tensor, generator: torch.Generator | None = None
) -> Callable[[torch.Tensor], torch.Tensor]:
    """A function of the parts of a step of a layer: each call gives the next uniform numbers of one stream, in the part's shape.

    Large steps on a CPU take one number of the torch generator, as the seed of NumPy's faster SFC64. Those numbers are laid out in
    memory as x is.

    >>> x = torch.zeros(100, 100)
    >>> with seeded(1, nn.Identity()):
    ...     whole = uniform_of_step(x)(x)
    >>> with seeded(1, nn.Identity()):
    ...     following = uniform_of_step(x)
    >>> torch.equal(whole, torch.cat([following(x[:30]), following(x[30:])]))
    True
    """
    if x.device.type != "cpu" or x.numel() < _LARGE:
        left = [random_like(torch.rand, x, generator)]

        def rows(part: torch.Tensor) -> torch.Tensor:
            now, left[0] = left[0][: len(part)], left[0][len(part) :]
            return now

        return rows
    source = source_of_step(generator)

    def following(part: torch.Tensor) -> torch.Tensor:
        if part.dtype == torch.float64:
            flat = (source.random_raw(part.numel()) >> np.uint64(11)) * 2.0**-53
        else:
            flat = (words(source, part.numel()) >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-24)
        shape = torch.empty_like(part, device="meta")
        return torch.from_numpy(flat).to(part.dtype).as_strided(shape.shape, shape.stride())

    return following
