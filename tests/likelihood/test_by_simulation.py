"""`calibrate(..., method="simulation")`: its statistics, recovery, agreement with the exact likelihood, refusals."""

import dataclasses
import itertools
import os
import re
import warnings
from pathlib import Path

import neo
import numpy as np
import pytest
import quantities as pq
from brian2 import Hz, ms, mV, second

import nsnn_neuro as nsnn
from nsnn_neuro import NsnnError
from nsnn_neuro.likelihood.by_simulation import runs
from nsnn_neuro.likelihood.by_simulation.statistics import recorded, statistics_for
from nsnn_neuro.likelihood.continuous.trials import Trial

CELL = nsnn.LIF(tau_m=10 * ms, v_rest=0 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2 * ms)
SHORT = {"trials": 10, "duration": 0.3 * second, "dt": 1 * ms, "engine": "numpy"}
QUICK = {"dt": 1 * ms, "engine": "numpy", "method": "simulation", "n_simulations": 60, "n_generations": 8}


def test_statistics_of_a_recording_are_those_of_loops_over_its_intervals():
    rng = np.random.default_rng(1)
    dt, n = 1e-3, 4000
    trials = [Trial((rng.random(n) < 0.03).astype(float), 0.0, (500, n)) for _ in range(3)]
    drive = np.cumsum(rng.normal(size=n)) * 0.1
    table = statistics_for(trials, dt, drive)
    found = dict(zip(table.names, recorded(table, trials), strict=True))
    logs, near, far, at = [], [], [], []
    for trial in trials:
        steps = [k for k in np.flatnonzero(trial.o) if k >= 500]
        own = [np.log((b - a) * dt) for a, b in itertools.pairwise(steps)]
        logs += own
        near += [(own[k], own[k + 1]) for k in range(len(own) - 1)]
        far += [(own[k], own[k + lag]) for lag in range(3, 11) for k in range(len(own) - lag)]
        at += steps
    mean, sd = np.mean(logs), np.std(logs)
    assert found["log rate"] == pytest.approx(np.log((len(at) + 0.5) / (3 * 3.5)))
    assert found["log interval, 25%"] == pytest.approx(np.quantile(logs, 0.25))
    assert found["log CV of intervals"] == pytest.approx(
        np.log(np.std(np.exp(logs), ddof=1) / np.mean(np.exp(logs)))
    )
    for name, pairs in (("lag 1", near), ("lag 3 to 10", far)):
        value = np.mean([(a - mean) * (b - mean) for a, b in pairs]) / sd**2
        assert found[f"interval correlation, {name}"] == pytest.approx(value)
    smooth, value = [], drive[0]
    for x in drive:  # an exponential filter of 3 ms
        value += (1 - np.exp(-dt / 0.003)) * (x - value)
        smooth.append(value)
    z = (np.array(smooth) - np.mean(smooth)) / np.std(smooth)
    assert found["drive, 3 ms, at spikes"] == pytest.approx(np.mean(z[at]))
    assert found["drive, 3 ms, squared, at spikes"] == pytest.approx(np.mean(z[at] ** 2))


def test_a_fit_that_was_not_confirmed_says_so():
    drive = nsnn.Constant(19 * mV)
    block = nsnn.simulate(CELL, nsnn.OUNoise(4 * mV, 10 * ms), drive, seed=5, **SHORT)
    few = {**QUICK, "noise": nsnn.OUNoise(8 * mV, 10 * ms), "stimulus": drive, "trains": block}
    free = {"noise.sigma": (1 * mV, 20 * mV)}
    with pytest.warns(UserWarning, match="raise n_simulations"):
        short = nsnn.calibrate(CELL, free, **few | {"n_generations": 2})
    assert not short.confirmed
    assert "raise n_simulations" in str(short)
    whole = nsnn.calibrate(CELL, free, **few)
    assert whole.confirmed
    assert "raise n_simulations" not in str(whole)


