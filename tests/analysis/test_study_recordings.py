"""Recordings that studies look for: found where they lie, None where they don't, refused when they are broken."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import recordings

from analysis import __main__ as command
from analysis import harness, natural_images
from analysis.shared import recordings as studied
from nsnn_neuro import FormatError, NsnnError


def test_absent_recordings_are_none(tmp_path, monkeypatch):
    monkeypatch.setenv("NSNN_SHARED_DATA", str(tmp_path))
    assert studied.folder("qsnmc2007_A") is None
    assert studied.cortical("00") is None
    said = []
    study = harness.find("rate_vs_temporal")
    assert list(study.simulation.cortex(study.Config(quick=True), said.append)) == []
    assert "skipped" in said[0]


@pytest.mark.parametrize("name", [n for n in harness.studies() if hasattr(harness.find(n), "REQUIRED")])
def test_a_study_says_where_to_put_the_recordings_that_it_requires(name, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("NSNN_SHARED_DATA", str(tmp_path))
    study = harness.find(name)
    if getattr(study, "NEEDS", None) is not None:
        pytest.importorskip(study.NEEDS)
    natural_images.simulation.images_of.cache_clear()
    with pytest.raises(NsnnError, match=rf"cannot run without .*{study.REQUIRED[0]} .*NSNN_SHARED_DATA"):
        study.run(study.Config(quick=True))
    assert command.main([name, "--quick", "--results", str(tmp_path)]) == 2
    monkeypatch.setattr(harness, "studies", lambda: [name])
    assert command.main(["all", "--quick", "--results", str(tmp_path)]) == 0
    assert f"{name}: skipped, cannot run without" in capsys.readouterr().err


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Four sweeps of 2 s, whose first repeat fires at .1 and .2 s."""
    place = tmp_path / "qsnmc2007_A"
    place.mkdir()
    (place / "SOURCE.txt").write_text("made up")
    np.savez(place / "current_voltage.npz", **{f"I_00_{k}": np.full(10_000, float(k)) for k in range(4)})
    for k in range(4):
        (place / f"00-{k}.spiketimes").write_text("500 1\n1000 0\n")
    monkeypatch.setenv("NSNN_SHARED_DATA", str(tmp_path))
    return place


@pytest.mark.filterwarnings("ignore:.*input contained no data:UserWarning")
def test_a_setting_is_read_and_invalid_files_are_rejected(made):
    sweeps = studied.cortical("00")
    assert [s.current[0] for s in sweeps] == [0, 1, 2, 3]
    assert sweeps[0].spikes.tolist() == [0.1, 0.2]
    assert sweeps[0].seconds == pytest.approx(2.0)
    for text in ("1000 0\n500 1\n", "500 1\n20000 0\n", "a b\n", ""):
        (made / "00-2.spiketimes").write_text(text)
        with pytest.raises(FormatError, match="setting '00' can't be read"):
            studied.cortical("00")


def test_the_recordings_have_the_published_counts():
    recordings.folder("qsnmc2007_A")
    sweeps = [sweep for setting in studied.CORTICAL for sweep in studied.cortical(setting)]
    assert sum(sweep.spikes.size for sweep in sweeps) == 12_106
    assert {sweep.current.size for sweep in sweeps} == {34_000}
