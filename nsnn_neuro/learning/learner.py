"""Base class of the batched and online learners: layers as Brian2 groups, runs of batches, losses and learning signals."""

from __future__ import annotations

from typing import Any

import numpy as np
from brian2 import Clock, Function, NeuronGroup, second

from ..brian import engine, philox
from ..brian.philox import Stream
from ..core.errors import NsnnError
from ..core.parameters import Model, substitute
from ..models.escape import EscapeNoise
from ..models.log_odds import log_odds_text
from ..models.network import Network
from ..models.neurons import NSNNNeuron
from ..models.plasticity import Optimizer
from ..models.populations import Projection
from .coding import Encoder
from .kernels import Layer, compiled, forced, pixel, step_function
from .layer_parameters import LayerParameter
from .layers import layer_text
from .losses import Loss

_MEMBERS = """
unit : integer (constant)
copy : integer (constant)
origin : integer (shared)
key0 : integer (shared)
key1 : integer (shared)
"""
_VECTORISED = {"exp": "smooth_exp", "normal_cdf": "smooth_normal_cdf"}


class LayerText:
    """The text of a layer's group as it is collected: equations, names, and values of its members' constants."""

    def __init__(self, layer: Layer, equations: list[str]) -> None:
        self.layer: Layer = layer
        self.equations: list[str] = equations
        self.namespace: dict[str, Any] = {}
        self.values: dict[str, Any] = {
            "unit": np.repeat(np.arange(layer.n), layer.batch),
            "copy": np.tile(np.arange(layer.batch), layer.n),
        }

    def model(self, model: Model, prefix: str) -> dict[str, str]:
        """Name a model's parameters `prefix` + name; returns old name -> new name."""
        names = {f.name: prefix + f.name for f in model.parameter_fields()}
        for old, new in names.items():
            self.number(new, model.si(old))
        return names

    def number(self, name: str, value: Any) -> None:
        """A number becomes a constant, an array with a value for each neuron a variable of the members."""
        if name in self.namespace or name in self.values:
            return
        if np.ndim(value) == 0:
            self.namespace[name] = float(value)
        elif np.shape(value) == (self.layer.n,):
            self.equations.append(f"{name} : 1 (constant)")
            self.values[name] = np.repeat(value, self.layer.batch)
        else:
            raise NsnnError(f"{name} has shape {np.shape(value)}: expected a number or ({self.layer.n},)")


def optimizer_text(optimizer: Optimizer) -> tuple[list[str], dict[str, float]]:
    """Lines that change w by g where `due` is 1, and their constants."""
    names = {f.name: f"optimizer_{f.name}" for f in optimizer.parameter_fields()}
    lines = ["due = pending(i)", *(substitute(line, names) for line in optimizer.lines)]
    return lines, {new: optimizer.si(old) for old, new in names.items()}


class Teacher:
    """Losses, spike counts and learning signals of the samples in a run, the arrays `plan`; says when weights are to change: where
    `due`, (1,), is 1.
    """

    def __init__(self, loss: Loss) -> None:
        self.loss = loss
        self.plan: dict[str, np.ndarray] = {}
        self.due: np.ndarray = np.zeros(1)

    def new_plan(self, n_batches: int, batch: int, n_out: int, n_targets: int) -> None:
        """Arrays for a run of so many batches."""
        n = n_batches * batch
        self.plan = {
            "labels": np.zeros(n, np.int32),
            "rows": np.zeros(n, np.int32),  # of the samples, for target spikes
            "targets": np.zeros(n_targets),
            "share": np.zeros(n),  # 1 / number of samples in the batch; 0 for a place that is empty
            "value": np.zeros(n),
            "count": np.zeros(n * n_out),
            "learns": np.zeros(n_batches),
            "earlier": np.zeros(2),  # sum and number of the losses that were learned from
        }

    def pending(self) -> Function:
        """(i): `due`, for generated code."""
        code = "\ncdef double pending(int i) {\n    return due[0]\n"
        return step_function("pending", ["integer"], lambda i: self.due[0], code, lambda: {"due": self.due})

    def constants(self) -> str:
        """The loss's parameters as C."""
        values = {f.name: float(self.loss.si(f.name)) for f in self.loss.parameter_fields()}
        return "".join(f"    const double {name} = {value!r};\n" for name, value in values.items())


