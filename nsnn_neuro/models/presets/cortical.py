"""The cortical microcircuit of Potjans and Diesmann: four layers of excitatory and inhibitory LIF neurons."""

from __future__ import annotations

import numpy as np
import quantities as pq

from ...core.checks import scalar, suggest_keywords
from ...core.errors import NsnnError
from ..connectivity import FixedTotalNumber
from ..network import Network
from ..neurons import LIF
from ..noise import OUNoise
from ..populations import Population, Projection
from ..stimuli import Constant
from ..synapses import ExponentialSynapse
from ..weight_distributions import Normal

# Table 5 of the paper. Neurons of the full model, probability of at least one synapse (row: to, column: from), external synapses of
# a neuron
_NEURONS = {
    "L23E": 20_683, "L23I": 5_834, "L4E": 21_915, "L4I": 5_479, "L5E": 4_850, "L5I": 1_065, "L6E": 14_395, "L6I": 2_948,
}  # fmt: skip
_PROBABILITY = np.array(
    [
        [0.1009, 0.1689, 0.0437, 0.0818, 0.0323, 0.0000, 0.0076, 0.0000],
        [0.1346, 0.1371, 0.0316, 0.0515, 0.0755, 0.0000, 0.0042, 0.0000],
        [0.0077, 0.0059, 0.0497, 0.1350, 0.0067, 0.0003, 0.0453, 0.0000],
        [0.0691, 0.0029, 0.0794, 0.1597, 0.0033, 0.0000, 0.1057, 0.0000],
        [0.1004, 0.0622, 0.0505, 0.0057, 0.0831, 0.3726, 0.0204, 0.0000],
        [0.0548, 0.0269, 0.0257, 0.0022, 0.0600, 0.3158, 0.0086, 0.0000],
        [0.0156, 0.0066, 0.0211, 0.0166, 0.0572, 0.0197, 0.0396, 0.2252],
        [0.0364, 0.0010, 0.0034, 0.0005, 0.0277, 0.0080, 0.0658, 0.1443],
    ]
)
_EXTERNAL = np.array([1_600, 1_500, 2_100, 1_900, 2_000, 1_900, 2_900, 2_100])
_EXTERNAL_RATE = 8.0  # Hz, of each external synapse
# Hz, of the full model in NEST with Poisson input, 1 run; the mean input that is lost with synapses is computed from them
_FULL_RATES = np.array([0.903, 2.965, 4.414, 5.876, 7.569, 8.633, 1.105, 7.829])
_TAU_M, _CAPACITANCE, _TAU_SYN = 10e-3, 250e-12, 0.5e-3  # s, F, s
# V: the current of an excitatory synapse times the resistance of the membrane
_WEIGHT = 87.8e-12 * _TAU_M / _CAPACITANCE
_G = 4.0  # inhibitory weight over excitatory one
_SPREAD = 0.1  # standard deviation of a weight, relative to _WEIGHT or to _G _WEIGHT
_DELAYS = {"E": (1.5, 0.75), "I": (0.8, 0.4)}  # ms, mean and standard deviation
_LEAST_DELAY = 0.1  # ms


