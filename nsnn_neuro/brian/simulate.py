"""The public function `simulate`, and joint simulation of several sweep points as one population."""

from __future__ import annotations

import functools
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, Required, TypedDict, Unpack, overload

import neo
import numpy as np
from brian2 import Network, second

from ..core import units
from ..core.aliases import Progress, Time
from ..core.checks import instance, suggest_keywords, whole
from ..core.errors import NsnnError
from ..io.block import sorted_ticks
from ..io.spikes import Trains
from ..io.spikes.bins import rounding
from ..models import network as nsnn_network
from ..models.neurons import Neuron
from ..models.noise import Noise
from ..models.populations import Population
from ..models.stimuli import Stimulus
from . import auto_engine
from .engine import choose, running
from .run_settings import Output, Protocol, System
from .single_run import Run
from .states import SimulationState

Parts = tuple[Neuron | nsnn_network.Network, Noise | None, Stimulus | None]
"""Model, noise and stimulus."""


class _Options(TypedDict, total=False):
    """Arguments of `simulate` by name, for its type with return_state=True."""

    n_neurons: int
    trials: int
    duration: Required[Any]
    dt: Any
    seed: int | None
    engine: str
    bridge: bool
    record_v: Sequence[int] | bool | dict[str, Any] | None
    record_w: dict[str, Any] | None
    point: int
    progress: Any
    out: str | os.PathLike[str] | None
    initial: SimulationState | Mapping[str, Any] | None
    threads: int | None
    device: Any


@overload
def simulate(
    model: Neuron | nsnn_network.Network,
    noise: Noise | None = ...,
    stimulus: Stimulus | None = ...,
    *,
    return_state: Literal[False] = ...,
    **options: Unpack[_Options],
) -> neo.Block: ...
@overload
def simulate(
    model: Neuron | nsnn_network.Network,
    noise: Noise | None = ...,
    stimulus: Stimulus | None = ...,
    *,
    return_state: Literal[True],
    **options: Unpack[_Options],
) -> tuple[neo.Block, SimulationState]: ...
@suggest_keywords
def simulate(
    model: Neuron | nsnn_network.Network,
    noise: Noise | None = None,
    stimulus: Stimulus | None = None,
    *,
    n_neurons: int = 1,
    trials: int = 1,
    duration: Time,
    dt: Time | None = None,
    seed: int | None = None,
    engine: str = "auto",
    bridge: bool = True,
    record_v: Sequence[int] | bool | dict[str, Any] | None = None,
    record_w: dict[str, Any] | None = None,
    point: int = 0,
    progress: Progress = None,
    out: str | os.PathLike[str] | None = None,
    initial: SimulationState | Mapping[str, Any] | None = None,
    return_state: bool = False,
    threads: int | None = None,
    device: Any = None,
) -> Any:
    """Simulate independent noisy neurons, or a network, for several trials at once.

    Parameters
    ----------
    model : a neuron, such as `LIF(...)` or `NSNNNeuron(...)`, or a `Network`
    noise : `WhiteNoise`, `OUNoise`, `EscapeNoise`, ...; None for a deterministic neuron, and with a network, whose populations have
        noise models of their own
    stimulus : the drive, in the unit of the membrane: `Constant`, `Step`, `Sinusoid`, `FrozenNoise`, `Recorded`, or None. With a
        network it replaces the stimulus of the first population
    n_neurons, trials : whole numbers, 1 or more; a network takes n_neurons=1. Noise is independent between trials and, without
        `shared`, between neurons. It does not depend on what else is simulated
    duration : time, a whole number of steps dt
    dt : time step, default 0.1 ms; use 0.02 ms for `WangBuzsaki`. A warning names each time constant that needs a shorter step
    seed : integer; None draws one. The Block stores it; a seed yields identical spikes on all engines
    engine : "auto" chooses the engine that is expected to end first, compilation included: "numpy" for small runs, "cpp" (C++
        standalone) or "cython" for large ones. Without a C++ compiler "numpy" takes their place, with a warning. "torch" runs
        neurons without synapses, and networks whose projections have one delay each, as PyTorch tensors, for GPUs; it needs torch.
        See "Engines, compiled models, threads and processes" in the documentation
    bridge : True detects threshold crossings between grid points, too, and measures the refractory time from the middle of the step
        of the spike; False tests the threshold at grid points only. See "Noise models and conventions" in the documentation
    record_v : indices of neurons whose membrane is recorded in every trial, or True for all; for a network True, or a dict from
        population names to indices. The voltage at time t is that at the start of the step; the potential of an NSNN neuron is that
        which decides about the spike of the step, after synaptic input
    record_w : dict from projection names to indices of synapses, or True for all, whose weights are recorded every millisecond
    point : whole number; each point has independent noise. Point k of a `sweep` has the noise of `point=k`
    progress : True shows a progress bar, False none; None shows one for long runs in a terminal or notebook, unless the environment
        variable CI is set. Or a function, which is called with the completed fraction
    out : name of an NWB file, for more spikes than fit into memory: they are written to disk during the simulation. The file equals
        that of `save`, the Block is that of `load`, and spikes are those without `out`. A run that fails or is killed leaves the
        previous file, or none. Not with record_v or record_w
    initial : start values of membranes, slow variables and gates, such as {"v": 5*mV, "w": 1*mV} ("u" of NSNN neurons): numbers, or
        shape (n_neurons,) or (trials, n_neurons); for several populations a dict of such dicts by name. None: v starts at rest,
        where that is below threshold, else at the reset. Or a `SimulationState`: the run continues that of the
        state, with its seed, trials and dt, and its spikes are those of one long run. Parameters may differ, and so may the seed
    return_state : True returns the Block and the `SimulationState` at the end. With a state, networks with synapses run on
        "cython", "numpy" or "torch"
    threads : number of processes of a C++ program of neurons without synapses, each for a part of them; spikes are the same
        for any number. It pays from some 10,000 neurons (times trials). Runs with record_v, and all on Windows, use one; "cython"
        and "numpy" refuse more. None: one, or Brian2's preference for OpenMP
    device : of engine="torch": "cpu", "cuda", "cuda:1", or a `torch.device`. None: the first GPU that CUDA finds, else the CPU

    Returns
    -------
    neo.Block, or with return_state a Block and a SimulationState : one Segment per trial; `segments[k].spiketrains[j]` is
        neuron j. A spike in step k is stamped k dt, the start of its step, with or without bridge.
        Annotations: seed, dt (s), parameters (with the engine), engine_choice (why "auto" has chosen it), versions, git_revision,
        populations. A time-varying stimulus is the signal "stimulus", recorded membranes are the signal "v"; in a network with
        several populations "stimulus of NAME", "v of NAME", "weight of NAME".

    Raises
    ------
    NsnnError : a wrong argument; raised before anything is compiled

    >>> from brian2 import mV, ms
    >>> from nsnn_neuro import LIF, Constant
    >>> cell = LIF(tau_m=20*ms, v_rest=0*mV, v_reset=10*mV, v_thresh=20*mV, tau_refrac=2*ms)
    >>> block = simulate(cell, stimulus=Constant(25*mV), duration=100*ms, seed=1, engine="numpy")
    >>> block.segments[0].spiketrains[0].magnitude.round(4).tolist()
    [0.0321, 0.0561, 0.0801]
    """
    system = _system(model, noise, stimulus, n_neurons, point=whole(point, 0, "point"))
    protocol = Protocol(trials, duration, dt, seed, bridge, threads, initial)
    run = Run(system, protocol, Output(record_v, record_w, out, return_state))
    target = choose(engine, auto=True, tensors=True)
    if target != "auto":
        check_threads(threads, target, ' or "auto"')
    if device is not None and target != "torch":
        raise NsnnError(
            f'device = {units.shown(device)}: engine="{target}" has none; expected None, or engine="torch"'
        )
    run.device = device
    block = auto_engine.execute(run, progress) if target == "auto" else run.execute(target, progress)
    return (block, run.state) if return_state else block


