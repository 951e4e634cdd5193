"""Gradients of an expected loss: unbiased ones by local expectations or the score function, beside noise-driven learning.

Spikes are constants wherever a potential depends on them, f is the density of the noise at a potential u, and w a parameter that u
depends on: a weight, beta, theta, the scale of the noise, a delay. Summed over all spikes o of a module,

    dE[L]/dw = E[sum G f du/dw],    G = L(o = 1) - L(o = 0)               (local expectation)
                                    G = (L - b) (o - p) / (p (1 - p))     (score function)

For the first, each spike in turn is flipped, and all that follows is drawn again with the same random numbers, so that most of it
stays as it was. The second needs one run, and has a large variance; b is the mean loss of other draws.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import nn

from ..core.checks import one_of, whole
from ..core.errors import NsnnError
from .each_image import NORMS
from .law import Law
from .neuron import NoisySpike, replaced, shown
from .rng import seeded

GRADIENTS = ("ndl", "local_expectation", "score_function")
_VALUES = 2**22  # potentials of a module that are computed at once

LossOf = Callable[[torch.Tensor], torch.Tensor]


def backward(
    module: nn.Module,
    x: torch.Tensor,
    loss: LossOf,
    *,
    gradient: str = "local_expectation",
    draws: int = 1,
    seed: int | None = None,
) -> torch.Tensor:
    """Add an estimate of the gradient of a module's mean expected loss to that of its parameters, as a tensor's `backward` does.

    Returns the losses (draws, batch), without a gradient.

    Parameters
    ----------
    module : takes x (T, batch, ...) to an output (T, batch, ...), each sample alone, by any modules that call their `NoisySpike`s
        with all steps
    loss : function of an output (T, batch, ...) that returns the loss of each sample, (batch,); for the parameters of a readout
        without spikes it needs a gradient
    gradient : "local_expectation": unbiased, in as many passes as the module has neurons times steps. "score_function": unbiased,
        in one pass, with a large variance; each loss minus the mean of the sample's other draws, with draws=1 minus that of the
        other samples. "ndl": backpropagation with do/du = f, biased in depth, of little variance
    draws : of the noise, for each sample, whose gradients are averaged
    seed : of the draws; torch's generators are then left as they were. None: continue them

    Raises
    ------
    NsnnError : neurons without noise or batch statistics, except with "ndl"; a loss of another shape

    Source: Titsias & Lazaro-Gredilla 2015, arXiv:1503.01494; Williams 1992, doi 10.1007/BF00992696; Kool, van Hoof & Welling 2019
    (other draws as baseline)

    >>> from nsnn_neuro import Uniform
    >>> net = nn.Sequential(nn.Linear(1, 1), NoisySpike(Uniform(4.0)))
    >>> lost = backward(net, torch.ones(1, 5, 1), lambda o: (o - 1).square().sum((0, 2)), draws=3, seed=1)
    >>> lost.shape, net[0].bias.grad.tolist()  # exact: f (0 - 1)
    (torch.Size([3, 5]), [-0.125])
    """
    one_of(gradient, GRADIENTS, "gradient")
    whole(draws, 1, "draws")
    if not isinstance(x, torch.Tensor) or x.ndim < 2 or not x.numel():
        raise NsnnError(f"x is {shown(x)}: expected a tensor (T, batch, ...)")
    with seeded(seed, module, x):
        several = x.repeat(1, draws, *[1] * (x.ndim - 2))
        return added(module, several, loss, gradient, draws)[0]


def added(
    module: nn.Module, x: torch.Tensor, loss: LossOf, gradient: str, draws: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """`backward` for inputs x (T, draws batch, ...); the losses (draws, batch) and the output of all draws."""
    batch = x.shape[1] // draws

    def losses(out: torch.Tensor) -> torch.Tensor:
        each = [loss(part) for part in out.split(batch, 1)]
        if any(value.shape != (batch,) for value in each):
            raise NsnnError(f"loss gives {shown(each[0])}: expected ({batch},), the loss of each sample")
        return torch.stack(each)

    if gradient == "ndl":
        out = module(x)
        value = losses(out)
        value.mean().backward()
        return value.detach(), out.detach()
    for name, part in module.named_modules():
        if isinstance(part, NORMS) and (part.training or part.running_mean is None):
            raise NsnnError(
                f'gradient = "{gradient}": module has batch statistics at {name!r}, which mix samples: expected `eval` mode'
            )
    tape = _Tape()
    with replaced(module, NoisySpike, "tape", tape):
        out = module(x)
        value = losses(out)
        with torch.no_grad():
            if gradient == "score_function":
                gains = [_scores(value, call) for call in tape.calls]
            else:
                gains = [
                    _differences(module, x, losses, value.flatten(), tape, k) for k in range(len(tape.calls))
                ]
    heads: list[Any] = [(value.mean(), None)]
    heads += [(call.fired, gain / x.shape[1]) for call, gain in zip(tape.calls, gains, strict=True)]
    learned = [pair for pair in heads if pair[0].requires_grad]
    torch.autograd.backward([head for head, _ in learned], [slope for _, slope in learned])
    return value.detach(), out.detach()


class _Call(NamedTuple):
    """A layer's run (T, batch, ...): its random numbers, its spikes with do/du = f, and their probabilities."""

    uniform: torch.Tensor
    fired: torch.Tensor
    p: torch.Tensor


