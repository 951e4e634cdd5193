"""The readable formulation of learning: one network of synapses, samples one after the other, each synapse with what it knows.

In each step the input's group and the layers' fire one after the other, their spikes travel through Brian2's synapses; `Teacher`
hands the output its learning signal L(t), synapses hand it on downwards. A synapse's trace grows by each spike that it carries,
and at the step's end

    g += L(t) f(t) trace(t),    trace *= k(t)

with f and k of its target neuron, k = 0 at a sample's end. When the next batch begins, or the run has ended, the optimizer's text
changes the weights by g. Nothing comes from the future: so below the output the signal lacks what reaches the loss through later
membranes above, and a loss that is known at the end alone is told as if the sample ended now, L(t) = (t / n_steps) d/do(t) of the
loss of the first t steps.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from brian2 import Clock, Function, NeuronGroup, Synapses, ms, second

from ..brian import engine, philox
from ..brian.equations.model import substitute
from ..brian.philox import Stream
from ..core.errors import NsnnError
from ..models.escape import EscapeNoise
from ..models.network import Network
from ..models.neurons import NSNNNeuron
from ..models.populations import Projection
from .batched import MEMBERS, LayerText, layer_text, layered, own_numbers
from .coding import Encoder
from .kernels import Layer, pixel, step_function, step_number
from .losses import Loss
from .noise_scale import eta_noise

__all__ = ["OnlineLearner", "check_online"]


def check_online(net: Network, loss: Loss, scheduled: bool) -> None:
    """Raise NsnnError for what the readable formulation can't learn."""
    projections, loops = layered(net)
    told = 'formulation = "online"'
    if not loss.averaged:
        raise NsnnError(
            f"loss = {loss!r}: {told} needs the mean of something over steps, such as losses.cross_entropy_step"
        )
    if any(p is not None for p in loops):
        raise NsnnError(f'net = {net!r}: {told} is for layers without recurrent projections, expected "fast"')
    if scheduled or any(eta_noise(p) for p in projections):
        raise NsnnError(
            f'{told} leaves the noise as it is, expected no noise_schedule and eta_noise, or "fast"'
        )
    if projections[0].plasticity.signal == "reward":
        raise NsnnError(f'{told} has no signal = "reward", expected "fast", or NDL(...).synapses')


