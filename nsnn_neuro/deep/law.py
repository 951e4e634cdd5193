"""Dynamics of a layer of `NoisySpike`: its parameters as tensors, its steps, and all steps at once with their backward pass."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch

from ..core.errors import NsnnError
from ..models.escape import Family, Gaussian
from .expressions import evaluate
from .rng import source_of_step, uniform_of_step, words

_IN_CACHE = 2**17  # values of a tensor; a few such tensors fit into the cache of a core
_FUSED = 2**15  # values of a step, from which on `fused` is worth the import of Numba
_FEW_THREADS = 4  # with more of them torch is as fast


class State(NamedTuple):
    """A layer between two steps: potentials u, before the reset, and spikes o, each shaped as the drive of a step.

    >>> State(torch.zeros(2), torch.ones(2)).o.tolist()
    [1.0, 1.0]
    """

    u: torch.Tensor
    o: torch.Tensor


class Law:
    """A neuron's parameters as tensors that broadcast with a step's drive, and its dynamics.

    like : the drive of a step; axis : of it, along which array parameters vary; beta, theta : numbers, arrays, or tensors where
    they are learned; mean_field : without noise, whether o is F(x) in place of a spike; level : log of the learned factor of the
    noise, or None; width : standard deviation of a Gaussian density that replaces the family's in the backward pass, or None
    """

    def __init__(
        self,
        family: Family,
        like: torch.Tensor,
        *,
        beta: Any,
        theta: Any,
        hard: bool,
        axis: int,
        noisy: bool,
        mean_field: bool,
        detached: bool,
        level: torch.Tensor | None,
        width: float | None,
    ) -> None:
        self.family, self.noisy, self.detached, self.width = family, noisy, detached, width
        self.hard, self.mean_field = hard, mean_field
        spread = functools.partial(_spread, like=like, axis=axis)
        self.beta, self.theta = spread(beta, name="beta"), spread(theta, name="theta")
        names = [f.name for f in self.family.parameter_fields()]
        self.numbers: dict[str, Any] = {name: spread(self.family.si(name), name=name) for name in names}
        self.level: Any = None if level is None else spread(level, name="log_level")

    def sequence(
        self,
        drive: torch.Tensor,
        forced: torch.Tensor | None,
        generator: Any,
        observe: Callable[[torch.Tensor], Any] | None = None,
    ) -> torch.Tensor:
        """All spikes (T, ...), from u = 0 on; `observe` is called with the potentials of each step."""
        if observe is None:
            learned = [v if isinstance(v, torch.Tensor) else None for v in (self.beta, self.theta)]
            spikes: torch.Tensor = _AllSteps.apply(drive, self.level, *learned, forced, generator, self)
            return spikes
        state: State | None = None
        fired = []
        for t in range(len(drive)):
            state = self.step(drive[t], state, None if forced is None else forced[t], generator)
            observe(state.u)
            fired.append(state.o)
        return torch.stack(fired)

    def step(self, drive: torch.Tensor, state: State | None, forced: Any, generator: Any) -> State:
        """One step; `forced` are its spikes, or a function of x = u - theta that returns them; None: they are drawn."""
        u = drive
        if state is not None:
            o = state.o.detach() if self.detached else state.o
            u = drive + self.kept(state.u, o)
        x = u - self.theta
        if not isinstance(forced, torch.Tensor):
            with torch.no_grad():
                forced = self.drawn(x, uniform_of_step(x, generator)) if forced is None else forced(x)
        return State(u, self.fired(x, self.level, forced))

    def kept(self, u: torch.Tensor, o: torch.Tensor) -> torch.Tensor:
        """What is left of potentials u in the next step, after the reset by spikes o."""
        return torch.as_tensor(self.beta * (u * (1 - o) if self.hard else u - self.theta * o))

    def drawn(self, x: torch.Tensor, uniform: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        """Spikes drawn at x = u - theta, of a step or its next part, or F(x); uniform : as of `uniform_of_step`."""
        p = self.probability(x)
        return uniform(p).lt_(p) if self.noisy else p

    def fired(self, x: torch.Tensor, level: torch.Tensor | None, o: torch.Tensor) -> torch.Tensor:
        """Spikes o that were drawn at x = u - theta, as a function of x and level."""
        spikes: torch.Tensor = _Spike.apply(x, level, o, self)
        return spikes

    def probability(self, x: torch.Tensor) -> torch.Tensor:
        """F(x)."""
        if not (self.noisy or self.mean_field):
            return (x > 0).to(x.dtype)
        return self._at(self.family.cdf_text, x, self.level)

    def density(self, x: torch.Tensor, level: torch.Tensor | None) -> torch.Tensor:
        """f(x), in the backward pass; that of a Gaussian of standard deviation `width` where there is one."""
        if self.width is not None:
            return evaluate(Gaussian.pdf_text, {"x": x, "sigma": self.width}, x)
        return self._at(self.family.pdf_text, x, level)

    def parts(self, like: torch.Tensor) -> list[slice]:
        """Slices of a step along its first axis, each of about `_IN_CACHE` values; one where parameters vary along that axis."""
        tensors = [
            v
            for v in (self.beta, self.theta, self.level, *self.numbers.values())
            if isinstance(v, torch.Tensor)
        ]
        varies = any(v.ndim == like.ndim and v.shape[0] > 1 for v in tensors)
        if like.device.type != "cpu" or like.numel() <= _IN_CACHE or varies:
            return [slice(None)]
        size = max(1, _IN_CACHE // like[0].numel())
        return [slice(k, k + size) for k in range(0, len(like), size)]

    def fusible(self, u: torch.Tensor) -> bool:
        """Whether steps laid out in memory as potentials u (T, ...) are large ones that `fused` takes."""
        numbers = (self.beta, self.theta, *self.numbers.values())
        return (
            type(self.family) is Gaussian
            and not self.mean_field
            and self.level is None
            and all(isinstance(value, float) for value in numbers)
            and u.dtype == torch.float32
            and u.device.type == "cpu"
            and u[0].numel() >= _FUSED
            and u.stride(1) * u.shape[1] == u[0].numel()
            and torch.get_num_threads() <= _FEW_THREADS
        )

    def run(
        self, drive: torch.Tensor, u: torch.Tensor, o: torch.Tensor, parts: list[slice], generator: Any
    ) -> None:
        """All steps of drive by `fused`, into potentials u (of all steps, or two in turn) and spikes o."""
        from .fused import flat, forward_step  # imports Numba

        each = u.stride(1)
        for t in range(len(drive)):
            now = drive[t] if drive[t].stride() == u[0].stride() else torch.empty_like(u[0]).copy_(drive[t])
            source = source_of_step(generator) if self.noisy else None
            d, before = flat(now), None if t == 0 else (flat(u[(t - 1) % len(u)]), flat(o[t - 1]))
            after = flat(u[t % len(u)]), flat(o[t])
            for rows in parts:
                own = slice(*(None if k is None else k * each for k in (rows.start, rows.stop)))
                numbers = None if source is None else words(source, d[own].size)
                past = None if before is None else (before[0][own], before[1][own])
                forward_step(d[own], past, numbers, (after[0][own], after[1][own]), self)

    def run_back(
        self, g: torch.Tensor, u: torch.Tensor, o: torch.Tensor, parts: list[slice], by_drive: torch.Tensor
    ) -> None:
        """The slopes in the drive of all steps by `fused`, from those in the spikes, g."""
        from .fused import backward_step, flat

        each = u.stride(1)
        same = g if g.stride() == u.stride() else torch.empty_like(u).copy_(g)
        slopes, us, os, result = ([flat(one) for one in part] for part in (same, u, o, by_drive))
        for rows in parts:
            own = slice(*(None if k is None else k * each for k in (rows.start, rows.stop)))
            after = np.zeros_like(result[0][own])
            for t in range(len(u) - 1, -1, -1):
                backward_step(slopes[t][own], (us[t][own], os[t][own]), after, result[t][own], self)
                after = result[t][own]

    def _at(self, text: str, x: torch.Tensor, level: torch.Tensor | None) -> torch.Tensor:
        names = dict(self.numbers)
        if level is not None:
            for name, power in self.family.scale_powers().items():
                names[name] = names[name] * torch.exp(power * level)
        return evaluate(text, {**names, "x": x}, x)


class _Spike(torch.autograd.Function):
    """Spikes that were drawn, as a function of x = u - theta and of log s: do/dx = f, do/dlog s = -x f."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, level: Any, o: torch.Tensor, law: Law) -> torch.Tensor:  # type: ignore[override]
        ctx.law = law
        ctx.save_for_backward(x, level)
        return o.clone()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, g: torch.Tensor) -> Any:  # type: ignore[override]
        x, level = ctx.saved_tensors
        by_x = g * ctx.law.density(x, level)
        by_level = None if level is None else (-x * by_x).sum_to_size(level.shape)
        return by_x, by_level, None, None


