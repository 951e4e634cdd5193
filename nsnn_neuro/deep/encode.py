"""Input encoders in torch, evaluated from their Brian2 expressions, with a straight-through gradient where spikes are drawn."""

from __future__ import annotations

import ast
import functools
from typing import Any

import torch

from ..learning.coding import Encoder
from .expressions import evaluate


def encode(encoder: Encoder, x: torch.Tensor, n_steps: int) -> torch.Tensor:
    """Output of the input neurons, (n_steps, batch, ...), for values x (batch, ...) from 0 to 1.

    Where an encoder draws spikes, `int(uniform < p)`, the derivative is that of p (straight-through); otherwise it is that of its
    text. An encoder of several units for each value takes x (batch, n) to (n_steps, batch, n units).

    Source: Bengio, Leonard & Courville 2013, arXiv:1308.3432 (straight-through)

    >>> from nsnn_neuro import coding
    >>> x = torch.full((1, 500), 0.5, requires_grad=True)
    >>> spikes = encode(coding.Bernoulli(0.5), x, 8)
    >>> spikes.sum().backward()
    >>> spikes.unique().tolist(), x.grad.unique().tolist()
    ([0.0, 1.0], [4.0])
    """
    work = x.to(torch.promote_types(x.dtype, torch.float32))
    if encoder.units != 1:
        work = work.repeat_interleave(int(encoder.units), -1)
    many = work.expand(n_steps, *work.shape)
    of: dict[str, Any] = {"dtype": many.dtype, "device": many.device}
    names = {
        "k": torch.arange(n_steps, **of).reshape(-1, *[1] * work.ndim),
        "unit": torch.arange(work[0].numel(), **of).reshape(work.shape[1:]),
        "x": many,
        "n_steps": n_steps,
        **{
            f.name: torch.as_tensor(encoder.si(f.name), **of)
            for f in encoder.parameter_fields()
            if f.name != "units"
        },
        "units": float(encoder.units),
    }
    chance = _chance(encoder.o)
    if chance is None:
        if "uniform" in encoder.o:
            names["uniform"] = torch.rand(many.shape, **of)
        return evaluate(encoder.o, names, many).to(x.dtype)
    p = evaluate(chance, names, many)
    spikes = (torch.rand(p.shape, **of) < p).to(p.dtype)
    return (spikes + (p - p.detach())).to(x.dtype)


@functools.lru_cache(maxsize=64)
def _chance(text: str) -> str | None:
    """p of a text `int(uniform < p)`; None for another."""
    match ast.parse(text, mode="eval").body:
        case ast.Call(
            func=ast.Name(id="int"),
            args=[ast.Compare(left=ast.Name(id="uniform"), ops=[ast.Lt()], comparators=[p])],
            keywords=[],
        ):
            return None if "uniform" in ast.unparse(p) else ast.unparse(p)
    return None
