"""The fast formulation of learning: copies of a layered network that share their weights, one copy for each sample of a batch.

A batch takes n_steps steps of the clock. In each, the input's group and each layer's do one step (one code object each); after the
last one `dense.Sweep` goes back in time through what was kept, so learning signals carry their future terms: given the spikes,
the gradients are those of backpropagation through time. Weights are the members of a group with one step per batch, in which the
optimizer's text changes them: when the next batch begins, so a run ends with a batch that isn't learned from.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import numpy as np
from brian2 import Clock, NeuronGroup, ms, second
from brian2 import Network as Objects

from .. import engine, keyed_noise
from ..coding import Encoder
from ..errors import NsnnError
from ..escape import EscapeNoise
from ..keyed_noise import Stream
from ..losses import Loss
from ..network import Network
from ..neurons import NSNNNeuron, Relay
from ..plasticity import NDL, Optimizer
from ..populations import Projection
from ..records import Record
from .dense import Layer, Sweep, forced, keep, pixel, product
from .model import substitute
from .odds import odds

__all__ = ["Learner", "check_forced", "layered"]

_MEMBERS = """
unit : integer (constant)
copy : integer (constant)
origin : integer (shared)
key0 : integer (shared)
key1 : integer (shared)
"""


def layered(net: Network) -> list[Projection]:
    """The projections of a network that can be trained, from the input up.

    Raises
    ------
    NsnnError : not an input `Relay` and layers of `NSNNNeuron`s, all to all from one to the next without delay; no plasticity
    """
    told = "expected layers, as feedforward([64, 128, 10], noise=..., plasticity=NDL(0.01)) makes them"
    n = len(net.populations)
    if n < 2 or len(net.projections) != n - 1 or not isinstance(net.populations[0].neuron, Relay):
        raise NsnnError(f"net = {net!r}: {told}")
    for k, projection in enumerate(net.projections):
        name = net.projection_names[k]
        pre, post = net.populations[k], net.populations[k + 1]
        if projection.pre is not pre or projection.post is not post:
            raise NsnnError(
                f"projection {name!r} isn't from {pre.name!r} to {post.name!r}, the next layer: {told}"
            )
        if not isinstance(post.neuron, NSNNNeuron):
            raise NsnnError(
                f"population {post.name!r} is of {type(post.neuron).__name__}s, expected NSNNNeuron()"
            )
        if post.stimulus is not None:
            raise NsnnError(f"population {post.name!r} has a stimulus, expected None: samples come from X")
        found = net.connections(projection)
        if len(projection.shape(found.pre.size)) != 2 or projection.release < 1 or np.any(found.delay):
            raise NsnnError(
                f"projection {name!r}: expected rule=AllToAll() of all pairs, without delay, release=1"
            )
        if projection.plasticity is None:
            raise NsnnError(f"projection {name!r}: plasticity = None, expected a rule such as NDL(0.01)")
        _check_rule(projection, name)
    if len({(p.plasticity.signal) for p in net.projections}) > 1:
        raise NsnnError("plasticity: the projections' rules differ in signal, expected one for all")
    return list(net.projections)


def _check_rule(projection: Projection, name: str) -> None:
    rule, noise = projection.plasticity, projection.post.noise
    optimizer, signal = getattr(rule, "optimizer", None), getattr(rule, "signal", None)
    if not isinstance(optimizer, Optimizer) or signal is None:
        raise NsnnError(
            f"projection {name!r}: plasticity = {rule}: expected a rule that goes down a loss, NDL, SurrogateGradient or EProp"
        )
    if signal == "reward":
        raise NsnnError(
            f'projection {name!r}: signal = "reward" is told the loss alone and has no gradient here, expected "transport", '
            '"random" or "broadcast" (the rule itself: NDL(...).synapses)'
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
    _text(projection)


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


def _text(projection: Projection, detached: bool = False) -> tuple[str, str, dict[str, tuple[Any, str]]]:
    """Of the rule: the factor's text, that of du(t+1)/du(t), and its numbers; `detached`: of NDL that ignores the reset."""
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
    lines = dict(re.split(r" = ", line, maxsplit=1) for line in text.each_step if " = " in line)
    if not {"f", "carried"} <= set(lines):
        raise NsnnError(
            f"plasticity = {rule}: its text has no factor f or no trace carried on, expected NDL or the like"
        )
    return lines["f"], substitute(lines["carried"], {"trace": "1"}), text.parameters


