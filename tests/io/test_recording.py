"""Blocks from nested lists, files whole or not at all, nothing unpickled, and where a Block came from."""

import os
import pickle
import stat
import subprocess
import sys
from pathlib import Path

import h5py
import neo
import numpy as np
import pytest
from brian2 import second
from helpers.roundtrip import NESTED, volt

import nsnn_neuro
from nsnn_neuro import FormatError, NsnnError, load, provenance, save, to_block
from nsnn_neuro.io.json_codec import dumps
from nsnn_neuro.measures import as_trains


def test_stimulus_shared_or_one_per_trial():
    one = volt([1.0, 2.0], name="input", noise="white")
    shared = to_block(NESTED, t_stop=1 * second, stimulus=one)
    for segment in shared.segments:
        (signal_,) = segment.analogsignals
        assert (signal_.name, signal_.annotations["noise"], signal_.segment) == ("stimulus", "white", segment)
        assert signal_.magnitude.ravel().tolist() == [1.0, 2.0]
        # one array for all: no trial may change the others'
        with pytest.raises(ValueError, match="read-only"):
            signal_.magnitude[0] = 5.0
    one.magnitude[0] = 7.0  # the caller's own stays the caller's
    assert shared.segments[0].analogsignals[0].magnitude[0] == 1.0
    single = to_block(NESTED, t_stop=1 * second, stimulus=[volt([1.0, 2.0]), volt([3.0, 4.0])])
    assert [float(s.analogsignals[0].magnitude[0, 0]) for s in single.segments] == [1.0, 3.0]


class Bomb:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return Path.touch, (self.marker,)


def test_nothing_is_unpickled(tmp_path):
    marker = tmp_path / "marker"
    data = pickle.dumps(Bomb(marker))
    pickle.loads(data)
    assert marker.exists()  # the bomb works
    marker.unlink()
    endings = [".pkl", ".PKL", ".npy", ".npz", ".joblib", ".nwb", ".mat", ".h5", ".nix", ".txt", ""]
    for ending in endings:
        (tmp_path / f"a{ending}").write_bytes(data)
    np.save(tmp_path / "b.npy", np.array([Bomb(marker)]), allow_pickle=True)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "c.pkl").write_bytes(data)
    for name in [*(f"a{e}" for e in endings), "b.npy", "folder"]:
        with pytest.raises(FormatError) as error:
            load(tmp_path / name)
        assert str(error.value).startswith(f"{tmp_path / name}: ")
        if name.lower().endswith((".pkl", ".pickle", ".npy", ".npz", ".joblib")):
            assert "can hold pickled objects" in str(error.value)
    assert not marker.exists()


def test_a_missing_file_is_not_a_format_error(tmp_path):
    for name in ("a.nwb", "a"):
        with pytest.raises(FileNotFoundError, match=name):
            load(tmp_path / name)


def test_files_of_another_kind(tmp_path):
    rng = np.random.default_rng(0)
    good = save(to_block(NESTED, t_stop=1 * second), tmp_path / "good.nwb").read_bytes()
    with h5py.File(tmp_path / "plain.nwb", "w") as file:
        file["x"] = 1
    contents = {
        "random.nwb": rng.bytes(5000),
        "text.nwb": b"0.1 0.2\n",
        "signature.nwb": b"\x89HDF\r\n\x1a\n" + rng.bytes(5000),
        "nwb.txt": good,
        "nwb.h5": good,
        "random.mat": rng.bytes(5000),
        "signals.csv": b"1,2\n3,4\n",
        "samples.raw": rng.bytes(4000),
    }
    for name, data in contents.items():
        (tmp_path / name).write_bytes(data)
    for name in [*contents, "plain.nwb"]:
        with pytest.raises(FormatError, match=name):
            load(tmp_path / name)
    with pytest.raises(FormatError, match=r"end in \.nwb"):
        load(tmp_path / "nwb.h5")