def check_threads(threads: int | None, target: str, others: str = "") -> None:
    """Raise an error if an engine cannot divide neurons between processes; others : engines beside "cpp" to choose."""
    alone = threads is None or (isinstance(threads, int) and threads == 1)
    if target != "cpp" and not alone:
        raise NsnnError(
            f'threads = {units.shown(threads)}: engine="{target}" uses one; expected engine="cpp"{others}, or 1'
        )


class PointSpikes:
    """The spikes of one point of a sweep, `trains`, and the Block that `simulate` returns for it, made where it is read."""

    def __init__(self, trains: Trains, make_block: Callable[[], neo.Block]) -> None:
        self.trains = trains
        self._make_block = make_block

    @functools.cached_property
    def block(self) -> neo.Block:
        """The Block, whose making takes longer than most measures."""
        return self._make_block()


def simulate_together(
    parts: Sequence[Parts],
    stacked: Parts,
    points: Sequence[int],
    *,
    n_neurons: int,
    engine: str,
    progress: Any = None,
    **given: Any,
) -> Iterator[PointSpikes]:
    """The spikes that `simulate` returns for each of `parts` with its number in `points`, simulated as one population.

    stacked : the same models combined, what differs between parts as arrays of shape (parts * n_neurons,), part by part
    given : fields of `Protocol`
    """
    n, target, protocol = n_neurons, choose(engine, tensors=True), Protocol(**given)
    joint = _joint(stacked, points, n, protocol)
    trial, member, tick = joint.spikes(target, progress)
    of_point, neuron = np.divmod(member, n)
    # within a point by trial, neuron and time
    of_trial, neuron, tick = sorted_ticks(of_point * joint.trials + trial, neuron, tick, n)
    edges = np.searchsorted(of_trial, np.arange(len(points) + 1) * joint.trials)
    ends, resolution = (joint.window[:, 0], joint.window[:, 1]), rounding(joint.window)
    for k, part in enumerate(parts):
        own = slice(edges[k], edges[k + 1])
        result = [of_trial[own] - k * joint.trials, neuron[own], tick[own]]
        trains = Trains(result[2] * joint.dt, result[1], result[0], n, joint.trials, *ends, resolution)
        yield PointSpikes(trains, functools.partial(_block_of, part, n, protocol, points[k], result, target))


