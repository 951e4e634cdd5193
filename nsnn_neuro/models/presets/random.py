"""Random networks of LIF neurons: Brunel's, and the balanced network of van Vreeswijk and Sompolinsky."""

from __future__ import annotations

from typing import Any

import numpy as np
import quantities as pq

from ...core import units
from ...core.checks import scalar, suggest_keywords
from ...core.errors import NsnnError
from ..connectivity import FixedInDegree
from ..network import Network
from ..neurons import LIF
from ..noise import PoissonNoise
from ..populations import Population, Projection
from ..stimuli import Constant


@suggest_keywords
def brunel(
    *,
    g: float,
    eta: float,
    n_e: int = 10_000,
    n_i: int = 2_500,
    epsilon: float = 0.1,
    J: Any = 0.1 * pq.mV,
    delay: Any = 1.5 * pq.ms,
    seed: int | None = 0,
) -> Network:
    """Brunel's sparse network of excitatory and inhibitory LIF neurons (model A), with populations "E" and "I".

    Every neuron has C_E = epsilon n_e excitatory synapses of weight J, C_I = epsilon n_i inhibitory synapses of weight -g J, and
    Poisson input of weight J and total rate eta nu_thr C_E = eta v_thresh / (J tau_m); with external rate nu_thr alone the mean
    membrane potential is at threshold. tau_m 20 ms, v_rest 0, v_reset 10 mV, v_thresh 20 mV, tau_refrac 2 ms.

    Published states: (g, eta) = (5, 2) asynchronous irregular, 37.7 Hz; (3, 2) synchronous regular; (6, 4) fast and (4.5, 0.9) slow
    oscillation, irregular. Mean field: `theory.brunel_rates`.

    Parameters
    ----------
    g : number >= 0, inhibition relative to excitation
    eta : number >= 0, external rate relative to threshold
    n_e, n_i : whole numbers
    epsilon : number in (0, 1], connection probability: exact in-degrees, no autapses or multapses
    J : voltage > 0
    delay : time >= 0, of all synapses
    seed : whole number, seed of the wiring

    Source: Brunel 2000, doi 10.1023/A:1008925309027

    >>> net = brunel(g=5, eta=2, n_e=400, n_i=100)
    >>> net.projection_names
    ('E->E', 'E->I', 'I->E', 'I->I')
    >>> net.population("E").noise.rate
    array(20000.) * Hz
    """
    g_, eta_ = (scalar(value, "1", name, least=0.0) for value, name in ((g, "g"), (eta, "eta")))
    weight = scalar(J, "V", "J", above=0.0)
    p = scalar(epsilon, "1", "epsilon", above=0.0, most=1.0)
    cell = LIF(
        tau_m=20 * pq.ms, v_rest=0 * pq.mV, v_reset=10 * pq.mV, v_thresh=20 * pq.mV, tau_refrac=2 * pq.ms
    )
    rate = eta_ * cell.si("v_thresh") / (weight * cell.si("tau_m"))
    noise = PoissonNoise(rate * pq.Hz, units.pq_quantity(weight, "V"))
    e, i = (Population(n, cell, noise=noise, name=name) for n, name in ((n_e, "E"), (n_i, "I")))
    projections = []
    for pre, w in ((e, weight), (i, -g_ * weight)):
        degree = round(p * pre.n)
        if degree < 1:
            raise NsnnError(
                f"epsilon = {epsilon}: {pre.n} neurons of {pre.name!r} give an in-degree of 0, expected more"
            )
        projections += [
            Projection(pre, post, rule=FixedInDegree(degree), weight=units.pq_quantity(w, "V"), delay=delay)
            for post in (e, i)
        ]
    return Network([e, i], projections, seed=seed)


