"""Noise models of the membrane and of the threshold. Escape noise: `escape/`.

Conventions:

- `sigma` is the stationary standard deviation of the *free* membrane (threshold removed), in the membrane's unit. White noise:
  tau dV = (mu - V) dt + sigma sqrt(2 tau) dW. Brunel's and Siegert's sigma_B is sqrt(2) sigma (`SQRT2`).
- Ornstein-Uhlenbeck noise is scaled so that the free membrane has standard deviation sigma for any correlation time.
- `shared` is the fraction c of the noise *variance* that all neurons of a population have in common within a trial: sqrt(c) common
  + sqrt(1 - c) private, so that the inputs of two neurons have correlation c. Crossings between grid points share it as well.
- Multiplicative noise states its calculus. For additive or coloured noise Ito's and Stratonovich's calculus agree.

To define a noise whose strength depends on the membrane, subclass `MultiplicativeNoise` with two texts.
"""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Any, ClassVar, Literal

import numpy as np
import quantities as pq

from ..core import units
from ..core.checks import instance, whole
from ..core.errors import NsnnError
from ..core.parameters import Model, checked, choice, parameter
from .synapses import Synapse

__all__ = [
    "SQRT2",
    "ConductanceNoise",
    "MultiplicativeNoise",
    "Noise",
    "OUNoise",
    "PoissonInput",
    "PoissonNoise",
    "ThresholdNoise",
    "WhiteNoise",
]

SQRT2 = np.sqrt(2.0)  # sigma_B = SQRT2 * sigma


class Noise(Model):
    """Base of the noise models. `at_threshold`: for neurons whose threshold is the spike (not EIF and the like).

    >>> from nsnn_neuro import Noise, WhiteNoise
    >>> isinstance(WhiteNoise(0.5), Noise)
    True
    """

    at_threshold: ClassVar[bool] = False

    def in_membrane_units(self) -> list[str]:
        """Names of the parameters in the unit of the membrane."""
        return [f.name for f in self.parameter_fields() if f.metadata["units"] == ("V", "1")]


@dataclasses.dataclass(frozen=True, eq=False)
class WhiteNoise(Noise):
    """Gaussian white noise: tau dV = (mu - V) dt + sigma sqrt(2 tau) dW (diffusive noise).

    With a `weight` the noise depends on the signal: its variance is sigma^2 + weight drive(t) / 2, where the drive is that of the
    stimulus. So it is where the drive is the mean of Poisson spikes of this weight, in the diffusion limit.

    Parameters
    ----------
    sigma : scalar or (n_neurons,), membrane's unit; standard deviation of the free membrane without a drive, >= 0
    shared : scalar, fraction of the noise variance common to all neurons of a trial, 0 to 1
    weight : scalar or (n_neurons,), membrane's unit; jump by a spike of the drive, default 0. Below 0 a drive reduces the noise;
        `simulate` raises an error for a variance below 0

    Source: Gerstner et al. 2014, Neuronal Dynamics, ch. 8, doi 10.1017/CBO9781107447615; Poisson drive: Stein 1965, doi
    10.1016/S0006-3495(65)86709-1

    >>> from brian2 import mV
    >>> WhiteNoise(sigma=-1*mV)
    Traceback (most recent call last):
    nsnn_neuro.core.errors.NsnnError: sigma = -1. mV: expected zero or a positive value, finite (a voltage such as 15*mV)
    """

    sigma: Any = parameter("V", "1", bound="non-negative")
    shared: Any = parameter("1", bound="fraction", default=0.0, kw_only=True)
    weight: Any = parameter("V", "1", added=True, default=None, kw_only=True)

    def __post_init__(self) -> None:
        if self.weight is None:
            object.__setattr__(self, "weight", 0 * pq.mV if units.unit_of(self.sigma) == "V" else 0.0)
        super().__post_init__()
        self._same_unit("sigma", "weight")

    @property
    def weighted(self) -> bool:
        """True if the variance depends on the drive."""
        return bool(np.any(np.asarray(self.si("weight")) != 0))

    def variance(self, drive: Any) -> Any:
        """The variance of the free membrane under a drive of any shape, SI."""
        return self.si("sigma") ** 2 + 0.5 * self.si("weight") * drive


