"""Information transfer: the study's arithmetic against independent values, and that each of its claims can fail."""

from __future__ import annotations

import dataclasses
import io
import zipfile

import numpy as np
import pytest
import quantities as pq
from helpers.quick_runs import quick_table
from helpers.studies import assert_each_can_fail, changed, failing
from scipy.io import savemat

from analysis import information_transfer as study
from analysis.information_transfer import recorded, simulation, verdicts
from nsnn_neuro import FormatError, measures, theory, to_block

# claim's words -> what to change: part of the table, its rows, and the value as a function of the row
BROKEN = {
    "susceptibility equals that of the Fokker-Planck": (
        "response", {"quantity": "chi, real", "sigma": 3.0, "signal": "weak"}, lambda row: row.exact + 4.1 * row.se * (row.x > 40)
    ),
    "power spectrum without signal": (
        "response", {"quantity": "spectrum", "sigma": 6.0}, lambda row: row.exact - 4.1 * row.se * (row.x > 40)
    ),
    "equals linear response theory": (
        "copy", {"quantity": "bound", "signal": "weak", "sigma": 3.0}, lambda row: 1.5 * row.value
    ),
    "has its maximum inside the range": (
        "copy", {"quantity": "bound", "signal": "weak", "sigma": 0.75}, lambda row: row.value + 2
    ),
    "nowhere below the bound": ("copy", {"quantity": "direct", "sigma": 3.0}, lambda row: row.value - 20),
    "two grasshopper receptors": (
        "recorded", {"quantity": "bound", "source": "grasshopper 2"}, lambda row: row.value + 0.3
    ),
}  # fmt: skip


@pytest.mark.slow
def test_each_claim_can_fail_and_none_holds_without_its_rows():
    table, broken = quick_table(study), {}
    for words, (part, where, change) in BROKEN.items():
        new = [change(row) for row in table.itertuples()]
        broken[words] = changed(
            table, "value", lambda old, new=new: np.take(new, old.index), part=part, **where
        )
    assert_each_can_fail(study, table, broken)
    without = table[(table.part != "copy") | (table.quantity != "direct") | (table.sigma != 6.0)]
    assert failing(study, without, central=True)
    # signals are weak where they move the membrane by less than a quarter of sigma
    moved = table[(table.quantity == "membrane") & (table.signal == "weak")].value.iloc[0]
    assert verdicts.weak_sigmas(table) == [s for s in (0.75, 1.5, 3.0, 6.0) if s >= 4 * moved]


# --- arithmetic --------------------------------------------------------------------------------------------------------------


def test_signals_are_white_up_to_the_cutoff_and_gaussian():
    config = dataclasses.replace(study.Config(), seconds=40.0, copies=(0, 20, 0))
    paths = simulation.signals(config)
    assert paths.shape == (20, 80_000)
    np.testing.assert_allclose(paths.mean(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(paths.std(axis=1), 1, rtol=1e-12)
    power = (np.abs(np.fft.rfft(paths, axis=1)) ** 2).mean(axis=0) / paths.shape[1] / simulation.RATE
    f = np.fft.rfftfreq(paths.shape[1], 1 / simulation.RATE)
    assert power[f > config.cutoff].max() < 1e-20
    flat = power[(f > 0) & (f <= config.cutoff)].reshape(20, -1).mean(axis=1) * 2 * config.cutoff
    assert (np.abs(flat - 1) < 4 / np.sqrt(20 * 100)).all()  # 100 frequencies of 20 paths in each
    fourth = (paths**4).mean()
    assert abs(fourth - 3) < 4 * np.sqrt(96 / (20 * 40 * 2 * config.cutoff))
    assert np.abs(np.corrcoef(paths) - np.eye(20)).max() < 4.5 / np.sqrt(2 * config.cutoff * 40)


@pytest.mark.slow
def test_linear_theory_equals_a_closed_form():
    config = study.Config(tau_refrac=0.0)
    f = np.array([1.0, 10.0, 40.0])
    chi, spectrum = simulation.linear_theory([1.5, 3.0], f, config)
    for k, sigma in enumerate((1.5, 3.0)):
        law = {"tau_m": 10e-3, "v_thresh": 10.0, "v_reset": 0.0, "tau_refrac": 0.0}
        np.testing.assert_allclose(chi[k], theory.lindner_susceptibility(f, 7.0, sigma, **law), rtol=1e-3)
        np.testing.assert_allclose(spectrum[k], theory.lindner_spectrum(f, 7.0, sigma, **law), rtol=1e-3)


def test_coherence_and_bound_by_hand():
    """A Poisson neuron of 20 Hz whose rate follows by 10 Hz/mV; signal of .5 mV up to 50 Hz: 1 / (1 + 20 / .25)."""
    c = simulation.linear_coherence(np.array([6 + 8j]), np.array([20.0]), 0.5, 50.0)
    assert c == pytest.approx(1 / 81)
    assert simulation.bound_of(np.array([0.5, 0.75, 0.0]), 2.0) == pytest.approx(6.0)
    f = np.linspace(0, 50, 200_001)
    power = np.trapezoid(1 / (1 + (2 * np.pi * f * 0.01) ** 2), f) / 50
    assert simulation.membrane_sd(0.5, 50.0, 0.01) == pytest.approx(0.5 * np.sqrt(power), rel=1e-8)


def test_mixed_trials_come_from_all_copies():
    seconds = pq.s
    copies = [
        measures.as_repeats(to_block([[[0.1 * c + 0.01 * t]] for t in range(4)], t_stop=1 * seconds))
        for c in range(1, 4)
    ]
    found = simulation.mix_copies(copies, 1)
    assert found.times.tolist() == pytest.approx([0.2, 0.31, 0.12, 0.23])
    assert found.trial.tolist() == [0, 1, 2, 3]


# --- recorded neurons --------------------------------------------------------------------------------------------------------


def packed(folder, **arrays):
    content = io.BytesIO()
    savemat(content, arrays)
    with zipfile.ZipFile(folder / "c1p8.zip", "w") as archive:
        archive.writestr("c1p8.mat", content.getvalue())
    return folder


def test_a_fly_recording_is_read_and_an_invalid_one_rejected(tmp_path):
    rho = np.array([0, 1, 0, 0, 1], dtype=np.uint8)
    block, velocity = recorded.fly(packed(tmp_path, rho=rho, stim=np.arange(5.0)))
    assert np.asarray(block.segments[0].spiketrains[0].magnitude).tolist() == pytest.approx([3e-3, 9e-3])
    assert float(block.segments[0].t_stop.rescale("s")) == pytest.approx(0.01)
    assert velocity.magnitude.ravel().tolist() == [0, 1, 2, 3, 4]
    assert float(velocity.sampling_rate.rescale("Hz")) == 500
    for rho, stim in (([0, 1, 0], np.zeros(4)), ([0, 2, 0], np.zeros(3)), ([0, 1, 0], [0, np.nan, 0])):
        packed(tmp_path, rho=np.array(rho), stim=np.array(stim))
        with pytest.raises(FormatError, match="can't be read"):
            recorded.fly(tmp_path)
    (tmp_path / "c1p8.zip").write_bytes(b"nothing")
    with pytest.raises(FormatError, match="can't be read"):
        recorded.fly(tmp_path)
