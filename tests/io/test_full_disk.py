"""A disk that is full at any write, a process killed in a save: the old file or the new one; a named error, nothing left behind."""
# Imports an internal: of a sweep's files one is written alone.

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import time

import numpy as np
import pytest
from helpers.roundtrip import assert_same, rich_block
from helpers.with_torch import needs_torch

from nsnn_neuro import NsnnError, load, save
from nsnn_neuro.learning import write_checkpoint
from nsnn_neuro.sweep.store import Folder


@contextlib.contextmanager
def room(size):
    """No file may be longer than `size` bytes, as on a disk that is full."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def write_some_checkpoint(path):
    about = {"config": "x", "epoch": 0, "history": []}
    write_checkpoint(path, {"w": np.zeros(10_000)}, about)


def write_module(path):
    import torch

    from nsnn_neuro import deep

    deep.save(torch.nn.utils.skip_init(torch.nn.Linear, 100, 100), path)  # without random numbers


def write_block(path):
    save(rich_block(), path)


def write_table(path):
    Folder(path.parent).write(path.name, "x" * 40_000)


WRITERS = [
    (write_some_checkpoint, "checkpoint = "),
    pytest.param(write_module, "path = ", marks=needs_torch),
    (write_block, "path = "),
    (write_table, "out = "),
]


@pytest.mark.slow
@pytest.mark.parametrize(("write", "name"), WRITERS)
def test_a_full_disk_leaves_the_old_file_and_no_other(tmp_path, write, name):
    path = tmp_path / "a.nwb"
    write(path)
    size = path.stat().st_size
    path.write_bytes(b"what was there")
    for share in (0.0, 0.01, 0.5, 0.99):
        with (
            room(int(share * size)),
            pytest.raises(NsnnError, match=f"^{name}.*can't be written \\(File too large"),
        ):
            write(path)
        assert os.listdir(tmp_path) == ["a.nwb"]
        assert path.read_bytes() == b"what was there"
    write(path)
    assert path.stat().st_size > 0.9 * size


def saving(path, started):
    """Save two Blocks in turn, for ever."""
    blocks = [rich_block(), rich_block(None)]
    started.send(True)
    while True:
        for block in blocks:
            save(block, path)


@pytest.mark.slow
def test_killed_in_a_save_the_file_is_one_of_the_two(tmp_path):
    """SIGKILL at random moments of endless saves; what is left besides is a hidden file that ends in .tmp."""
    path = save(rich_block(), tmp_path / "a.nwb")
    context = multiprocessing.get_context("fork")
    expected = {
        name: save(rich_block(dt), tmp_path / name) for name, dt in (("b.nwb", 1e-4), ("c.nwb", None))
    }
    expected = {name: load(one) for name, one in expected.items()}
    for wait in np.random.default_rng(0).uniform(0.0, 0.25, 8):
        ours, theirs = context.Pipe()
        child = context.Process(target=saving, args=(path, theirs))
        child.start()
        assert ours.recv()
        time.sleep(wait)
        os.kill(child.pid, signal.SIGKILL)
        child.join(60)
        assert child.exitcode == -signal.SIGKILL
        block = load(path, check="full")
        name = "b.nwb" if "dt" in block.annotations else "c.nwb"
        assert_same(expected[name], block)
        others = {
            name for name in os.listdir(tmp_path) if not (name.startswith(".") and name.endswith(".tmp"))
        }
        assert others == {"a.nwb", "b.nwb", "c.nwb"}
    assert any(name.endswith(".tmp") for name in os.listdir(tmp_path))  # some were killed in mid-save
