"""Plasticity: learning rules as text.

Three-factor rules (`NDL`, `SurrogateGradient`, `EProp`) follow the gradient of a loss,

    dw_ij = -eta sum_t L_i(t) f(u_i(t) - theta) trace_ij(t)

with the learning signal L (the derivative of the loss with respect to the spike of neuron i in step t), the factor f of the neuron
(a density at the distance to threshold) and the eligibility trace du_i/dw_ij of the synapse, which accumulates its input `pre`:

    trace(t) = k(t-1) trace(t-1) + pre(t),      k = beta (1 - o - u f) for a hard reset, beta (1 - theta f) for a subtractive one

or beta (1 - o) and beta if the gradient ignores the reset ("detached"). `PairSTDP` and `RewardModulatedSTDP` use spike times only.

The `text` of a rule uses the names w, trace, pre, u, o, L, beta, theta and its parameters. `nsnn_neuro.plastic_synapses` creates
the synapses, also in a Brian2 network of your own. To define a rule, subclass `Plasticity` with its `text`.
"""

from __future__ import annotations

from .diffusive import white_noise_factor
from .optimizers import SGD, Adam, Momentum, Optimizer
from .rule_text import Plasticity, RuleText
from .stdp import PairSTDP, RewardModulatedSTDP
from .three_factor import NDL, EProp, SurrogateGradient

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