def test_save_refuses_with_a_cure_and_writes_nothing(tmp_path):
    block, ragged = to_block(NESTED, t_stop=1 * second), neo.Block()
    for n in (2, 1):
        ragged.segments.append(neo.Segment())
        ragged.segments[-1].spiketrains.extend([neo.SpikeTrain([], units="s", t_stop=1.0)] * n)
    for what, path, words in [
        (block, tmp_path / "a.h5", "ends in .nwb"),
        (block, tmp_path, "ends in .nwb"),
        (block, tmp_path / "no" / "a.nwb", "there is no folder"),
        ([block], tmp_path / "a.nwb", r"expected a neo\.Block"),
        (tmp_path / "a.nwb", block, r"path is a Block: .* save\(block, path\)"),
        (neo.Block(), tmp_path / "a.nwb", "no segments"),
        (ragged, tmp_path / "a.nwb", r"segments\[1\] has 1 spike trains, segments\[0\] has 2"),
    ]:
        with pytest.raises(NsnnError, match=words):
            save(what, path)
    assert list(tmp_path.iterdir()) == []


def test_an_error_or_an_interrupt_leaves_the_old_file(tmp_path, monkeypatch):
    path = save(to_block(NESTED, t_stop=1 * second), tmp_path / "a.nwb")
    before = path.read_bytes()
    for error, seen in ((KeyboardInterrupt, KeyboardInterrupt), (OSError, NsnnError)):

        def write(block, file, metadata, error=error):
            file["half"] = np.zeros(1000)
            file.flush()
            raise error

        monkeypatch.setattr("nsnn_neuro.io.nwb.write.write", write)
        with pytest.raises(seen):
            save(to_block(NESTED, t_stop=2 * second), path)
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == before


def test_permissions_and_links(tmp_path):
    block = to_block(NESTED, t_stop=1 * second)
    old = os.umask(0o027)
    try:
        path = save(block, tmp_path / "a.nwb")
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        path.chmod(0o604)
        save(block, path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o604
    finally:
        os.umask(old)
    (tmp_path / "folder").mkdir()
    link = tmp_path / "folder" / "link.nwb"
    link.symlink_to(path)
    save(to_block([[[0.5]]], t_stop=1 * second), link)
    assert link.is_symlink()
    assert as_trains(load(path)).times.tolist() == [0.5]


def test_versions():
    found = provenance()
    assert found["versions"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert set(found["versions"]) == {"nsnn_neuro", "brian2", "numpy", "scipy", "neo", "elephant", "python"}
    assert found["versions"]["nsnn_neuro"] == nsnn_neuro.__version__
    found["versions"]["numpy"] = "changed"
    assert provenance()["versions"]["numpy"] == np.__version__
    dumps(provenance())


def test_git_revision_of_a_checkout(tmp_path, monkeypatch):
    def git(*arguments):
        names = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
        return subprocess.run(
            ["git", *names, *arguments], cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout.strip()

    recorded = sys.modules["nsnn_neuro.io.provenance"]

    def revision():
        recorded._git_revision.cache_clear()
        return recorded._git_revision()

    (tmp_path / "README").write_text("another repository\n")
    package = tmp_path / "package"
    package.mkdir()
    (package / "provenance.py").write_text("1\n")
    try:
        git("init")
        git("add", "README")
        git("commit", "-m", "zero")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no git")
    monkeypatch.setattr(recorded, "__file__", str(package / "provenance.py"))
    try:
        assert revision() is None  # inside somebody's repository, but not part of it
        git("add", ".")
        git("commit", "-m", "one")
        head = git("rev-parse", "HEAD")
        assert revision() == head
        monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))  # as inside a hook
        assert revision() == head
        monkeypatch.delenv("GIT_DIR")
        (package / "provenance.py").write_text("2\n")
        assert revision() == head + "+dirty"
        monkeypatch.setenv("PATH", str(tmp_path))
        assert revision() is None
    finally:
        recorded._git_revision.cache_clear()
