"""Brian2 groups and synapses of a network, one copy per trial, in their order within a step.

The step of a population is state update, synaptic input, threshold, reset; populations are updated in the order of the list. So a
spike without delay reaches a later population in the same step, and any other population in the next step. Delays of d steps are
exact in both directions: backward synapses see the spikes of the previous step and wait d - 1 steps more.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from brian2 import Clock, NeuronGroup, Synapses, TimedArray, second

from ...core.errors import NsnnError
from ...models.compatibility import check_compatible, check_variance
from ...models.network import Network
from ...models.neurons import IntegrateAndFire, NSNNNeuron, PoissonSource, Relay
from ...models.populations import Population, Projection
from ...models.stimuli import Stimulus
from ...models.synapses import Synapse
from .. import engine, philox
from ..dt_warnings import delay_steps
from ..philox import Stream
from .discrete import discrete, poisson_source, relay
from .group_text import ORDERS_EACH, SYNAPSES, GroupText, Layout, add_drive, bind
from .membrane import membrane
from .synapses import arrival


def network(
    net: Network,
    *,
    trials: int,
    dt: float,
    n_steps: int,
    seed: int,
    bridge: bool,
    stimulus: Stimulus | None = None,
    recorded: Collection[str] = (),
    point: int | np.ndarray = 0,
    ids: np.ndarray | None = None,
    first: int = 0,
    wired: bool = True,
) -> tuple[list[NeuronGroup], list[Synapses]]:
    """The Brian2 groups (in the order of `net.populations`) and synapses (of `net.projections`).

    `stimulus` replaces that of the first population; `recorded` projections have a weight variable that can be recorded; `point`
    and, for a network of one population, `ids` select the noise (`Layout`). `n_steps` counts from time 0, and the run begins
    with step `first`. wired=False leaves out the Brian2 synapses, for an engine with projections of its own.
    """
    types = {p.name: synapse_types(net, p) for p in net.populations}
    groups = []
    for index, p in enumerate(net.populations):
        key = philox.key(seed, *([index] if index else []))
        layout = Layout(p.n, trials, dt, n_steps, key, point, index, f"population_{index}", ids, first)
        driven = drive_of(net, p, stimulus)
        try:
            group = _make_group(p, driven, layout, types[p.name], bridge)
        except NsnnError as error:
            if len(net.populations) == 1:
                raise
            raise NsnnError(f"population {p.name!r}: {error}") from None
        groups.append(group)
    place = {p.name: k for k, p in enumerate(net.populations)}
    synapses = []
    for number, projection in enumerate(net.projections if wired else ()):
        pre, post = place[projection.pre.name], place[projection.post.name]
        wiring = _Wiring(net, projection, number, trials, dt, looks_back=post <= pre)
        if isinstance(projection.pre.neuron, Relay):
            wiring.relay(drive_of(net, projection.pre, stimulus), n_steps)
        rank = next(k for k, s in enumerate(types[projection.post.name]) if s is projection.synapse)
        key = philox.key(seed, len(groups) + number)
        weight = wiring.weight(key, as_variable=net.projection_names[number] in recorded)
        wiring.connect(groups[pre], groups[post], rank, weight, ORDERS_EACH * post + SYNAPSES)
        synapses.append(wiring.synapses)
    return groups, synapses


def _make_group(
    population: Population, drive: Stimulus | None, layout: Layout, synapses: list[Synapse], bridge: bool
) -> NeuronGroup:
    """The Brian2 group of a population, with `layout.trials` copies of its neurons and these incoming synapses."""
    neuron, noise = population.neuron, population.noise
    check_compatible(neuron, noise, drive)
    check_variance(noise, drive, layout.n_steps, layout.dt, layout.ids)
    group = GroupText(layout)
    add_drive(group, drive, neuron.membrane_unit)
    match neuron:
        case IntegrateAndFire():
            return membrane(group, neuron, noise, synapses, bridge)
        case NSNNNeuron():
            return discrete(group, neuron, noise)
        case Relay():
            return relay(group)
        case PoissonSource():
            return poisson_source(group, neuron)
        case _:
            raise NsnnError(
                f"model = {type(neuron).__name__}: expected a neuron such as LIF(...) or NSNNNeuron(...)"
            )


def drive_of(net: Network, population: Population, stimulus: Stimulus | None) -> Stimulus | None:
    """The stimulus of the population; for the first population `stimulus`, if given."""
    return stimulus if population is net.populations[0] and stimulus is not None else population.stimulus


def synapse_types(net: Network, population: Population) -> list[Synapse]:
    """The distinct incoming synapse models of a population."""
    types: list[Synapse] = []
    for projection in net.projections:
        if projection.post is population and not any(s is projection.synapse for s in types):
            types.append(projection.synapse)
    return types


def waiting_steps(delay: Any, dt: float, *, looks_back: bool) -> np.ndarray:
    """Steps that spikes wait after their synapses have seen them; backward synapses see a spike one step later anyway.

    >>> waiting_steps([0.0, 1e-4, 3e-4], 1e-4, looks_back=True).tolist()
    [0.0, 0.0, 2.0]
    """
    steps = delay_steps(delay, dt)
    return np.maximum(steps, 1) - 1 if looks_back else steps


class _Wiring:
    """Builder of the Brian2 synapses of one projection, with a block of synapses per trial."""

    def __init__(
        self, net: Network, projection: Projection, number: int, trials: int, dt: float, *, looks_back: bool
    ) -> None:
        self.projection, self.number, self.trials, self.dt = projection, number, trials, dt
        self.connections = net.connections(projection)
        self.wait = waiting_steps(self.connections.delay, dt, looks_back=looks_back)
        self.late = int(looks_back)
        self.namespace: dict[str, Any] = dict(engine.functions())
        self.equations: list[str] = []
        self.values: dict[str, Any] = {}
        self.factors: list[str] = []
        self.before: list[str] = []
        """lines that run when a spike arrives, before it acts"""
        self.after: list[str] = []
        self.synapses: Any = None

    def relay(self, stimulus: Stimulus | None, n_steps: int) -> None:
        """Transmit the value of a Relay at the time of sending: the current value, or with a delay the earlier stimulus."""
        if not np.any(self.wait) or stimulus is None:
            self.factors.append("u_pre")
            return
        # from a Relay, which has no short-term plasticity with its own `sent`
        samples = stimulus.samples(n_steps, self.dt)
        self.namespace["sent"] = TimedArray(
            samples, dt=self.dt * second, name=f"projection_{self.number}_sent"
        )
        lag = self._name("lag", (self.wait + self.late - 0.5) * self.dt, "s")
        self.factors.append(f"sent(t - {lag})" if samples.ndim == 1 else f"sent(t - {lag}, noise_neuron_pre)")

    def _name(self, name: str, value: Any, unit: str) -> str:
        """Bind a name in the text to a number or to an array with one value per synapse."""
        bind(name, value, unit, self.namespace, self.equations, self.values, self.trials)
        return name

    def weight(self, key: tuple[int, int], *, as_variable: bool) -> str:
        """Text of the input per spike: the weight, times the value of a Relay, times 0 or 1 if release can fail."""
        projection = self.projection
        unit = projection.synapse.weight_unit(projection.post.neuron.membrane_unit)
        weight = self.connections.weight
        if as_variable:
            weight = np.broadcast_to(weight, self.connections.pre.shape)
        factors = [self._name("weight", weight, unit), *self.factors]
        if projection.release < 1:
            self.equations.append("synapse_number : integer (constant)")
            self.values["synapse_number"] = np.tile(np.arange(self.connections.pre.size), self.trials)
            self.namespace |= {"release": projection.release, "key0": key[0], "key1": key[1]}
            where = f"t_in_timesteps, synapse_number, noise_trial_post, noise_point_post, {int(Stream.RELEASE)}, key0, key1"
            factors.append(f"int(keyed_uniform({where}) < release)")
        if projection.short_term is not None:
            model = projection.short_term
            names = {
                f.name: self._name(f"short_{f.name}", model.si(f.name), model.unit(f.name))
                for f in model.parameter_fields()
            }
            self.before, self.after = model.lines(names)
            self.equations += ["used : 1", "left : 1", "last_arrival : second"]
            self.values["left"] = np.ones(self.trials * self.connections.pre.size)
            factors.append("sent")
        return f"({' * '.join(factors)})"

    def connect(self, source: NeuronGroup, target: NeuronGroup, rank: int, weight: str, order: int) -> None:
        """Create the Brian2 synapses; they act at `order` in the step."""
        synapse, post = self.projection.synapse, self.projection.post
        names = {"weight": weight}
        for field in synapse.parameter_fields():
            value = np.asarray(synapse.si(field.name))
            value = value[self.connections.post] if value.ndim else value
            names[field.name] = self._name(f"own_{field.name}", value, synapse.unit(field.name))
        self.synapses = Synapses(
            source,
            target,
            "\n".join(self.equations),
            on_pre="\n".join([*self.before, *arrival(synapse, rank, post.neuron.state, names), *self.after]),
            namespace=self.namespace,
            clock=Clock(self.dt * second, name=f"projection_{self.number}_clock"),
            name=f"projection_{self.number}",
        )
        blocks = np.arange(self.trials)[:, None]
        i = (self.connections.pre + blocks * self.projection.pre.n).ravel()
        j = (self.connections.post + blocks * post.n).ravel()
        if i.size:
            self.synapses.connect(i=i, j=j)
            for name, value in self.values.items():
                setattr(self.synapses, name, value)
            wait = self.wait if self.wait.ndim == 0 else np.tile(self.wait, self.trials)
            self.synapses.pre.delay = wait * self.dt * second
        else:
            self.synapses.active = False
        self.synapses.pre.when, self.synapses.pre.order = "groups", order
