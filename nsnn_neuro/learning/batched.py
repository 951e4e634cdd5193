"""The fast formulation of learning: copies of a layered network that share their weights, one copy for each sample of a batch.

A batch takes n_steps steps of the clock. In each, the input's group and each layer's do one step (one code object each); after the
last one `dense.Sweep` goes back in time through what was kept, so learning signals carry their future terms: given the spikes,
the gradients are those of backpropagation through time. Weights are the members of a group with one step per batch, in which the
optimizer's text changes them: when the next batch begins, or the run has ended.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import numpy as np
from brian2 import Clock, NetworkOperation, NeuronGroup, ms, second

from ..brian import engine, philox
from ..brian.equations.model import substitute
from ..brian.philox import Stream
from ..core.errors import NsnnError
from ..core.parameters import Record
from ..models.connectivity import AllToAll
from ..models.escape import EscapeNoise
from ..models.log_odds import log_odds_text
from ..models.network import Network
from ..models.neurons import NSNNNeuron, Relay
from ..models.plasticity import NDL, Optimizer
from ..models.populations import Projection
from .coding import Encoder
from .kernels import Layer, Loop, Sweep, compiled, forced, pixel, product
from .losses import Loss
from .noise_scale import Level, eta_noise, family_of

__all__ = ["Learner", "check_forced", "layered"]

MEMBERS = """
unit : integer (constant)
copy : integer (constant)
origin : integer (shared)
key0 : integer (shared)
key1 : integer (shared)
"""


def layered(net: Network) -> tuple[list[Projection], list[Projection | None]]:
    """The projections of a network that can be trained: from each layer to the next, from the input up, and of each layer to
    itself, or None.

    Raises
    ------
    NsnnError : not an input `Relay` and layers of `NSNNNeuron`s, all to all from one to the next and, or not, to itself, without
        delay; no plasticity
    """
    told = "expected layers, as feedforward([64, 128, 10], noise=..., plasticity=NDL(0.01)) makes them, or recurrent(...)"
    n = len(net.populations)
    ahead: list[Projection | None] = [None] * (n - 1)
    loops: list[Projection | None] = [None] * (n - 1)
    if n < 2 or not isinstance(net.populations[0].neuron, Relay):
        raise NsnnError(f"net = {net!r}: {told}")
    for name, projection in zip(net.projection_names, net.projections, strict=True):
        pre, k = (net.populations.index(p) for p in (projection.pre, projection.post))
        kind = {0: loops, 1: ahead}.get(k - pre)
        if kind is None or kind[k - 1] is not None:
            raise NsnnError(
                f"projection {name!r} isn't from a layer to the next or to itself, or isn't the only such one: {told}"
            )
        kind[k - 1] = projection
        _check_projection(net, projection, name)
    found = [p for p in ahead if p is not None]
    if len(found) < n - 1:
        raise NsnnError(f"net = {net!r}: {told}")
    if len({(p.plasticity.signal) for p in net.projections}) > 1:
        raise NsnnError("plasticity: the projections' rules differ in signal, expected one for all")
    for first, loop in zip(found, loops, strict=True):
        if loop is not None and not _alike(layer_text(first), layer_text(loop)):
            raise NsnnError(
                f"plasticity: the rules of both projections to {loop.post.name!r} differ in more than eta and optimizer, "
                "expected one factor for each neuron"
            )
    return found, loops


def _check_projection(net: Network, projection: Projection, name: str) -> None:
    post = projection.post
    if not isinstance(post.neuron, NSNNNeuron):
        raise NsnnError(
            f"population {post.name!r} is of {type(post.neuron).__name__}s, expected NSNNNeuron()"
        )
    if post.stimulus is not None:
        raise NsnnError(f"population {post.name!r} has a stimulus, expected None: samples come from X")
    if projection.rule.shared:
        raise NsnnError(
            f"projection {name!r}: the synapses of {type(projection.rule).__name__} share weights, which are learned in torch: "
            "deep.from_network(net), and back by deep.to_network(module)"
        )
    delay = net.connections(projection).delay
    if not isinstance(projection.rule, AllToAll) or projection.release < 1 or np.any(delay):
        raise NsnnError(
            f"projection {name!r}: expected rule=AllToAll() of all pairs, without delay, release=1"
        )
    if projection.plasticity is None:
        raise NsnnError(f"projection {name!r}: plasticity = None, expected a rule such as NDL(0.01)")
    _check_rule(projection, name)


def _alike(a: tuple[str, str, dict[str, Any]], b: tuple[str, str, dict[str, Any]]) -> bool:
    """Whether two rules' factors and traces are the same."""
    numbers = [own_numbers(text[2]) for text in (a, b)]
    return (
        a[:2] == b[:2]
        and numbers[0].keys() == numbers[1].keys()
        and all(np.array_equal(value, numbers[1][name]) for name, value in numbers[0].items())
    )


