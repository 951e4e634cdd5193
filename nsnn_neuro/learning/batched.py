"""Batched learner: one copy of the layered network per sample, shared weights, backpropagation through time after the last step.

A batch takes n_steps steps of the clock. In each, the input's group and each layer's do one step (one code object each). After the
last one `backward_pass.Sweep` goes back in time through the stored steps, so learning signals carry their future terms. Weights are
the members of a group with one step per batch, in which the optimizer's text changes them: when the next batch begins, or the run
has ended.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from brian2 import Clock, NetworkOperation, NeuronGroup, ms

from ..brian import engine
from ..core.parameters import substitute
from ..models.network import Network
from ..models.populations import Projection
from .backward_pass import Sweep
from .coding import Encoder
from .kernels import Layer, Loop, product
from .layer_parameters import KINDS, LayerParameter
from .layers import Changing, Layers
from .learner import LayeredLearner, LayerText, optimizer_text
from .losses import Loss


class Learner(LayeredLearner):
    """`LayeredLearner` of `batch` copies.

    levels : of what is learned beside the weights, and of all layers' noise where `scheduled`

    >>> from nsnn_neuro import NDL, EscapeNoise, Gaussian, coding, feedforward, losses
    >>> from nsnn_neuro.brian import running
    >>> net = feedforward([2, 2], noise=EscapeNoise(Gaussian(0.4)), plasticity=NDL(0.5))
    >>> with running("numpy"):
    ...     learner = Learner(net, batch=2, n_steps=3, encoder=coding.Direct(), loss=losses.rate_mse, feedback=None)
    ...     loss, spikes = learner.run(np.eye(2), np.array([0, 1]), np.array([[0, 1]]), np.array([True]), key=(1,))
    >>> loss.shape, spikes.shape, learner.weights[0].shape  # one batch of two samples
    ((1, 2), (1, 2, 2), (2, 2))
    """

    teacher: Sweep

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
        # clocks have names: Brian2 would number them by those not yet collected, and every text be compiled anew
        super().__init__(
            net, batch=batch, n_steps=n_steps, copies=batch, clock=Clock(1 * ms, name="learner_clock")
        )
        self.slow = Clock(n_steps * ms, name="learner_slow_clock")
        given = Layers(net, loss, scheduled=scheduled)
        for layer, p in zip(self.layers[1:], given.loops, strict=True):
            if p is not None:
                back = given.signal == "transport" and getattr(p.plasticity, "recurrent_path", True)
                is_forced = loss.forced and layer is self.layers[-1]  # spikes that don't depend on weights
                layer.loop = Loop(autapses=len(p.shape(0)) == 2, back=back and not is_forced)
        self.teacher = Sweep(self.layers, loss, feedback, given.signal)
        # the weights first: the other functions read them
        self.learning = []
        self.states = [self._weights(k, p) for k, p in enumerate(net.projections, 1)]
        self.levels = [self._level(changing) for changing in given.changing]
        self.teacher.levels = tuple(level for level in self.levels if level.rate)
        for w, first in zip(self.weights, given.weights, strict=True):
            w[:] = first.reshape(w.shape)
        self._plan(1, np.zeros(self.layers[0].n), np.zeros(1))
        code, text = self._input_text(encoder)
        self.members = [self._hold(0, self._group(0, code, text, 0))]
        # from the input up: a layer's functions read the arrays of the one below
        for k, projection in enumerate(given.forward, 1):
            self.members.append(self._layer(k, projection))
        self.trainer = self._trainer("trainer", self.teacher.function(), "sweep", len(self.layers))
        groups = [*self.learning, *(v.group for v in self.teacher.levels), *self.members, self.trainer]
        self.objects = engine.Prepared(*groups, name="learner")

    def record(self) -> list[np.ndarray]:
        """Spikes of later runs: a list that grows by booleans (batch, n_steps, n) for each batch and layer, input first."""
        spikes: list[np.ndarray] = []

        def append() -> None:
            if (self.clock.timestep - self.steps_done) % self.n_steps == self.n_steps - 1:
                spikes.extend(layer.samples("o") > 0 for layer in self.layers)

        self.objects.add(NetworkOperation(append, clock=self.clock, when="end", name="learner_recorder"))
        self.prepared = False
        return spikes

    def _weights(self, number: int, projection: Projection) -> dict[str, np.ndarray]:
        """The group of a projection's weights; its arrays become the layer's, or its loop's. Returns the optimizer's states."""
        k = self.net.populations.index(projection.post)
        rule, layer, before = projection.plasticity, self.layers[k], self.layers[k - 1]
        holder: Layer | Loop = layer
        if projection.pre is projection.post and layer.loop is not None:
            before, holder = layer, layer.loop
        equations = ["w : 1", "g : 1", "due : 1", "eta : 1 (shared)"]
        group = self._slow_group(f"weights_{number}", before.n * layer.n, rule.optimizer, equations)
        group.eta = rule.si("eta")
        holder.w, holder.slope = (group.variables[v].get_value() for v in ("w", "g"))
        if isinstance(holder, Loop) and not holder.autapses:  # all but the diagonal
            self.weights.append(holder.w[1:].reshape(layer.n - 1, layer.n + 1)[:, :-1])
        else:
            self.weights.append(holder.w.reshape(before.n, layer.n))
        self.learning.append(group)
        return {s: group.variables[s].get_value() for s in rule.optimizer.states}

    def _level(self, changing: Changing) -> LayerParameter:
        """A parameter that changes and, where it is learned, its group, which learns as weights do."""
        level = KINDS[changing.kind](changing, self.layers[changing.k])
        if not level.rate:
            return level
        optimizer = changing.projection.plasticity.optimizer
        names, first, start = ("w", "g", "due", "value"), level.values, level.start()
        equations = [*(f"{v} : 1" for v in names), *(f"{v} : 1 (shared)" for v in ("eta", "factor"))]
        group = self._slow_group(level.label, level.n, optimizer, equations, level.line)
        level.free, level.slope, level.values = (group.variables[v].get_value() for v in ("w", "g", "value"))
        level.free[:], level.values[:] = start, first
        level.states = {s: group.variables[s].get_value() for s in optimizer.states}
        level.group = group
        return level

    def _slow_group(self, name: str, n: int, optimizer: Any, equations: list[str], *more: str) -> NeuronGroup:
        """A group that the optimizer's lines, and `more`, change once in a batch."""
        lines, constants = optimizer_text(optimizer)
        group = NeuronGroup(
            n,
            "\n".join([*equations, *(f"{s} : 1" for s in optimizer.states)]),
            namespace=constants | {"pending": self.teacher.pending()},
            clock=self.slow,
            name=name,
        )
        self.changes.append(
            group.run_regularly("\n".join([*lines, *more]), when="start", name=f"{name}_step")
        )
        return group

    def _hold(self, k: int, group: NeuronGroup) -> NeuronGroup:
        """Make the group's arrays known to layer k."""
        names = ("o", "f", "carried", "odds")
        self.layers[k].now = {v: group.variables[v].get_value() for v in names if v in group.variables}
        return group

    def _layer(self, k: int, projection: Projection) -> NeuronGroup:
        text = LayerText(self.layers[k], [f"{v} : 1" for v in ("u", "o", "f", "carried", "arrived")])
        text.namespace[f"product_{k}"] = product(f"product_{k}", self.layers[k], self.layers[k - 1])
        is_forced = self.teacher.loss.forced and k == len(self.layers) - 1
        moves, carried = self._dynamics(k, projection, text, is_forced=is_forced)
        code = [
            "step = t_in_timesteps - origin",
            f"ready = product_{k}(step)",
            "going = int(step % n_steps > 0)",
            "u = u * going",
            "o = o * going",
            "drive = arrived",
            *moves,
            f"carried = {carried}",
        ]
        # without the factor, through which the reset depends on the membrane
        held = substitute(carried, {"f": "0"})
        for level in (v for v in self.levels if v.k == k):
            functions = {f"{level.label}_now": level.read()}
            if level.rate:
                functions[f"keep_{level.label}"] = level.keep()
                here, later = level.texts(held)
                line = f"kept_{level.label} = keep_{level.label}(i, step, {here}, {later})"
                code.insert(code.index("drive = arrived") if level.before else len(code), line)
            text.namespace |= functions
            code = [f"{level.label} = {level.label}_now(i)", *(substitute(v, level.names()) for v in code)]
        group = self._hold(k, self._group(k, self._vectorised(code), text, k))
        self.layers[k].arrived = group.variables["arrived"].get_value()
        return group
