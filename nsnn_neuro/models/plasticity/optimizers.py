"""Optimizers: the update of a weight from its gradient."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from ...core.errors import NsnnError
from ...core.parameters import Scalars, parameter, substitute


class Optimizer(Scalars):
    """Base of the optimizers: the update of a weight w from its gradient g.

    `states` : names of variables of the synapse, initially 0
    `lines` : text in g, w, eta, due (1 in a step in which the weights change, else 0), the states and the parameters

    Example of a new optimizer, which uses the sign of the gradient:

    >>> from nsnn_neuro.models.plasticity import NDL
    >>> class SignDescent(Optimizer):
    ...     lines = ("w -= due * eta * sign(g)",)
    >>> NDL(0.01, optimizer=SignDescent()).optimizer.lines
    ('w -= due * eta * sign(g)',)
    """

    states: ClassVar[tuple[str, ...]] = ()
    lines: ClassVar[tuple[str, ...]]

    def step(self, gradient: str, trial: bool, volts: bool = False) -> list[str]:
        """Lines that set g to the gradient and change w, in each step or, with g summed, at the end of a trial.

        volts : the weights are in volts; optimizers compute on plain numbers
        """
        own = {f.name: f"optimizer_{f.name}" for f in self.parameter_fields()}
        own |= {"w": "w_number"} if volts else {}
        change = [substitute(line, own if trial else own | {"due": "1"}) for line in self.lines]
        if volts:
            change = ["w_number = w / volts", *change, "w = w_number * volts"]
        if not trial:
            return [f"g = {gradient}", *change]
        return ["due = int(t_in_timesteps % steps == steps - 1)", f"g += {gradient}", *change, "g *= 1 - due"]


@dataclasses.dataclass(frozen=True, eq=False)
class SGD(Optimizer):
    """Gradient descent: w -= eta g.

    >>> SGD().lines
    ('w -= due * eta * g',)
    """

    lines: ClassVar[tuple[str, ...]] = ("w -= due * eta * g",)


@dataclasses.dataclass(frozen=True, eq=False)
class Momentum(Optimizer):
    """Gradient descent with momentum: velocity = mu velocity + g, w -= eta velocity.

    mu : number, 0 to 1

    Source: Polyak 1964, doi 10.1016/0041-5553(64)90137-5

    >>> Momentum(0.5).mu
    0.5
    """

    mu: Any = parameter("1", bound="fraction", default=0.9)
    states: ClassVar[tuple[str, ...]] = ("velocity",)
    lines: ClassVar[tuple[str, ...]] = (
        "velocity += due * (g - (1 - mu) * velocity)",
        "w -= due * eta * velocity",
    )


@dataclasses.dataclass(frozen=True, eq=False)
class Adam(Optimizer):
    """Adam: w -= eta m / (sqrt(v) + epsilon), with bias-corrected running means m of g and v of g^2.

    beta_1, beta_2 : numbers, 0 to 1 (below 1); epsilon : number > 0

    Source: Kingma & Ba 2014, arXiv 1412.6980

    >>> Adam().epsilon
    1e-08
    """

    beta_1: Any = parameter("1", bound="fraction", default=0.9)
    beta_2: Any = parameter("1", bound="fraction", default=0.999)
    epsilon: Any = parameter("1", bound="positive", default=1e-8)
    states: ClassVar[tuple[str, ...]] = ("known_1", "known_2", "first", "second_moment")
    lines: ClassVar[tuple[str, ...]] = (
        # 1 - beta^n after n updates, without a power so that loops of these lines can be vectorised
        "known_1 += due * (1 - beta_1) * (1 - known_1)",
        "known_2 += due * (1 - beta_2) * (1 - known_2)",
        "first += due * (1 - beta_1) * (g - first)",
        "second_moment += due * (1 - beta_2) * (g * g - second_moment)",
        # + 1 - due: never 0, also before the first update
        "mean = first / (known_1 + 1 - due)",
        "power = second_moment / (known_2 + 1 - due)",
        "w -= due * eta * mean / (sqrt(power) + epsilon)",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("beta_1", "beta_2"):
            if self.si(name) == 1:
                raise NsnnError(f"{name} = {getattr(self, name)}: expected a value below 1")
