"""Projections of `engine="torch"` as dense matrices of weights; imported with this engine only, as it needs torch.

In each step the spikes of the presynaptic population, (trials, n_pre), are multiplied by a matrix (n_pre, n_post), in which several
synapses of a pair are added up. As Brian2's synapses (`equations/projections.py`), a projection acts between the state update and
the threshold of its target, sees the last spikes of its source, and lets them wait for the same number of steps. Sums are in
another order, so that potentials agree up to rounding.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from brian2 import get_device
from torch import Tensor

from ..core.errors import NsnnError
from ..core.memory import free_memory
from ..models.neurons import IntegrateAndFire, Relay
from ..models.populations import Projection
from . import engine, states
from .dt_warnings import delay_steps
from .equations.group_text import ORDERS_EACH, SYNAPSES
from .equations.projections import drive_of, synapse_types, waiting_steps
from .equations.synapses import increments, names_of

_CURE = 'use engine="cpp" or "cython"'
_MOST_MEMORY = 0.5
"""share of the free memory that matrices may take; the rest is for neurons, spikes and copies"""


def check(run: Any, device: torch.device) -> None:
    """Refuse projections that are not dense layers of fixed weights with one delay, or do not fit into the device's memory."""
    net = run.net
    if run.weights:
        raise NsnnError(
            f'engine = "torch": record_w = {list(run.weights)}: expected None, as weights are constant (`Network.get_weights`); or '
            f"{_CURE}"
        )
    _check_memory(net, device)
    for name, projection in zip(net.projection_names, net.projections, strict=True):
        before = f'engine = "torch": projection {name!r}: '
        if projection.release < 1:
            raise NsnnError(f"{before}release = {projection.release}: expected 1; or {_CURE}")
        if projection.short_term is not None:
            raise NsnnError(f"{before}short_term = {projection.short_term!r}: expected None; or {_CURE}")
        delays = delay_steps(net.connections(projection).delay, run.dt)
        if np.ptp(delays) if delays.size else 0:
            first, last = (1e3 * run.dt * float(end) for end in (delays.min(), delays.max()))
            raise NsnnError(
                f"{before}delays from {first:.6g} to {last:.6g} ms: expected one for all synapses, or a projection for each delay; "
                f"or {_CURE}"
            )
        if isinstance(projection.pre.neuron, Relay) and not _is_linear(projection):
            raise NsnnError(
                f"{before}{type(projection.synapse).__name__}.on_arrival: with the value of a Relay expected a multiple of the "
                f"weight; or {_CURE}"
            )


def _check_memory(net: Any, device: torch.device) -> None:
    """Refuse matrices that take too much of the memory that is free."""
    size = np.dtype(engine.dtype()).itemsize
    taken = [p.pre.n * p.post.n * len(p.synapse.on_arrival) * size for p in net.projections]
    free = _free_memory(device)
    if sum(taken) <= _MOST_MEMORY * free:
        return
    k = int(np.argmax(taken))
    largest = net.projections[k]
    raise NsnnError(
        f'engine = "torch": projection {net.projection_names[k]!r} is a matrix of {largest.pre.n:,} times {largest.post.n:,} '
        f"weights, and all matrices take {sum(taken) / 1e9:,.1f} GB, more than half of the {free / 1e9:,.1f} GB that are free on "
        f"{device}: {_CURE}, which keep the synapses alone, or take fewer neurons"
    )


def _free_memory(device: torch.device) -> float:
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    try:
        return float(free_memory())
    except AttributeError:  # a system that does not say what is free
        return math.inf


def _is_linear(projection: Projection) -> bool:
    """Whether what a spike adds is a multiple of the weight."""
    post = np.arange(projection.post.n)
    once, twice = (increments(projection.synapse, weight, post) for weight in (0.7, 1.4))
    return all(np.allclose(twice[name], 2 * once[name], rtol=1e-9, atol=0) for name in once)


