"""What a run is made of: the system, the protocol and the output, with the checks of each."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from ..core.checks import flag, instance, one_of, scalar, whole
from ..core.errors import NsnnError
from ..models.network import Network
from ..models.stimuli import Stimulus

MOST_STEPS = 2**31
_MOST_THREADS = 1024
_MOST_POINTS = 2**24  # the counter of the noise has 32 bits for a point and a stream


@dataclasses.dataclass(frozen=True)
class System:
    """What is simulated: a network, its first stimulus where that is replaced, the models as plain data.

    `point` is the number of a point of a sweep, which selects the random numbers. In a population that holds several points it is
    an array with a value for each neuron, and `ids` has the neuron's number within its point.
    """

    net: Network
    stimulus: Stimulus | None
    parameters: dict[str, Any]
    point: Any = 0
    ids: np.ndarray | None = None

    def __post_init__(self) -> None:
        if np.ndim(self.point) == 0:
            whole(self.point, 0, "point", _MOST_POINTS - 1)


@dataclasses.dataclass(frozen=True)
class Protocol:
    """How it is simulated: arguments of `simulate`."""

    trials: int
    duration: Any
    dt: Any
    seed: int | None
    bridge: bool
    threads: int | None = None
    initial: Any = None

    def __post_init__(self) -> None:
        whole(self.trials, 1, "trials", MOST_STEPS - 1)
        flag(self.bridge, "bridge")
        if self.threads is not None:
            whole(self.threads, 1, "threads", _MOST_THREADS)

    @property
    def step(self) -> float:
        """dt in s."""
        return 1e-4 if self.dt is None else scalar(self.dt, "s", "dt", above=0)

    @property
    def n_steps(self) -> int:
        """Steps of dt in the duration, which has to be a whole number of them."""
        dt, total = self.step, scalar(self.duration, "s", "duration", above=0)
        if not total / dt < MOST_STEPS:
            raise NsnnError(
                f"duration = {self.duration}: expected fewer than {MOST_STEPS} steps of dt = {dt:g} s"
            )
        n_steps = round(total / dt)
        if n_steps < 1 or abs(n_steps * dt - total) > 1e-6 * dt:
            near = f"{max(n_steps, 1) * dt * 1e3:.10g} ms"
            raise NsnnError(
                f"duration = {self.duration}: expected a whole number of steps of dt = {dt * 1e3:g} ms, such as {near}"
            )
        return n_steps


@dataclasses.dataclass(frozen=True)
class Output:
    """What is recorded and where it goes; the arguments of `simulate`."""

    record_v: Any = None
    record_w: Any = None
    out: Any = None
    return_state: bool = False

    def __post_init__(self) -> None:
        flag(self.return_state, "return_state")

    def membranes(self, net: Network) -> dict[str, np.ndarray]:
        """Indices of the neurons whose membrane is recorded, by name of the population."""
        known, given = [p.name for p in net.populations], self.record_v
        if not isinstance(given, dict):
            if len(known) > 1 and given is not None and not isinstance(given, bool):
                raise NsnnError(
                    f"record_v = {given!r}: for a network expected True or a dict such as {{{known[0]!r}: [0, 1]}}"
                )
            given = dict.fromkeys(known, given)
        for name in given:
            one_of(name, known, "population of record_v")
        place = "record_v[{!r}]" if isinstance(self.record_v, dict) else "record_v"
        note = "; the membrane alone is recorded"
        return {
            p.name: _chosen(given.get(p.name), p.n, place.format(p.name), "neuron", note)
            for p in net.populations
        }

    def weights(self, net: Network) -> dict[str, np.ndarray]:
        """Indices of the synapses whose weight is recorded, by name of the projection."""
        given = {} if self.record_w is None else self.record_w
        expected = f"a dict from projections ({', '.join(net.projection_names)}) to indices"
        instance(given, dict, "record_w", expected)
        chosen = {
            name: _chosen(which, net.connections(name).pre.size, f"record_w[{name!r}]", "synapse")
            for name, which in given.items()
        }
        return {name: some for name, some in chosen.items() if some.size}


def _chosen(which: Any, n: int, name: str, what: str, note: str = "") -> np.ndarray:
    if which is None or which is False:
        return np.array([], dtype=np.int64)
    if which is True:
        return np.arange(n)
    chosen = np.asarray(which)
    if chosen.ndim != 1 or chosen.dtype.kind not in "iu" or np.any((chosen < 0) | (chosen >= n)):
        raise NsnnError(
            f"{name} = {which!r}: expected {what} indices from 0 to {n - 1}, or True for all{note}"
        )
    return chosen.astype(np.int64)
