"""Online gradient: learning signals of the current step only, and eligibility traces through each neuron's membrane and reset.

With delta_l(t) = dL/do_l(t) through the modules above in step t, and e(t) = du(t)/dw along the neuron's own membrane and reset,

    dw = sum_t delta(t) f(u(t) - theta) e(t),        e(t) = z(t) + c(t) e(t-1),        c(t) = du(t)/du(t-1)

is the sum that synapses accumulate forward in time. Here it is taken per neuron instead of per synapse, sum_t G(t) z(t) with
G(t) = delta(t) f(t) + c(t+1) G(t+1): a trace for each weight of a convolution at each place would not fit into memory. Autograd
handles the modules between two layers of `NoisySpike` step by step.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import nn

from .law import Law
from .neuron import NoisySpike, replaced


class _Call(NamedTuple):
    """A layer's run: its drive, a detached copy, the spikes along its own membranes, and the same spikes for the layers above."""

    drive: torch.Tensor
    own: torch.Tensor
    fired: torch.Tensor
    visible: torch.Tensor


class Tape:
    """The calls of `NoisySpike` layers in one run of a module, and the online gradient from them."""

    def __init__(self) -> None:
        self.calls: list[_Call] = []
        self.closed = False

    def sequence(self, law: Law, drive: torch.Tensor, forced: Any, generator: Any) -> torch.Tensor:
        """`Law.sequence` with two graphs: along each membrane, detached from the drive; from a step to that of the layer above."""
        own = drive.detach().requires_grad_()
        potentials: list[torch.Tensor] = []
        fired = law.sequence(own, forced, generator, lambda u: potentials.append(u.detach()))
        linked = _Gate.apply(drive if drive.requires_grad else own, self)
        # the last term is 0: it leads the gradient to the drive of the same step
        theta = law.theta.detach() if isinstance(law.theta, torch.Tensor) else law.theta
        x = torch.stack(potentials) - theta + (linked - linked.detach())
        visible = law.fired(x, None if law.level is None else law.level.detach(), fired.detach())
        self.calls.append(_Call(drive, own, fired, visible))
        return visible

    def backward(self, out: torch.Tensor, signal: torch.Tensor) -> None:
        """Add the gradient to that of all parameters; `out` is the module's output (T, batch, ...), `signal` dL/d`out`."""
        visible = [call.visible for call in self.calls]
        deltas: Any = ()
        if visible:
            deltas = torch.autograd.grad(out, visible, signal, retain_graph=True, allow_unused=True)
        heads, signals = ([out], [signal]) if out.requires_grad else ([], [])
        for call, delta in zip(self.calls, deltas, strict=True):
            if delta is None:
                continue
            torch.autograd.backward(call.fired, delta)
            if call.drive.requires_grad:
                assert call.own.grad is not None
                heads.append(call.drive)
                signals.append(call.own.grad)
        self.closed = True
        torch.autograd.backward(heads, signals)
        self.calls.clear()  # their graphs refer to this tape, a reference cycle


class _Gate(torch.autograd.Function):
    """The identity; it blocks gradients once the tape is closed."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, tape: Tape) -> torch.Tensor:  # type: ignore[override]
        ctx.tape = tape
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, g: torch.Tensor) -> Any:  # type: ignore[override]
        return None if ctx.tape.closed else g, None


@contextlib.contextmanager
def taped(module: nn.Module) -> Iterator[Tape]:
    """Record one run of the module on a tape."""
    tape = Tape()
    with replaced(module, NoisySpike, "tape", tape):
        yield tape