@dataclasses.dataclass(frozen=True, eq=False)
class OUNoise(Noise):
    """Ornstein-Uhlenbeck input: tau_noise dI = -I dt + sigma_I sqrt(2 tau_noise) dW, added to the drive.

    sigma_I = sigma sqrt(1 + tau_m / tau_noise), so that the free membrane of a leaky neuron has standard deviation sigma. The
    current of each trial starts from its stationary distribution. For tau_noise below 10 dt the path of the membrane within each
    step is also drawn and tested (with the bridge). Below dt / 51 `simulate` raises an error: use a smaller dt or `WhiteNoise`.

    Parameters
    ----------
    sigma : scalar or (n_neurons,), membrane's unit; standard deviation of the free membrane, >= 0
    tau_noise : scalar or (n_neurons,), correlation time, > 0
    shared : scalar, fraction of the noise variance common to all neurons of a trial, 0 to 1

    Source: Fourcaud & Brunel 2002, doi 10.1162/089976602320264015

    >>> from brian2 import mV, ms
    >>> OUNoise(3*mV, 5*ms).describe()["tau_noise"]
    {'value': 0.005, 'unit': 's'}
    """

    sigma: Any = parameter("V", "1", bound="non-negative")
    tau_noise: Any = parameter("s", bound="positive")
    shared: Any = parameter("1", bound="fraction", default=0.0, kw_only=True)


@dataclasses.dataclass(frozen=True, eq=False)
class MultiplicativeNoise(Noise):
    """White noise whose strength depends on the membrane: tau dV = ... dt + sigma (V - v_zero) sqrt(2 tau) dW, calculus declared.

    A white conductance with reversal potential v_zero. The step is Milstein's (strong order 1) in either calculus. The bridge
    measures distances in units of the noise, int dV / amplitude. For another dependence on V, subclass with `amplitude`, a text in
    v and parameters in the unit of the membrane, and `slope`, its derivative with respect to v:

    >>> from brian2 import ms, mV
    >>> import nsnn_neuro as nsnn
    >>> @dataclasses.dataclass(frozen=True, eq=False)
    ... class Bounded(nsnn.MultiplicativeNoise):
    ...     width: Any = parameter("V", "1", kw_only=True)
    ...     amplitude = "width * tanh((v - v_zero) / width)"
    ...     slope = "1 - tanh((v - v_zero) / width)**2"
    >>> cell = nsnn.LIF(tau_m=20*ms, v_rest=0*mV, v_reset=10*mV, v_thresh=20*mV, tau_refrac=2*ms)
    >>> noise = Bounded(0.2, -10*mV, width=15*mV, calculus="ito")
    >>> block = nsnn.simulate(cell, noise, nsnn.Constant(18*mV), duration=500*ms, seed=1, engine="numpy")
    >>> len(block.segments[0].spiketrains[0])
    5

    Parameters
    ----------
    sigma : scalar or (n_neurons,), dimensionless, >= 0: strength relative to `amplitude`
    v_zero : scalar or (n_neurons,), unit of the membrane: voltage at which the noise vanishes
    calculus : "ito" or "stratonovich", no default

    Source: Kloeden & Platen 1992, Numerical Solution of Stochastic Differential Equations, doi 10.1007/978-3-662-12616-5
    """

    sigma: Any = parameter("1", bound="non-negative")
    v_zero: Any = parameter("V", "1")
    calculus: Literal["ito", "stratonovich"] = choice("ito", "stratonovich", kw_only=True)

    amplitude: ClassVar[str] = "(v - v_zero)"
    slope: ClassVar[str] = "1"


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class ConductanceNoise(Noise):
    """Fluctuating excitatory and inhibitory conductances, each an Ornstein-Uhlenbeck process: the point-conductance model.

    tau_m dV = ... + g_e (e_rev_e - V) dt + g_i (e_rev_i - V) dt, tau_k dg_k = (m_k - g_k) dt + sigma_k sqrt(2 tau_k) dW_k

    Conductances are in units of the leak conductance and are not clipped at 0: keep sigma_k well below m_k, and tau_k above 5 dt.
    A trial starts from their stationary distribution. The threshold is tested at grid points only.

    Parameters
    ----------
    g_e, g_i : scalar or (n_neurons,), dimensionless >= 0: the means m_k; sigma_e, sigma_i : their standard deviations, >= 0
    tau_e, tau_i : times > 0; e_rev_e, e_rev_i : reversal potentials, membrane's unit

    Source: Destexhe et al. 2001, doi 10.1016/S0306-4522(01)00344-X

    >>> from brian2 import ms, mV
    >>> ConductanceNoise(g_e=0.7, sigma_e=0.2, tau_e=2.7*ms, e_rev_e=0*mV,
    ...                  g_i=3.5, sigma_i=0.4, tau_i=10.5*ms, e_rev_i=-75*mV).si("tau_i")
    0.0105
    """

    g_e: Any = parameter("1", bound="non-negative")
    sigma_e: Any = parameter("1", bound="non-negative")
    tau_e: Any = parameter("s", bound="positive")
    e_rev_e: Any = parameter("V", "1")
    g_i: Any = parameter("1", bound="non-negative")
    sigma_i: Any = parameter("1", bound="non-negative")
    tau_i: Any = parameter("s", bound="positive")
    e_rev_i: Any = parameter("V", "1")


