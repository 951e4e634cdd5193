"""N-MNIST's events: decoded bit by bit, binned by a loop, as a Block; folders, archives and files that may be anything."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import quantities as pq
from helpers import recordings

from nsnn_neuro import FormatError, NsnnError, datasets
from nsnn_neuro.measures import words


def raw_of(events: np.ndarray) -> bytes:
    """40 bits for each event: x, y, polarity, t."""
    return b"".join(
        (x << 32 | y << 24 | p << 23 | t).to_bytes(5, "big")
        for x, y, p, t in zip(*(events[name].tolist() for name in ("x", "y", "polarity", "t")), strict=True)
    )


def random_events(seed: int, n: int = 300, t_max: int = 315_000) -> np.ndarray:
    rng = np.random.default_rng(seed)
    events = np.empty(n, datasets.events._EVENT)
    events["x"], events["y"], events["polarity"] = (rng.integers(0, k, n) for k in (34, 34, 2))
    events["t"] = np.sort(rng.integers(0, t_max, n))
    return events


def write(file: Path, events: np.ndarray) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(raw_of(events))
    return file


def test_events_are_what_was_written(tmp_path: Path) -> None:
    events = random_events(1, t_max=2**23)
    events["t"][-1] = 2**23 - 1  # all bits
    found = datasets.nmnist_events(write(tmp_path / "1.bin", events))
    assert found.dtype == events.dtype
    np.testing.assert_array_equal(found, events)


GOOD = raw_of(random_events(1, 5))
BAD = [
    (b"", "0 bytes, empty or truncated: expected 5 for each event"),
    (GOOD[:-2], "23 bytes, empty or truncated"),
    (
        GOOD[:10] + bytes([34, 0, 0x84, 0xFF, 0xFF]),
        "event 2 has x = 34, y = 0, polarity = 1: expected 0 to 33",
    ),
    (bytes([0, 240, 0, 0, 0]) + GOOD, "event 0 has x = 0, y = 240"),
    (GOOD + bytes(5), "event 5 is at 0 us, earlier than the one before it"),
    (bytes(5 * 10**6 + 5), "more than 1,000,000 events"),
]


def test_bad_files_are_named(tmp_path: Path) -> None:
    for raw, message in BAD:
        (tmp_path / "bad.bin").write_bytes(raw)
        with pytest.raises(FormatError, match=f"bad.bin: .*{message}"):
            datasets.nmnist_events(tmp_path / "bad.bin")
    with pytest.raises(FormatError, match=r"absent\.bin: no such file: expected an N-MNIST recording"):
        datasets.nmnist_events(tmp_path / "absent.bin")


def collection(folder: Path, inside: str, n: int = 3, first: int = 0) -> Path:
    """n recordings of each digit; the first event's x and y tell the digit and the number."""
    for digit in range(10):
        for k in range(first, first + n):
            events = random_events(100 * digit + k, 20)
            events["x"][0], events["y"][0] = digit, k
            write(folder / inside / str(digit) / f"{k:05}.bin", events)
        (folder / inside / str(digit) / ".DS_Store").write_bytes(b"rubbish")
    return folder


def told(found: tuple[list[np.ndarray], np.ndarray]) -> list[tuple[int, int]]:
    """Digit and number of each recording, the digit checked against the label."""
    events, y = found
    assert [int(e["x"][0]) for e in events] == y.tolist()
    return [(int(e["x"][0]), int(e["y"][0])) for e in events]