def _block_of(
    part: Parts, n_neurons: int, protocol: Protocol, point: int, result: list[np.ndarray], target: str
) -> neo.Block:
    """The Block of one point's spikes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about dt: already given
        run = Run(_system(*part, n_neurons, point=point), protocol)
    return run.block(result, {}, {}, target)


def spikes_together(stacked: Parts, points: Sequence[int], *, engine: str, **given: Any) -> Trains:
    """The spikes of one neuron at each of several points, simulated as one population; neuron k is that of points[k].

    Points of one number have the same noise. stacked, given : as for `simulate_together`, with n_neurons = 1
    """
    run = _joint(stacked, points, 1, Protocol(**given, bridge=True))
    return Trains.from_block(run.execute(choose(engine), None))


def with_spikes(parts: Parts, spikes: list[np.ndarray], **options: Any) -> PointSpikes:
    """What `simulate` would give for these models if the spikes were `spikes`: trials, neurons and steps, (n,) each.

    options : n_neurons, trials, duration, dt, bridge, engine, as of `simulate`
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about dt: given by the run itself
        trials, duration, dt, bridge = (options[name] for name in ("trials", "duration", "dt", "bridge"))
        run = Run(_system(*parts, options["n_neurons"]), Protocol(trials, duration, dt, 0, bridge))
    trial, neuron, tick = result = [np.asarray(one, dtype=np.int64) for one in spikes]
    trains = Trains.from_arrays(tick * run.dt, neuron, trial, run.n_neurons, run.window)
    return PointSpikes(trains, lambda: run.block(result, {}, {}, options["engine"]))


def check_together(stacked: Parts, points: Sequence[int], *, n_neurons: int, **given: Any) -> None:
    """Raise the errors of `simulate_together` without compiling or running anything. A Network is not wired."""
    protocol = Protocol(**given, trials=1, seed=0)
    if isinstance(stacked[0], nsnn_network.Network):
        Run(_system(*stacked, n_neurons), protocol)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run = _joint(stacked, points, n_neurons, protocol)
    with running("numpy"):
        groups, _ = run.build()
        Network(groups, name="checked").run(0 * second, namespace={})


def _joint(stacked: Parts, points: Sequence[int], n_neurons: int, protocol: Protocol) -> Run:
    """The run of all points as one population."""
    ids, of_each = np.tile(np.arange(n_neurons), len(points)), np.repeat(points, n_neurons)
    return Run(_system(*stacked, ids.size, point=of_each, ids=ids), protocol)


def _system(
    model: Any, noise: Noise | None, stimulus: Stimulus | None, n_neurons: int, **of_points: Any
) -> System:
    """Neurons of one model, or a network whose first stimulus may be replaced; of_points : `point` and `ids`."""
    if not isinstance(model, nsnn_network.Network):
        net, replaced = _alone(model, noise, stimulus, n_neurons), None
    elif noise is not None or n_neurons != 1:
        raise NsnnError(
            f"noise = {noise}, n_neurons = {n_neurons}: the populations of a Network have noise and sizes; leave out both"
        )
    else:
        net = model
        replaced = instance(
            stimulus, Stimulus | None, "stimulus", "a stimulus such as Constant(15*mV), or None"
        )
    described = {"model": model, "noise": noise, "stimulus": stimulus}
    plain = {name: m if m is None else m.describe() for name, m in described.items()}
    return System(net, replaced, plain, **of_points)


def _alone(model: Neuron, noise: Any, stimulus: Any, n_neurons: Any) -> nsnn_network.Network:
    """Neurons of one model as a network."""
    if isinstance(model, type) or not isinstance(model, Neuron):
        raise NsnnError(
            f"model = {model!r}: expected a neuron model such as LIF(...) or NSNNNeuron(...), or a Network"
        )
    whole(n_neurons, 1, "n_neurons", 2**31 - 1)
    try:
        population = Population(int(n_neurons), model, noise=noise, stimulus=stimulus, name="neurons")
    except NsnnError as error:  # without the name of the population, which the user did not choose
        message = str(error).removeprefix("population 'neurons': ")
        raise NsnnError(
            message.replace(f"n = {n_neurons} for the population 'neurons'", f"n_neurons = {n_neurons}")
        ) from None
    return nsnn_network.Network([population])