@dataclasses.dataclass(frozen=True, eq=False)
class ThresholdNoise(Noise):
    """Noisy threshold v_thresh + sigma z, z standard normal and drawn again after each spike; the membrane is noise-free.

    sigma : scalar or (n_neurons,), membrane's unit, >= 0. For a threshold drawn again in each step use
        `EscapeNoise(Gaussian(sigma))`

    Source: Gerstner et al. 2014, Neuronal Dynamics, ch. 9, doi 10.1017/CBO9781107447615

    >>> from brian2 import mV
    >>> ThresholdNoise(2*mV).unit("sigma")
    'V'
    """

    sigma: Any = parameter("V", "1", bound="non-negative")
    at_threshold: ClassVar[bool] = True


@dataclasses.dataclass(frozen=True, eq=False)
class PoissonNoise(Noise):
    """Poisson background (shot noise): the membrane jumps by `weight` at `rate`, and by `weight_inh` at `rate_inh`.

    The mean drive is tau_m (weight rate + weight_inh rate_inh); sigma^2 in the diffusion limit is
    tau_m (weight^2 rate + weight_inh^2 rate_inh) / 2. Each jump has a random time within the step, and the threshold is tested
    along the path (with the bridge; without it at the end of the step). Jumps during the refractory time are lost.

    Parameters
    ----------
    rate, rate_inh : scalar or (n_neurons,), frequency >= 0: total over all synapses of a kind, at most 500 jumps per step
    weight, weight_inh : scalar or (n_neurons,), membrane's unit, of either sign

    Source: Stein 1965, doi 10.1016/S0006-3495(65)86709-1

    >>> from brian2 import kHz, mV
    >>> PoissonNoise(10*kHz, 0.1*mV, rate_inh=1*kHz, weight_inh=-0.5*mV).si("rate_inh")
    1000.0
    """

    rate: Any = parameter("Hz", bound="non-negative")
    weight: Any = parameter("V", "1")
    rate_inh: Any = parameter("Hz", bound="non-negative", default=0 * pq.Hz, kw_only=True)
    weight_inh: Any = parameter("V", "1", default=0.0, kw_only=True)

    def in_membrane_units(self) -> list[str]:
        """Names of the parameters in the unit of the membrane."""
        return ["weight", "weight_inh"] if self.inhibited else ["weight"]

    @property
    def inhibited(self) -> bool:
        """True if `rate_inh` is above 0."""
        return bool(np.any(np.asarray(self.si("rate_inh")) > 0))

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.inhibited:
            self._same_unit("weight", "weight_inh")


_SYNAPSE = "a synapse such as ExponentialSynapse(5*ms)"