def own_numbers(parameters: dict[str, tuple[Any, str]]) -> dict[str, Any]:
    """Of a rule's numbers those that its factor and trace have."""
    return {n: v for n, (v, _) in parameters.items() if n != "eta" and not n.startswith("optimizer_")}


def _check_rule(projection: Projection, name: str) -> None:
    rule, noise = projection.plasticity, projection.post.noise
    optimizer, signal = getattr(rule, "optimizer", None), getattr(rule, "signal", None)
    if not isinstance(optimizer, Optimizer) or signal is None:
        raise NsnnError(
            f"projection {name!r}: plasticity = {rule}: expected a rule that goes down a loss, NDL, SurrogateGradient or EProp"
        )
    if noise is not None and not isinstance(noise, EscapeNoise):
        raise NsnnError(f"noise = {noise}: expected EscapeNoise(Gaussian(0.4)) or the like, or None")
    if noise is None and isinstance(rule, NDL):
        raise NsnnError(
            f"noise = None: without noise NDL's factor vanishes for {projection.post.name!r}; the deterministic twin learns by "
            "plasticity=SurrogateGradient(Gaussian(0.4), eta)"
        )
    if noise is not None and noise.family is None:
        raise NsnnError(
            f"noise = {noise}: a hazard has no density per step, expected a family such as Gaussian(0.4)"
        )
    eta_noise(projection)
    layer_text(projection)


def check_forced(projection: Projection, loss: Loss) -> None:
    """Raise NsnnError where a loss that gives the output its spikes hasn't their probability, or the density of its noise."""
    noise, rule = projection.post.noise, projection.plasticity
    if noise is None:
        raise NsnnError(
            f"noise = None: {loss} needs the probability of a spike, expected EscapeNoise(Gaussian(0.4)) or the like"
        )
    if not isinstance(rule, NDL):
        raise NsnnError(
            f"plasticity = {rule}: {loss} has the density of the output's own noise for its factor, expected NDL(eta)"
        )
    if rule.signal == "reward":
        raise NsnnError(
            f'signal = "reward": {loss} gives the output its spikes, expected "transport", "random" or "broadcast"'
        )


def layer_text(projection: Projection, detached: bool = False) -> tuple[str, str, dict[str, tuple[Any, str]]]:
    """Of the rule: the factor's text, that of du(t+1)/du(t), and its numbers; `detached`: of NDL that ignores the reset.

    The factor of "reward" is the score, f (o / p - (1 - o) / (1 - p)).
    """
    rule, neuron = projection.plasticity, projection.post.neuron
    if detached:
        rule = dataclasses.replace(rule, reset_path="detached")
    assert isinstance(neuron, NSNNNeuron)
    text = rule.text(
        noise=projection.post.noise,
        beta=neuron.beta,
        theta=neuron.theta,
        reset=neuron.reset,
    )
    lines = dict(
        re.split(r" \+?= ", line, maxsplit=1) for line in text.each_step if re.search(r" \+?= ", line)
    )
    if not {"f", "carried"} <= set(lines):
        raise NsnnError(
            f"plasticity = {rule}: its text has no factor f or no trace carried on, expected NDL or the like"
        )
    factor = lines["f"]
    if rule.signal == "reward":
        given = {"f": f"({factor})", "p": lines["p"], "trace": "1"}
        factor = substitute(lines["score"], given)
    return factor, substitute(lines["carried"], {"trace": "1"}), text.parameters


