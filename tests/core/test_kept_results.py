"""The store of results: what is read is what was written, and nothing else is opened, expanded or believed."""

from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from nsnn_neuro import FormatError, NsnnError
from nsnn_neuro.core.file_limits import Budget
from nsnn_neuro.core.results import damaged, folder_of, read_npz, read_plain, write_npz, write_plain

ARRAYS = {"x": np.arange(40.0).reshape(4, 10), "y": np.array([np.nan, -0.0])}
PLAIN = {"made_of": "a", "names": ["b", None, 1.5]}


def write(path: Path) -> None:
    if path.suffix == ".npz":
        write_npz(path, ARRAYS, PLAIN, "out")
    else:
        write_plain(path, "a kind", "content", PLAIN)


def read(path: Path) -> bytes:
    with damaged(f"out = {path}: damaged", "delete it"):
        if path.suffix == ".npz":
            arrays, about = read_npz(path, Budget(10**5, "too much"))
            return pickle.dumps([sorted((name, one.tobytes()) for name, one in arrays.items()), about])
        return pickle.dumps(read_plain(path, "a kind", "content"))


@pytest.fixture(params=["a.npz", "a.json"])
def path(request, tmp_path: Path) -> Path:
    return tmp_path / request.param


def test_a_flipped_bit_is_refused_or_changes_nothing(path: Path) -> None:
    write(path)
    good, content = path.read_bytes(), read(path)
    reasons = []
    for bit in np.random.default_rng(0).integers(0, 8 * len(good), 200):
        changed = bytearray(good)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        try:
            assert read(path) == content
        except FormatError as error:
            reasons.append(str(error))
    assert all(str(path) in one and one.endswith("delete it") for one in reasons)
    assert len(reasons) > 100  # others are times and versions in the headers of zip


def test_pipes_folders_and_links_to_devices_are_refused_without_waiting(path: Path) -> None:
    for make in (os.mkfifo, Path.mkdir, lambda name: name.symlink_to("/dev/zero")):
        make(path)
        with pytest.raises(FormatError, match="expected a regular file"):
            read(path)
        path.rmdir() if path.is_dir() else path.unlink()


def test_a_pipe_that_replaces_the_file_after_it_was_looked_at_is_refused(path: Path, monkeypatch) -> None:
    """Opening it for reading would wait for a process that writes."""
    os.mkfifo(path)
    monkeypatch.setattr("nsnn_neuro.core.file_limits.check_regular", lambda path: None)
    with pytest.raises(FormatError, match="expected a regular file"):
        read(path)


def test_what_expands_or_is_larger_than_expected_is_refused_before_memory_is_taken(
    tmp_path: Path, monkeypatch
) -> None:
    path = tmp_path / "a.npz"
    monkeypatch.setattr(np, "frombuffer", None)  # makes the arrays
    np.savez_compressed(path, x=np.zeros(2**22))
    with pytest.raises(FormatError, match="compressed"):
        read(path)
    write_npz(path, {"x": np.zeros(2**17)}, PLAIN, "out")
    with pytest.raises(FormatError, match=r"about 1\.0 MiB.*too much"):
        read(path)
    monkeypatch.setattr("nsnn_neuro.core.results.free_memory", lambda: 10**5)
    path = tmp_path / "a.json"
    with path.open("wb") as file:  # 1 TiB of zeros that take no space
        file.truncate(2**40)
    with pytest.raises(FormatError, match=r"about 1048576\.0 MiB"):
        read(path)


def test_content_without_its_checksum_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, x=np.arange(3), about=np.array('{"made_of": "a"}'))
    with pytest.raises(FormatError, match="sha256"):
        read(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", pickle.dumps(ARRAYS))
    with pytest.raises(FormatError):
        read(path)
    write_plain(tmp_path / "a.json", "another kind", "content", PLAIN)
    with pytest.raises(FormatError, match="wrong format"):
        read(tmp_path / "a.json")


def test_a_file_that_cannot_be_written_leaves_the_old_one(path: Path, monkeypatch) -> None:
    write(path)
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(NsnnError, match=r"out = .*can't be written \(No space left on device\)"):
        write(path)
    assert [(one.name, one.read_bytes()) for one in path.parent.iterdir()] == [(path.name, before)]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for out in (tmp_path / "file", tmp_path / "file" / "folder", 3):
        with pytest.raises(NsnnError, match=r"^out = .*(expected the name of a|not writable)"):
            folder_of(out)