class _AllSteps(torch.autograd.Function):
    """All steps of a layer, with the values of `Law.step` and its derivatives, to rounding.

    One node of autograd for all steps overwrites intermediate results. On a CPU it takes parts of a batch at a time that fit into
    the cache, since most of the time would go into moving them to and from memory.
    """

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, drive: torch.Tensor, level: Any, *rest: Any
    ) -> torch.Tensor:
        *_, forced, generator, law = (
            rest  # beta and theta are in `law`; here they only ask for their gradient
        )
        learns = any(ctx.needs_input_grad)
        u, o = _like(drive, len(drive) if learns else min(len(drive), 2)), _like(drive, len(drive))
        parts = law.parts(drive[0])
        ctx.law, ctx.fused = law, forced is None and law.fusible(u)
        if ctx.fused:
            law.run(drive, u, o, parts, generator)
            if learns:
                ctx.save_for_backward(u, o, level)
            return o
        # parts of a step in their order, so that random numbers are those of the whole step
        for t in range(len(drive)):
            uniform = uniform_of_step(drive[t], generator) if forced is None else None
            for rows in parts:
                now = u[t % len(u), rows]
                if t:
                    before, fired = u[(t - 1) % len(u), rows], o[t - 1, rows]
                    if law.hard:  # u (1 - o), exactly
                        torch.mul(before, fired, out=now)
                    else:
                        torch.mul(fired, law.theta, out=now)
                    torch.sub(before, now, out=now).mul_(law.beta).add_(drive[t, rows])
                else:
                    now.copy_(drive[t, rows])
                o[t, rows] = forced[t, rows] if uniform is None else law.drawn(now - law.theta, uniform)
        if learns:
            ctx.save_for_backward(u, o, level)
        return o

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, g: torch.Tensor) -> Any:  # type: ignore[override]
        law: Law = ctx.law
        u, o, level = ctx.saved_tensors
        by_drive = torch.empty_like(u)
        if ctx.fused:
            law.run_back(g, u, o, law.parts(u[0]), by_drive)
            return by_drive, *[None] * 6
        learned: list[Any] = [
            v if needed else None
            for v, needed in zip((level, law.beta, law.theta), ctx.needs_input_grad[1:4], strict=True)
        ]
        slopes: list[Any] = [None] * 3

        def add(k: int, slope: torch.Tensor) -> None:
            here = slope.sum_to_size(learned[k].shape)
            slopes[k] = here if slopes[k] is None else slopes[k] + here

        for rows in law.parts(u[0]):
            after: Any = None  # the slope in the potential of the step after
            for t in range(len(u) - 1, -1, -1):
                now, by_u, by_o, fired = u[t, rows], by_drive[t, rows], g[t, rows], o[t, rows]
                later = None if after is None else after * law.beta
                if later is not None and not law.detached:
                    by_o = by_o - later * (now if law.hard else law.theta)
                x = now - law.theta
                torch.mul(by_o, law.density(x, level), out=by_u)
                if learned[0] is not None:
                    add(0, -x * by_u)
                if learned[2] is not None:
                    add(2, -by_u if later is None or law.hard else -by_u - later * fired)
                if later is not None:
                    if learned[1] is not None:
                        add(1, after * (now * (1 - fired) if law.hard else now - law.theta * fired))
                    by_u.add_(later * (1 - fired) if law.hard else later)
                after = by_u
        return by_drive, *slopes, None, None, None


def _like(drive: torch.Tensor, n_steps: int) -> torch.Tensor:
    """An empty tensor (n_steps, ...) whose steps are laid out in memory as a step of the drive."""
    one = torch.empty_like(drive[0], device="meta")
    strides = (max(one.numel(), 1), *one.stride())
    return torch.empty_strided((n_steps, *one.shape), strides, dtype=drive.dtype, device=drive.device)


def _spread(value: Any, like: torch.Tensor, axis: int, name: str) -> Any:
    """A number, or values along an axis of a step's drive."""
    if np.ndim(value) == 0 and not isinstance(value, torch.Tensor):
        return float(value)
    tensor = torch.as_tensor(value, dtype=like.dtype, device=like.device)
    if not tensor.ndim:
        return tensor
    if not -like.ndim <= axis < like.ndim or like.shape[axis] != len(tensor):
        raise NsnnError(
            f"{name} has {len(tensor)} values: expected one, or one for each along axis {axis} of a step, {tuple(like.shape)}"
        )
    shape = [1] * like.ndim
    shape[axis] = len(tensor)
    return tensor.reshape(shape)
