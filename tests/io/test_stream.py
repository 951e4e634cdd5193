"""`load` of an address: which bytes a server is asked for, and answers that are broken, too long, late or none."""
# Sets the limits of time: waiting for half a minute is no test.

import contextlib
import gc
import re
import threading
import time
import warnings
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import h5py
import numpy as np
import pytest
from helpers import bombs
from helpers.roundtrip import assert_same, rich_block

from nsnn_neuro import FormatError, NsnnError, load, save
from nsnn_neuro.io import stream

N, EACH = 40, 20_000


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """A file of 6 MiB: 40 units of 20,000 spikes each."""
    path = tmp_path_factory.mktemp("stream") / "a.nwb"
    with h5py.File(path, "w") as file:
        times = np.sort(np.random.default_rng(0).uniform(0, 1000, (N, EACH)), axis=1)
        bombs.units(file, times[0, :1], n=N, ends=np.arange(1, N + 1) * EACH)
        del file["units/spike_times"]
        file["units/spike_times"] = times.ravel()
        file["units/quality"] = ["good" if k % 20 == 7 else "mua" for k in range(N)]
    return path


class Server(ThreadingHTTPServer):
    """Serves `content` as `answer` says, and counts the bytes of it that it sends.

    Its threads collect no garbage: they would wait for h5py, which waits for their answer.
    """

    daemon_threads = True

    def __init__(self, content, answer="parts"):
        self.content, self.answer, self.sent, self.requests = content, answer, 0, 0
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
        if self.path.startswith("/moved"):
            self.send_response(302)
            self.send_header("Location", server.address)
            return self.end_headers()
        if server.answer == "missing":
            return self.send_error(404)
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        body = server.content
        server.requests += asked is not None
        if asked and server.answer != "whole":
            first, last = int(asked[1]), min(int(asked[2]), size - 1)
            first += server.answer == "other"
            body = body[first : last + 1]
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        late = server.requests > 1
        if server.answer == "late" and late:
            time.sleep(1)
        if server.answer == "cut" and late:
            body = body[: len(body) // 2]
        server.sent += len(body)
        self.close_connection = True
        with contextlib.suppress(OSError):  # the reader has gone
            for _ in range(20 if server.answer == "slow" else 0):  # never silent for long
                self.wfile.write(b".")
                time.sleep(0.1)
            self.wfile.write(body)
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
        file["acquisition/lfp/data"] = values
        file["acquisition/pupil/data"] = file["acquisition/pupil/timestamps"] = values
    sent = {}
    for signals in (False, True):
        with warnings.catch_warnings(), Server(path.read_bytes()) as server:
            warnings.simplefilter("ignore")
            block = load(server.address, units=range(10), signals=signals)
        sent[signals] = server.sent
        assert [len(one) for one in block.segments[0].spiketrains] == [EACH] * 10
    assert 10 * EACH * 8 <= sent[False] <= 5 * 2**20 < 12e6 <= sent[True]


def test_files_of_save_redirections_and_questions(tmp_path):
    path = save(rich_block(), tmp_path / "a.nwb")
    with Server(path.read_bytes()) as server:
        block = load(server.address.replace("a.nwb", "moved?token=secret"), check="full")
        assert_same(block, load(path))
        assert "secret" not in block.file_origin


@pytest.mark.parametrize("answer", ["missing", "whole", "other", "slow", "cut", "late"])
def test_what_a_server_does_wrong_is_told_with_the_address(recording, monkeypatch, answer):
    monkeypatch.setattr(stream, "_SILENCE", 0.3)
    monkeypatch.setattr(stream, "_LONGEST", 0.5 if answer == "slow" else 10.0)
    with (
        Server(recording.read_bytes(), answer) as server,
        pytest.raises(NsnnError, match=re.escape(server.address)),
    ):
        load(server.address)
    with pytest.raises(NsnnError, match=re.escape(server.address)):
        load(server.address)  # nobody listens


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


@pytest.mark.parametrize("path", ["s3://bucket/a.nwb", "ftp://127.0.0.1/a.nwb", "file:///etc/passwd"])
def test_other_kinds_of_addresses_are_refused(path):
    with warnings.catch_warnings(), pytest.raises(NsnnError, match="https"):
        load(path)
