"""What a learning rule is: its text, and the way to Brian2 synapses of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from ..errors import NsnnError
from ..records import Record

__all__ = ["Plasticity", "RuleText", "Scalars", "numbers", "one_of"]


@dataclasses.dataclass(frozen=True)
class RuleText:
    """A rule in Brian2's syntax: the synapse's states, what happens in each step and at spikes, what goes back to the source.

    states : lines of Brian2 equations (`w` not among them)
    at_start : lines before the membrane moves in a step; each_step : lines at the end of each step
    on_pre, on_post : lines at a spike of the source, of the target; `pre` in them is what this spike adds to the membrane,
        0 while that is held refractory
    backward : an expression, or "" for none
    parameters : name -> (SI number or array of shape (n_target,), unit)
    unit : of the membrane and the weights; None: the rule's `weight_unit`, for a membrane without dimension

    >>> from nsnn_neuro.escape import Logistic
    >>> from nsnn_neuro.plasticity import NDL
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
        parts = {
            "states": self.states,
            "at start": self.at_start,
            "each step": self.each_step,
            "on_pre": self.on_pre,
        }
        parts |= {"on_post": self.on_post, "backward": (self.backward,) if self.backward else ()}
        return "\n".join(f"{name}:\n    " + "\n    ".join(lines) for name, lines in parts.items() if lines)


def numbers(record: Record, prefix: str = "") -> dict[str, tuple[Any, str]]:
    """All parameters of a record in SI: name (with the prefix) -> (value, unit)."""
    return {prefix + f.name: (record.si(f.name), record.unit(f.name)) for f in record._parameters()}


def one_of(value: Any, allowed: tuple[str, ...], name: str) -> None:
    """Raise NsnnError unless `value` is one of the texts allowed."""
    if not isinstance(value, str) or value not in allowed:
        raise NsnnError(f"{name} = {value!r}: expected " + " or ".join(f'"{a}"' for a in allowed))


class Scalars(Record):
    """A record whose parameters are single numbers."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for field in self._parameters():
            if np.ndim(self.si(field.name)):
                raise NsnnError(f"{field.name} = {getattr(self, field.name)}: expected one value")


class Plasticity(Scalars):
    """Base of the learning rules: `text` is the rule, `synapses` its Brian2 object. One's own is a record with a `text`:

    >>> from nsnn_neuro.records import parameter
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
        """The rule's text. `neuron`: what the rule has to know of the target's neuron and of trials."""
        raise NotImplementedError

    def text_for(self, noise: Any) -> Callable[..., RuleText]:
        """The `text` to ask for a neuron with this noise."""
        return self.text

    def synapses(
        self,
        source: Any,
        target: Any,
        *,
        learning_signal: str | None = None,
        membrane: str = "u",
        spike: str = "o",
        weight: str = "w",
        graded: str | None = None,
        feedback: str | None = None,
        trial: Any = None,
        on_pre: str | None = None,
        bounds: tuple[Any, Any] | None = None,
        order: int = 0,
        name: str = "plastic*",
        **neuron: Any,
    ) -> Any:
        """Brian2 synapses that learn by this rule while a network runs: connect them, set `w`, add them to your network.

        Weights change in generated code, at the end of each step (slot "end"; STDP at spikes). What the rule reads of the target
        it reads then: u as it was held against the threshold, not yet reset; o = 1 if the neuron has fired in this step, else 0.
        So a spike has to arrive before the threshold of the step that is to see it (see `S.pre.when` and `.order`).

        Parameters
        ----------
        source, target : Brian2 groups; the source anything that spikes
        learning_signal : name of the target's variable that holds it; default "L", or "R" for a reward
        membrane, spike : names of the target's variables; weight : of the synapses' (not "w" where the target has a w of its own)
        graded : name of a variable of the source, the value that a spike brings along; None: 1
        feedback : name of the source's variable that takes the learning signal handed back by this rule's `signal`; None: none.
            With signal "random" and "broadcast" set the weights of the way back, `S.b`
        trial : time, a multiple of dt: gradients are summed and weights change in a trial's last step, after which traces start
            anew (membranes don't, that is the network's to do); trials follow each other from t = 0. None: in every step
        on_pre : text of what a spike does, as in Brian2; default: the membrane jumps by w (times the graded value); "": nothing
        bounds : two numbers (or None for either) between which a weight stays
        order : signals go back in this order and weights change in the next; give a layer a higher one than the layer after it
        name : of the Brian2 object
        noise : a family, `EscapeNoise(family)`, or `WhiteNoise(sigma)` of a diffusive membrane; for `NDL` alone
        beta, theta : number or array (n_target,), of the target's neuron; reset : "hard" (default) or "subtract"
        tau_m, v_thresh, mu : in place of those, with `WhiteNoise`: number or array (n_target,), sigma's unit for v_thresh and mu,
            what the membrane relaxes to; or mu is the name of a variable of the target. Membrane and weights have sigma's unit, and
            eta is a number: in V^2, `NDL(float(2*mV**2))`, with Adam in V. No `spike` is read, no `feedback` given
        method : the target's step, "euler" (default, Brian2's for white noise): m = x0 + (mu - x0) dt / tau_m and
            s^2 = 2 sigma^2 dt / tau_m; "exact", as of `simulate`: m = mu + (x0 - mu) exp(-dt / tau_m),
            s^2 = sigma^2 (1 - exp(-2 dt / tau_m))
        bridge : True if the target also fires at crossings between grid points; default False, Brian2's threshold alone.
            With `WhiteNoise` the rule reads the membrane in slot "before_groups", and the target has to move later (in "groups");
            spikes arrive after the threshold ("synapses", the default) or before the rule's reading, L is read at the end

        Raises
        ------
        NsnnError : a variable that is missing, noise without a density, an argument the rule doesn't take or lacks
        """
        from ..assemble.plastic import plastic

        return plastic(
            self,
            source,
            target,
            names={"u": membrane, "o": spike},
            learning_signal=learning_signal,
            weight=weight,
            graded=graded,
            feedback=feedback,
            trial=trial,
            on_pre=on_pre,
            bounds=bounds,
            order=order,
            name=name,
            neuron=neuron,
        )