@dataclasses.dataclass(frozen=True, eq=False)
class PoissonInput(Noise):
    """Poisson spikes through a synapse, without source neurons: each neuron has `n` private sources that fire at `rate`.

    `PoissonInput(...) + PoissonInput(...)` is the sum of two inputs or more, such as AMPA and GABA conductances. The second is the
    attribute `plus` of the first: sweeps, fits and files call its parameters "noise.plus.rate", "noise.plus.synapse.tau_syn".

    The number of spikes in a step is a Poisson number of mean n rate dt. They act at its end, as those of source neurons do, and
    currents and conductances take their exact step: the law of the membrane has an error of order dt^2. Currents and conductances
    are 0 at the start of a trial and go on during the refractory time; the threshold is tested at grid points. A `DeltaSynapse`
    makes this the `PoissonNoise` of rate n rate, spike for spike: jumps in the refractory time are lost, and with the bridge the
    threshold is tested along the path. A sum has at most two of these.

    Parameters
    ----------
    rate : scalar or (n_neurons,), frequency >= 0: of each source; at most 500 spikes of all n per step
    weight : scalar or (n_neurons,), effect of a spike: in the membrane's unit, of either sign, for jumps and currents; in units
        of the leak conductance, >= 0, for conductances
    synapse : `DeltaSynapse()`, `ExponentialSynapse(tau_syn)`, `AlphaSynapse(tau_syn)`, `ConductanceSynapse(tau_syn, e_rev)`, or
        your own, which changes either the membrane or states
    n : whole number of sources of each neuron
    plus : a further `PoissonInput`, or None

    Source: Richardson & Gerstner 2005, doi 10.1162/0899766053429444 (shot-noise conductances)

    >>> from brian2 import Hz, ms, mV
    >>> from nsnn_neuro import ConductanceSynapse
    >>> excitation = PoissonInput(5*Hz, 0.01, synapse=ConductanceSynapse(2*ms, 0*mV), n=800)
    >>> inhibition = PoissonInput(8*Hz, 0.04, synapse=ConductanceSynapse(5*ms, -80*mV), n=200)
    >>> [one.n for one in (excitation + inhibition).inputs]
    [800, 200]
    """

    rate: Any = parameter("Hz", bound="non-negative")
    weight: Any = parameter("V", "1")
    synapse: Synapse = checked(partial(instance, kind=Synapse, expected=_SYNAPSE), kw_only=True)
    n: int = checked(partial(whole, least=1), default=1, kw_only=True)
    plus: PoissonInput | None = dataclasses.field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if units.unit_of(self.weight) == "S":
            raise NsnnError(
                f"weight = {units.short(self.weight)}: expected a plain number: divide it by the leak conductance, the "
                "unit of conductances"
            )
        super().__post_init__()
        instance(self.plus, PoissonInput | None, "plus", "a PoissonInput, or None")
        kind = type(self.synapse).__name__
        if self.jumps and self.synapse.states:
            raise NsnnError(
                f"synapse = {kind}(...): it changes the membrane and has states: expected one of the two, or a sum of inputs"
            )
        if self.synapse.conductance is None:
            return
        if self.unit("weight") != "1" or np.any(np.asarray(self.si("weight")) < 0):
            raise NsnnError(
                f"weight = {units.short(self.weight)}: the weight of a {kind} is a conductance in units of the leak, expected a "
                f"plain number >= 0; {self.synapse.reversal} makes it excitatory or inhibitory"
            )

    def __add__(self, other: PoissonInput) -> PoissonInput:
        if not isinstance(other, PoissonInput):
            raise NsnnError(f"PoissonInput(...) + {units.shown(other)}: expected a PoissonInput")
        return dataclasses.replace(self, plus=other if self.plus is None else self.plus + other)

    @property
    def inputs(self) -> tuple[PoissonInput, ...]:
        """All inputs of the sum, each with the attributes of its own."""
        return (self,) if self.plus is None else (self, *self.plus.inputs)

    @property
    def jumps(self) -> bool:
        """True if a spike changes the membrane itself, as with a `DeltaSynapse`."""
        return "v" in self.synapse.on_arrival

    def in_membrane_units(self) -> list[str]:
        """Names of the parameters in the unit of the membrane."""
        return ["weight"] if self.synapse.conductance is None else []