@suggest_keywords
def microcircuit(
    *, scale: float = 0.1, in_degree_scale: float | None = None, seed: int | None = 0
) -> Network:
    """Cortical microcircuit of Potjans and Diesmann, the neurons below 1 mm^2 of cortex: populations "L23E", "L23I", ..., "L6I".

    All neurons are LIF: tau_m 10 ms, capacitance 250 pF, v_rest = v_reset = -65 mV, v_thresh -50 mV, tau_refrac 2 ms. A synapse
    injects an exponential current with tau_syn 0.5 ms. Two populations of the full model are joined by K synapses with random ends,
    K = ln(1 - C) / ln(1 - 1 / (N_pre N_post)), where C is the paper's probability of a connection. Weights are normal, 87.8 +- 8.8
    pA from excitatory neurons (175.6 +- 8.8 pA from L4E to L23E) and -351.2 +- 35.1 pA from inhibitory ones. Delays are normal,
    1.5 +- 0.75 and 0.8 +- 0.4 ms, at least 0.1 ms. A weight in this package is the current times the membrane's resistance of 40
    MOhm: 3.512 mV.

    The background, 1,500 to 2,900 Poisson trains of 8 Hz per neuron, is their diffusion approximation, a `Constant` drive and
    `OUNoise`. With fewer synapses of a neuron, larger weights keep the variance of its input and a constant drive its mean;
    correlations are not preserved, and rates change: see "Cortical microcircuit" in the documentation.

    Parameters
    ----------
    scale : number above 0, at most 1, fraction of the neurons: 77,169 at 1
    in_degree_scale : number above 0, at most 1, fraction of the synapses of a neuron; None: `scale`. The network has scale *
        in_degree_scale * 2.99e8 synapses; `Network.size` has their number and the memory that they need
    seed : whole number, seed of the wiring, of weights and delays

    Source: Potjans & Diesmann 2014, doi 10.1093/cercor/bhs358; scaling: van Albada, Helias & Diesmann 2015,
    doi 10.1371/journal.pcbi.1004490

    >>> net = microcircuit(scale=0.1)
    >>> {p.name: p.n for p in net.populations}
    {'L23E': 2068, 'L23I': 583, 'L4E': 2192, 'L4I': 548, 'L5E': 485, 'L5I': 106, 'L6E': 1440, 'L6I': 295}
    """
    s = scalar(scale, "1", "scale", above=0.0, most=1.0)
    k = s if in_degree_scale is None else scalar(in_degree_scale, "1", "in_degree_scale", above=0.0, most=1.0)
    names, full = list(_NEURONS), np.array(list(_NEURONS.values()))
    sizes = np.rint(s * full).astype(int)
    if sizes.min() < 1:
        raise NsnnError(
            f"scale = {scale}: no neuron is left in 'L5I', expected at least {0.5 / full.min():.1g}"
        )
    synapses = np.log1p(-_PROBABILITY) / np.log1p(-1.0 / np.outer(full, full))  # of the full model
    relative_weights = np.where([name.endswith("E") for name in names], 1.0, -_G)
    weights = np.tile(_WEIGHT * relative_weights, (len(names), 1))
    weights[names.index("L23E"), names.index("L4E")] *= 2  # its SD stays that of the others, as in the paper
    spreads = np.tile(_SPREAD * _WEIGHT * np.abs(relative_weights), (len(names), 1))

    cell = LIF(
        tau_m=_TAU_M * pq.s,
        v_rest=-65 * pq.mV,
        v_reset=-65 * pq.mV,
        v_thresh=-50 * pq.mV,
        tau_refrac=2 * pq.ms,
    )
    lost = (1 - np.sqrt(k)) * _TAU_SYN * ((weights * synapses) @ _FULL_RATES) / full
    external = _EXTERNAL_RATE * _EXTERNAL
    mean = lost + _WEIGHT * _TAU_SYN * external
    sigma = _WEIGHT * _TAU_SYN * np.sqrt(external / (2 * (_TAU_M + _TAU_SYN)))
    populations = [
        Population(
            int(n),
            cell,
            noise=OUNoise(sd * pq.V, _TAU_SYN * pq.s),
            stimulus=Constant(drive * pq.V),
            name=name,
        )
        for name, n, drive, sd in zip(names, sizes, mean, sigma, strict=True)
    ]
    current = ExponentialSynapse(_TAU_SYN * pq.s)
    projections = []
    for j, pre in enumerate(populations):
        average, deviation = _DELAYS[pre.name[-1]]
        delay = Normal(average * pq.ms, deviation * pq.ms, low=_LEAST_DELAY * pq.ms)
        for i, post in enumerate(populations):
            if number := round(s * k * synapses[i, j]):
                rule = FixedTotalNumber(number, autapses=True, multapses=True)
                mean_weight, sd = weights[i, j] / np.sqrt(k), spreads[i, j] / np.sqrt(k)
                bound = {"low" if mean_weight > 0 else "high": 0.0 * pq.V}  # one sign
                weight = Normal(mean_weight * pq.V, sd * pq.V, **bound)
                projections.append(
                    Projection(pre, post, rule=rule, weight=weight, delay=delay, synapse=current)
                )
    return Network(populations, projections, seed=seed)