def zipped(folder: Path) -> Path:
    archive = folder / "all.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(folder.rglob("*/*")):
            if path.is_file():
                file.write(path, path.relative_to(folder))
    return archive


@pytest.mark.parametrize("pack", [False, True])
def test_nmnist_reads_its_splits(tmp_path: Path, pack: bool) -> None:
    collection(tmp_path, "Train")
    collection(tmp_path, "Test", n=2, first=10)
    where = zipped(tmp_path) if pack else tmp_path
    everything = told(datasets.nmnist(where))
    assert sorted(everything) == [(digit, k) for digit in range(10) for k in range(3)]
    assert everything != sorted(everything)
    assert sorted(told(datasets.nmnist(where, "test"))) == [(d, k) for d in range(10) for k in (10, 11)]
    (plain := tmp_path / "plain").mkdir()
    collection(plain, "", n=1)
    where = zipped(plain) if pack else plain
    assert len(told(datasets.nmnist(where, None))) == 10
    with pytest.raises(FormatError, match=r"expected folders Train/0 to Train/9.*split=None is for"):
        datasets.nmnist(where)


def test_some_of_each_digit_are_drawn_from_the_seed(tmp_path: Path) -> None:
    collection(tmp_path, "Train", n=6)
    one, same, other = (told(datasets.nmnist(tmp_path, per_digit=2, seed=s)) for s in (1, 1, 2))
    assert one == same
    assert sorted(one) != sorted(other)
    assert [digit for digit, _ in sorted(one)] == [d for d in range(10) for _ in range(2)]
    for name, value, said in (
        ("per_digit", 7, "7: there are 6 recordings of the digit 0"),
        *(("per_digit", 0, "0"), ("seed", -1, "-1"), ("split", "val", "'val'")),
    ):
        with pytest.raises(NsnnError, match=f"{name} = {said}"):
            datasets.nmnist(tmp_path, **{name: value})  # type: ignore[arg-type]


def test_bad_collections_are_named(tmp_path: Path) -> None:
    with pytest.raises(
        FormatError, match=r"absent: no recordings of the digit 0, 1, .*, 9: expected folders Train/0"
    ):
        datasets.nmnist(tmp_path / "absent")
    collection(tmp_path, "Train", n=1)
    file = tmp_path / "Train" / "4" / "00000.bin"
    file.write_bytes(b"\0" * 7)
    with pytest.raises(FormatError, match=r"4.00000\.bin: 7 bytes"):
        datasets.nmnist(tmp_path)
    archive = zipped(tmp_path)
    with pytest.raises(FormatError, match=r"4/00000\.bin: 7 bytes"):
        datasets.nmnist(archive)
    file.unlink()
    with pytest.raises(FormatError, match="no recordings of the digit 4: expected"):
        datasets.nmnist(tmp_path)


def test_a_damaged_archive_is_named(tmp_path: Path) -> None:
    archive = zipped(collection(tmp_path, "Train", n=1))
    with zipfile.ZipFile(archive) as file:
        info = file.getinfo("Train/4/00000.bin")
    raw = bytearray(archive.read_bytes())
    raw[info.header_offset + 30 + len(info.filename) + 20] ^= 255  # within its data
    archive.write_bytes(raw)
    with pytest.raises(FormatError, match=r"Train/4/00000\.bin: can't be read"):
        datasets.nmnist(archive)
    archive.write_bytes(raw[: len(raw) // 2])
    with pytest.raises(FormatError, match=r"folder = .*all\.zip: can't be read"):
        datasets.nmnist(archive)


@pytest.mark.parametrize("n_steps", [1, 7])
def test_bins_against_a_loop(n_steps: int) -> None:
    """Some of the 400 events come after the 200 ms."""
    events = random_events(2, 400)
    spikes = datasets.bin_events(events, n_steps=n_steps, duration=200 * pq.ms)
    expected = np.zeros((n_steps, 2, 34, 34), np.uint8)
    for x, y, p, t in events.tolist():
        for k in range(n_steps):
            if k * 200_000 <= t * n_steps < (k + 1) * 200_000:
                expected[k, p, y, x] = 1
    np.testing.assert_array_equal(spikes, expected.reshape(n_steps, -1))
    several = datasets.bin_events([events[:9], events], n_steps=n_steps, duration=200 * pq.ms)
    assert several.shape == (2, n_steps, 2312)
    np.testing.assert_array_equal(several[1], spikes)
    assert spikes.dtype == np.uint8
    assert 0 < spikes.sum() < 400


def test_borders_belong_to_the_later_step() -> None:
    events = random_events(3, 6)
    events["x"], events["y"], events["polarity"] = np.arange(6), 0, 0
    events["t"] = [0, 62_999, 63_000, 125_999, 314_999, 315_000]
    steps = datasets.bin_events(events, n_steps=5)
    assert np.argwhere(steps.T).tolist() == [[0, 0], [1, 0], [2, 1], [3, 1], [4, 4]]


def test_the_block_has_the_events_and_its_words_are_the_bins() -> None:
    many = [random_events(k, 300) for k in (4, 5)]
    block = datasets.events_block(many, labels=np.array([3, 8]), duration=250 * pq.ms)
    assert [s.annotations["label"] for s in block.segments] == [3, 8]
    for one, segment in zip(many, block.segments, strict=True):
        assert len(segment.spiketrains) == 2312
        unit, times = segment.spiketrains.multiplexed
        inside = one[one["t"] < 250_000]
        expected = sorted(zip((1156 * inside["polarity"].astype(int) + 34 * inside["y"].astype(int) + inside["x"]).tolist(),
                              inside["t"].tolist(), strict=True))  # fmt: skip
        assert (
            list(zip(unit.tolist(), np.rint(times.magnitude * 1e6).astype(int).tolist(), strict=True))
            == expected
        )
    found = words(block, bin_width=10 * pq.ms).transpose(0, 2, 1)
    np.testing.assert_array_equal(found, datasets.bin_events(many, n_steps=25, duration=250 * pq.ms))


EVENTS = random_events(6, 4)
LATE = EVENTS[::-1].copy()
OUTSIDE = EVENTS.copy()
OUTSIDE["y"] = 34
REFUSED = [
    (datasets.bin_events, (np.zeros((4, 4)),), {"n_steps": 5}, "events = ndarray: expected an array of events"),
    (datasets.bin_events, ([EVENTS, None],), {"n_steps": 5}, r"events\[1\] = NoneType"),
    (datasets.bin_events, (LATE,), {"n_steps": 5}, "earlier than the one before it"),
    (datasets.bin_events, ([OUTSIDE],), {"n_steps": 5}, r"events\[0\]: event 0 has x"),
    (datasets.bin_events, (EVENTS,), {"n_steps": 0}, "n_steps = 0"),
    (datasets.bin_events, (EVENTS,), {"n_steps": 5, "duration": 0 * pq.s}, r"duration = 0.0 s: expected one number of at least"),
    (datasets.events_block, (EVENTS,), {}, "expected a list of recordings"),
    (datasets.events_block, ([],), {}, "not empty"),
    (datasets.events_block, ([EVENTS],), {"labels": [1, 2]}, r"labels has shape \(2,\)"),
    (datasets.events_block, ([LATE],), {}, r"events\[0\]: event 1 is at"),
]  # fmt: skip


def test_what_is_no_recording_is_refused() -> None:
    for function, args, options, message in REFUSED:
        with pytest.raises(NsnnError, match=message):
            function(*args, **options)


def test_real_recordings(tmp_path: Path) -> None:
    """Numbers of SOURCE.txt."""
    folder = recordings.folder("nmnist_160")
    events, y = datasets.nmnist(folder / "nmnist_160.zip", None)
    assert np.bincount(y).tolist() == [16] * 10
    with zipfile.ZipFile(folder / "nmnist_160.zip") as archive:
        known = {
            Path(name).stem: datasets.nmnist_events(archive.extract(name, tmp_path))
            for name in archive.namelist()
        }
    first = known["1"]
    assert (len(first), first["t"][0], first["t"][-1]) == (4681, 893, 305_924)
    assert round(float(first["polarity"].mean()), 3) == 0.497
    assert sorted(map(len, events)) == sorted(map(len, known.values()))
    assert max(e["t"][-1] for e in events) < 315_000