class LayeredLearner:
    """Brian2's objects for a layered network that learns, and their arrays. Base of the two formulations.

    copies : of the network, side by side
    layers : input first
    weights : for each of the network's projections an array (n_pre, n_post), or without autapses (n - 1, n) in the order of
        synapses; views: what is written into them counts
    states : for each projection the optimizer's states by name, views likewise
    levels : of the noise that is learned or scheduled, and of beta and theta that are learned

    A subclass sets these, `teacher`, `members` (groups of the layers), `trainer` (the teacher's group), `learning` (for each
    projection the group or synapses that hold its weights), `changes` (their steps) and `objects`.
    """

    prefix = ""
    teacher: Teacher
    trainer: NeuronGroup
    objects: engine.Prepared
    members: list[NeuronGroup]
    learning: list[Any]

    def __init__(self, net: Network, *, batch: int, n_steps: int, copies: int, clock: Clock) -> None:
        self.net, self.batch, self.n_steps, self.copies, self.clock = net, batch, n_steps, copies, clock
        self.layers: list[Layer] = [Layer(p.n, copies, n_steps) for p in net.populations]
        self.functions: dict[str, Any] = engine.functions()
        self.weights: list[np.ndarray] = []
        self.states: list[dict[str, np.ndarray]] = []
        self.changes: list[Any] = []
        self.levels: list[LayerParameter] = []
        self.data: dict[str, np.ndarray] = {}
        self.sizes: tuple[int, ...] = ()
        self.steps_done, self.prepared = 0, False

    def _plan(self, n_batches: int, values: np.ndarray, labels: np.ndarray) -> None:
        """Arrays for so many batches of samples from `values`; those of the last run where their sizes are the same."""
        n_targets = 1 if labels.ndim == 1 else labels.size
        sizes = (n_batches, values.size, n_targets)
        if sizes != self.sizes:
            self.sizes, self.prepared = sizes, False
            self.data = {
                "values": np.zeros(values.size),
                "order": np.zeros(n_batches * self.batch, np.int32),
                "strides": np.zeros(2, np.int32),
            }
            self.teacher.new_plan(n_batches, self.batch, self.layers[-1].n, n_targets)
        self.data["values"][:] = values.reshape(-1)
        self.teacher.plan["earlier"][:] = 0

    def _group(self, k: int, code: list[str], text: LayerText, order: int, **options: Any) -> NeuronGroup:
        """Layer k's group, whose code runs in each step at place `order`; `options` of Brian2's NeuronGroup."""
        group = NeuronGroup(
            self.layers[k].n * self.copies,
            _MEMBERS + "\n".join(text.equations),
            namespace=self.functions | text.namespace | {"n_steps": self.n_steps},
            clock=self.clock,
            name=f"{self.prefix}layer_{k}",
            **options,
        )
        for name, value in text.values.items():
            setattr(group, name, value)
        group.run_regularly("\n".join(code), when="groups", order=order, name=f"{self.prefix}layer_{k}_step")
        return group

    def _input_text(self, encoder: Encoder) -> tuple[list[str], LayerText]:
        """What the input sends in each step."""
        text = LayerText(self.layers[0], ["o : 1"])
        text.namespace["pixel"] = pixel(self.copies, self.n_steps, lambda: self.data, int(encoder.units))
        names = text.model(encoder, "encoder_") | {"uniform": _draw(Stream.SOURCE)}
        return [
            "step = t_in_timesteps - origin",
            "k = step % n_steps",
            "x = pixel(unit, copy, step)",
            f"o = 1.0 * ({substitute(encoder.o, names)})",
        ], text

    def _dynamics(
        self, k: int, projection: Projection, text: LayerText, *, is_forced: bool = False
    ) -> tuple[list[str], str]:
        """Lines that move u, decide on a spike o and set the factor f; and du(t+1)/du(t). `is_forced`: o is the target."""
        neuron, noise = projection.post.neuron, projection.post.noise
        assert isinstance(neuron, NSNNNeuron)
        text.model(neuron, "")
        factor, carried, numbers = layer_text(projection, detached=is_forced)
        for name, value in numbers.items():
            text.number(name, value)
        family = noise.family if isinstance(noise, EscapeNoise) else None
        names = {} if family is None else text.model(family, "noise_")
        if is_forced and family is not None:
            spike, functions = log_odds_text(family, "(u - theta)", names)
            text.namespace |= {name: compiled(name, f) for name, f in functions.items()}
            text.namespace["forced"] = forced(self.layers[k], lambda: self.teacher.plan)
            text.equations.append("odds : 1")
            spike.append("o = forced(unit, copy, step)")
        elif family is not None:
            chance = substitute(family.cdf_text, names | {"x": "(u - theta)"})
            spike = [f"o = 1.0 * int({_draw(Stream.ESCAPE)} < {chance})", f"f = {factor}"]
        else:
            spike = ["o = 1.0 * int(u > theta)", f"f = {factor}"]
        return [neuron.updates[neuron.reset], *spike], carried

    def _trainer(self, name: str, function: Function, call: str, order: int) -> NeuronGroup:
        """A group of one that calls the teacher's `function` in each step, in generated code by the name `call`."""
        group = NeuronGroup(
            1,
            "done : 1\norigin : integer (shared)",
            namespace={call: function},
            clock=self.clock,
            name=name,
        )
        code = f"done = {call}(i, t_in_timesteps - origin)"
        group.run_regularly(code, when="groups", order=order, name=f"{name}_step")
        return group

    @staticmethod
    def _vectorised(code: list[str]) -> list[str]:
        """`code` with the functions that compilers vectorise."""
        return [substitute(line, _VECTORISED) for line in code]

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
        """Run batches in a row: samples order[b] (-1: none) of `values`, learned from where learns[b].

        values : (n, n_in) or (n, n_steps, n_in); labels : (n,), or target spikes (n, n_steps, n_out)
        key : a seed and numbers: what random numbers depend on, besides layer, unit, copy and step of this run
        eta, noise : factors of the rules' learning rates, and of the noise of layers with a level

        Returns loss (n_batches, batch) and output spikes (n_batches, batch, n_out) of each sample before it was learned from; NaN
        where there is none.
        """
        n, real = len(order), order >= 0
        self._plan(n, values, labels)
        plan, rows = self.teacher.plan, np.where(real, order, 0)
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
        for holder, projection in zip(self.learning, self.net.projections, strict=True):
            holder.eta = eta * projection.plasticity.si("eta")
        for level in self.levels:
            level.begin(eta, noise)
        steps = n * self.n_steps * (self.batch // self.copies)
        # weights that overflow are found by the caller
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            self.objects.prepared = self.prepared
            self.objects.run(steps * 1e-3 * second, namespace={}, **engine.reporting(report))
            self.prepared = True
            for change in self.changes:  # that of the last batch
                change.run()
        self.teacher.due[0] = 0
        self.steps_done += steps
        loss = np.where(real, plan["value"].reshape(real.shape), np.nan)
        return loss, np.where(real[..., None], plan["count"].reshape(*real.shape, -1), np.nan)


def _draw(stream: Stream) -> str:
    """A uniform number for each unit, copy and step."""
    return f"keyed_uniform(step, unit, copy, 0, {int(stream)}, key0, key1)"
