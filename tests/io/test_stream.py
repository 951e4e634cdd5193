"""`load` of an address: which bytes a server is asked for, and answers that are broken, too long, late or none."""
# Sets the limits of time: waiting for half a minute is no test.

import contextlib
import gc
import re
import tempfile
import threading
import time
import warnings
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import h5py
import numpy as np
import pytest
from brian2 import second
from helpers import bombs
from helpers.roundtrip import assert_same, rich_block

from nsnn_neuro import FormatError, NsnnError, load, save, tabulate
from nsnn_neuro.io import stream
from nsnn_neuro.measures import firing_rate

N, EACH = 40, 20_000


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """A file of 6 MiB: 40 units of 20,000 spikes each, in one chunk without a filter."""
    path = tmp_path_factory.mktemp("stream") / "a.nwb"
    with h5py.File(path, "w") as file:
        times = np.sort(np.random.default_rng(0).uniform(0, 1000, (N, EACH)), axis=1)
        bombs.units(file, times[0, :1], n=N, ends=np.arange(1, N + 1) * EACH)
        del file["units/spike_times"]
        file.create_dataset("units/spike_times", data=times.ravel(), chunks=(N * EACH,))
        file["units/quality"] = ["good" if k % 20 == 7 else "mua" for k in range(N)]
    return path


