"""Base classes of learning rules and their text."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

from ...core.parameters import Model, Scalars


@dataclasses.dataclass(frozen=True)
class RuleText:
    """Text of a learning rule in Brian2's syntax: states of the synapse, lines per step and at spikes, signal to the source.

    states : lines of Brian2 equations (`w` not among them)
    at_start : lines before the membrane moves in a step; each_step : lines at the end of each step
    on_pre, on_post : lines at a spike of the source, of the target; `pre` in them is what this spike adds to the membrane, 0
        during the refractory time
    backward : an expression, or "" for none
    parameters : name -> (SI number or array of shape (n_target,), unit)
    unit : of the membrane and the weights; None: the `weight_unit` of the rule, for a dimensionless membrane

    >>> from nsnn_neuro.models.escape import Logistic
    >>> from nsnn_neuro.models.plasticity import NDL
    >>> print(NDL(0.1).text(reset="subtract", noise=Logistic(0.2)).each_step[-1])
    carried = beta * (1 - theta * f) * trace
    """

    states: tuple[str, ...] = ()
    each_step: tuple[str, ...] = ()
    on_pre: tuple[str, ...] = ()
    on_post: tuple[str, ...] = ()
    backward: str = ""
    parameters: dict[str, tuple[Any, str]] = dataclasses.field(default_factory=dict)
    at_start: tuple[str, ...] = ()
    unit: str | None = None

    def __str__(self) -> str:
        parts = {"states": self.states, "at start": self.at_start, "each step": self.each_step}
        parts |= {"on_pre": self.on_pre, "on_post": self.on_post}
        parts["backward"] = (self.backward,) if self.backward else ()
        return "\n".join(f"{name}:\n    " + "\n    ".join(lines) for name, lines in parts.items() if lines)


def numbers(model: Model, prefix: str = "") -> dict[str, tuple[Any, str]]:
    """All parameters of a model in SI: name (with the prefix) -> (value, unit)."""
    return {prefix + f.name: (model.si(f.name), model.unit(f.name)) for f in model.parameter_fields()}


class Plasticity(Scalars):
    """Base of the learning rules. Example of a new rule:

    >>> from nsnn_neuro.core.parameters import parameter
    >>> @dataclasses.dataclass(frozen=True, eq=False)
    ... class Forgetting(Plasticity):
    ...     rate: Any = parameter("1", bound="fraction")
    ...     def text(self, **neuron):
    ...         return RuleText(each_step=("w *= 1 - rate",), parameters={"rate": (self.si("rate"), "1")})
    >>> print(Forgetting(0.1).text())
    each step:
        w *= 1 - rate
    """

    signal_name: ClassVar[str] = "L"

    @property
    def weight_unit(self) -> str:
        """The unit of the weights: "V" or "1"."""
        return "1"

    def text(self, **neuron: Any) -> RuleText:
        """The text of the rule. `neuron`: properties of the target neuron and of the trials that the rule needs."""
        raise NotImplementedError

    def text_for(self, noise: Any) -> Callable[..., RuleText]:
        """The function that returns the text for a neuron with this noise."""
        return self.text
