"""Fits to a recorded membrane potential: parameters of simulated recordings, errors, detected spikes."""

import dataclasses
import functools
import importlib.util
import json
from pathlib import Path

import neo
import numpy as np
import pytest
import quantities as pq
from brian2 import Mohm, ms, mV, second
from helpers import recordings
from helpers.voltage_recordings import CELL, DT, HAZARD, NOISE, SERIES, TAU_W, TRUTH, data
from scipy.signal import lfilter
from scipy.stats import t

import nsnn_neuro as nsnn
from nsnn_neuro import NsnnError
from nsnn_neuro.likelihood import VoltageCalibration, detect_spikes

DOCS = Path(__file__).parents[2] / "docs"


def fit(free=None, seed=1, method="voltage", **options):
    current, voltage, _ = data(seed)
    options = {
        "noise": HAZARD,
        "stimulus": nsnn.Filtered(current, gain=80 * Mohm),
        "voltage": voltage,
    } | options
    return nsnn.calibrate(CELL, free, method=method, **options)


@functools.cache
def fitted():
    return fit(t_stop=4 * second)


def in_si(intervals):
    return {name: [float(one.simplified) for one in pair] for name, pair in intervals.items()}


def z_scores(result):
    return {
        name: (value - TRUTH[name]) / result.se[name]
        for name, value in result.parameters.items()
        if name != "tau_refrac"
    }


@pytest.mark.slow
def test_parameters_are_found_again():
    result = fitted()
    assert isinstance(result, VoltageCalibration)
    assert set(result.parameters) == set(TRUTH)
    assert max(map(abs, z_scores(result).values())) < 4, z_scores(result)
    assert result.parameters["tau_refrac"] == pytest.approx(TRUTH["tau_refrac"], abs=1.5 * DT)
    assert result.se["tau_refrac"] == pytest.approx(DT / np.sqrt(3))
    assert abs(result.series_resistance - SERIES) < 4 * result.series_resistance_se
    assert result.voltage_error == pytest.approx(NOISE, rel=0.05)
    for name, share in (
        ("tau_m", 0.01),
        ("stimulus.gain", 0.01),
        ("v_thresh", 0.03),
        ("noise.hazard.width", 0.3),
    ):
        assert result.se[name] < share * abs(TRUTH[name])  # errors that say something
    assert result.model.si("tau_m") == result.parameters["tau_m"]
    assert result.stimulus.si("gain") == pytest.approx(result.parameters["stimulus.gain"])
    assert result.noise.hazard.si("width") == result.parameters["noise.hazard.width"]


@pytest.mark.slow
def test_what_was_not_fitted_is_predicted():
    _, voltage, spikes = data()
    result = fitted()
    later = {"t_start": 4 * second}
    assert result.rescaled([spikes], t_stop=6 * second, **later).p > 0.01
    assert result.score([spikes], t_stop=6 * second, **later).value > 1
    quiet = 1 - NOISE**2 / np.var(voltage.rescale("V").magnitude[spikes_apart(spikes)])
    assert result.predicted_variance(voltage, **later) == pytest.approx(quiet, abs=5e-3)


def spikes_apart(spikes):
    apart = np.ones(round(6 / DT), dtype=bool)
    for k in (spikes / DT).astype(int):
        apart[max(0, k - 15) : k + 17] = False
    return apart


def test_detected_spikes_are_the_true_ones():
    _, voltage, spikes = data()
    found = detect_spikes(voltage).segments[0].spiketrains[0].rescale("s").magnitude
    assert np.abs(found - spikes).max() < DT / 2
    assert len(detect_spikes([voltage, voltage], level=10 * mV).segments) == 2
    # a second crossing within 1 ms is the same spike
    double = neo.AnalogSignal([-60, 0, -30, 0, -60, -60], units="mV", sampling_period=0.3 * pq.ms)
    assert len(detect_spikes(double).segments[0].spiketrains[0]) == 1
    assert len(detect_spikes(double, min_interval=0 * ms).segments[0].spiketrains[0]) == 2


