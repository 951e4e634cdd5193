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
import quantities as pq
from brian2 import ms, second
from helpers.roundtrip import NESTED, bounds_of, trains_of, volt

import nsnn_neuro
from nsnn_neuro import FormatError, NsnnError, load, provenance, save, to_block
from nsnn_neuro.io import dumps
from nsnn_neuro.measures import as_trains


def test_to_block_layout():
    block = to_block(NESTED, t_stop=1 * second)
    assert [np.frombuffer(t).tolist() for t in trains_of(block)[0]] == [[0.1 + 0.2, 0.5], [], [1 / 3]]
    assert bounds_of(block) == [(0.0, 1.0, 3)] * 2
    assert block.annotations["versions"]["numpy"] == np.__version__
    assert "dt" not in block.annotations
    assert [s.index for s in block.segments] == [0, 1]
    assert block.segments[0].spiketrains.segment is block.segments[0]
    assert block.segments[0].spiketrains[1].segment is block.segments[0]


def test_to_block_takes_quantities_and_arrays():
    quantity = to_block(
        [[np.array([100.0, 50.0]) * pq.ms], [[10, 20] * ms]], t_stop=1000 * ms, t_start=-5 * pq.ms
    )
    assert trains_of(quantity) == trains_of(to_block([[[0.05, 0.1]], [[0.01, 0.02]]], t_stop=1 * second))
    assert bounds_of(quantity) == [(-0.005, 1.0, 1)] * 2
    cube = np.array([[[0.1, 0.2]], [[0.3, 0.4]]])
    assert trains_of(to_block(cube, t_stop=1 * second))[1][0] == np.array([0.3, 0.4]).tobytes()


def test_stimulus_shared_or_one_per_trial():
    one = volt([1.0, 2.0], name="input", noise="white")
    shared = to_block(NESTED, t_stop=1 * second, stimulus=one)
    for segment in shared.segments:
        (signal_,) = segment.analogsignals
        assert (signal_.name, signal_.annotations["noise"], signal_.segment) == ("stimulus", "white", segment)
        assert signal_.magnitude.ravel().tolist() == [1.0, 2.0]
        with pytest.raises(
            ValueError, match="read-only"
        ):  # one array for all: no trial may change the others'
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
    endings = [
        ".pkl",
        ".pickle",
        ".PKL",
        ".npy",
        ".npz",
        ".joblib",
        ".nwb",
        ".mat",
        ".h5",
        ".nix",
        ".txt",
        "",
    ]
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
    for name in ("a.nwb", "a.mat", "a.pkl", "a"):
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
        "nwb.foo": good,
        "random.mat": rng.bytes(5000),
        "text.mat": b"hello\n",
        "signals.csv": b"1,2\n3,4\n",
        "falling.txt": b"3.0\t2.0\t1.0\n",
        "samples.raw": rng.bytes(4000),
    }
    for name, data in contents.items():
        (tmp_path / name).write_bytes(data)
    for name in [*contents, "plain.nwb"]:
        with pytest.raises(FormatError, match=name):
            load(tmp_path / name)
    with pytest.raises(FormatError, match=r"end in \.nwb"):
        load(tmp_path / "nwb.h5")


def test_save_arguments(tmp_path):
    block = to_block(NESTED, t_stop=1 * second)
    for path, words in [("a.h5", "ends in .nwb"), ("", "ends in .nwb"), ("no/a.nwb", "there is no folder")]:
        with pytest.raises(NsnnError, match=words):
            save(block, tmp_path / path)
    with pytest.raises(NsnnError, match=r"expected a neo\.Block"):
        save([block], tmp_path / "a.nwb")
    with pytest.raises(NsnnError, match=r"path is a Block: .* save\(block, path\)"):
        save(tmp_path / "a.nwb", block)
    with pytest.raises(NsnnError, match="no segments"):
        save(neo.Block(), tmp_path / "a.nwb")
    ragged = neo.Block()
    for n in (2, 1):
        ragged.segments.append(neo.Segment())
        for _ in range(n):
            ragged.segments[-1].spiketrains.append(neo.SpikeTrain([], units="s", t_stop=1.0))
    with pytest.raises(NsnnError, match=r"segments\[1\] has 1 spike trains, segments\[0\] has 2"):
        save(ragged, tmp_path / "a.nwb")
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


CHILD = """
import os, signal, sys, time
import h5py, numpy as np, pynwb
from nsnn_neuro.io import build_block
from nsnn_neuro import save
n = 30_000
trial, neuron = np.arange(n) % 10, np.arange(n) % 100
for folder, delay in zip(sys.argv[1::2], sys.argv[2::2]):
    path, pid = os.path.join(folder, "a.nwb"), os.fork()
    for k in range(10**9 if pid == 0 else 0):
        save(build_block(trial, neuron, np.full(n, k), dt=1e-4, n_trials=10, n_neurons=100, t_start=0.0,
                         t_stop=1e5, annotations={"round": k}), path)
    while not os.path.exists(path):
        time.sleep(0.001)
    time.sleep(float(delay))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
"""


@pytest.mark.slow
def test_a_killed_run_leaves_a_whole_file(tmp_path):
    delays = (0.0, 0.013, 0.029, 0.047, 0.071, 0.11)
    arguments = []
    for delay in delays:
        (tmp_path / f"{delay}").mkdir()
        arguments += [str(tmp_path / f"{delay}"), str(delay)]
    root = Path(nsnn_neuro.__file__).parents[1]
    subprocess.run([sys.executable, "-c", CHILD, *arguments], cwd=root, check=True, timeout=300)
    interrupted = 0
    for delay in delays:
        block = load(tmp_path / f"{delay}" / "a.nwb")
        spikes = as_trains(block)
        assert len(spikes.times) == 30_000
        assert set(spikes.times) == {block.annotations["round"] * 1e-4}
        interrupted += len(list((tmp_path / f"{delay}").iterdir())) - 1
    assert interrupted > 0  # some were killed while they wrote


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
