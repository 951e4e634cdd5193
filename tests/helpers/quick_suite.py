"""Which tests the quick suite leaves to `make test-all`: of a test with many parameters all but the first and the last."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

LONG_EXAMPLES = {
    "nsnn_neuro.likelihood.calibrate_neuron.calibrate", "nsnn_neuro.likelihood.calibration.calibration.Calibration",
    "nsnn_neuro.measures.information.capacity.blahut_arimoto", "nsnn_neuro.measures.information.capacity.channel_capacity",
    "nsnn_neuro.brian.fast_noise.fast_noise", "nsnn_neuro.likelihood.voltage.voltage_calibration.VoltageCalibration",
    "nsnn_neuro.sweep.run.sweep", "nsnn_neuro.models.noise.MultiplicativeNoise",
    "nsnn_neuro.models.neurons.conductance_based.WangBuzsaki", "nsnn_neuro.likelihood.network_fit.fit_network",
    "nsnn_neuro.theory.fokker_planck.coloured.coloured_fp_cv",
    "nsnn_neuro.likelihood.by_simulation.simulation_calibration.SimulationCalibration",
    "nsnn_neuro.models.neurons.conductance_based.ConductanceBased", "nsnn_neuro.likelihood.network_windows.fit_windows",
    "nsnn_neuro.likelihood.network_windows.NetworkFit", "nsnn_neuro.brian.equations.plastic.plastic_synapses",
    "nsnn_neuro.deep.spike_fit.fit_spikes", "nsnn_neuro.deep.fit.fit", "nsnn_neuro.deep.fit.Fit",
    "nsnn_neuro.likelihood.continuous.probability.spike_probability",
}  # fmt: skip
"""docstrings whose examples take a third of a second or more"""


def left_out(tests: Sequence[Hashable | None]) -> list[int]:
    """Places of the tests that are left out; each test is the name of its function, None for one without parameters.

    >>> left_out(["a", None, "b", "a", "a", "a", "b"])
    [3, 4]
    """
    places: dict[Hashable, list[int]] = {}
    for place, name in enumerate(tests):
        if name is not None:
            places.setdefault(name, []).append(place)
    return sorted(place for same in places.values() for place in same[1:-1])