class _Text:
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

    weights : list of arrays (n_pre, n_post), views: what is written into them counts
    states : for each projection the optimizer's states by name, views likewise
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
    ) -> None:
        self.net, self.batch, self.n_steps = net, batch, n_steps
        projections = layered(net)
        self.layers = [Layer(p.n, batch, n_steps) for p in net.populations]
        signal = projections[0].plasticity.signal
        self.sweep = Sweep(self.layers, loss, feedback, broadcast=signal == "broadcast")
        # names of their own, or another learner's clocks, not yet collected, would change them, and every text be compiled anew
        self.clock, self.slow = (
            Clock(1 * ms, name="learner_clock"),
            Clock(n_steps * ms, name="learner_slow_clock"),
        )
        self.functions = engine.functions()
        self.groups: list[NeuronGroup] = []
        # the weights first: the other functions read them
        self.states = [self._weights(k, p) for k, p in enumerate(projections, 1)]
        self.weights = [
            layer.w.reshape(before.n, layer.n)
            for before, layer in zip(self.layers, self.layers[1:], strict=False)
        ]
        for w, given in zip(self.weights, net.get_weights(), strict=True):
            w[:] = given
        self.data: dict[str, np.ndarray] = {
            "values": np.zeros(self.layers[0].n),
            "order": np.zeros(batch, np.int32),
            "strides": np.zeros(2, np.int32),
        }
        self._plan(1)
        self.members = [self._input(encoder)]
        self.members += [self._layer(k, p) for k, p in enumerate(projections, 1)]
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
        self.objects = Objects(*self.groups, *self.members, self.trainer, name="learner")
        self.steps_done = 0

    def _plan(self, periods: int) -> None:
        n = periods * self.batch
        self.sweep.plan = {
            "labels": np.zeros(n, np.int32),
            "rows": np.zeros(n, np.int32),
            "targets": np.zeros(1),
            "share": np.zeros(n),
            "value": np.zeros(n),
            "count": np.zeros(n * self.layers[-1].n),
            "learns": np.zeros(periods),
        }

    def _weights(self, k: int, projection: Projection) -> dict[str, np.ndarray]:
        """The group of a projection's weights; its arrays become the layer's. Returns the optimizer's states."""
        rule, layer, before = projection.plasticity, self.layers[k], self.layers[k - 1]
        optimizer = rule.optimizer
        own = {f.name: f"optimizer_{f.name}" for f in optimizer._parameters()}
        namespace: dict[str, Any] = {name: optimizer.si(f) for f, name in own.items()}
        equations = ["w : 1", "g : 1", "due : 1", "eta : 1 (shared)", *(f"{s} : 1" for s in optimizer.states)]
        group = NeuronGroup(
            before.n * layer.n,
            "\n".join(equations),
            namespace=namespace | {"pending": self.sweep.pending()},
            clock=self.slow,
            name=f"weights_{k}",
        )
        group.run_regularly(
            "\n".join(["due = pending(i)", *(substitute(line, own) for line in optimizer.lines)]),
            when="start",
            name=f"weights_{k}_step",
        )
        group.eta = rule.si("eta")
        layer.w, layer.slope = (group.variables[v].get_value() for v in ("w", "g"))
        self.groups.append(group)
        return {s: group.variables[s].get_value() for s in optimizer.states}

    def _group(self, k: int, code: list[str], text: _Text) -> NeuronGroup:
        layer = self.layers[k]
        group = NeuronGroup(
            layer.n * self.batch,
            _MEMBERS + "\n".join(text.equations),
            namespace=self.functions | text.namespace | {"n_steps": self.n_steps},
            clock=self.clock,
            name=f"layer_{k}",
        )
        for name, value in text.values.items():
            setattr(group, name, value)
        group.run_regularly("\n".join(code), when="groups", order=k, name=f"layer_{k}_step")
        return group

    def _input(self, encoder: Encoder) -> NeuronGroup:
        text = _Text(self.layers[0], ["kept : 1"])
        text.namespace["pixel"] = pixel(self.batch, self.n_steps, lambda: self.data)
        text.namespace["keep_0"] = keep("keep_0", self.layers[0])
        names = text.record(encoder, "encoder_")
        draw = f"keyed_uniform(step, unit, copy, 0, {int(Stream.SOURCE)}, key0, key1)"
        code = [
            "step = t_in_timesteps - origin",
            "k = step % n_steps",
            "x = pixel(i, step)",
            f"sent = 1.0 * ({substitute(encoder.o, names | {'uniform': draw})})",
            "kept = keep_0(i, step, sent, 0.0, 0.0)",
        ]
        return self._group(0, code, text)

    def _layer(self, k: int, projection: Projection) -> NeuronGroup:
        neuron, noise = projection.post.neuron, projection.post.noise
        assert isinstance(neuron, NSNNNeuron)
        text = _Text(self.layers[k], ["u : 1", "o : 1", "kept : 1"])
        text.namespace[f"product_{k}"] = product(f"product_{k}", self.layers[k], self.layers[k - 1])
        text.namespace[f"keep_{k}"] = keep(f"keep_{k}", self.layers[k])
        text.record(neuron, "")
        given = self.sweep.loss.forced and k == len(self.layers) - 1
        factor, carried, numbers = _text(projection, detached=given)
        for name, (value, _) in numbers.items():
            if name != "eta" and not name.startswith("optimizer_"):
                text.number(name, value)
        if isinstance(noise, EscapeNoise) and noise.family is not None:
            names = text.record(noise.family, "noise_") | {"x": "(u - theta)"}
            chance = substitute(noise.family.cdf_text, names)
            fires = f"keyed_uniform(step, unit, copy, 0, {int(Stream.ESCAPE)}, key0, key1) < {chance}"
        else:
            fires = "u > theta"
        spike = [f"f = {factor}", f"o = 1.0 * int({fires})"]
        if given and isinstance(noise, EscapeNoise) and noise.family is not None:
            spike, functions = odds(noise.family, "(u - theta)", names)
            text.namespace |= functions | {"forced": forced(self.layers[k], lambda: self.sweep.plan)}
            spike.append("o = forced(i, step, odds)")
        code = [
            "step = t_in_timesteps - origin",
            "going = int(step % n_steps > 0)",
            "u = u * going",
            "o = o * going",
            f"drive = product_{k}(i, step)",
            neuron.updates[neuron.reset],
            *spike,
            f"kept = keep_{k}(i, step, o, f, {carried})",
        ]
        return self._group(k, code, text)

    def run(
        self,
        values: np.ndarray,
        labels: np.ndarray,
        order: np.ndarray,
        learns: np.ndarray,
        *,
        key: tuple[int, ...],
        eta: float = 1.0,
        report: Any = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Batches in a row: of samples order[b] (-1: none) of `values`, learned from where learns[b].

        values : (n, n_in) or (n, n_steps, n_in); labels : (n,), or target spikes (n, n_steps, n_out)
        key : a seed and numbers: what random numbers depend on, besides layer, unit, copy and step of this run
        eta : factor of the rules' learning rates

        Returns
        -------
        loss (n_batches, batch) and output spikes (n_batches, batch, n_out) of each sample before it was learned from; NaN where
            there is none
        """
        if len(learns) and learns[-1]:
            raise NsnnError("learns[-1]: the last batch of a run isn't learned from, expected False")
        n, real = len(order), order >= 0
        self._plan(n)
        plan = self.sweep.plan
        rows = np.where(real, order, 0)
        self.data = {
            "values": np.ascontiguousarray(values, dtype=float).reshape(-1),
            "order": rows.astype(np.int32).reshape(-1),
            # of the values: from a sample to the next, from a step to the next
            "strides": np.array([values[0].size, values.shape[-1] if values.ndim == 3 else 0], np.int32),
        }
        plan["rows"][:] = rows.reshape(-1)
        if labels.ndim == 1:
            plan["labels"][:] = labels[rows].reshape(-1)
        else:
            plan["targets"] = np.ascontiguousarray(labels, dtype=float).reshape(-1)
        plan["share"][:] = (real / np.maximum(real.sum(1, keepdims=True), 1)).reshape(-1)
        plan["learns"][:] = learns
        for k, group in enumerate(self.members):
            group.key0, group.key1 = keyed_noise.key(*key, k)
            group.origin = self.steps_done
        self.trainer.origin = self.steps_done
        for group, projection in zip(self.groups, self.net.projections, strict=True):
            group.eta = eta * projection.plasticity.si("eta")
        steps = n * self.n_steps
        # weights that overflow are found by whoever reads them
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            self.objects.run(steps * 1e-3 * second, namespace={}, report=report, report_period=0.2 * second)
        self.steps_done += steps
        loss = np.where(real, plan["value"].reshape(n, -1), np.nan)
        return loss, np.where(real[..., None], plan["count"].reshape(*real.shape, -1), np.nan)