class LayerText:
    """What a layer's text is collected in: equations, names, and values of the members' constants."""

    def __init__(self, layer: Layer, equations: list[str]) -> None:
        self.layer, self.equations = layer, equations
        self.namespace: dict[str, Any] = {}
        self.values: dict[str, Any] = {
            "unit": np.repeat(np.arange(layer.n), layer.batch),
            "copy": np.tile(np.arange(layer.batch), layer.n),
        }

    def record(self, record: Record, prefix: str) -> dict[str, str]:
        """Give a record's numbers names; returns old -> new."""
        names = {f.name: prefix + f.name for f in record._parameters()}
        for old, new in names.items():
            self.number(new, record.si(old))
        return names

    def number(self, name: str, value: Any) -> None:
        """A number becomes a constant; an array with a value for each neuron a variable of the members."""
        if name in self.namespace or name in self.values:
            return
        if np.ndim(value) == 0:
            self.namespace[name] = float(value)
        elif np.shape(value) == (self.layer.n,):
            self.equations.append(f"{name} : 1 (constant)")
            self.values[name] = np.repeat(value, self.layer.batch)
        else:
            raise NsnnError(f"{name} has shape {np.shape(value)}: expected a number or ({self.layer.n},)")


class Learner:
    """Brian2's objects for a network that learns, and their arrays.

    weights : for each of the network's projections an array (n_pre, n_post), or without autapses (n - 1, n), the others' in the
        order of synapses; views: what is written into them counts
    states : for each projection the optimizer's states by name, views likewise
    levels : layer -> `Level`, of layers whose noise is learned; of all where `scheduled`
    """

    def __init__(
        self,
        net: Network,
        *,
        batch: int,
        n_steps: int,
        encoder: Encoder,
        loss: Loss,
        feedback: list[np.ndarray] | None,
        scheduled: bool = False,
    ) -> None:
        self.net, self.batch, self.n_steps = net, batch, n_steps
        projections, loops = layered(net)
        self.layers = [Layer(p.n, batch, n_steps) for p in net.populations]
        for layer, p in zip(self.layers[1:], loops, strict=True):
            if p is not None:
                back = p.plasticity.signal == "transport" and getattr(p.plasticity, "recurrent_path", True)
                given = loss.forced and layer is self.layers[-1]  # spikes that don't depend on weights
                back = back and not given
                layer.loop = Loop(autapses=len(p.shape(0)) == 2, back=back)
        self.sweep = Sweep(self.layers, loss, feedback, projections[0].plasticity.signal)
        # names of their own, or another learner's clocks, not yet collected, would change them, and every text be compiled anew
        self.clock, self.slow = (
            Clock(1 * ms, name="learner_clock"),
            Clock(n_steps * ms, name="learner_slow_clock"),
        )
        self.functions = engine.functions()
        self.groups: list[NeuronGroup] = []
        self.changes: list[Any] = []  # the weights' steps
        # the weights first: the other functions read them
        self.weights: list[np.ndarray] = []
        self.states = [self._weights(k, p) for k, p in enumerate(net.projections, 1)]
        self.levels = {
            k: self._level(k, p) for k, p in enumerate(projections, 1) if scheduled or eta_noise(p)
        }
        self.sweep.levels = [level for level in self.levels.values() if level.rate]
        for w, given in zip(self.weights, net.get_weights(), strict=True):
            w[:] = given.reshape(w.shape)
        self.data: dict[str, np.ndarray] = {}
        self.sizes: tuple[int, ...] = ()
        self._plan(1, np.zeros(self.layers[0].n), np.zeros(1))
        self.members = [self._input(encoder)]
        # from the input up: a layer's functions read the arrays of the one below
        for k, projection in enumerate(projections, 1):
            self.members.append(self._layer(k, projection))
        self.trainer = NeuronGroup(
            1,
            "done : 1\norigin : integer (shared)",
            namespace={"sweep": self.sweep.function()},
            clock=self.clock,
            name="trainer",
        )
        self.trainer.run_regularly(
            "done = sweep(i, t_in_timesteps - origin)",
            when="groups",
            order=len(self.layers),
            name="trainer_step",
        )
        self.objects = engine.Prepared(
            *self.groups, *(v.group for v in self.sweep.levels), *self.members, self.trainer, name="learner"
        )
        self.steps_done = 0

    def record(self) -> list[np.ndarray]:
        """The spikes of the runs to come: a list that grows by an array for each batch and layer, from the input up.

        Each is (batch, n_steps, n) truth values; layer k of batch b is item b * n_layers + k.
        """
        seen: list[np.ndarray] = []

        def see() -> None:
            if (self.clock.timestep - self.steps_done) % self.n_steps == self.n_steps - 1:
                seen.extend(layer.samples("o") > 0 for layer in self.layers)

        self.objects.add(NetworkOperation(see, clock=self.clock, when="end", name="learner_recorder"))
        self.prepared = False
        return seen

    def _plan(self, periods: int, values: np.ndarray, labels: np.ndarray) -> None:
        """Arrays for so many batches of samples from `values`: those of the last run where they have the sizes."""
        n, n_targets = periods * self.batch, 1 if labels.ndim == 1 else labels.size
        sizes = (periods, values.size, n_targets)
        if sizes != self.sizes:
            self.sizes, self.prepared = sizes, False
            self.data = {
                "values": np.zeros(values.size),
                "order": np.zeros(n, np.int32),
                "strides": np.zeros(2, np.int32),
            }
            self.sweep.plan = {
                "labels": np.zeros(n, np.int32),
                "rows": np.zeros(n, np.int32),
                "targets": np.zeros(n_targets),
                "share": np.zeros(n),
                "value": np.zeros(n),
                "count": np.zeros(n * self.layers[-1].n),
                "learns": np.zeros(periods),
                "earlier": np.zeros(2),  # sum and number of the losses that were learned from
            }
        self.data["values"][:] = values.reshape(-1)
        self.sweep.plan["earlier"][:] = 0

    def _weights(self, number: int, projection: Projection) -> dict[str, np.ndarray]:
        """The group of a projection's weights; its arrays become the layer's, or its loop's. Returns the optimizer's states."""
        k = self.net.populations.index(projection.post)
        rule, layer, before = projection.plasticity, self.layers[k], self.layers[k - 1]
        holder: Layer | Loop = layer
        if projection.pre is projection.post and layer.loop is not None:
            before, holder = layer, layer.loop
        optimizer = rule.optimizer
        own = {f.name: f"optimizer_{f.name}" for f in optimizer._parameters()}
        namespace: dict[str, Any] = {name: optimizer.si(f) for f, name in own.items()}
        equations = ["w : 1", "g : 1", "due : 1", "eta : 1 (shared)", *(f"{s} : 1" for s in optimizer.states)]
        group = NeuronGroup(
            before.n * layer.n,
            "\n".join(equations),
            namespace=namespace | {"pending": self.sweep.pending()},
            clock=self.slow,
            name=f"weights_{number}",
        )
        change = group.run_regularly(
            "\n".join(["due = pending(i)", *(substitute(line, own) for line in optimizer.lines)]),
            when="start",
            name=f"weights_{number}_step",
        )
        self.changes.append(change)
        group.eta = rule.si("eta")
        holder.w, holder.slope = (group.variables[v].get_value() for v in ("w", "g"))
        if isinstance(holder, Loop) and not holder.autapses:  # all but the diagonal
            self.weights.append(holder.w[1:].reshape(layer.n - 1, layer.n + 1)[:, :-1])
        else:
            self.weights.append(holder.w.reshape(before.n, layer.n))
        self.groups.append(group)
        return {s: group.variables[s].get_value() for s in optimizer.states}

    def _level(self, k: int, projection: Projection) -> Level:
        """The level of a layer's noise and, where it is learned, the group of its logarithm, as of weights."""
        level = Level(k, self.layers[k], family_of(projection, f"levels of layer {k}"), eta_noise(projection))
        if not level.rate:
            return level
        optimizer = projection.plasticity.optimizer
        own = {f.name: f"optimizer_{f.name}" for f in optimizer._parameters()}
        shared = ["eta : 1 (shared)", "factor : 1 (shared)"]
        group = NeuronGroup(
            level.n,
            "\n".join(
                ["w : 1", "g : 1", "due : 1", "level : 1", *shared, *(f"{s} : 1" for s in optimizer.states)]
            ),
            namespace={name: optimizer.si(f) for f, name in own.items()} | {"pending": self.sweep.pending()},
            clock=self.slow,
            name=f"level_{k}",
        )
        lines = [
            "due = pending(i)",
            *(substitute(line, own) for line in optimizer.lines),
            "level = factor * exp(w)",
        ]
        self.changes.append(group.run_regularly("\n".join(lines), when="start", name=f"level_{k}_step"))
        level.log, level.slope, level.values = (group.variables[v].get_value() for v in ("w", "g", "level"))
        level.states = {s: group.variables[s].get_value() for s in optimizer.states}
        level.group = group
        return level

    def _group(self, k: int, code: list[str], text: LayerText) -> NeuronGroup:
        layer = self.layers[k]
        group = NeuronGroup(
            layer.n * self.batch,
            MEMBERS + "\n".join(text.equations),
            namespace=self.functions | text.namespace | {"n_steps": self.n_steps},
            clock=self.clock,
            name=f"layer_{k}",
        )
        for name, value in text.values.items():
            setattr(group, name, value)
        group.run_regularly("\n".join(code), when="groups", order=k, name=f"layer_{k}_step")
        layer.now = {
            v: group.variables[v].get_value() for v in ("o", "f", "carried", "odds") if v in group.variables
        }
        return group

    def _input(self, encoder: Encoder) -> NeuronGroup:
        text = LayerText(self.layers[0], ["o : 1"])
        text.namespace["pixel"] = pixel(self.batch, self.n_steps, lambda: self.data, int(encoder.units))
        names = text.record(encoder, "encoder_")
        draw = f"keyed_uniform(step, unit, copy, 0, {int(Stream.SOURCE)}, key0, key1)"
        code = [
            "step = t_in_timesteps - origin",
            "k = step % n_steps",
            "x = pixel(unit, copy, step)",
            f"o = 1.0 * ({substitute(encoder.o, names | {'uniform': draw})})",
        ]
        return self._group(0, code, text)

    def _layer(self, k: int, projection: Projection) -> NeuronGroup:
        neuron, noise = projection.post.neuron, projection.post.noise
        assert isinstance(neuron, NSNNNeuron)
        text = LayerText(self.layers[k], ["u : 1", "o : 1", "f : 1", "carried : 1", "arrived : 1"])
        text.namespace[f"product_{k}"] = product(f"product_{k}", self.layers[k], self.layers[k - 1])
        text.record(neuron, "")
        given = self.sweep.loss.forced and k == len(self.layers) - 1
        factor, carried, numbers = layer_text(projection, detached=given)
        for name, value in own_numbers(numbers).items():
            text.number(name, value)
        level = self.levels.get(k)
        at_level = level.names() if level else {}
        factor = substitute(factor, at_level)
        if isinstance(noise, EscapeNoise) and noise.family is not None:
            names = text.record(noise.family, "noise_") | {"x": "(u - theta)"}
            chance = substitute(substitute(noise.family.cdf_text, names), at_level)
            fires = f"keyed_uniform(step, unit, copy, 0, {int(Stream.ESCAPE)}, key0, key1) < {chance}"
        else:
            fires = "u > theta"
        spike = [f"o = 1.0 * int({fires})", f"f = {factor}"]
        if given and isinstance(noise, EscapeNoise) and noise.family is not None:
            spike, functions = log_odds_text(noise.family, "(u - theta)", names)
            spike = [substitute(line, at_level) for line in spike]
            text.namespace |= {name: compiled(name, f) for name, f in functions.items()}
            text.namespace |= {"forced": forced(self.layers[k], lambda: self.sweep.plan)}
            spike.append("o = forced(unit, copy, step)")
            text.equations.append("odds : 1")
        code = [
            "step = t_in_timesteps - origin",
            f"ready = product_{k}(step)",
            "going = int(step % n_steps > 0)",
            "u = u * going",
            "o = o * going",
            "drive = arrived",
            neuron.updates[neuron.reset],
            *spike,
            f"carried = {carried}",
        ]
        if level:
            text.namespace[f"level_{k}"] = level.read()
            code.insert(1, f"level = level_{k}(i)")
        if level and level.rate:
            text.namespace[f"keep_level_{k}"] = level.keep()
            # what goes on with the spike held: without the factor, by which the reset would follow the membrane
            held = substitute(carried, {"f": "0"})
            code.append(f"kept = keep_level_{k}(i, step, u - theta, {held})")
        smooth = {"exp": "smooth_exp", "normal_cdf": "smooth_normal_cdf"}
        group = self._group(k, [substitute(line, smooth) for line in code], text)
        self.layers[k].arrived = group.variables["arrived"].get_value()
        return group

    def run(
        self,
        values: np.ndarray,
        labels: np.ndarray,
        order: np.ndarray,
        learns: np.ndarray,
        *,
        key: tuple[int, ...],
        eta: float = 1.0,
        noise: float = 1.0,
        report: Any = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Batches in a row: of samples order[b] (-1: none) of `values`, learned from where learns[b].

        values : (n, n_in) or (n, n_steps, n_in); labels : (n,), or target spikes (n, n_steps, n_out)
        key : a seed and numbers: what random numbers depend on, besides layer, unit, copy and step of this run
        eta : factor of the rules' learning rates
        noise : factor of the noise, of layers with a level

        Returns
        -------
        loss (n_batches, batch) and output spikes (n_batches, batch, n_out) of each sample before it was learned from; NaN where
            there is none
        """
        n, real = len(order), order >= 0
        self._plan(n, values, labels)
        plan, rows = self.sweep.plan, np.where(real, order, 0)
        self.data["order"][:] = plan["rows"][:] = rows.reshape(-1)
        # of the values: from a sample to the next, from a step to the next
        self.data["strides"][:] = values[0].size, values.shape[-1] if values.ndim == 3 else 0
        if labels.ndim == 1:
            plan["labels"][:] = labels[rows].reshape(-1)
        else:
            plan["targets"][:] = labels.reshape(-1)
        plan["share"][:] = (real / np.maximum(real.sum(1, keepdims=True), 1)).reshape(-1)
        plan["learns"][:] = learns
        for k, group in enumerate(self.members):
            group.key0, group.key1 = philox.key(*key, k)
            group.origin = self.steps_done
        self.trainer.origin = self.steps_done
        for group, projection in zip(self.groups, self.net.projections, strict=True):
            group.eta = eta * projection.plasticity.si("eta")
        for level in self.levels.values():
            level.begin(eta, noise)
        steps = n * self.n_steps
        # weights that overflow are found by whoever reads them
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            self.objects.prepared = self.prepared
            self.objects.run(steps * 1e-3 * second, namespace={}, **engine.reporting(report))
            self.prepared = True
            for change in self.changes:  # that of the last batch
                change.run()
        self.sweep.due[0] = 0
        self.steps_done += steps
        loss = np.where(real, plan["value"].reshape(n, -1), np.nan)
        return loss, np.where(real[..., None], plan["count"].reshape(*real.shape, -1), np.nan)
