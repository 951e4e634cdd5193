"""Spike-timing dependent plasticity, with and without reward."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from ...core.parameters import parameter
from .rule_text import Plasticity, RuleText, numbers


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class _Pairs(Plasticity):
    """Base of the rules for pairs of spikes, with presynaptic and postsynaptic traces."""

    A_plus: Any = parameter("1", "V")
    A_minus: Any = parameter("1", "V")
    tau_plus: Any = parameter("s", bound="positive")
    tau_minus: Any = parameter("s", bound="positive")

    states: ClassVar[tuple[str, ...]] = (
        "dpre_trace/dt = -pre_trace / tau_plus : 1 (event-driven)",
        "dpost_trace/dt = -post_trace / tau_minus : 1 (event-driven)",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        self._same_unit("A_plus", "A_minus")

    @property
    def weight_unit(self) -> str:
        """The unit of the weights, that of A_plus: "V" or "1"."""
        return self.unit("A_plus")

    def _paired(self, changed: str) -> RuleText:
        """The text in which pairs of spikes change the variable `changed`."""
        return RuleText(
            states=self.states,
            on_pre=("pre_trace += 1", f"{changed} -= A_minus * post_trace"),
            on_post=("post_trace += 1", f"{changed} += A_plus * pre_trace"),
            parameters=numbers(self),
        )


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class PairSTDP(_Pairs):
    """Spike-timing dependent plasticity of all pairs of spikes with lag s = t_post - t_pre:

        dw = A_plus exp(-s / tau_plus) for s >= 0,   -A_minus exp(s / tau_minus) for s < 0

    Pre- and postsynaptic spikes in the same step (s = 0) strengthen the synapse, since the first can have caused the second.

    Parameters
    ----------
    A_plus, A_minus : numbers, or voltages for weights in volts, of either sign
    tau_plus, tau_minus : times > 0

    Source: Song, Miller & Abbott 2000, doi 10.1038/78829

    >>> from brian2 import ms
    >>> PairSTDP(A_plus=0.01, A_minus=0.012, tau_plus=20*ms, tau_minus=20*ms).text().on_post
    ('post_trace += 1', 'w += A_plus * pre_trace')
    """

    def text(self) -> RuleText:  # type: ignore[override]
        """The text of the rule."""
        return self._paired("w")


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class RewardModulatedSTDP(_Pairs):
    """Reward-modulated STDP: pairs of spikes change an eligibility c, as `PairSTDP` does w; in each step w += eta R c.

    c decays by exp(-dt / tau_e) in each step; R is the reward, the variable "R" of the target.

    Parameters
    ----------
    A_plus, A_minus, tau_plus, tau_minus : as for `PairSTDP`
    tau_e : time > 0
    eta : number >= 0

    Source: Izhikevich 2007, doi 10.1093/cercor/bhl152; Florian 2007, doi 10.1162/neco.2007.19.6.1468

    >>> from brian2 import ms
    >>> rule = RewardModulatedSTDP(A_plus=0.01, A_minus=0.01, tau_plus=20*ms, tau_minus=20*ms, tau_e=500*ms, eta=0.1)
    >>> rule.text().each_step
    ('w += eta * L * c', 'c *= exp(-dt / tau_e)')
    """

    tau_e: Any = parameter("s", bound="positive")
    eta: Any = parameter("1", bound="non-negative")

    signal_name: ClassVar[str] = "R"

    def text(self) -> RuleText:  # type: ignore[override]
        """The text of the rule."""
        unit = "volt" if self.weight_unit == "V" else "1"
        return dataclasses.replace(
            self._paired("c"),
            states=(*self.states, f"c : {unit}"),
            each_step=("w += eta * L * c", "c *= exp(-dt / tau_e)"),  # L: the learning signal, `signal_name`
        )