def broad(n_spikes=12, period=0.05, noise=0.3):
    """Spikes of 75 mV that last 3 ms and have a shoulder that rises through -20 mV once more, in mV; and their times (s)."""
    t = 1e-3 * np.array([0.0, 0.4, 1.2, 2.6, 3.6, 6.0, 30.0])
    shape = np.array([-50.0, 20.0, 15.0, -26.0, -14.0, -65.0, -62.0])
    starts = 0.02 + period * np.arange(n_spikes)
    time = np.arange(round((0.02 + n_spikes * period) / DT)) * DT
    v = np.full(len(time), -60.0)
    for start in starts:
        own = (time >= start) & (time < start + t[-1])
        v[own] = np.interp(time[own] - start, t, shape)
    return v + noise * np.random.default_rng(3).normal(size=len(v)), starts


def test_shoulders_of_broad_spikes_are_not_counted_but_said_to_be_doubtful():
    v, starts = broad()
    with pytest.warns(UserWarning, match=r"^voltage has 12 doubtful spikes: 0 of the 12 .*, and 12 more"):
        block = detect_spikes(signal(v))
    found = block.segments[0].spiketrains[0].rescale("s").magnitude
    assert np.abs(found - starts).max() < 2 * DT
    assert block.annotations["doubtful"] == 12
    # a plateau is no spike, and spikes on a plateau above the level are
    v[1000:1200] += 60.0
    raised = detect_spikes(signal(v)).segments[0].spiketrains[0].rescale("s").magnitude
    assert len(raised) == 12
    # the limits can be chosen: shoulders as spikes, and spikes as too broad
    both = detect_spikes(signal(v), height=8 * mV).segments[0].spiketrains[0]
    assert len(both) == 24
    with pytest.raises(NsnnError, match=r"voltage has no spikes: it rises .* max_width"):
        detect_spikes(signal(v), max_width=1 * ms)


@pytest.mark.slow
def test_detected_spikes_of_a_recorded_neuron_are_those_of_its_authors():
    """A cell with peaks below 0 mV that are no spikes; the upward crossings of -20 mV are 929 for 865 spikes."""
    folder = recordings.folder("qsnmc2007_A")
    with np.load(folder / "current_voltage.npz") as data:
        volts = [data[f"V_11_{k}"].astype(float) for k in range(4)]
    given = [len(np.loadtxt(folder / f"11-{k}.spiketimes")) for k in range(4)]
    with pytest.warns(UserWarning, match="doubtful spikes"):
        found = [len(detect_spikes(signal(v)).segments[0].spiketrains[0]) for v in volts]
    assert sum(given) == 865
    assert np.abs(np.subtract(found, given)).max() < 0.03 * min(given)


@pytest.mark.slow
def test_the_membrane_is_that_of_simulate():
    current = neo.AnalogSignal(
        130 + 20 * np.sin(np.arange(3000) / 70), units="pA", sampling_period=0.1 * pq.ms
    )
    cell = nsnn.GIF(**{f.name: getattr(CELL, f.name) for f in CELL.parameter_fields() if not f.name.endswith("_start")}
                    | {"b": 2 * mV, "b_thresh": 4 * mV, "v_thresh": -52 * mV, "tau_refrac": 2.03 * ms})  # fmt: skip
    drive = nsnn.Filtered(current, gain=150 * Mohm)
    block = nsnn.simulate(cell, HAZARD, drive, duration=300 * ms, seed=1, engine="numpy", record_v=True)
    assert len(block.segments[0].spiketrains[0]) > 3
    # a Block of `simulate` is a recording, with spikes, and without noise
    exact = dict.fromkeys(("v_rest", "v_reset", "stimulus.gain", "tau_m"))
    with pytest.warns(UserWarning, match=r"voltage lasts 0.3 s in the time of the fit"):
        result = nsnn.calibrate(cell, exact, noise=HAZARD, stimulus=drive, voltage=block, method="voltage")
    assert result.voltage_error < 1e-9
    assert result.parameters["tau_m"] == pytest.approx(30e-3, rel=1e-4)