class Dense:
    """A projection as tensors; a call is its operation in a step.

    groups : the Brian2 groups of the populations
    state : the tensors of the simulation by the names of the arrays
    fired : the function that returns whether each member of the presynaptic population has fired, in its last step
    """

    def __init__(
        self,
        run: Any,
        number: int,
        groups: Any,
        state: dict[str, Any],
        fired: Callable[[], Tensor],
        device: torch.device,
    ) -> None:
        net = run.net
        self.name, self._projection = net.projection_names[number], net.projections[number]
        self._connections = net.connections(self._projection)
        self._trials, self._n_steps = run.trials, run.n_steps
        self._state, self._device, self._dtype = state, device, getattr(torch, engine.dtype())
        pre, post = (net.populations.index(p) for p in (self._projection.pre, self._projection.post))
        self.order = ORDERS_EACH * post + SYNAPSES
        self._late = int(post <= pre)
        delay = np.ravel(self._connections.delay)
        wait = waiting_steps(delay, run.dt, looks_back=post <= pre)
        self._wait = int(wait[0]) if wait.size else 0
        self._sent = fired
        if isinstance(self._projection.pre.neuron, Relay):
            values = get_device().get_array_name(groups[pre].variables["u"])
            self._sent = lambda: state[values]
        nothing = torch.zeros(run.trials * self._projection.pre.n, dtype=torch.bool, device=device)
        self._waiting = deque([nothing] * self._wait)  # what was sent in each of the last steps
        self._each = increments(self._projection.synapse, self._connections.weight, self._connections.post)
        self._targets = self._named_targets(net, groups[post])
        self._matrices = {target: self._matrix(each) for target, each in self._each.items()}
        # spikes in transit at the beginning, from an earlier run
        self._before = np.empty((2, 0), dtype=np.int64)
        if isinstance(run.initial, states.SimulationState):
            self._before = states.in_transit(run.initial, self.name)
        self._early = deque(self._arriving_early(run))

    def _named_targets(self, net: Any, group: Any) -> dict[str, tuple[str, str | None]]:
        """For each target of a synapse the name of its array, and of the array by which its input is multiplied."""
        synapse, post = self._projection.synapse, self._projection.post
        rank = next(k for k, other in enumerate(synapse_types(net, post)) if other is synapse)
        variables = names_of(synapse, rank) | {"v": post.neuron.state}

        def array(variable: str) -> str:
            return get_device().get_array_name(group.variables[variable])

        # a refractory membrane ignores jumps
        gated = {"v"} if isinstance(post.neuron, IntegrateAndFire) else set()
        return {x: (array(variables[x]), array("free") if x in gated else None) for x in synapse.on_arrival}

    def _tensor(self, values: np.ndarray) -> Tensor:
        return torch.as_tensor(values, dtype=self._dtype, device=self._device)

    def _matrix(self, each: Any) -> Tensor:
        """The sum of what the synapses of each pair add, (n_pre, n_post)."""
        pre, post = self._connections.pre, self._connections.post
        shape = self._projection.pre.n, self._projection.post.n
        pair = pre.astype(np.int64) * shape[1] + post
        total = np.bincount(pair, np.broadcast_to(each, pre.shape), minlength=shape[0] * shape[1])
        return self._tensor(total.reshape(shape))

    def _arriving_early(self, run: Any) -> list[dict[str, Tensor]]:
        """What spikes of an earlier run add in each of the first steps, by target."""
        steps, synapses = self._before
        n = self._connections.pre.size
        trial, synapse = np.divmod(synapses, max(n, 1))
        member = trial * self._projection.post.n + self._connections.post[synapse]
        value = np.ones(synapse.size)
        if isinstance(self._projection.pre.neuron, Relay) and synapse.size:
            stimulus = drive_of(run.net, self._projection.pre, run.stimulus)
            samples = np.zeros(run.end) if stimulus is None else stimulus.samples(run.end, run.dt)
            at = np.maximum(run.first + steps - self._wait - self._late, 0)
            value = samples[at] if samples.ndim == 1 else samples[at, self._connections.pre[synapse]]
        early: list[dict[str, Tensor]] = []
        for step in range(min(int(steps.max(initial=-1)) + 1, run.n_steps)):
            now = steps == step
            early.append({})
            for target, each in self._each.items():
                amounts = np.broadcast_to(each, n)[synapse[now]] * value[now]
                size = self._trials * self._projection.post.n
                early[-1][target] = self._tensor(np.bincount(member[now], amounts, minlength=size))
        return early

    def __call__(self) -> None:
        """Add what arrives to the variables of the target."""
        self._waiting.append(self._sent())
        arriving = self._waiting.popleft().reshape(self._trials, -1).to(self._dtype)
        early = self._early.popleft() if self._early else {}
        for target, (name, gate) in self._targets.items():
            added = (arriving @ self._matrices[target]).reshape(-1)
            if target in early:
                added = added + early[target]
            self._state[name] = self._state[name] + (added if gate is None else added * self._state[gate])

    def in_transit(self) -> np.ndarray:
        """Spikes that have not arrived, as `states.in_transit`."""
        steps, synapses = self._before
        later = steps >= self._n_steps
        parts = [np.stack([steps[later] - self._n_steps, synapses[later]])]
        for ahead, sent in enumerate(self._waiting):
            fired = sent.reshape(self._trials, -1).cpu().numpy() != 0
            members = np.flatnonzero(fired[:, self._connections.pre])
            parts.append(np.stack([np.full(members.size, ahead, dtype=np.int64), members]))
        return np.concatenate(parts, axis=1)
