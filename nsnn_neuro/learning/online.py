"""The online formulation of learning: one network of synapses, samples one after the other, local traces, no future terms.

In each step the groups of input and layers fire one after the other, and their spikes travel through Brian2's synapses.
`StepTeacher` gives the output its learning signal L(t), and synapses pass it on downwards. A synapse's trace grows by each spike
that it carries, and at the step's end

    g += L(t) f(t) trace(t),    trace *= k(t)

with f and k of its target neuron, k = 0 at a sample's end. When the next batch begins, or the run has ended, the optimizer's text
changes the weights by g. Below the output the signal lacks what reaches the loss through later membranes above. A loss that is
known only at the end is taken as if the sample ended now, L(t) = (t / n_steps) d/do(t) of the loss of the first t steps.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from brian2 import Clock, Function, NeuronGroup, Synapses, ms

from ..brian import engine
from ..models.network import Network
from ..models.populations import Projection
from .coding import Encoder
from .kernels import step_function, step_number
from .layers import Layers
from .learner import LayeredLearner, LayerText, Teacher, optimizer_text
from .losses import Loss


class StepTeacher(Teacher):
    """Gives the output its learning signal L in each step and, after a sample's last step, computes its loss and spike counts."""

    def __init__(self, n: int, batch: int, n_steps: int, loss: Loss) -> None:
        super().__init__(loss)
        self.n, self.batch, self.n_steps = n, batch, n_steps
        self.o, self.d = np.zeros((n_steps, n)), np.zeros((n_steps, n))
        self.now = self.signal = np.zeros(0)  # o and L of the output's group, once there is one

    def _run(self, i: Any, step: Any) -> Any:
        sample, k = divmod(step_number(step), self.n_steps)
        self.o[k] = self.now
        o, label = self.o[None, : k + 1], self.plan["labels"][sample : sample + 1]
        share = self.plan["share"][sample] * self.plan["learns"][sample // self.batch]
        self.signal[:] = self.loss.gradient(o, label)[0, k] * (share * (k + 1) / self.n_steps)
        self.due[0] = 0
        if k == self.n_steps - 1:
            self.plan["value"][sample] = self.loss.value(o, label)[0]
            self.plan["count"].reshape(-1, self.n)[sample] = self.o.sum(0)
            if (sample + 1) % self.batch == 0:
                self.due[0] = self.plan["learns"][sample // self.batch]
        return np.zeros(1)

    def function(self) -> Function:
        """(i, step) for generated code."""
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
{self.constants()}
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
    cdef double loss, part = share[sample] * learns[sample // {self.batch}] * (k + 1) / {self.n_steps}
    memcpy(o + k * {self.n}, now, {8 * self.n})
    loss = nsnn_part(o, d, k + 1, labels[sample])
    for q in range({self.n}):
        signal[q] = d[k * {self.n} + q] * part
    due[0] = 0
    if k == {self.n_steps - 1}:
        value[sample] = loss
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
        own = {name: getattr(self, name) for name in ("o", "d", "now", "signal", "due")}
        return own | {name: self.plan[name] for name in ("labels", "value", "count", "learns", "share")}


class OnlineLearner(LayeredLearner):
    """`LayeredLearner` of one network, which learns from one sample after the other.

    >>> from nsnn_neuro import NDL, EscapeNoise, Gaussian, coding, feedforward, losses
    >>> from nsnn_neuro.brian import running
    >>> net = feedforward([2, 2], noise=EscapeNoise(Gaussian(0.4)), plasticity=NDL(0.5))
    >>> with running("numpy"):
    ...     learner = OnlineLearner(net, batch=2, n_steps=3, encoder=coding.Direct(), loss=losses.rate_mse, feedback=None)
    ...     loss, spikes = learner.run(np.eye(2), np.array([0, 1]), np.array([[0, 1]]), np.array([True]), key=(1,))
    >>> loss.shape, spikes.shape, learner.weights[0].shape  # one batch of two samples
    ((1, 2), (1, 2, 2), (2, 2))
    """

    prefix = "online_"
    teacher: StepTeacher

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
        given = Layers(net, loss, online=True, scheduled=scheduled)
        super().__init__(
            net, batch=batch, n_steps=n_steps, copies=1, clock=Clock(1 * ms, name="online_clock")
        )
        self.feedback = feedback
        self.teacher = StepTeacher(self.layers[-1].n, batch, n_steps, loss)
        self._plan(1, np.zeros(self.layers[0].n), np.zeros(1))
        code, text = self._input_text(encoder)
        self.members = [self._firing_group(0, code, text, "o != 0")]
        self.members += [self._layer(k, p) for k, p in enumerate(given.forward, 1)]
        out = self.members[-1]
        self.teacher.now, self.teacher.signal = (out.variables[v].get_value() for v in ("o", "L"))
        order = self._at(len(self.layers))
        self.trainer = self._trainer("online_teacher", self.teacher.function(), "teach", order)
        self.learning = [self._synapses(k, p) for k, p in enumerate(given.forward, 1)]
        for w, first in zip(self.weights, given.weights, strict=True):
            w[:] = first
        groups = [*self.members, self.trainer, *self.learning, *self._feedback_synapses(given.signal)]
        self.objects = engine.Prepared(*groups, name="online_learner")
        self.objects.only_when = dict.fromkeys(self.changes, self.teacher.due)

    @staticmethod
    def _at(k: int) -> int:
        """When in a step layer k fires: three places for each, its update, its threshold, and its spikes' arrival above."""
        return 3 * k

    def _firing_group(self, k: int, code: list[str], text: LayerText, threshold: str | None) -> NeuronGroup:
        """Layer k's group; with a threshold its spikes go to synapses."""
        group = self._group(k, code, text, self._at(k), threshold=threshold, reset="" if threshold else None)
        if threshold:
            group.thresholder["spike"].when, group.thresholder["spike"].order = "groups", self._at(k) + 1
            group.contained_objects.remove(group.resetter["spike"])  # it has nothing to do
        return group

    def _layer(self, k: int, projection: Projection) -> NeuronGroup:
        names = ("u", "o", "f", "carried", "arrived", "L", "signal")
        text = LayerText(self.layers[k], [f"{v} : 1" for v in names])
        moves, carried = self._dynamics(k, projection, text)
        code = [
            "step = t_in_timesteps - origin",
            "going = int(step % n_steps > 0)",
            "u = u * going",
            "o = o * going",
            "drive = arrived",
            "arrived = 0",
            *moves,
            "staying = int((step + 1) % n_steps > 0)",
            f"carried = staying * ({carried})",
        ]
        threshold = "o > 0" if k < len(self.layers) - 1 else None
        group = self._firing_group(k, self._vectorised(code), text, threshold)
        group.run_regularly("signal = L * f", when="end", order=-1, name=f"online_layer_{k}_signal")
        return group

    def _synapses(self, k: int, projection: Projection) -> Synapses:
        """A projection: spikes go up, the learning signal goes down through the weights, and the weights learn."""
        rule, before = projection.plasticity, self.layers[k - 1]
        optimizer = rule.optimizer
        lines, constants = optimizer_text(optimizer)
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
            namespace=constants | {"pending": self.teacher.pending()},
            clock=self.clock,
            name=f"online_synapses_{k}",
        )
        synapses.connect()
        synapses.pre.when, synapses.pre.order = "groups", self._at(k - 1) + 2
        if down:
            self._signal_at(synapses, k)
        trace = "g += signal_post * trace\ntrace *= carried_post"
        synapses.run_regularly(trace, when="end", name=f"online_synapses_{k}_learn")
        change = "\n".join([*lines, "g *= 1 - due"])
        self.changes.append(synapses.run_regularly(change, when="start", name=f"online_synapses_{k}_change"))
        synapses.eta = rule.si("eta")
        shape = (before.n, self.layers[k].n)
        self.weights.append(synapses.variables["w"].get_value().reshape(shape))
        self.states.append({s: synapses.variables[s].get_value() for s in optimizer.states})
        return synapses

    def _signal_at(self, synapses: Synapses, k: int) -> None:
        """Set when in a step synapses to layer k, or those that stand for them, bring the layer below its signal."""
        updater = synapses.summed_updaters["L_pre"]
        updater.when, updater.order = "groups", self._at(2 * len(self.layers) - k)

    def _feedback_synapses(self, signal: str) -> list[Synapses]:
        """Synapses of fixed weights that bring hidden layers their signal, where the projections' own don't."""
        synapses, broadcast = [], signal == "broadcast"
        for k, weights in enumerate(self.feedback or [], 1):
            above, sent = (len(self.layers) - 1, "L_post") if broadcast else (k + 1, "L_post * f_post")
            back = Synapses(
                self.members[k],
                self.members[above],
                f"b : 1 (constant)\nL_pre = b * {sent} : 1 (summed)",
                clock=self.clock,
                name=f"online_way_back_{k}",
            )
            back.connect()
            back.b = weights.reshape(-1)
            self._signal_at(back, k)
            synapses.append(back)
        return synapses
