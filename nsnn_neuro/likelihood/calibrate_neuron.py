"""`calibrate`: fit a noisy neuron to recorded spikes; the door to the three methods."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, Literal, overload

from ..core.aliases import Progress, SpikeSource, Time
from ..core.checks import check_seed, one_of, positive, suggest_keywords, whole
from ..core.errors import NsnnError
from ..core.units import shown
from ..models.network import Network
from ..models.neurons import Neuron
from ..models.noise import Noise
from ..models.stimuli import Stimulus
from .by_simulation.networks import calibrate_network
from .by_simulation.simulation_calibration import SimulationCalibration
from .by_simulation.simulation_fit import calibrate_by_simulation
from .calibration.by_likelihood import calibrate_by_likelihood
from .calibration.calibrated import Given
from .calibration.calibration import Calibration
from .calibration.free_parameters import PARTS
from .continuous.probability import DT
from .synaptic_input import named_inputs
from .voltage.voltage_calibration import VoltageCalibration
from .voltage.voltage_fit import calibrate_by_voltage


@overload
def calibrate(
    model: Neuron,
    free: dict[str, tuple[Any, Any]] | None = None,
    *,
    noise: Noise,
    stimulus: Stimulus | Sequence[Stimulus] | None = None,
    trains: Any = None,
    inputs: Any = None,
    voltage: Any = None,
    t_start: Any = None,
    t_stop: Any = None,
    dt: Any = None,
    method: Literal["likelihood"] = "likelihood",
    seed: int = 0,
    n_jobs: int = 1,
    n_simulations: int | None = None,
    n_generations: int | None = None,
    engine: str | None = None,
    out: str | os.PathLike[str] | None = None,
    progress: Any = None,
) -> Calibration: ...
@overload
def calibrate(
    model: Neuron | Callable[[dict[str, Any]], Network],
    free: Any = None,
    *,
    method: Literal["simulation"],
    **options: Any,
) -> SimulationCalibration: ...
@overload
def calibrate(
    model: Neuron, free: Any = None, *, method: Literal["voltage"], **options: Any
) -> VoltageCalibration: ...
@suggest_keywords  # type: ignore[misc]  # **options stand for the arguments of the first one
def calibrate(
    model: Neuron | Callable[[dict[str, Any]], Network],
    free: dict[str, tuple[Any, Any]] | None = None,
    *,
    noise: Noise | None = None,
    stimulus: Stimulus | Sequence[Stimulus] | None = None,
    trains: SpikeSource | None = None,
    inputs: Any = None,
    voltage: Any = None,
    t_start: Time | None = None,
    t_stop: Time | None = None,
    dt: Time | None = None,
    method: str = "likelihood",
    seed: int = 0,
    n_jobs: int = 1,
    n_simulations: int | None = None,
    n_generations: int | None = None,
    engine: str | None = None,
    out: str | os.PathLike[str] | None = None,
    progress: Progress = None,
) -> Calibration | SimulationCalibration | VoltageCalibration:
    """Fit parameters of a noisy neuron to recorded spikes, with standard errors.

    The likelihood is that of the neuron that `simulate` runs: given its spikes, adaptation currents
    and moving thresholds are known functions of time. In white noise a Fokker-Planck equation gives
    the probability of the next spike (`survival`), with escape noise it is known directly. In
    Ornstein-Uhlenbeck noise, which goes on over a spike, the equation has two dimensions.

    Spikes determine voltages only relative to each other: keep two of them, such as v_reset and
    v_thresh, out of `free`. Otherwise an error names the parameters that cannot be distinguished.

    Parameters
    ----------
    model : `LIF`, `PIF`, `EIF`, `QIF`, `GIF`, or your own neuron whose slow variables only spikes
        change; with method="simulation" any neuron, or a function of the free parameters (a dict
        of names and values) that makes a `Network`. Parameters that are not free keep its values
    free : name -> (lower, upper) bound. "tau_m" is a parameter of the model, "noise.sigma" and
        "stimulus.gain" of the others, as in `sweep`. Bounds that are positive and a factor of 5
        apart are searched on a logarithmic scale. For method="voltage" a bound of None is a
        default, and None in place of the dict frees all that has one: tau_m, v_rest, v_reset,
        tau_refrac, the gain, the jumps of currents and threshold, v_thresh and the noise's width
    noise : `WhiteNoise`, whose variance depends on the drive if "noise.weight" is free or not 0;
        `OUNoise` or `EscapeNoise`, for `LIF`, `PIF` and `GIF`; any noise with
        method="simulation", `EscapeNoise` with method="voltage"; None for a network
    stimulus : drive of all trials; a recorded one as `Filtered` (its gain, offset, delay and filter
        tau can be free) or `Recorded`; None: no drive. Of several recordings a list, with stimuli of
        one kind, which share the free parameters (not with method="simulation")
    trains : spikes of one neuron: a neo.Block, a list of neo.SpikeTrain, or of arrays of seconds,
        which last to t_stop, or as long as the signal of the stimulus. Of several recordings a list
        of these, one for each stimulus. With
        method="voltage" None takes those of `voltage`, if it is a Block with spikes, else
        `likelihood.detect_spikes(voltage)`. Of a network a Block whose populations have the network's
        names, with as many neurons of each as were recorded
    inputs : a `SynapticInput`, recorded spikes that reach the neuron through synapses; or a list or
        dict of them. Free names are "input.weight", "input.delay", "input.tau_syn", "input.U", ...; of
        a list "input0.weight", of a dict its names. For method="likelihood"
    voltage : recorded membrane potential, for method="voltage": a neo.AnalogSignal in mV, a
        neo.Block with one in each segment, or a list of them for repeats, of the time of the
        stimulus. Of several recordings a list of these
    t_start, t_stop : fit the spikes from here to here, of each trial; spikes before t_start count
        as given
    dt : step, default 0.1 ms, or the multiple of the sampling interval of `voltage` closest to it;
        a step has at most one spike
    method : "likelihood"; or "simulation", for neurons without one (`AdEx`, `WangBuzsaki`,
        `PoissonInput`): it compares statistics of simulated and recorded spikes, and is slower and
        less exact where both apply; or "voltage": a neuron with escape noise is fitted to its
        membrane potential under an injected current, Filtered(current, gain=100*Mohm), the
        membrane by regression between spikes, then the threshold by maximum likelihood of the
        spikes. A resistance in series is fitted and reported, the capacitance of an electrode not
    seed : of the 31 starts of the search beside the model's own values; and of the simulations. In a
        long recording the search sees the first part of each trial, in escape noise all of it; the
        maximum is that of all
    n_jobs : threads, or processes with method="simulation"
    n_simulations : with method="simulation": recordings simulated in each round, default 500; of a
        network 40 for each parameter, at least 100
    n_generations : likewise: rounds, at most, default 20; of a network 12
    engine : likewise: as for `simulate`
    out : likewise: folder for finished simulations; the same call continues where a killed one was
    progress : True, False, a function of the completed fraction, or None: a bar in a terminal or
        notebook

    Returns
    -------
    `Calibration`; a `likelihood.SimulationCalibration` or `likelihood.VoltageCalibration` with the
        other methods

    Raises
    ------
    NsnnError : a neuron or noise whose likelihood is not known; names and bounds that the models
        refuse; no spikes; a stimulus that is too short; parameters that cannot be distinguished; a
        voltage of another length, without spikes, with NaN, flat, clipped, or in a wrong unit

    Warns
    -----
    for a parameter at a bound, whose error is NaN; for a likelihood that is flat up to a bound; for
    parameters that do not matter, or almost replace each other; for a dt that is too long; for a
    neuron that predicts the spikes worse than a constant rate

    Source: Paninski, Pillow & Simoncelli 2004, doi 10.1162/0899766042321797; Wood 2010, doi
    10.1038/nature09319 (simulation); Mensi et al. 2012, doi 10.1152/jn.00408.2011, and Pozzorini et
    al. 2015, doi 10.1371/journal.pcbi.1004275 (voltage)

    >>> from brian2 import ms, mV, second
    >>> from nsnn_neuro import Constant, LIF, WhiteNoise, simulate
    >>> cell = LIF(tau_m=20*ms, v_rest=0*mV, v_reset=10*mV, v_thresh=20*mV, tau_refrac=2*ms)
    >>> options = {"duration": 2*second, "seed": 1, "engine": "numpy"}
    >>> block = simulate(cell, WhiteNoise(4*mV), Constant(19*mV), **options)
    >>> free = {"noise.sigma": (1*mV, 20*mV), "stimulus.v": (0*mV, 40*mV)}
    >>> print(calibrate(cell, free, noise=WhiteNoise(3*mV), stimulus=Constant(15*mV), trains=block))
    Calibration of LIF: 44 spikes in 20000 steps of 0.0001 s
    log-likelihood -306.375 nats, 0.224 bits per spike (of the fitted data)
      parameter         value         se              bounds  unit
      noise.sigma        4.88       0.67             1 to 20  mV
      stimulus.v        17.15        1.1             0 to 40  mV
    given: tau_m = 20 ms, v_rest = 0 mV, v_reset = 10 mV, v_thresh = 20 mV, tau_refrac = 2 ms,
      noise.shared = 0, noise.weight = 0 mV
    spikes determine voltages only relative to each other: millivolts hold if those given are right
    White noise is an assumption, on which tau_m, gain and sigma rest: fit.misfit() tests it.
    """
    one_of(method, ("likelihood", "simulation", "voltage"), "method")
    if voltage is not None and method != "voltage":
        raise NsnnError(f"voltage = {type(voltage).__name__}, method = {method!r}: expected method='voltage'")
    options = {"n_simulations": n_simulations, "n_generations": n_generations, "engine": engine, "out": out}
    step, jobs = DT if dt is None else positive(dt, "s", "dt"), whole(n_jobs, 1, "n_jobs")
    named = named_inputs(inputs)
    if named and method != "likelihood":
        raise NsnnError(
            f"inputs with method = {method!r}: expected method='likelihood', or a stimulus with the drive of the inputs"
        )
    parts = model, noise, stimulus if method == "simulation" else _stimuli(stimulus), *named.values()
    given = Given(parts, free, trains, t_start, t_stop, step, check_seed(seed), progress, (*PARTS, *named))
    if method == "simulation":
        of_network = isinstance(model, Network) or (callable(model) and not isinstance(model, type | Neuron))
        return (calibrate_network if of_network else calibrate_by_simulation)(given, jobs, **options)
    for name, value in options.items():
        if value is not None:
            raise NsnnError(f'{name} = {shown(value)}: expected with method="simulation" only')
    if method == "voltage":
        return calibrate_by_voltage(given, voltage, dt)
    return calibrate_by_likelihood(given, jobs)


def _stimuli(stimulus: Any) -> Any:
    """The stimulus, or a tuple of those of several recordings."""
    if not isinstance(stimulus, list | tuple):
        return stimulus
    kinds = [type(one).__name__ for one in stimulus]
    if not stimulus or len(set(kinds)) > 1:
        raise NsnnError(
            f"stimulus: a list of {', '.join(kinds) or 'nothing'}: expected stimuli of one kind, one for each recording"
        )
    return tuple(stimulus)