class Teacher:
    """The learning signal of the output in each step and, after the last one of a sample, its loss and numbers of spikes."""

    def __init__(self, n: int, batch: int, n_steps: int, loss: Loss) -> None:
        self.n, self.batch, self.n_steps, self.loss = n, batch, n_steps, loss
        self.o, self.d = np.zeros((n_steps, n)), np.zeros((n_steps, n))
        self.now = self.told = np.zeros(0)  # o and L of the output's group, once there is one
        self.plan: dict[str, np.ndarray] = {}
        self.due = np.zeros(1)

    def _run(self, i: Any, step: Any) -> Any:
        """The NumPy target's."""
        sample, k = divmod(step_number(step), self.n_steps)
        self.o[k] = self.now
        o, label = self.o[None, : k + 1], self.plan["labels"][sample : sample + 1]
        share = self.plan["share"][sample] * self.plan["learns"][sample // self.batch]
        self.told[:] = self.loss.gradient(o, label)[0, k] * (share * (k + 1) / self.n_steps)
        self.due[0] = 0
        if k == self.n_steps - 1:
            self.plan["value"][sample] = self.loss.value(o, label)[0]
            self.plan["count"].reshape(-1, self.n)[sample] = self.o.sum(0)
            if (sample + 1) % self.batch == 0:
                self.due[0] = self.plan["learns"][sample // self.batch]
        return np.zeros(1)

    def function(self) -> Function:
        """(i, step) for generated code."""
        numbers = "".join(
            f"    const double {f.name} = {float(self.loss.si(f.name))!r};\n" for f in self.loss._parameters()
        )
        code = f"""
from libc.string cimport memcpy
cdef extern from *:
    \"\"\"
    #include <math.h>
    #include <stdint.h>
    #define O(t, k) nsnn_o[(t) * n + (k)]
    #define D(t, k) nsnn_d[(t) * n + (k)]
    static double nsnn_part(const double *nsnn_o, double *nsnn_d, int n_steps, int label) {{
    const int n = {self.n};
    double value = 0;
{numbers}
    {{ {self.loss.code} }}
    return value;
    }}
    #undef O
    #undef D
    \"\"\"
    double nsnn_part(const double *o, double *d, int n_steps, int label) nogil
cdef double teach(int i, int64_t step) {{
    cdef int64_t sample = step // {self.n_steps}
    cdef int q, t, k = step % {self.n_steps}
    cdef double found, part = share[sample] * learns[sample // {self.batch}] * (k + 1) / {self.n_steps}
    memcpy(o + k * {self.n}, now, {8 * self.n})
    found = nsnn_part(o, d, k + 1, labels[sample])
    for q in range({self.n}):
        told[q] = d[k * {self.n} + q] * part
    due[0] = 0
    if k == {self.n_steps - 1}:
        value[sample] = found
        for q in range({self.n}):
            count[sample * {self.n} + q] = 0
            for t in range({self.n_steps}):
                count[sample * {self.n} + q] += o[t * {self.n} + q]
        if (sample + 1) % {self.batch} == 0:
            due[0] = learns[sample // {self.batch}]
    return 0
"""
        return step_function("teach", ["integer"] * 2, self._run, code, self._arrays)

    def _arrays(self) -> dict[str, np.ndarray]:
        names = ("labels", "value", "count", "learns", "share")
        return {
            "o": self.o, "d": self.d, "now": self.now, "told": self.told, "due": self.due, **{n: self.plan[n] for n in names},
        }  # fmt: skip

    def pending(self) -> Function:
        """(i): 1 where the weights are to change by what the batch before has left, else 0."""
        code = "\ncdef double pending(int i) {\n    return due[0]\n"
        return step_function("pending", ["integer"], lambda i: self.due[0], code, lambda: {"due": self.due})


class OnlineLearner:
    """Brian2's objects for a network that learns from one sample after the other; used as `training.Learner`.

    weights : for each of the network's projections an array (n_pre, n_post); views: what is written into them counts
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
        scheduled: bool = False,
    ) -> None:
        check_online(net, loss, scheduled)
        self.net, self.batch, self.n_steps, self.feedback, self.levels = (
            net,
            batch,
            n_steps,
            feedback,
            dict[int, Any](),
        )
        projections, _ = layered(net)
        self.layers = [Layer(p.n, 1, n_steps) for p in net.populations]
        self.clock = Clock(1 * ms, name="online_clock")
        self.functions = engine.functions()
        self.teacher = Teacher(self.layers[-1].n, batch, n_steps, loss)
        self.data: dict[str, np.ndarray] = {}
        self.sizes: tuple[int, ...] = ()
        self._plan(batch, np.zeros(self.layers[0].n))
        self.members = [self._input(encoder)]
        self.members += [self._layer(k, p) for k, p in enumerate(projections, 1)]
        out = self.members[-1]
        self.teacher.now, self.teacher.told = (out.variables[v].get_value() for v in ("o", "L"))
        self.trainer = NeuronGroup(
            1,
            "done : 1\norigin : integer (shared)",
            namespace={"teach": self.teacher.function()},
            clock=self.clock,
            name="online_teacher",
        )
        self.trainer.run_regularly(
            "done = teach(i, t_in_timesteps - origin)", when="groups", order=self._at(len(self.layers)), name="online_teacher_step"
        )  # fmt: skip
        self.weights: list[np.ndarray] = []
        self.states: list[dict[str, np.ndarray]] = []
        self.changes: list[Any] = []
        self.synapses = [self._synapses(k, p) for k, p in enumerate(projections, 1)]
        self.ways_back = self._ways_back(projections)
        for w, given in zip(self.weights, net.get_weights(), strict=True):
            w[:] = given
        self.objects = engine.Prepared(
            *self.members, self.trainer, *self.synapses, *self.ways_back, name="online_learner"
        )
        self.objects.only_when = dict.fromkeys(self.changes, self.teacher.due)
        self.steps_done = 0

    @staticmethod
    def _at(k: int) -> int:
        """When in a step layer k fires: three places for each, its update, its threshold, and its spikes' arrival above."""
        return 3 * k

    def _plan(self, samples: int, values: np.ndarray) -> None:
        """Arrays for so many samples of `values`: those of the last run where they have the sizes."""
        if (samples, values.size) != self.sizes:
            self.sizes, self.prepared = (samples, values.size), False
            self.data = {
                "values": np.zeros(values.size),
                "order": np.zeros(samples, np.int32),
                "strides": np.zeros(2, np.int32),
            }
            self.teacher.plan = {
                "labels": np.zeros(samples, np.int32),
                "value": np.zeros(samples),
                "count": np.zeros(samples * self.layers[-1].n),
                "share": np.zeros(samples),
                "learns": np.zeros(samples // self.batch),
            }
        self.data["values"][:] = values.reshape(-1)

    def _group(self, k: int, code: list[str], text: LayerText, threshold: str | None) -> NeuronGroup:
        group = NeuronGroup(
            self.layers[k].n,
            MEMBERS + "\n".join(text.equations),
            threshold=threshold,
            reset="" if threshold else None,
            namespace=self.functions | text.namespace | {"n_steps": self.n_steps},
            clock=self.clock,
            name=f"online_layer_{k}",
        )
        for name, value in text.values.items():
            setattr(group, name, value)
        group.run_regularly("\n".join(code), when="groups", order=self._at(k), name=f"online_layer_{k}_step")
        if threshold:
            group.thresholder["spike"].when, group.thresholder["spike"].order = "groups", self._at(k) + 1
            group.contained_objects.remove(group.resetter["spike"])  # it has nothing to do
        return group

    def _input(self, encoder: Encoder) -> NeuronGroup:
        text = LayerText(self.layers[0], ["o : 1"])
        text.namespace["pixel"] = pixel(1, self.n_steps, lambda: self.data, int(encoder.units))
        names = text.record(encoder, "encoder_")
        draw = f"keyed_uniform(step, unit, copy, 0, {int(Stream.SOURCE)}, key0, key1)"
        code = [
            "step = t_in_timesteps - origin",
            "k = step % n_steps",
            "x = pixel(unit, copy, step)",
            f"o = 1.0 * ({substitute(encoder.o, names | {'uniform': draw})})",
        ]
        return self._group(0, code, text, "o != 0")

    def _layer(self, k: int, projection: Projection) -> NeuronGroup:
        neuron, noise = projection.post.neuron, projection.post.noise
        assert isinstance(neuron, NSNNNeuron)
        text = LayerText(
            self.layers[k], [f"{v} : 1" for v in ("u", "o", "f", "carried", "arrived", "L", "told")]
        )
        text.record(neuron, "")
        factor, carried, numbers = layer_text(projection)
        for name, value in own_numbers(numbers).items():
            text.number(name, value)
        fires = "u > theta"
        if isinstance(noise, EscapeNoise) and noise.family is not None:
            chance = substitute(
                noise.family.cdf_text, text.record(noise.family, "noise_") | {"x": "(u - theta)"}
            )
            fires = f"keyed_uniform(step, unit, copy, 0, {int(Stream.ESCAPE)}, key0, key1) < {chance}"
        code = [
            "step = t_in_timesteps - origin",
            "going = int(step % n_steps > 0)",
            "u = u * going",
            "o = o * going",
            "drive = arrived",
            "arrived = 0",
            neuron.updates[neuron.reset],
            f"o = 1.0 * int({fires})",
            f"f = {factor}",
            "staying = int((step + 1) % n_steps > 0)",
            f"carried = staying * ({carried})",
        ]
        smooth = {"exp": "smooth_exp", "normal_cdf": "smooth_normal_cdf"}
        code = [substitute(line, smooth) for line in code]
        group = self._group(k, code, text, "o > 0" if k < len(self.layers) - 1 else None)
        group.run_regularly("told = L * f", when="end", order=-1, name=f"online_layer_{k}_told")
        return group

    def _synapses(self, k: int, projection: Projection) -> Synapses:
        """Of a projection: spikes go up, the learning signal goes down by the weights, and the weights learn."""
        rule, before = projection.plasticity, self.layers[k - 1]
        optimizer = rule.optimizer
        own = {f.name: f"optimizer_{f.name}" for f in optimizer._parameters()}
        equations = ["w : 1", "trace : 1", "g : 1", "due : 1", "eta : 1 (shared)"]
        equations += [f"{state} : 1" for state in optimizer.states]
        down = k > 1 and self.feedback is None
        if down:
            equations.append("L_pre = w * L_post * f_post : 1 (summed)")
        synapses = Synapses(
            self.members[k - 1],
            self.members[k],
            "\n".join(equations),
            on_pre="arrived_post += w * o_pre\ntrace += o_pre",
            namespace={name: optimizer.si(f) for f, name in own.items()}
            | {"pending": self.teacher.pending()},
            clock=self.clock,
            name=f"online_synapses_{k}",
        )
        synapses.connect()
        synapses.pre.when, synapses.pre.order = "groups", self._at(k - 1) + 2
        if down:
            updater = synapses.summed_updaters["L_pre"]
            updater.when, updater.order = "groups", self._at(2 * len(self.layers) - k)
        synapses.run_regularly(
            "g += told_post * trace\ntrace *= carried_post", when="end", name=f"online_synapses_{k}_learn"
        )  # fmt: skip
        change = synapses.run_regularly(
            "\n".join(
                ["due = pending(i)", *(substitute(line, own) for line in optimizer.lines), "g *= 1 - due"]
            ),
            when="start",
            name=f"online_synapses_{k}_change",
        )
        self.changes.append(change)
        synapses.eta = rule.si("eta")
        shape = (before.n, self.layers[k].n)
        self.weights.append(synapses.variables["w"].get_value().reshape(shape))
        self.states.append({s: synapses.variables[s].get_value() for s in optimizer.states})
        return synapses

    def _ways_back(self, projections: list[Projection]) -> list[Synapses]:
        """Synapses of fixed weights by which hidden layers are told, where it isn't by those of the projections."""
        found = []
        for k, weights in enumerate(self.feedback or [], 1):
            above = len(self.layers) - 1 if projections[0].plasticity.signal == "broadcast" else k + 1
            told = "L_post" if projections[0].plasticity.signal == "broadcast" else "L_post * f_post"
            back = Synapses(
                self.members[k],
                self.members[above],
                f"b : 1 (constant)\nL_pre = b * {told} : 1 (summed)",
                clock=self.clock,
                name=f"online_way_back_{k}",
            )
            back.connect()
            back.b = weights.reshape(-1)
            updater = back.summed_updaters["L_pre"]
            updater.when, updater.order = "groups", self._at(2 * len(self.layers) - k)
            found.append(back)
        return found

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
        """Batches in a row, and their samples; all as for `training.Learner`."""
        real, rows = order >= 0, np.where(order >= 0, order, 0).reshape(-1)
        self._plan(rows.size, values)
        plan = self.teacher.plan
        self.data["order"][:] = rows
        self.data["strides"][:] = values[0].size, values.shape[-1] if values.ndim == 3 else 0
        plan["labels"][:] = labels[rows]
        plan["share"][:] = (real / np.maximum(real.sum(1, keepdims=True), 1)).reshape(-1)
        plan["learns"][:] = learns
        for k, group in enumerate(self.members):
            group.key0, group.key1 = philox.key(*key, k)
            group.origin = self.steps_done
        self.trainer.origin = self.steps_done
        for synapses, projection in zip(self.synapses, self.net.projections, strict=True):
            synapses.eta = eta * projection.plasticity.si("eta")
        steps = rows.size * self.n_steps
        # weights that overflow are found by whoever reads them
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
