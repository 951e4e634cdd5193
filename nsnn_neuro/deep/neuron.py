"""The NSNN neuron as a torch module: P(o_t = 1) = F(u_t - theta), and in the backward pass do/du = f, the density of its noise."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import functools
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from ..core.checks import one_of, whole
from ..core.errors import NsnnError
from ..models.escape import EscapeNoise, Family
from ..models.neurons import NSNNNeuron
from .law import Law, State
from .rng import seeded

_LARGEST_LEVEL = 20.0


class NoisySpike(nn.Module):
    """Noisy spiking neurons: takes drive (T, batch, ...) to spikes, 0 or 1, of the same shape.

        u_t = beta u_(t-1) (1 - o_(t-1)) + drive_t,      P(o_t = 1) = F(u_t - theta)

    or, with reset="subtract", u_t = beta (u_(t-1) - theta o_(t-1)) + drive_t; u = 0 and o = 0 before the first step. A spike and
    its reset are the same draw. The backward pass is noise-driven learning: do/du = f(u - theta), with f = F' the density of the
    noise. F and f are computed from the text that Brian2 runs, in float32 if the drive has half precision, else in the drive's
    type.

    It is noisy in `eval()` mode too: average with `passes`. Noise comes from torch's generator of the device.

    Parameters
    ----------
    family : a dimensionless noise family such as `Gaussian(0.4)`
    beta, theta, reset : as of `NSNNNeuron`: decay per step, threshold, "hard" or "subtract"
    reset_path : "exact", or "detached": the backward pass treats the spikes in the reset as constants
    noisy : False: the deterministic neuron, which fires when u > theta, with the family's density as surrogate gradient
    mean_field : True: the mean-field control: o_t is F(u_t - theta), a number from 0 to 1 in place of a draw, so `noisy` is False;
        the gradient is exact. For one step and a linear readout it is the mean over infinitely many draws
    learn_beta, learn_theta, learn_noise : whether beta, theta and the scale of the noise are learned, from these values on: one
        number for the layer, or one for each place where an array is given. beta is the logistic function of its logit plus the
        parameter `beta_shift`, so it stays between 0 and 1; theta has `theta_shift` added; the family's scale is multiplied by
        exp(`log_level`), from exp(-20) to exp(20), and d/dlog_level of F is -(u - theta) f
    axis : the axis of a step's drive along which array parameters vary: -1, or 1 for the channels of a convolution

    Source: Ma, Yan & Tang 2023, doi 10.1016/j.patter.2023.100831

    >>> from nsnn_neuro import Gaussian, Uniform
    >>> NoisySpike(Gaussian(1e-3))(torch.tensor([[[0.6]], [[0.9]], [[0.6]]])).flatten().tolist()
    [0.0, 1.0, 0.0]
    >>> drive = torch.tensor([[0.5, 0.75]], requires_grad=True)
    >>> NoisySpike(Uniform(2.0))(drive).sum().backward()
    >>> drive.grad.tolist()
    [[0.25, 0.25]]
    >>> NoisySpike(Uniform(2.0), beta=[0.5, 0.75], learn_beta=True).beta
    tensor([0.5000, 0.7500], grad_fn=<...>)
    """

    axis: int
    mean_field: bool
    noisy: bool
    reset_path: str

    def __init__(
        self,
        family: Family | EscapeNoise,
        *,
        beta: Any = 0.5,
        theta: Any = 1.0,
        reset: str = "hard",
        reset_path: str = "exact",
        noisy: bool = True,
        mean_field: bool = False,
        learn_beta: bool = False,
        learn_theta: bool = False,
        learn_noise: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__()
        self._neuron = NSNNNeuron(beta=beta, theta=theta, reset=reset)  # type: ignore[arg-type]
        self._family = _family(family)
        one_of(reset_path, ("exact", "detached"), "reset_path")
        if isinstance(axis, bool) or not isinstance(axis, int):
            raise NsnnError(f"axis = {axis!r}: expected a whole number, -1 for the last axis of a step")
        if learn_noise and not (noisy or mean_field):
            raise NsnnError("learn_noise = True: expected False with noisy=False, without noise to learn")
        self.reset_path, self.axis = reset_path, axis
        self.mean_field, self.noisy = bool(mean_field), bool(noisy and not mean_field)
        self.tape: Any = None  # of `online` or `estimators`, while they learn
        self.surrogate_width: float | None = None  # set by `surrogate` during an attack
        starts = [np.asarray(self._neuron.si(name)) for name in ("beta", "theta")]
        if learn_beta and not np.all((starts[0] > 0) & (starts[0] < 1)):
            raise NsnnError(
                f"beta = {beta!r}: expected above 0 and below 1 with learn_beta=True, such as 0.5"
            )
        self.beta_shift = nn.Parameter(torch.zeros(starts[0].shape)) if learn_beta else None
        self.theta_shift = nn.Parameter(torch.zeros(starts[1].shape)) if learn_theta else None
        self.log_level: nn.Parameter | None = None
        if learn_noise:
            self._family.scaled(1.0)  # refuses a family without a scale
            sizes = [np.shape(self._family.si(name)) for name in self._family.scale_powers()]
            self.log_level = nn.Parameter(torch.zeros(max(sizes, key=len)))

    @property
    def beta(self) -> Any:
        """Decay per step, a number or array; where it is learned a tensor, with a gradient."""
        start = self._neuron.si("beta")
        if self.beta_shift is None:
            return start
        logit = _moved(np.log(start) - np.log1p(-start), self.beta_shift)
        # rounded it would be 1 from a logit of 17 on
        return torch.sigmoid(logit).clamp(max=1 - torch.finfo(logit.dtype).eps)

    @property
    def theta(self) -> Any:
        """Threshold, a number or array; where it is learned a tensor, with a gradient."""
        start = self._neuron.si("theta")
        return start if self.theta_shift is None else _moved(start, self.theta_shift)

    @property
    def neuron(self) -> NSNNNeuron:
        """The neuron, with beta and theta learned so far."""
        learned = {"beta": self.beta_shift, "theta": self.theta_shift}
        values = {name: _numbers(getattr(self, name)) for name, p in learned.items() if p is not None}
        return dataclasses.replace(self._neuron, **values)

    @property
    def family(self) -> Family:
        """The noise family, with the scale learned so far."""
        return self._family if self.log_level is None else self._family.scaled(_numbers(self._level().exp()))

    def _level(self) -> Any:
        """Log of the learned factor of the noise, within bounds: no factor is 0 or infinite in float32."""
        return None if self.log_level is None else self.log_level.clamp(-_LARGEST_LEVEL, _LARGEST_LEVEL)

    def forward(
        self, drive: torch.Tensor, *, spikes: Any = None, generator: torch.Generator | None = None
    ) -> torch.Tensor:
        """The spikes of all steps for drive (T, batch, ...) or (T, n), finite, starting from u = 0.

        spikes : None, or 0 and 1 of the drive's shape, which replace the draws; generator : of the draws, None: torch's own
        """
        if not isinstance(drive, torch.Tensor) or drive.ndim < 2 or not len(drive):
            raise NsnnError(
                f"drive is {shown(drive)}: expected a tensor (T, batch, ...), T of at least 1; for a single step call `step`"
            )
        work, forced = self._checked(drive, spikes)
        law = self._law(work[0])
        run = law.sequence if self.tape is None else functools.partial(self.tape.sequence, law)
        return run(work, forced, generator).to(drive.dtype)

    def step(
        self,
        drive: torch.Tensor,
        state: State | None = None,
        *,
        spikes: Any = None,
        generator: torch.Generator | None = None,
    ) -> State:
        """One step: the state after it, spikes o and the potentials u from which they were drawn.

        drive : (batch, ...) or (n,), finite; state : after the previous step, None: u = 0 and o = 0; the others as of `forward`

        >>> from nsnn_neuro import Gaussian
        >>> cell = NoisySpike(Gaussian(1e-3))
        >>> state = cell.step(torch.tensor([0.5]))
        >>> cell.step(torch.tensor([0.5]), state).u.tolist()
        [0.75]
        """
        if self.tape is not None:
            raise NsnnError(
                'algorithm = "online" or unbiased gradients: the module calls NoisySpike.step, expected calls with all steps'
            )
        work, forced = self._checked(drive, spikes)
        if state is not None and any(part.shape != work.shape for part in state):
            shapes = ", ".join(str(tuple(part.shape)) for part in state)
            raise NsnnError(f"state has shapes {shapes}: expected {tuple(work.shape)} as the drive, or None")
        return self._law(work).step(work, state, forced, generator)

    def probability(self, u: torch.Tensor) -> torch.Tensor:
        """F(u - theta), the probability of a spike at potentials u (..., as a step's drive); 0 or 1 in a deterministic neuron.

        >>> from nsnn_neuro import Uniform
        >>> NoisySpike(Uniform(1.0)).probability(torch.tensor([0.5])).tolist()
        [0.25]
        """
        work, _ = self._checked(u, None, "u")
        law = self._law(work)
        return law.probability(work - law.theta).to(u.dtype)

    def _law(self, like: torch.Tensor) -> Law:
        """The dynamics for steps whose drive is like a tensor."""
        return Law(
            self._family, like, beta=self.beta, theta=self.theta, hard=self._neuron.reset == "hard", axis=self.axis,
            noisy=self.noisy, mean_field=self.mean_field, detached=self.reset_path == "detached", level=self._level(),
            width=self.surrogate_width,
        )  # fmt: skip

    def _checked(
        self, drive: Any, spikes: Any, name: str = "drive"
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Drive and spikes in the type of the computation."""
        if not isinstance(drive, torch.Tensor) or not drive.is_floating_point():
            raise NsnnError(f"{name} is {shown(drive)}: expected a tensor of floats")
        # a sum reads the values once; only where it is not finite, it may also have overflowed
        if not (torch.isfinite(drive.detach().sum()) or torch.isfinite(drive).all()):
            raise NsnnError(f"{name} has values that aren't finite: expected finite numbers")
        work = drive.to(torch.promote_types(drive.dtype, torch.float32))
        if spikes is None:
            return work, None
        forced = torch.as_tensor(spikes, dtype=work.dtype, device=work.device)
        if forced.shape != work.shape or not ((forced == 0) | (forced == 1)).all():
            raise NsnnError(f"spikes is {shown(forced)}: expected 0 and 1 of shape {tuple(work.shape)}")
        return work, forced

    def get_extra_state(self) -> dict[str, Any]:
        """The neurons' parameters as plain data, for the state_dict."""
        return {
            "neuron": self._neuron.describe(),
            "family": self._family.describe(),
            "noisy": self.noisy,
            "learn_noise": self.log_level is not None,
        }

    def set_extra_state(self, state: Any) -> None:
        """Refuse a state_dict of other neurons."""
        own = self.get_extra_state()
        if state != own:
            given = state if isinstance(state, dict) else {}
            changed = [f"{k}: {given.get(k)} there, {own[k]} here" for k in own if given.get(k) != own[k]]
            raise NsnnError(f"state_dict is of other neurons ({'; '.join(changed)}): expected the same")

    def extra_repr(self) -> str:
        """What is shown in brackets."""
        numbers = f"beta={self.neuron.beta}, theta={self.neuron.theta}, reset={self.neuron.reset!r}"
        kind = "mean_field=True" if self.mean_field else f"noisy={self.noisy}"
        return f"{self.family!r}, {numbers}, reset_path={self.reset_path!r}, {kind}"


class EachStep(nn.Sequential):
    """Modules without a time axis, applied to every step: (T, batch, ...) goes through them as (T batch, ...).

    >>> EachStep(nn.Conv2d(1, 4, 3), nn.Flatten())(torch.zeros(5, 2, 1, 8, 8)).shape
    torch.Size([5, 2, 144])
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """All steps at once."""
        if not isinstance(x, torch.Tensor) or x.ndim < 3:
            raise NsnnError(f"x is {shown(x)}: expected a tensor (T, batch, ...)")
        return super().forward(x.flatten(0, 1)).unflatten(0, x.shape[:2])


def passes(module: nn.Module, x: Any, k: int, *, seed: int | None = None) -> torch.Tensor:
    """The mean of module(x) over k passes with independent noise, without gradients.

    Parameters
    ----------
    module : a net with noisy neurons whose output is a tensor; put batch norm and dropout in `eval()` mode first
    k : whole number >= 1
    seed : whole number, of the noise on CPU and CUDA; torch's generators are left as they were. None: continue them

    >>> from nsnn_neuro import Uniform
    >>> rates = passes(NoisySpike(Uniform(1.0)), torch.full((1, 1000), 0.5), 20, seed=1)
    >>> abs(rates.mean().item() - 0.25) < 0.01
    True
    """
    whole(k, 1, "k")
    with torch.no_grad(), seeded(seed, module, x):
        total: Any = 0
        for _ in range(k):
            out = module(x)
            if not isinstance(out, torch.Tensor):
                raise NsnnError(f"module gives {type(out).__name__}: expected one tensor")
            total = total + out.to(torch.promote_types(out.dtype, torch.float32))
    return total / k


def twin(module: nn.Module) -> Any:
    """The twin of a module: a copy whose neurons fire when u > theta, with their family's density as surrogate gradient.

    Weights, beta and theta are the same; a learned noise scale becomes that of the family and is no longer learned.

    >>> from nsnn_neuro import Gaussian
    >>> twin(nn.Sequential(nn.Linear(4, 2), NoisySpike(Gaussian(0.4))))[1].noisy
    False
    """
    deterministic, cells = _copy(module)
    for cell in cells:
        cell._family, cell.log_level, cell.noisy, cell.mean_field = cell.family, None, False, False
    return deterministic


def mean_field(module: nn.Module) -> Any:
    """The mean-field control of a module: a copy whose noisy neurons emit F(u - theta) in place of draws.

    It tells smoothing from sampling: whether a noisy network owes a result to its draws, or to the smooth function of their mean.
    Parameters are the same and train as before; `NoisySpike(..., mean_field=True)` is such a neuron. The copy draws nothing, so one
    pass stands for all.

    Raises
    ------
    NsnnError : a module without noisy neurons

    >>> from nsnn_neuro import Uniform
    >>> mean_field(nn.Sequential(NoisySpike(Uniform(1.0))))(torch.tensor([[0.5], [0.75]])).flatten().tolist()
    [0.25, 0.46875]
    """
    control, cells = _copy(module)
    noisy = [cell for cell in cells if cell.noisy]
    if not noisy:
        raise NsnnError(
            f"module is {type(module).__name__} without noisy neurons: expected a NoisySpike with noisy=True"
        )
    for cell in noisy:
        cell.noisy, cell.mean_field = False, True
    return control


def _copy(module: nn.Module) -> tuple[nn.Module, list[NoisySpike]]:
    """A copy of a module, and its neurons."""
    if not isinstance(module, nn.Module):
        raise NsnnError(f"module is {type(module).__name__}: expected a torch.nn.Module")
    copied = copy.deepcopy(module)
    return copied, [cell for cell in copied.modules() if isinstance(cell, NoisySpike)]


def surrogate(module: nn.Module, width: float | None) -> contextlib.AbstractContextManager[None]:
    """In a `with` block, the backward pass has the density of Gaussian noise of standard deviation `width`; None: each its own.

    >>> from nsnn_neuro import Gaussian
    >>> cell, drive = NoisySpike(Gaussian(0.01), noisy=False), torch.zeros(1, 1, requires_grad=True)
    >>> with surrogate(cell, 1.0):
    ...     cell(drive).sum().backward()
    >>> round(drive.grad.item(), 4)
    0.242
    """
    return replaced(module, NoisySpike, "surrogate_width", width)


@contextlib.contextmanager
def replaced(module: nn.Module, kind: type[nn.Module], name: str, value: Any) -> Iterator[None]:
    """In a `with` block, this attribute of the modules of a kind has this value; afterwards those before."""
    before = [(part, getattr(part, name)) for part in module.modules() if isinstance(part, kind)]
    try:
        for part, _ in before:
            setattr(part, name, value)
        yield
    finally:
        for part, was in before:
            setattr(part, name, was)


def _family(value: Any) -> Family:
    family = value.family if isinstance(value, EscapeNoise) else value
    if not isinstance(family, Family) or family.x_unit != "1":
        raise NsnnError(
            f"family = {value!r}: expected a dimensionless noise family such as Gaussian(0.4); without noise: noisy=False"
        )
    return family


def _moved(start: Any, shift: torch.Tensor) -> torch.Tensor:
    """The sum, in the type of the shift."""
    return torch.as_tensor(start, dtype=shift.dtype, device=shift.device) + shift


def _numbers(value: torch.Tensor) -> Any:
    """A float, or an array in float64."""
    array = value.detach().double().cpu().numpy()
    return array if array.ndim else float(array)


def shown(value: Any) -> str:
    """Type and shape of a tensor, the type of anything else, for messages."""
    of_tensor = isinstance(value, torch.Tensor)
    return f"{value.dtype} of shape {tuple(value.shape)}" if of_tensor else type(value).__name__