class _Tape:
    """Runs of a module in which spikes are constants: one that is recorded, then copies of it with a flipped spike in each."""

    def __init__(self) -> None:
        self.calls: list[_Call] = []
        self.flips: Any = None  # a call; the step and unit that each copy flips
        self.place = 0  # of the next call

    def sequence(self, law: Law, drive: torch.Tensor, forced: Any, generator: Any) -> torch.Tensor:
        """All spikes of a layer, without a gradient."""
        if not law.noisy:
            raise NsnnError('module has neurons with noisy=False: expected noise, or gradient="ndl"')
        law.detached = True
        k, self.place = self.place, self.place + 1
        if self.flips is not None:
            uniform = self.calls[k].uniform.repeat(1, len(self.flips[1]), *[1] * (drive.ndim - 2))
        elif forced is not None:
            uniform = 1 - 2 * forced
        else:
            uniform = torch.rand(drive.shape, generator=generator, dtype=drive.dtype, device=drive.device)
        state, states = None, []
        for t, now in enumerate(drive):
            state = law.step(now, state, functools.partial(self._drawn, law, uniform[t], (k, t)), None)
            states.append(state)
        fired = torch.stack([state.o for state in states])
        if self.flips is None:
            with torch.no_grad():
                p = torch.stack([law.probability(state.u - law.theta) for state in states])
            self.calls.append(_Call(uniform, fired, p))
        return fired.detach()

    def _drawn(
        self, law: Law, uniform: torch.Tensor, place: tuple[int, int], x: torch.Tensor
    ) -> torch.Tensor:
        o = uniform.lt(law.probability(x)).to(x.dtype)
        if self.flips is not None and self.flips[0] == place[0]:
            _, steps, units = self.flips
            rows = torch.nonzero(steps == place[1])[:, 0]
            every = o.view(len(steps), -1, x[0].numel())
            every[rows, :, units[rows]] = 1 - every[rows, :, units[rows]]
        return o


def _scores(value: torch.Tensor, call: _Call) -> torch.Tensor:
    """(L - b) (o - p) / (p (1 - p)) of each spike; value (draws, batch)."""
    rows = value if len(value) > 1 else value.T  # the baseline is the mean of the others along the first axis
    others = (rows.sum(0) - rows) / max(len(rows) - 1, 1)
    loss = (value - (others if len(value) > 1 else others.T)).flatten()
    by_p = torch.where(call.fired == 1, 1 / call.p, -1 / (1 - call.p))
    return by_p * loss.to(by_p).reshape(-1, *[1] * (by_p.ndim - 2))


def _differences(
    module: nn.Module, x: torch.Tensor, losses: Any, value: torch.Tensor, tape: _Tape, k: int
) -> torch.Tensor:
    """L(o = 1) - L(o = 0) of each spike of call k, of the shape of its drive."""
    call = tape.calls[k]
    n_units = call.uniform[0, 0].numel()
    gain = torch.empty(len(call.uniform), x.shape[1], n_units, dtype=call.uniform.dtype, device=x.device)
    at_once = max(1, _VALUES // sum(other.uniform.numel() for other in tape.calls))
    for flips in torch.arange(len(gain) * n_units, device=x.device).split(at_once):
        steps, units = flips // n_units, flips % n_units
        tape.flips, tape.place = (k, steps, units), 0
        out = module(x.repeat(1, len(flips), *[1] * (x.ndim - 2)))
        gain[steps, :, units] = (value - losses(out).reshape(len(flips), -1)).to(gain)
    tape.flips = None
    return gain.view(call.uniform.shape) * (2 * call.fired - 1)
