"""Files that earlier code wrote still load, and give the values that they were saved with, wherever the code stands now."""
# Imports internals: a sweep is resumed under another provenance and without running points.

from __future__ import annotations

import json
import lzma
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from golden import make_saved
from test_golden import same

import nsnn_neuro as nsnn
from nsnn_neuro import NsnnError
from nsnn_neuro.io.json_codec import encode
from nsnn_neuro.sweep import run, worker

SAVED = make_saved.SAVED
EXPECTED = json.loads((SAVED / "expected.json").read_text(encoding="utf-8"))
SWEEPS = pytest.mark.parametrize("version", ["first", "."])


def plain(value: Any) -> Any:
    return json.loads(json.dumps(value))


def copied(name: str, to: Path) -> Path:
    """A copy of a sample, a file or a folder."""
    source = SAVED / name
    return Path(
        shutil.copytree(source, to / source.name)
        if source.is_dir()
        else shutil.copy(source, to / source.name)
    )


@pytest.mark.parametrize("name", make_saved.BLOCKS)
@pytest.mark.parametrize("check", ["quick", "full"])
def test_nwb_files_load_with_the_same_spikes_signals_and_annotations(tmp_path, name, check) -> None:
    path = tmp_path / f"{name}.nwb"
    path.write_bytes(lzma.decompress((SAVED / f"{name}.nwb.xz").read_bytes()))
    block = nsnn.load(path, check=check)
    found = plain(make_saved.contents(block))
    assert found == EXPECTED[name]
    assert sum(len(train) for trial in found["spikes"] for train in trial) > 5
    assert all(signal["values"] for trial in found["signals"] for signal in trial)
    assert all(found["signals"])
    if name == "neurons":
        assert encode({key: block.annotations[key] for key in make_saved.NOTES}) == encode(make_saved.NOTES)


@pytest.mark.slow
def test_simulating_again_gives_the_spikes_of_the_files(tmp_path) -> None:
    """The samples are those of their arguments."""
    for name, block in (
        ("neurons", make_saved.neurons()),
        ("network", make_saved.network()),
        ("streamed", make_saved.neurons(tmp_path / "streamed.nwb")),
    ):
        assert make_saved.contents(block)["spikes"] == EXPECTED[name]["spikes"]


def the_table(table: pd.DataFrame) -> None:
    """Exactly the table that the sample's sweep returned."""
    assert plain(make_saved.table_rows(table)) == EXPECTED["sweep"]


@pytest.fixture
def another_version(monkeypatch) -> None:
    """Give this package another revision than the samples have, also in the commit that writes them."""
    true = run.provenance()
    monkeypatch.setattr(run, "provenance", lambda: {**true, "git_revision": "elsewhere"})


@SWEEPS
def test_a_finished_sweep_is_read_with_a_warning_that_names_both_versions(
    tmp_path, monkeypatch, another_version, version
) -> None:
    out = copied(f"{version}/finished", tmp_path)
    before = (out / "manifest.json").read_bytes()
    code = json.loads(before)["config"]["code"]
    monkeypatch.setattr(worker, "run", lambda *a: pytest.fail("ran"))
    message = rf"computed by another version .*code checksum {code[:12]}.* before, .*elsewhere.* now"
    with pytest.warns(UserWarning, match=message) as seen:
        the_table(make_saved.swept(out))
    assert len([one for one in seen if one.category is UserWarning]) == 1
    assert (out / "manifest.json").read_bytes() == before
    assert (out / "table.csv").read_bytes() == (SAVED / version / "finished" / "table.csv").read_bytes()


@pytest.mark.slow
@SWEEPS
def test_an_unfinished_sweep_of_another_version_is_refused_and_left_as_it_is(
    tmp_path, monkeypatch, another_version, version
) -> None:
    out = copied(f"{version}/unfinished", tmp_path)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(NsnnError, match=r"3 of 4 points are missing .*elsewhere.* now.*resume=False"):
        make_saved.swept(out)
    assert {p.name: p.read_bytes() for p in out.iterdir() if p.name != "sweep.lock"} == before
    monkeypatch.undo()
    anew = plain(make_saved.table_rows(make_saved.swept(out, resume=False)))
    assert same(anew, EXPECTED["sweep"])


@pytest.mark.slow
@pytest.mark.parametrize("formulation", ["fast", "online"])
def test_a_checkpoint_of_train_resumes_to_the_weights_of_training_at_once(tmp_path, formulation) -> None:
    path = copied(f"{formulation}.npz", tmp_path)
    with np.load(path, allow_pickle=False) as archive:
        assert json.loads(str(archive["about"]))["epoch"] == make_saved.KEPT
    epochs_run = []
    found = make_saved.trained(formulation, make_saved.EPOCHS, path, progress=epochs_run.append)
    assert same(plain(found), EXPECTED[f"train, {formulation}"])
    assert min(epochs_run) >= make_saved.KEPT / make_saved.EPOCHS


@pytest.mark.slow
def test_a_checkpoint_of_deep_fit_resumes_to_the_parameters_of_training_at_once(tmp_path) -> None:
    pytest.importorskip("torch")
    path = copied("deep.npz", tmp_path)
    epochs_run = []
    found = make_saved.deep_fit(make_saved.EPOCHS, path, progress=epochs_run.append)
    assert same(plain(make_saved.deep_results(found)), EXPECTED["deep.fit"])
    assert min(epochs_run) > make_saved.KEPT / make_saved.EPOCHS


def test_a_saved_classifier_loads_with_its_parameters() -> None:
    pytest.importorskip("torch")
    from nsnn_neuro import deep

    new = make_saved.classifier()
    assert not same(make_saved.state(new), EXPECTED["deep.fit"]["parameters"])
    assert make_saved.state(deep.load(new, SAVED / "classifier.pt")) == EXPECTED["deep.fit"]["parameters"]


@pytest.mark.slow
@pytest.mark.parametrize("name", make_saved.CONFIGURATIONS)
def test_configurations_of_the_command_give_the_same_models_spikes_and_table(name) -> None:
    assert same(plain(make_saved.configured(name)), EXPECTED[name])
