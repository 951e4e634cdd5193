"""Perturbations of a running net: spikes deleted and inserted, membrane noise, noisy or quantised weights."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import torch
from torch import nn

from ..core.checks import fraction, non_negative, whole
from ..core.errors import NsnnError
from .neuron import NoisySpike
from .rng import random_like


@contextlib.contextmanager
def disturbed(
    module: nn.Module,
    *,
    delete: Any = 0.0,
    insert: Any = 0.0,
    membrane: Any = 0.0,
    weights: float = 0.0,
    bits: int | None = None,
    seed: int = 0,
) -> Iterator[None]:
    """Perturb a module in a `with` block; afterwards, also after an exception, its weights are identical to those before.

    delete, insert, membrane: a number for all layers of `NoisySpike`, or a dict of numbers for some, by their names in the module.
    Deleted and inserted spikes change what the layers above receive, not the neuron's own reset. Layers run by `NoisySpike.step`
    are not perturbed.

    Parameters
    ----------
    module : a torch.nn.Module, e.g. a `Classifier`
    delete, insert : probability from 0 to 1 that a spike is deleted, and that one is inserted in a step without
    membrane : standard deviation, >= 0, of Gaussian noise added to the drive in each step
    weights : relative standard deviation, >= 0: each weight is multiplied by 1 + weights * a normal number, once
    bits : whole number, 2 or more, or None: weights become the nearest multiple of m / (2^(bits - 1) - 1), m the largest size in
        the tensor: 2^bits - 1 values. After the noise, if there is both
    seed : of the weights' noise

    Weights are the parameters named "weight" with two axes or more: not biases, nor those of batch norm.

    >>> from nsnn_neuro import Gaussian
    >>> layer = nn.Linear(8, 8)
    >>> with disturbed(nn.Sequential(layer, NoisySpike(Gaussian(0.4))), bits=2):
    ...     print(len(layer.weight.unique()) <= 3)
    True
    """
    if not isinstance(module, nn.Module):
        raise NsnnError(f"module is {type(module).__name__}: expected a torch.nn.Module")
    cells = {name: m for name, m in module.named_modules() if isinstance(m, NoisySpike)}
    losses = _for_layers(delete, cells, "delete", fraction)
    additions = _for_layers(insert, cells, "insert", fraction)
    noises = _for_layers(membrane, cells, "membrane", non_negative)
    non_negative(weights, "weights")
    if bits is not None:
        whole(bits, 2, "bits")
    whole(seed, 0, "seed")
    changed = [
        p for name, p in module.named_parameters() if name.rpartition(".")[2] == "weight" and p.ndim >= 2
    ]
    kept = [p.detach().clone() for p in changed]
    generator = torch.Generator().manual_seed(int(seed))
    with contextlib.ExitStack() as undone:
        undone.callback(_put_back, changed, kept)
        for name, cell in cells.items():
            if noises[name]:
                undone.callback(cell.register_forward_pre_hook(partial(_jitter, noises[name])).remove)
            if losses[name] or additions[name]:
                hook = partial(_unreliable, losses[name], additions[name])
                undone.callback(cell.register_forward_hook(hook).remove)
        with torch.no_grad():
            for p in changed:
                if weights:
                    drawn = torch.randn(p.shape, generator=generator, dtype=torch.float64)
                    p.mul_((1 + weights * drawn).to(p))
                if bits is not None and (most := p.abs().max()) > 0:
                    unit = most / (2 ** (int(bits) - 1) - 1)
                    p.copy_((p / unit).round() * unit)
        yield


def _put_back(parameters: list[nn.Parameter], before: list[torch.Tensor]) -> None:
    with torch.no_grad():
        for p, was in zip(parameters, before, strict=True):
            p.copy_(was)


def _jitter(sd: float, cell: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
    drive, *rest = given
    return drive + sd * random_like(torch.randn, drive), *rest


def _unreliable(
    delete: float, insert: float, cell: nn.Module, given: tuple[Any, ...], o: torch.Tensor
) -> torch.Tensor:
    level = random_like(torch.rand, o.to(torch.float32))
    stays, comes = (level >= delete).to(o.dtype), (level < insert).to(o.dtype)
    return o * stays + (1 - o) * comes


def _for_layers(value: Any, cells: Mapping[str, Any], name: str, check: Any) -> dict[str, float]:
    """One number for each layer."""
    if not isinstance(value, Mapping):
        return dict.fromkeys(cells, check(value, name))
    if unknown := [layer for layer in value if layer not in cells]:
        raise NsnnError(f"{name} names {unknown[0]!r}: expected layers of NoisySpike, of {', '.join(cells)}")
    return {layer: check(value.get(layer, 0.0), f"{name}[{layer!r}]") for layer in cells}