class Server(ThreadingHTTPServer):
    """Serves `content` as `answer` says, and counts the bytes of it that it sends.

    Its threads collect no garbage: they would wait for h5py, which waits for their answer.
    """

    daemon_threads = True

    def __init__(self, content, answer="parts", most=2**40):
        self.content, self.answer, self.sent, self.requests, self.most = content, answer, 0, 0, most
        super().__init__(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server_port}/a.nwb"

    def __enter__(self):
        gc.disable()
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()
        gc.enable()


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        server, size = self.server, len(self.server.content)
        server.query = self.path.partition("?")[2]
        if self.path.startswith("/moved"):
            self.send_response(302)
            self.send_header("Location", server.address)
            self.end_headers()
            with contextlib.suppress(OSError):  # no length is stated, and the reader goes elsewhere
                for _ in range(500):
                    self.wfile.write(bytes(2**16))
                    server.sent += 2**16
            return None
        if server.answer == "missing":
            return self.send_error(404)
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        body = server.content
        server.requests += asked is not None
        if asked and server.answer not in ("whole", "page"):
            first, last = int(asked[1]), min(int(asked[2]), size - 1)
            first += server.answer == "other"
            body = body[first : last + 1]
            if server.answer == "fewer":
                body = body[: server.most - server.sent]
            self.send_response(206)
            for _ in range(20 if server.answer == "slow header" else 0):
                self.flush_headers()
                self.send_header("X-More", "1")
                time.sleep(0.1)
            size += server.answer == "changed" and server.requests > 1
            self.send_header("Content-Range", f"bytes {first}-{first + len(body) - 1}/{size}")
        else:
            body = b"<html>Log in</html>" if server.answer == "page" else body
            self.send_response(200)
            self.send_header("Content-Type", "text/html" if server.answer == "page" else "application/x-hdf5")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        late = server.requests > 1
        if server.answer == "late" and late:
            time.sleep(1)
        if server.answer == "cut" and late:
            body = body[: len(body) // 2]
        part = body[: server.most - server.sent]
        server.sent += len(part)
        self.close_connection = True
        with contextlib.suppress(OSError):  # the reader has gone
            for _ in range(20 if server.answer == "slow" else 0):  # never silent for long
                self.wfile.write(b".")
                time.sleep(0.1)
            self.wfile.write(part)
            if server.answer == "stalls" and len(part) < len(body):
                time.sleep(0.5)
        return None


def test_few_units_take_few_bytes(recording):
    content = recording.read_bytes()
    for options, most in [({"units": [3]}, 2), ({"units": "quality == 'good'"}, 4), ({}, 7)]:
        with Server(content) as server:
            block = load(server.address, **options)
            assert_same(block, load(recording, **options))
            assert block.file_origin == server.address
            assert EACH * 8 <= server.sent <= most * 2**20
    assert len(content) > 6e6


def test_a_field_potential_is_not_streamed_unless_asked_for(recording, tmp_path):
    path = tmp_path / "a.nwb"
    path.write_bytes(recording.read_bytes())
    with h5py.File(path, "r+") as file:
        values = np.zeros(500_000)
        bombs.series(file, "lfp", [0.0])
        del file["acquisition/lfp/data"]
        file.create_dataset("acquisition/lfp/data", data=values, chunks=values.shape)
        file["acquisition/pupil/data"] = file["acquisition/pupil/timestamps"] = values
    sent = {}
    for signals in (False, True):
        with warnings.catch_warnings(), Server(path.read_bytes()) as server:
            warnings.simplefilter("ignore")
            block = load(server.address, units=range(10), signals=signals)
        sent[signals] = server.sent
        assert [len(one) for one in block.segments[0].spiketrains] == [EACH] * 10
    assert 10 * EACH * 8 <= sent[False] <= 5 * 2**20 < 12e6 <= sent[True]
    with Server(path.read_bytes()) as server:
        load(server.address, units=[0], signals="lfp", t_start=100 * second, t_stop=101 * second)
    assert server.sent <= 4 * 2**20


def test_files_of_save_redirections_and_questions(tmp_path):
    path = save(rich_block(), tmp_path / "a.nwb")
    with Server(path.read_bytes()) as server:
        block = load(server.address.replace("a.nwb", "moved?token=secret"), check="full")
        assert server.sent < 2**24 + path.stat().st_size  # what sockets buffer of the 31 MiB of a redirection
        assert_same(block, load(path))
        assert "secret" not in block.file_origin


@pytest.mark.parametrize(
    "answer", ["missing", "whole", "page", "other", "slow", "slow header", "cut", "late"]
)
def test_what_a_server_does_wrong_is_told_with_the_address(recording, monkeypatch, answer):
    monkeypatch.setattr(stream, "_SILENCE", 0.3)
    monkeypatch.setattr(stream, "_LONGEST", 0.5 if answer.startswith("slow") else 10.0)
    with (
        Server(recording.read_bytes(), answer) as server,
        pytest.raises(NsnnError, match=re.escape(server.address)) as caught,
    ):
        load(server.address)
    assert ("download" in str(caught.value)) == (answer in ("whole", "other"))
    with pytest.raises(NsnnError, match=re.escape(server.address)):
        load(server.address)  # nobody listens


@pytest.mark.parametrize("answer", ["ends", "fewer", "stalls"])
def test_a_file_that_is_cut_off_anywhere_is_an_error_and_leaves_nothing(
    recording, monkeypatch, tmp_path, answer
):
    """At so many bytes of all answers: within the first block, at its border, among the spikes, before the last byte."""
    monkeypatch.setattr(stream, "_SILENCE", 0.05 if answer == "stalls" else 10.0)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    content = recording.read_bytes()
    for most in (0, 1, 5000, 2**20 - 1, 2**20, 2**20 + 1, 5 * 2**20, len(content) - 1):
        for read in (load, partial(tabulate, measures=firing_rate)):
            with Server(content, answer, most) as server, pytest.raises(FormatError) as caught:
                read(server.address)
            assert server.address in str(caught.value)
            assert server.sent >= most
    monkeypatch.setattr(stream, "_SILENCE", 10.0)
    with Server(content, answer, len(content) + 1) as server:
        assert len(load(server.address).segments[0].spiketrains) == N
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_changes_while_it_is_read_is_an_error(recording):
    for answer in ("parts", "changed"):
        expected = pytest.raises(FormatError) if answer == "changed" else contextlib.nullcontext()
        with Server(recording.read_bytes(), answer) as server, expected:
            load(server.address, units=[20])
            assert server.requests > 1


def lost_on_the_way(address, undo):
    with stream.opened(address) as raw:
        raw.seek(2**20)
        for _ in range(2):
            try:
                raw.read(8)
            except ValueError:
                undo()
        raise KeyError("what HDF5 makes of it")


def test_a_failure_that_a_reader_swallows_is_told(recording, monkeypatch):
    """References that lead nowhere are ordinary; a lost connection is not, and what comes later is not read."""
    with Server(recording.read_bytes(), "cut") as server, pytest.raises(NsnnError, match="bytes"):
        lost_on_the_way(server.address, lambda: setattr(server, "answer", "parts"))


def test_damaged_files_and_large_ones(recording):
    content = bytearray(recording.read_bytes())
    with Server(content[: len(content) // 2]) as server, pytest.raises(FormatError, match="127"):
        load(server.address)
    with Server(content) as server, pytest.raises(FormatError, match="MiB"):
        load(server.address, max_bytes=10**6)
    with Server(b"no HDF5 at all" * 100) as server, pytest.raises(FormatError, match="HDF5"):
        load(server.address)


def test_public_buckets_are_read_at_their_https_address(recording, monkeypatch):
    assert stream.S3.format(bucket="b", key="k") == "https://b.s3.amazonaws.com/k"
    with Server(recording.read_bytes()) as server:
        monkeypatch.setattr(stream, "S3", f"{server.address}?{{bucket}}&{{key}}")
        assert_same(load("s3://bucket/some folder/a.nwb", units=[3]), load(recording, units=[3]))
        assert server.query == "bucket&some%20folder/a.nwb"
        for path in ("s3://bucket", "s3://@host/a.nwb", "s3://Bucket#/a.nwb"):
            with pytest.raises(NsnnError, match="s3://BUCKET/KEY"):
                load(path)


@pytest.mark.parametrize("path", ["gs://bucket/a.nwb", "ftp://127.0.0.1/a.nwb", "file:///etc/passwd"])
def test_other_kinds_of_addresses_are_refused(path):
    with warnings.catch_warnings(), pytest.raises(NsnnError, match="https"):
        load(path)