@suggest_keywords
def balanced(
    *,
    k: int = 100,
    n_e: int = 2_000,
    n_i: int = 2_000,
    j_ee: float = 1.0,
    j_ei: float = 2.0,
    j_ie: float = 1.0,
    j_ii: float = 1.8,
    x_e: float = 1.0,
    x_i: float = 0.8,
    rate: Any = 10 * pq.Hz,
    delay: Any = 0.1 * pq.ms,
    seed: int | None = 0,
) -> Network:
    """Balanced network of LIF neurons after van Vreeswijk and Sompolinsky: weights of order 1/sqrt(K), drives of order sqrt(K).

    A neuron of population a (E or I) has exactly K synapses from each population, excitatory ones of weight j_ae / sqrt(K),
    inhibitory ones of weight -j_ai / sqrt(K), and a constant drive sqrt(K) x_a rate tau_m, the mean input of K external neurons
    that fire at `rate`. Dimensionless: v_rest 0, v_reset 0, v_thresh 1; tau_m 20 ms, tau_refrac 2 ms. The default j and x are those
    of the papers, whose neurons are binary.

    Excitation and inhibition, each of order sqrt(K), cancel to order 1; chaotic dynamics make spikes asynchronous and irregular.
    For large K the rates approach the solution of j_ae r_E - j_ai r_I + x_a rate = 0, linear in `rate` for any neuron model:

        r_E = rate (x_e j_ii - x_i j_ei) / D,   r_I = rate (x_e j_ie - x_i j_ee) / D,   D = j_ei j_ie - j_ee j_ii

    which both equal `rate` for the default values, up to corrections of order 1/sqrt(K): 12.1 and 10.8 Hz at K = 100. With delays
    of 0.5 ms or more the strong inhibitory loop oscillates synchronously instead.

    Parameters
    ----------
    k : whole number >= 1, synapses per neuron from each population
    n_e, n_i : whole numbers > k
    j_ee, j_ei, j_ie, j_ii : numbers > 0; j_ab is the weight from b to a
    x_e, x_i : numbers > 0; the balanced state needs x_e / x_i > j_ei / j_ii > j_ee / j_ie
    rate : frequency > 0, rate of an external neuron
    delay : time >= 0, of all synapses
    seed : whole number, seed of the wiring

    Source: van Vreeswijk & Sompolinsky 1996, doi 10.1126/science.274.5293.1724; 1998, doi 10.1162/089976698300017214

    >>> net = balanced(k=100)
    >>> net.connections("I->E").weight
    -0.2
    >>> round(net.population("E").stimulus.v, 6)
    2.0
    """
    named = {"j_ee": j_ee, "j_ei": j_ei, "j_ie": j_ie, "j_ii": j_ii, "x_e": x_e, "x_i": x_i}
    j_ee, j_ei, j_ie, j_ii, x_e, x_i = (scalar(x, "1", name, above=0.0) for name, x in named.items())
    if not x_e / x_i > j_ei / j_ii > j_ee / j_ie:
        raise NsnnError(
            f"x_e / x_i = {x_e / x_i:.4g}, j_ei / j_ii = {j_ei / j_ii:.4g}, j_ee / j_ie = {j_ee / j_ie:.4g}: expected "
            "decreasing values, or there is no balanced state with two positive rates"
        )
    rule = FixedInDegree(k)
    root = np.sqrt(scalar(rule.k, "1", "k", least=1.0))
    cell = LIF(tau_m=20 * pq.ms, v_rest=0.0, v_reset=0.0, v_thresh=1.0, tau_refrac=2 * pq.ms)
    drive = float(root * scalar(rate, "Hz", "rate", above=0.0) * cell.si("tau_m"))
    e, i = (
        Population(n, cell, stimulus=Constant(drive * x), name=name)
        for n, x, name in ((n_e, x_e, "E"), (n_i, x_i, "I"))
    )
    weights = ((e, e, j_ee), (e, i, j_ie), (i, e, -j_ei), (i, i, -j_ii))
    projections = [
        Projection(pre, post, rule=rule, weight=float(j / root), delay=delay) for pre, post, j in weights
    ]
    return Network([e, i], projections, seed=seed)
