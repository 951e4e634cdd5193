"""Values of the wrong kind raise an NsnnError that names the argument (measures: test_measures_contract)."""

import re

import neo
import numpy as np
import pytest
import quantities as pq
from brian2 import ms, mV
from matplotlib.figure import Figure

import nsnn_neuro as nsnn
from nsnn_neuro import NsnnError, perturb, plotting

HOSTILE = {
    "a complex time": (1 + 2j) * ms,
    "complex times": np.array([1 + 2j]) * pq.ms,
    "huge": 10**400,
    "of too many digits": 10**5000,
    "a huge number in a list": [10**400],
    "NaN": float("nan"),
    "text": "x",
    "bytes": b"x",
    "an object": object(),
    "an array of objects": np.array([object()]),
    "an empty list": [],
}
BLOCK = nsnn.to_block([[[0.1, 0.2]]] * 3, t_stop=1 * pq.s)
SIGNAL = neo.AnalogSignal(np.zeros((1000, 1)), units="mV", sampling_rate=1 * pq.kHz)


def neuron(tau_m=20 * ms):
    return nsnn.LIF(tau_m=tau_m, v_rest=0 * mV, v_reset=0 * mV, v_thresh=10 * mV, tau_refrac=2 * ms)


def run(**given):
    return nsnn.simulate(neuron(), **{"duration": 10 * ms, "seed": 1, "engine": "numpy", **given})


def axes():
    return Figure().subplots()


# public function and argument -> the name in its messages, and a call
DOORS = {
    "simulate duration": ("duration", lambda x: run(duration=x)),
    "simulate dt": ("dt", lambda x: run(dt=x)),
    "simulate seed": ("seed", lambda x: run(seed=x)),
    "simulate trials": ("trials", lambda x: run(trials=x)),
    "LIF": ("tau_m", neuron),
    "WhiteNoise": ("sigma", nsnn.WhiteNoise),
    "OUNoise": ("tau_noise", lambda x: nsnn.OUNoise(3 * mV, x)),
    "Gaussian": ("sigma", nsnn.Gaussian),
    "Recorded": ("signal", nsnn.Recorded),
    "to_block": ("spike_times", lambda x: nsnn.to_block(x, t_stop=1 * pq.s)),
    "to_block t_stop": ("t_stop", lambda x: nsnn.to_block([[[0.1]]], t_stop=x)),
    "to_block stimulus": ("stimulus", lambda x: nsnn.to_block([[[0.1]]], t_stop=1 * pq.s, stimulus=x)),
    "psth": ("bin_width", lambda x: plotting.psth(BLOCK, bin_width=x, ax=axes())),
    "isi_histogram": ("neuron", lambda x: plotting.isi_histogram(BLOCK, neuron=x, ax=axes())),
    "raster": ("trials", lambda x: plotting.raster(BLOCK, trials=x, ax=axes())),
    "delete_spikes": ("p", lambda x: perturb.delete_spikes(BLOCK, p=x, seed=1)),
    "insert_spikes": ("rate", lambda x: perturb.insert_spikes(BLOCK, rate=x, seed=1)),
    "fit_neuron dt": ("dt", lambda x: nsnn.fit_neuron(BLOCK, SIGNAL, dt=x, stimulus=1)),
    "fit_neuron t_stop": (
        "t_stop",
        lambda x: nsnn.fit_neuron(BLOCK, SIGNAL, dt=1 * pq.ms, stimulus=1, t_stop=x),
    ),
    "fit_neuron signal": ("signal", lambda x: nsnn.fit_neuron(BLOCK, x, dt=1 * pq.ms, stimulus=1)),
    "fit_neuron trains": ("trains", lambda x: nsnn.fit_neuron(x, SIGNAL, dt=1 * pq.ms, stimulus=1)),
}


@pytest.mark.parametrize("door", DOORS)
def test_a_wrong_value_is_refused_with_the_name_of_the_argument(door):
    argument, call = DOORS[door]
    for what, value in HOSTILE.items():
        with pytest.raises(NsnnError) as caught:
            call(value)
        assert re.search(rf"\b{argument}\b", str(caught.value)), f"{what}: {caught.value}"
        assert len(str(caught.value)) < 1000