@pytest.mark.slow
def test_intervals_are_those_of_student():
    result = fitted()
    assert set(result.degrees_of_freedom) == set(TRUTH)
    assert result.interval(names=["tau_m"]) == {"tau_m": result.interval()["tau_m"]}
    with pytest.raises(AttributeError, match="has no profile"):
        result.profile("tau_m")
    with pytest.raises(NsnnError, match="has no profile"):
        result.interval(method="profile")
    assert str(result.interval()["tau_m"][0].units.dimensionality) == "ms"  # of the default bounds
    for name, (low, high) in in_si(result.interval(0.9)).items():
        freedom = result.degrees_of_freedom[name]
        if name in ("tau_refrac", "v_reset"):  # known to a sample
            assert freedom > 1e3
            continue
        assert freedom > 5
        assert freedom < 40 or name not in ("v_thresh", "b_thresh", "noise.hazard.width")  # of 40 blocks
        logs = name in ("tau_m", "stimulus.gain", "noise.hazard.width")
        middle, error = result.parameters[name], result.se[name]
        ends, at = (np.log([low, high]), np.log(middle)) if logs else (np.array([low, high]), middle)
        half = t.ppf(0.95, freedom) * (error / middle if logs else error)
        np.testing.assert_allclose(ends, [at - half, at + half], rtol=1e-6)


@pytest.mark.slow
def test_errors_contain_that_of_a_tau_refrac_off_by_a_sample():
    """`v_reset` is the voltage at the end of tau_refrac: a sample later the membrane is elsewhere."""
    current, voltage, _ = data(1, 2.0)
    options = {
        "noise": HAZARD,
        "stimulus": nsnn.Filtered(current, gain=80 * Mohm),
        "voltage": voltage,
        "method": "voltage",
    }
    free = dict.fromkeys(("v_rest", "v_reset", "stimulus.gain", "v_thresh"))
    cell = dataclasses.replace(CELL, tau_m=12 * ms, b=2 * mV, b_thresh=4 * mV)
    result = nsnn.calibrate(cell, free | {"tau_refrac": None}, **options)
    assert result.parameters["tau_refrac"] == pytest.approx(TRUTH["tau_refrac"], abs=1e-9)
    later = nsnn.calibrate(dataclasses.replace(cell, tau_refrac=3.2 * ms), free, **options)
    names = list(result.parameters)
    shared = result.covariance[:, names.index("tau_refrac")]
    for name in ("v_rest", "v_reset", "stimulus.gain"):
        moved = later.parameters[name] - result.parameters[name]
        assert shared[names.index(name)] * DT / (DT**2 / 3) == pytest.approx(moved, rel=0.1)
        assert result.se[name] > abs(moved) / np.sqrt(3)


def test_a_parameter_of_one_stretch_of_time_has_no_error():
    """A current that steps once: one block determines the time constant."""
    n = round(3 / DT)
    amps = np.where(np.arange(n) * DT < 1.05, 60.0, 75.0)
    decay = np.exp(-DT / 12e-3)
    v = -70.0 + lfilter([0.0, 1 - decay], [1.0, -decay], 0.15 * amps, zi=[9.0])[0]
    v += np.random.default_rng(1).normal(0, 0.1, n)
    # spikes change nothing but the current, at once
    cell = dataclasses.replace(CELL, tau_refrac=3 * ms, v_reset=-61 * mV)
    drive = nsnn.Filtered(neo.AnalogSignal(amps, units="pA", sampling_period=DT * pq.s), gain=150 * Mohm)
    voltage = neo.AnalogSignal(v, units="mV", sampling_period=DT * pq.s)
    options = {"stimulus": drive, "voltage": voltage, "trains": [[0.05]], "method": "voltage"}
    with pytest.warns(
        UserWarning, match=r"tau_m is determined by one stretch of the recording alone: its err"
    ):
        result = nsnn.calibrate(cell, {"tau_m": None, "v_rest": None}, noise=HAZARD, **options)
    assert result.parameters["tau_m"] == pytest.approx(12e-3, rel=0.05)
    assert result.se["tau_m"] == np.inf
    # a resistance in series is fitted, too
    intercept = 1e-4 / np.sqrt(n) * np.sqrt(1 + (amps.mean() / amps.std()) ** 2)
    assert result.se["v_rest"] == pytest.approx(intercept, rel=0.5)
    assert result.interval()["tau_m"] == (-np.inf, np.inf)


