"""Plasticity: learning rules as text on a record, and as Brian2 synapses whose weights change while a network runs.

Three-factor rules (`NDL`, `SurrogateGradient`, `EProp`) go down the slope of a loss,

    dw_ij = -eta sum_t L_i(t) f(u_i(t) - theta) trace_ij(t)

L the learning signal (the derivative of the loss to neuron i's spike in step t), f the factor of the neuron (a density at the
distance to threshold), and the synapse's eligibility trace du_i/dw_ij, which keeps what has arrived, `pre`:

    trace(t) = k(t-1) trace(t-1) + pre(t),      k = beta (1 - o - u f) for a hard reset, beta (1 - theta f) for a subtractive one

and beta (1 - o) and beta with the reset's path detached. `PairSTDP` and `RewardModulatedSTDP` know spike times alone.

A rule's text (`text`) is in the names w, trace, pre, u, o, L, beta, theta and its parameters. `assemble.plastic` makes synapses of
it; `synapses` is the way there for anybody's Brian2 network. A new rule is a subclass of `Plasticity` with its `text`.
"""

from __future__ import annotations

from .diffusive import white_noise_factor
from .factors import NDL, EProp, SurrogateGradient
from .optimizers import SGD, Adam, Momentum, Optimizer
from .rule import Plasticity, RuleText
from .timing import PairSTDP, RewardModulatedSTDP

__all__ = [
    "NDL",
    "SGD",
    "Adam",
    "EProp",
    "Momentum",
    "Optimizer",
    "PairSTDP",
    "Plasticity",
    "RewardModulatedSTDP",
    "RuleText",
    "SurrogateGradient",
    "white_noise_factor",
]
