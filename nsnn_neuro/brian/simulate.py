"""The public function `simulate`, and joint simulation of several sweep points as one population."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import neo
import numpy as np
from brian2 import Network, second

from ..core import units
from ..core.checks import suggest_keywords, whole
from ..core.errors import NsnnError
from ..io.spikes import Trains
from ..models import network as nsnn_network
from ..models.neurons import Neuron
from ..models.noise import Noise
from ..models.populations import Population, refuse_bare
from ..models.stimuli import Stimulus
from . import engine, equations
from .single_run import JointRun, Run


@suggest_keywords
def simulate(
    model: Neuron | nsnn_network.Network,
    noise: Noise | None = None,
    stimulus: Stimulus | None = None,
    *,
    n_neurons: int = 1,
    trials: int = 1,
    duration: Any,
    dt: Any = None,
    seed: int | None = None,
    engine: str = "cython",
    bridge: bool = True,
    record_v: Sequence[int] | bool | dict[str, Any] | None = None,
    record_w: dict[str, Any] | None = None,
    point: int = 0,
    progress: Any = None,
    out: str | os.PathLike[str] | None = None,
) -> neo.Block:
    """Simulate independent noisy neurons, or a network, for several trials at once.

    Parameters
    ----------
    model : a neuron, such as `LIF(...)` or `NSNNNeuron(...)`, or a `Network`
    noise : `WhiteNoise`, `OUNoise`, `EscapeNoise`, ... or None (deterministic). None for a network, whose populations have noise
    stimulus : the drive, in the unit of the membrane: `Constant`, `Step`, `Sinusoid`, `FrozenNoise`, `Recorded`, or None. With a
        network it replaces the stimulus of the first population
    n_neurons, trials : numbers > 0. Noise is independent between trials and, unless it has `shared`, between neurons. It does not
        depend on what else is simulated. Leave n_neurons at 1 for a network
    duration : time, a whole number of steps dt
    dt : time step, default 0.1 ms; use 0.02 ms for `WangBuzsaki`. A warning is given if dt is more than tau_m / 5, or more
        than a third of another time constant of neuron, noise or synapses
    seed : integer, or None to draw one; it is stored in the Block
    engine : "cython" (default; "numpy" with a warning if there is no compiler), "numpy" or "cpp" (C++ standalone). A seed yields
        identical spikes on all three
    bridge : include threshold crossings between grid points, and count the refractory time from the middle of the step. A spike's
        stored time is the start of its step with either setting; see `docs/noise.md`
    record_v : indices of neurons whose membrane is recorded in every trial, or True for all; for a network True, or a dict from
        population names to indices. The voltage at time t is the one at the start of the step; the potential of an NSNN neuron is
        the one that decides the spike of that step, after synaptic input
    record_w : dict from projection names to indices of synapses, or True for all, whose weights are recorded every millisecond
    point : whole number >= 0: use the noise of the point of a `sweep` with this number; points have independent noise
    progress : None shows a bar when the run is long, in a terminal or notebook and unless the environment variable CI is set;
        True always, False never; or a function of the completed fraction
    out : name of an NWB file, for long and large simulations: spikes are written to the disk in windows, and the final file equals
        that of `save`. A run that fails or is killed leaves the old file, or none. Spikes are identical to those without `out`; the
        Block is the one that `load` returns. Not with record_v or record_w

    Returns
    -------
    neo.Block : one Segment per trial; `segments[k].spiketrains[j]` is neuron j. A spike in step k is stamped k dt: the threshold in
        `brian/equations/membrane.py` (`discrete.py` for `NSNNNeuron`) decides k, `build_block` (`io/block.py`) makes k dt of it.
        Annotations: seed, dt (s), parameters, versions, git_revision, populations. A time-varying stimulus is the signal
        "stimulus", recorded membranes are the signal "v"; in a network with several populations "stimulus of NAME", "v of NAME",
        "weight of NAME".

    Raises
    ------
    NsnnError : a wrong argument; the message names it, its value and what was expected. Raised before anything is compiled.

    >>> from brian2 import mV, ms
    >>> from nsnn_neuro import LIF, Constant
    >>> cell = LIF(tau_m=20*ms, v_rest=0*mV, v_reset=10*mV, v_thresh=20*mV, tau_refrac=2*ms)
    >>> block = simulate(cell, stimulus=Constant(25*mV), duration=100*ms, seed=1, engine="numpy")
    >>> block.segments[0].spiketrains[0].magnitude.round(4).tolist()
    [0.0321, 0.0561, 0.0801]
    """
    run = Run(
        *_parts(model, noise, stimulus, n_neurons),
        trials,
        duration,
        dt,
        seed,
        bridge,
        record_v,
        record_w,
        point,
        out=out,
    )
    return run.execute(_choose(engine), progress)


def simulate_together(
    parts: Sequence[tuple[Neuron, Noise | None, Stimulus | None]],
    stacked: tuple[Neuron, Noise | None, Stimulus | None],
    points: Sequence[int],
    *,
    n_neurons: int,
    trials: int,
    duration: Any,
    dt: Any,
    seed: int,
    engine: str,
    bridge: bool,
    progress: Any = None,
) -> Iterator[neo.Block]:
    """The Blocks that `simulate` returns for each of `parts` with its number in `points`, simulated as one population.

    stacked : the same models combined, what differs between parts as arrays of shape (parts * n_neurons,), part by part
    """
    n, size = n_neurons, len(points) * n_neurons
    ids, of_each = np.tile(np.arange(n), len(points)), np.repeat(points, n)
    given = (trials, duration, dt, seed, bridge, None, None)
    target = _choose(engine)
    joint = JointRun(*_parts(*stacked, size), *given, of_each, ids)
    spikes = Trains.from_block(joint.execute(target, progress))
    order = np.argsort(spikes.neuron, kind="stable")
    neuron, trial = spikes.neuron[order], spikes.trial[order]
    tick = np.rint(spikes.times[order] / joint.dt).astype(np.int64)
    edges = np.searchsorted(neuron, n * np.arange(len(points) + 1))
    for k, part in enumerate(parts):
        part_spikes = slice(edges[k], edges[k + 1])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about dt: already given
            run = Run(*_parts(*part, n), *given, points[k])
        yield run.block([trial[part_spikes], neuron[part_spikes] - k * n, tick[part_spikes]], {}, {}, target)


def check_together(
    stacked: tuple[Neuron | nsnn_network.Network, Noise | None, Stimulus | None],
    points: Sequence[int],
    *,
    n_neurons: int,
    duration: Any,
    dt: Any,
    bridge: bool,
) -> None:
    """Raise the errors of `simulate_together` without compiling or running anything. A Network is not wired."""
    given = (1, duration, dt, 0, bridge, None, None)
    if isinstance(stacked[0], nsnn_network.Network):
        Run(*_parts(*stacked, n_neurons), *given)
        return
    ids, of_each = np.tile(np.arange(n_neurons), len(points)), np.repeat(points, n_neurons)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run = JointRun(*_parts(*stacked, ids.size), *given, of_each, ids)
    with engine.running("numpy"):
        groups, _ = equations.network(
            run.net,
            trials=1,
            dt=run.dt,
            n_steps=run.n_steps,
            seed=0,
            bridge=run.bridge,
            point=of_each,
            ids=ids,
        )
        Network(groups, name="checked").run(0 * second, namespace={})


def _parts(
    model: Any, noise: Noise | None, stimulus: Stimulus | None, n_neurons: int
) -> tuple[nsnn_network.Network, Stimulus | None, dict[str, Any]]:
    """The network to simulate, the stimulus of its first population if it is replaced, and the parameters as plain data."""
    refuse_bare(noise)
    _instance(noise, Noise, "noise", "a noise model such as WhiteNoise(3*mV), or None")
    _instance(stimulus, Stimulus, "stimulus", "a stimulus such as Constant(15*mV), or None")
    if not isinstance(model, nsnn_network.Network):
        net, parameters = _single(model, noise, stimulus, n_neurons)
        return net, None, parameters
    if noise is not None or n_neurons != 1:
        raise NsnnError(
            f"noise = {noise}, n_neurons = {n_neurons}: the populations of a Network have noise and sizes; leave out both"
        )
    described = {"model": model.describe(), "noise": None, "stimulus": stimulus and stimulus.describe()}
    return model, stimulus, described


def _choose(name: str) -> str:
    return engine.choose(name)


def _single(
    model: Neuron, noise: Any, stimulus: Any, n_neurons: Any
) -> tuple[nsnn_network.Network, dict[str, Any]]:
    """One neuron with noise and stimulus as a network, and as plain data."""
    if isinstance(model, type) or not isinstance(model, Neuron):
        raise NsnnError(
            f"model = {model!r}: expected a neuron model such as LIF(...) or NSNNNeuron(...), or a Network"
        )
    whole(n_neurons, 1, "n_neurons", 2**31 - 1)
    try:
        population = Population(int(n_neurons), model, noise=noise, stimulus=stimulus, name="neurons")
    except NsnnError as error:
        raise NsnnError(
            str(error).replace(f"n = {n_neurons} for the population 'neurons'", f"n_neurons = {n_neurons}")
        ) from None
    described = {"model": model, "noise": noise, "stimulus": stimulus}
    return nsnn_network.Network([population]), {
        name: r if r is None else r.describe() for name, r in described.items()
    }


def _instance(value: Any, kind: type, name: str, expected: str) -> None:
    if value is not None and not isinstance(value, kind):
        shown = str(value) if units.is_quantity(value) else repr(value)
        raise NsnnError(f"{name} = {shown}: expected {expected}")