@pytest.mark.slow
def test_several_recordings_each_with_its_current():
    free = dict.fromkeys(("v_rest", "tau_m", "stimulus.gain", "v_thresh"))
    currents, voltages, _ = zip(
        *(data(seed, duration) for seed, duration in ((3, 1.5), (4, 1.0))), strict=True
    )
    drives = [nsnn.Filtered(current, gain=80 * Mohm) for current in currents]
    cell = nsnn.GIF(
        tau_m=30 * ms, v_rest=-65 * mV, v_reset=-62 * mV, v_thresh=-45 * mV, tau_refrac=3 * ms, tau_w=60 * ms, b=2 * mV,
        tau_thresh=40 * ms, b_thresh=4 * mV,
    )  # fmt: skip
    options = {"noise": HAZARD, "method": "voltage"}
    both = nsnn.calibrate(cell, free, stimulus=drives, voltage=[voltages[0], [voltages[1]]], **options)
    assert abs(both.parameters["stimulus.gain"] - 150e6) < 4 * both.se["stimulus.gain"]
    assert both.predicted_variance(list(voltages)) == pytest.approx(both.variance_explained, abs=1e-9)
    assert [one.signal is current for one, current in zip(both.stimulus, currents, strict=True)] == [
        True,
        True,
    ]
    with pytest.raises(NsnnError, match=r"voltage: a AnalogSignal for 2 stimuli: expected a list"):
        nsnn.calibrate(cell, free, stimulus=drives, voltage=voltages[0], **options)


@pytest.mark.slow
def test_a_current_that_is_0_at_the_start_is_fitted_to_the_voltage():
    """b and tau_w, which moves nothing while b is 0; and the variance is that which `predicted_variance` integrates."""
    current, voltage, spikes = data(1, 2.0)
    cell = dataclasses.replace(CELL, tau_refrac=3 * ms, tau_w=100 * ms, b_thresh=4 * mV)
    free = dict.fromkeys(("tau_m", "v_rest", "v_reset", "stimulus.gain", "b", "v_thresh"))
    drive = nsnn.Filtered(current, gain=80 * Mohm)
    options = {
        "noise": HAZARD,
        "stimulus": drive,
        "voltage": voltage,
        "trains": [spikes],
        "method": "voltage",
    }
    result = nsnn.calibrate(cell, free | {"tau_w": (10 * ms, 300 * ms)}, **options)
    truth = TRUTH | {"tau_w": TAU_W}
    z = {name: (value - truth[name]) / result.se[name] for name, value in result.parameters.items()}
    assert max(map(abs, z.values())) < 4, z
    assert result.se["tau_w"] < 0.1 * TAU_W
    assert result.variance_explained == pytest.approx(result.predicted_variance(voltage, [spikes]), abs=1e-12)
    assert result.voltage_error == pytest.approx(NOISE, rel=0.05)
    # of a fit of the threshold alone too, whose membrane is the given one
    wrong = nsnn.calibrate(cell, {"v_thresh": None}, **options)
    assert wrong.variance_explained == pytest.approx(wrong.predicted_variance(voltage, [spikes]), abs=1e-12)
    assert wrong.variance_explained < 0.9
    with pytest.raises(NsnnError, match=r"^free: tau_w does not change the voltage"):
        nsnn.calibrate(cell, {"tau_w": (10 * ms, 300 * ms), "v_rest": None}, **options)  # with b = 0


def signal(values, unit="mV", period=DT):
    return neo.AnalogSignal(values, units=unit, sampling_period=period * pq.s)


def test_the_table_of_recorded_data_is_that_of_the_kept_fits():
    spec = importlib.util.spec_from_file_location("voltage_fits", DOCS / "voltage_fits.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    kept = json.loads(script.KEPT.read_text(encoding="utf-8"))
    assert script.table(kept) in script.PAGE.read_text(encoding="utf-8")
    # what the cell does is computed again, where its data are
    for name in script.SETS:
        spikes = script.recording(recordings.folder("qsnmc2007_A"), name)[2]
        late = [one.spiketrains[0].time_slice(script.HALF * pq.s, None) for one in spikes.segments]
        assert np.mean([len(one) for one in late]) / 3.4 == pytest.approx(
            kept[f"{name} voltage"]["cell_rate"]
        )