def fit(out=None):
    """A fit with a parameter that does not matter: the phase of a sinusoid without amplitude."""
    stimulus = nsnn.Sinusoid(19 * mV, 0 * mV, 10 * Hz, 0.0)
    block = nsnn.simulate(CELL, nsnn.OUNoise(4 * mV, 10 * ms), stimulus, seed=5, **SHORT)
    free = {
        "noise.sigma": (1 * mV, 20 * mV),
        "stimulus.mean": (10 * mV, 30 * mV),
        "stimulus.phase": (0.0, 3.0),
    }
    start = nsnn.Sinusoid(15 * mV, 0 * mV, 10 * Hz, 0.0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = nsnn.calibrate(
            CELL, free, noise=nsnn.OUNoise(8 * mV, 10 * ms), stimulus=start, trains=block, out=out, **QUICK
        )
    return found, [str(one.message) for one in caught]


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    folder = tmp_path_factory.mktemp("simulations")
    return folder, *fit(folder)


@pytest.mark.slow
def test_parameters_of_a_neuron_in_coloured_noise_are_found_again(kept):
    _, found, _ = kept
    z = [
        (found.parameters[k] - v) / found.se[k]
        for k, v in {"noise.sigma": 4e-3, "stimulus.mean": 19e-3}.items()
    ]
    assert np.abs(z).max() < 3
    assert found.p > 0.001
    assert found.noise.si("sigma") == pytest.approx(found.parameters["noise.sigma"])
    low, high = found.interval()["noise.sigma"]
    assert low < 4 * mV < high
    assert len(found.simulate(trials=2).segments) == 2


def test_a_parameter_without_effect_has_an_infinite_error(kept):
    _, found, messages = kept
    assert found.se["stimulus.phase"] == np.inf
    assert any("stimulus.phase does not change the spikes: its error is inf" in one for one in messages)


@pytest.mark.slow
def test_a_killed_fit_continues_from_its_folder(kept, monkeypatch):
    folder, found, _ = kept
    files = sorted(folder.iterdir())
    number = []
    simulated = runs.Runs.simulated
    monkeypatch.setattr(runs.Runs, "simulated", lambda *given: number.append(1) or simulated(*given))
    files[0].unlink()
    with np.load(files[1]) as stored:
        np.savez(files[1], **dict(stored) | {"statistics": stored["statistics"] + 1e-9})
    files[2].write_bytes(files[2].read_bytes()[:100])
    files[3].write_bytes(files[1].read_bytes())  # of other simulations
    files[4].unlink()
    os.mkfifo(files[4])
    again, messages = fit(folder)
    assert len(number) == 5
    for file in files[1:5]:
        (named,) = (message for message in messages if file.name in message)
        assert "run again" in named
    assert again.parameters == found.parameters
    assert sorted(folder.iterdir()) == files
    with pytest.raises(NsnnError, match=r"out = .*that is a file"):
        fit(files[0])


def test_simulator_gives_statistics_relative_to_the_recording(kept):
    _, found, _ = kept
    simulate = found.simulator(seed=1)
    at_fit = np.tile(found._u, (40, 1))
    z = simulate(at_fit)
    low, high = found.prior()
    assert z.shape == (40, int(found._surface.used.sum()))
    assert low.shape == high.shape == (3,)
    near = found.prior(reach=2)
    assert near[1][0] - near[0][0] == pytest.approx(4 * np.sqrt(found._scaled[0, 0]))
    assert (near[0][2], near[1][2]) == (0.0, 1.0)  # without effect: the whole range
    assert np.ptp(z[:, 0]) > 0  # rows of one theta have their own noise
    assert not np.array_equal(simulate(at_fit[:1]), z[:1])
    expected = -found.statistics["z"].to_numpy()[found._surface.used]
    error = z.std(axis=0, ddof=1) / np.sqrt(40) + 1e-9
    assert np.abs((z.mean(axis=0) - expected) / np.hypot(error, 1 / np.sqrt(40))).max() < 4
    assert found.values(at_fit[:1])[0] == pytest.approx(list(found.parameters.values()))
    for wrong in ([[0.5, 0.5]], [[0.5, 0.5, 1.5]]):
        with pytest.raises(NsnnError, match=r"^theta has shape"):
            simulate(np.array(wrong))


def test_what_needs_a_likelihood_says_what_to_use(kept):
    _, found, _ = kept
    for name in ("score", "evaluate", "rescaled", "profile"):
        assert not hasattr(found, name)
        with pytest.raises(
            AttributeError, match=f'^{name}: a calibration with method="simulation" has no likelihood'
        ):
            getattr(found, name)
    block = found.simulate(trials=3)
    with pytest.warns(UserWarning, match="sim: bits_per_spike is NaN: score: a calibration with method"):
        rows = nsnn.likelihood.compare_models({"sim": found}, block, precision=4 * ms, trials=2)
    assert np.isnan(rows.value[0])
    assert rows.score[0] == "bits_per_spike"
    assert repr(found).splitlines()[0].startswith("Calibration of LIF by simulation: ")
    assert repr(found).splitlines()[3].split()[-4:] == ["1", "to", "20", "mV"]


@pytest.mark.slow  # starts processes
def test_points_have_the_noise_of_their_number_also_in_processes(kept):
    _, found, _ = kept
    points = np.random.default_rng(1).random((4, 3))
    points[1:3] = points[0]
    alone, two = (
        dataclasses.replace(found._runs, out=None, n_jobs=n)(points, 2, [7, 7, 8, 7]) for n in (1, 2)
    )
    assert np.array_equal(alone, two)
    assert np.array_equal(alone[0], alone[1])
    assert not np.array_equal(alone[0], alone[2])


@pytest.mark.slow  # runs of a recording of 5 s, beside an exact likelihood
@pytest.mark.compile
def test_simulation_and_exact_likelihood_agree():
    """Of one recording of a LIF in white noise, under a varying drive."""
    path = nsnn.FrozenNoise(0.0, 1.0, 5 * ms, seed=3).samples(5000, 2e-4)
    signal = neo.AnalogSignal(path, units="mm", sampling_period=0.2 * pq.ms)
    drive = nsnn.Filtered(signal, gain=5 * mV, offset=19 * mV)
    run = {"trials": 5, "duration": 1 * second, "dt": 0.2 * ms, "seed": 11, "engine": "numpy"}
    block = nsnn.simulate(CELL, nsnn.WhiteNoise(3 * mV), drive, **run)
    free = {
        "noise.sigma": (0.5 * mV, 15 * mV),
        "stimulus.gain": (0 * mV, 15 * mV),
        "stimulus.offset": (10 * mV, 30 * mV),
    }
    start = nsnn.Filtered(signal, gain=2 * mV, offset=15 * mV)
    given = {"noise": nsnn.WhiteNoise(6 * mV), "stimulus": start, "trains": block, "dt": 0.2 * ms}
    exact = nsnn.calibrate(CELL, free, **given)
    simulated = nsnn.calibrate(CELL, free, method="simulation", n_simulations=200, **given)
    for name, value in exact.parameters.items():
        # both are of the same spikes: the less efficient estimate varies around the efficient one (Hausman)
        joint = np.hypot(simulated.se[name], exact.se[name])
        assert abs(simulated.parameters[name] - value) < 3 * joint
        assert 0.9 < simulated.se[name] / exact.se[name] < 2.5


@pytest.mark.slow  # a fit of an AdEx neuron
def test_the_page_finds_its_neuron_again(tmp_path, monkeypatch):
    """With fewer simulations."""
    path = Path(__file__).resolve().parents[2] / "docs" / "by_simulation.md"
    code = re.search(r"^```python\n(.*?)^```", path.read_text(encoding="utf-8"), re.M | re.S)[1]
    for old, new in (
        ('out="adex"', 'out="adex", n_simulations=100, n_generations=8, engine="numpy"'),
        ("0.2*ms", "1*ms"),
        ("seed=1\n)", 'seed=1, engine="numpy")'),
        ("3*ms)", "10*ms)"),  # for steps of 1 ms
        ("duration=1*second", "duration=0.5*second"),
    ):
        assert old in code
        code = code.replace(old, new)
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(compile(code, path.name, "exec"), names)
    fit, truth = names["fit"], {"b": 3e-3, "noise.sigma": 4e-3, "stimulus.v": 18e-3}
    assert max(abs(fit.parameters[name] - value) / fit.se[name] for name, value in truth.items()) < 4
