"""Populations of neurons and projections between them, the parts of a `Network`."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import numpy as np
import quantities as pq

from ..core import units
from ..core.checks import SuggestsKeywords, fraction, instance, whole
from ..core.errors import NsnnError
from ..core.parameters import Model
from .compatibility import check_compatible
from .connectivity import ConnectionRule, FromList
from .escape import Family, Hazard
from .neurons import Neuron, NSNNNeuron, PoissonSource, Relay
from .noise import Noise, PoissonInput
from .pair_sampling import summary
from .plasticity import Plasticity
from .short_term import TsodyksMarkram
from .stimuli import Stimulus
from .synapses import DeltaSynapse, Synapse
from .weight_distributions import Distribution

_MOST = 2**31 - 1  # neurons of a population: indices are int32
# meaning of the axes of an array of weights, by their number
_AXES = {1: "(n_synapses,)", 2: "(n_pre, n_post)", 4: "(c_out, c_in, kh, kw)"}


@dataclasses.dataclass(frozen=True, eq=False)
class Population(SuggestsKeywords):
    """Population of n copies of `neuron`, each with independent noise, all driven by `stimulus`.

    Parameters
    ----------
    n : whole number >= 1
    neuron : a neuron model; array parameters of neuron, noise and stimulus have the shape (n,)
    noise : a noise model, or None
    stimulus : a stimulus in the unit of the membrane, or None
    name : letters, digits, "_" and "-", a letter or "_" first; unique in a network
    positions : plain numbers of shape (n,) or (n, d), for `DistanceDependent`; None: equally spaced on a ring of circumference 1

    >>> from nsnn_neuro.models.escape import EscapeNoise, Gaussian
    >>> Population(10, NSNNNeuron(), noise=EscapeNoise(Gaussian(0.4)), name="out").describe()["size"]
    10
    """

    n: int
    neuron: Neuron
    noise: Noise | None = dataclasses.field(default=None, kw_only=True)
    stimulus: Stimulus | None = dataclasses.field(default=None, kw_only=True)
    name: str = dataclasses.field(kw_only=True)
    positions: Any = dataclasses.field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "n", whole(self.n, 1, "n", _MOST))
        _named(self.name, "_-", "the population")
        instance(self.neuron, Neuron, "neuron", "a neuron model such as LIF(...) or NSNNNeuron()")
        refuse_bare(self.noise)
        instance(self.noise, Noise | None, "noise", "a noise model such as WhiteNoise(3*mV), or None")
        instance(self.stimulus, Stimulus | None, "stimulus", "a stimulus such as Constant(15*mV), or None")
        try:
            check_compatible(self.neuron, self.noise, self.stimulus)
        except NsnnError as error:
            raise NsnnError(f"population {self.name!r}: {error}") from None
        for model in (self.neuron, self.noise, self.stimulus):
            _sized(model, self.n, f"population {self.name!r}")
        if self.positions is not None:
            object.__setattr__(self, "positions", self._placed())

    def _placed(self) -> np.ndarray:
        places = np.array(units.si(self.positions, "1", "positions"), dtype=float)
        fits = places.ndim in (1, 2) and len(places) == self.n and places.size
        if not fits or not np.isfinite(places).all():
            raise NsnnError(
                f"positions has shape {places.shape}: expected finite numbers of shape (n,) or (n, d), n = {self.n}"
            )
        return read_only(places)

    def describe(self) -> dict[str, Any]:
        """The population as plain data, ready for JSON."""
        parts = {"neuron": self.neuron, "noise": self.noise, "stimulus": self.stimulus}
        return {
            "name": self.name,
            "size": self.n,
            **{name: None if part is None else part.describe() for name, part in parts.items()},
            "positions": None if self.positions is None else summary(self.positions),
        }


@dataclasses.dataclass(frozen=True, eq=False)
class Projection(SuggestsKeywords):
    """Projection: synapses of one kind from a population to another, or to itself.

    Parameters
    ----------
    pre, post : `Population`s; post must not be a source (`Relay`, `PoissonSource`)
    rule : a connection rule: `AllToAll()`, `OneToOne()`, `FixedProbability(p)`, `FixedInDegree(k)`, `FixedTotalNumber(n)`,
        `FromList(pre, post)`, `DistanceDependent(p_max, scale)`, for images `Convolution(...)` and `AveragePooling(...)`, or your
        own
    weight : a number, a distribution (`Normal`, `LogNormal`, `Between`), or an array, of shape (n_pre, n_post) for `AllToAll` (all
        pairs connected), a kernel (c_out, c_in, kh, kw) for `Convolution`, else (n_synapses,) in the order of the rule. In the
        unit of the membrane for jumps and currents; for conductances plain numbers >= 0 (in units of the leak)
    delay : time >= 0 (default 0), an array of times of shape (n_synapses,), or a distribution without negative values. Each is
        rounded to the nearest multiple of dt (half a step upwards); a warning names given delays (not drawn ones) that are
        changed
    synapse : "jump" (the membrane jumps by the weight), or a synapse; only "jump" for an `NSNNNeuron`
    release : number, the probability that a spike is transmitted, drawn for each synapse and spike
    short_term : `TsodyksMarkram(...)`, depression and facilitation by the spikes before, or None. Not with a release below 1, nor
        from a `Relay`
    plasticity : a learning rule such as `NDL(0.01)` with which `train` changes the weights (`simulate` does not), or None; None
        where synapses share weights
    name : unique in a network; default "pre->post", with "#2" and so on for further projections of the same populations

    >>> from nsnn_neuro.models.connectivity import AllToAll
    >>> cells = Population(3, NSNNNeuron(), name="cells")
    >>> Projection(cells, cells, rule=AllToAll(), weight=0.2*pq.mV)
    Traceback (most recent call last):
    nsnn_neuro.core.errors.NsnnError: weight = 0.2 mV: expected a plain number such as 0.5
    """

    pre: Population
    post: Population
    rule: ConnectionRule = dataclasses.field(kw_only=True)
    weight: Any = dataclasses.field(kw_only=True)
    delay: Any = dataclasses.field(default_factory=lambda: 0.0 * pq.ms, kw_only=True)
    synapse: Synapse = dataclasses.field(default="jump", kw_only=True)  # type: ignore[assignment]
    release: float = dataclasses.field(default=1.0, kw_only=True)
    short_term: TsodyksMarkram | None = dataclasses.field(default=None, kw_only=True)
    plasticity: Any = dataclasses.field(default=None, kw_only=True)
    name: str | None = dataclasses.field(default=None, kw_only=True)
    _weight: float | np.ndarray | Distribution = dataclasses.field(init=False, repr=False)
    _delay: float | np.ndarray | Distribution = dataclasses.field(init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("pre", "post"):
            instance(getattr(self, name), Population, name, "a Population")
        expected = "a connection rule such as AllToAll() or FixedProbability(0.1)"
        instance(self.rule, ConnectionRule, "rule", expected)
        expected = "a learning rule such as NDL(0.01), or None"
        if instance(self.plasticity, Plasticity | None, "plasticity", expected) and self.rule.shared:
            raise NsnnError(
                f"plasticity = {self.plasticity!r}: a learning rule changes the weight of each synapse, but the synapses of "
                f"{type(self.rule).__name__} share weights: expected None. Train in torch with "
                "deep.from_network(net), and convert back with deep.to_network(module)"
            )
        if self.name is not None:
            _named(self.name, "_>#-", "the projection")
        self._check_synapse()
        object.__setattr__(self, "release", fraction(self.release, "release"))
        self._check_short_term()
        self.rule.check(self.pre, self.post)
        n = self.rule.n_synapses(self.pre, self.post)
        try:
            weight = _drawn_or_given(self.weight, self.weight_unit, "weight")
        except NsnnError as error:
            raise type(error)(f"{error}{self._weight_cure()}") from None
        self.check_sign(weight, "weight")
        given_as = weight.shape if isinstance(weight, np.ndarray) else ()
        if isinstance(self.rule, FromList) and given_as == (self.pre.n, self.post.n):
            raise NsnnError(
                f"weight of {self.default_name!r} has shape {given_as}, that of a matrix of all pairs: with FromList(pre, post) "
                "expected one weight for each synapse: give W[pre, post]"
            )
        shaped(weight, None if n is None else self.shape(n), "weight", self.default_name)
        object.__setattr__(self, "_weight", weight)
        delay = _drawn_or_given(self.delay, "s", "delay")
        shaped(delay, None if n is None else (n,), "delay", self.default_name)
        if _lowest(delay) < 0:
            cure = ", e.g. with low=0*ms" if isinstance(delay, Distribution) else ""
            raise NsnnError(f"delay = {units.short(self.delay)}: expected no negative times{cure}")
        object.__setattr__(self, "_delay", delay)

    def _weight_cure(self) -> str:
        """End of a message about a weight in a wrong unit that another kind of synapse takes."""
        drawn = isinstance(self.weight, Distribution)
        unit = self.weight.unit_symbol if drawn else units.unit_of(self.weight)
        plain = not isinstance(self.weight, list | tuple) or not any(map(units.is_quantity, self.weight))
        if isinstance(self.synapse, DeltaSynapse) and self.weight_unit == "V" and unit == "1" and plain:
            return '; synapse is "jump"; for conductances give synapse=ConductanceSynapse(...)'
        if self.synapse.conductance is not None and unit == "S":
            return "; divide it by the leak conductance, as conductances are in units of the leak"
        return ""

    def _check_synapse(self) -> None:
        if isinstance(self.synapse, str) and self.synapse == "jump":
            object.__setattr__(self, "synapse", DeltaSynapse())
        instance(self.synapse, Synapse, "synapse", '"jump" or a synapse such as ExponentialSynapse(5*ms)')
        target, synapse = self.post.neuron, self.synapse
        kind = type(target).__name__
        if isinstance(target, Relay | PoissonSource):
            raise NsnnError(
                f"post = {self.post.name!r}: a {kind} takes no input, expected a population of neurons"
            )
        if isinstance(target, NSNNNeuron) and not isinstance(synapse, DeltaSynapse):
            raise NsnnError(
                f"synapse = {synapse}: an NSNNNeuron only takes jumps (added to u in the same step), "
                'expected synapse="jump"'
            )
        if synapse.reversal is not None:
            synapse.check_membrane(synapse.reversal, target.membrane_unit, target)
        _sized(synapse, self.post.n, f"postsynaptic population {self.post.name!r}")

    def _check_short_term(self) -> None:
        expected = "short-term plasticity such as TsodyksMarkram(U=0.5, tau_rec=800*ms), or None"
        if instance(self.short_term, TsodyksMarkram | None, "short_term", expected) is None:
            return
        if self.release < 1:
            raise NsnnError(
                f"release = {self.release} with short_term: expected 1; its share of the weight is a mean release"
            )
        if isinstance(self.pre.neuron, Relay):
            raise NsnnError(
                f"pre = {self.pre.name!r}: a Relay sends a value in each step; with short_term expected spikes"
            )
        if self.plasticity is not None:
            raise NsnnError(
                "plasticity with short_term: expected one of them; learning rules see the weight alone"
            )

    def check_sign(self, weight: float | np.ndarray | Distribution, name: str) -> None:
        """Raise NsnnError for negative weights of conductances."""
        if self.synapse.conductance is None or _lowest(weight) >= 0:
            return
        if isinstance(weight, Distribution):
            shown, cure = f"{weight}", "a distribution without negative values, e.g. with low=0"
        else:
            shown, cure = f"{float(np.min(weight)):g}", "no negative weight"
        raise NsnnError(
            f"{name} = {shown} of {self.default_name!r}: the weights of a {type(self.synapse).__name__} are conductances, expected "
            f"{cure}; inhibition comes from {self.synapse.reversal}"
        )

    @property
    def given_delay(self) -> float | np.ndarray | Distribution:
        """The delay in s, or its distribution."""
        return self._delay

    @property
    def weight_unit(self) -> str:
        """The unit of the weights: "V" or "1"."""
        return self.synapse.weight_unit(self.post.neuron.membrane_unit)

    @property
    def default_name(self) -> str:
        """The given name, or "pre->post"."""
        return f"{self.pre.name}->{self.post.name}" if self.name is None else self.name

    def shape(self, n_synapses: int) -> tuple[int, ...]:
        """The shape of an array of weights, e.g. (n_pre, n_post) where all pairs are connected."""
        return self.rule.weight_shape(self.pre, self.post, n_synapses)


def refuse_bare(noise: Any) -> None:
    """Raise NsnnError for an escape family or hazard that is not wrapped in `EscapeNoise`, and for a list of Poisson inputs."""
    if isinstance(noise, list | tuple) and noise and all(isinstance(one, PoissonInput) for one in noise):
        raise NsnnError(
            f"noise is a list of {len(noise)} PoissonInput: expected their sum, input_1 + input_2"
        )
    if isinstance(noise, Family | Hazard):
        keyword = "hazard=" if isinstance(noise, Hazard) else ""
        kind = type(noise).__name__
        raise NsnnError(f"noise = {noise!r}: expected EscapeNoise({keyword}{kind}(...))")


def _named(name: Any, others: str, what: str) -> None:
    if not isinstance(name, str) or not re.fullmatch(rf"[A-Za-z_][A-Za-z0-9{re.escape(others)}]*", name):
        raise NsnnError(
            f'name = {name!r}: expected a text for {what} of letters, digits and {" ".join(others)}, a letter or "_" first'
        )


def _sized(model: Model | None, n: int, where: str) -> None:
    """Raise NsnnError unless every array parameter of the model, and of models in it, has n values."""
    if model is None:
        return
    for field in model.parameter_fields():
        shape = np.shape(model.si(field.name))
        if shape not in ((), (n,)):
            raise NsnnError(
                f"{field.name} of {type(model).__name__} has {shape[0]} values: expected one, or n = {n} for the {where}"
            )
    for field in dataclasses.fields(model):
        if isinstance(inner := getattr(model, field.name), Model):
            _sized(inner, n, where)


def _lowest(value: float | np.ndarray | Distribution) -> float:
    """The smallest value, or 0 if all are positive."""
    return value.lowest if isinstance(value, Distribution) else float(np.min(value, initial=0.0))


def read_only(array: np.ndarray) -> np.ndarray:
    """Make the array read-only."""
    array.flags.writeable = False
    return array


def given(value: Any, unit: str, name: str) -> float | np.ndarray:
    """A number or a read-only copy of an array, in SI."""
    values = units.si(value, unit, name)
    if not np.isfinite(values).all():
        raise NsnnError(f"{name} = {units.short(value)}: expected finite values")
    return values if isinstance(values, float) else read_only(np.array(values, order="C"))


def _drawn_or_given(value: Any, unit: str, name: str) -> float | np.ndarray | Distribution:
    if not isinstance(value, Distribution):
        return given(value, unit, name)
    if value.unit_symbol != unit:
        raise NsnnError(f"{name} = {value}: expected parameters with the unit of {units.describe(unit)}")
    return value


def shaped(value: Any, shape: tuple[int, ...] | None, name: str, projection: str) -> None:
    """Raise NsnnError if `value` is an array of another shape (None: any shape)."""
    if shape is not None and isinstance(value, np.ndarray) and value.shape != shape:
        alternative = f" or the shape {_AXES.get(len(shape), 'of the rule')} = {shape}" if shape else ""
        raise NsnnError(f"{name} of {projection!r} has shape {value.shape}: expected a number{alternative}")
