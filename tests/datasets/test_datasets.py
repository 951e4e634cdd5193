"""The grasshopper recordings against their original text (checksums) and numbers found elsewhere; the split of the digits."""

from __future__ import annotations

import hashlib
import re
import shutil
import zipfile
from functools import lru_cache
from pathlib import Path

import neo
import numpy as np
import pytest
import quantities as pq
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier

from nsnn_neuro import FormatError, NsnnError, datasets
from nsnn_neuro.measures import coherence_information

FOLDER = Path(__file__).resolve().parents[2] / "data" / "grasshopper"
SUMS = {
    name: sha
    for sha, name in re.findall(r"^([0-9a-f]{64})  (\S+)$", (FOLDER / "README.md").read_text(), re.M)
}
# Computed outside this project: spikes, rate (Hz), CV, cut-off (Hz), lower bound from the coherence (bit/s)
REFERENCE = {1: (929, 92.9, 0.533, 200.0, 118.3), 2: (868, 86.8, 0.450, 800.0, 77.7)}


def arrays(block: neo.Block) -> tuple[np.ndarray, np.ndarray]:
    """Spike times (s) and the envelope of a Block."""
    ids, times = block.segments[0].spiketrains.multiplexed
    assert not np.any(ids)
    return times.rescale("s").magnitude, block.segments[0].analogsignals[0].magnitude[:, 0]


@lru_cache
def texts(which: int) -> tuple[str, str]:
    """The text files of nitime, written back from what is packed: spike times and stimulus."""
    spikes, envelope = arrays(datasets.grasshopper(which))
    with np.load(FOLDER / f"grasshopper{which}.npz", allow_pickle=False) as packed:
        header = str(packed["header"])
    us = [str(t) for t in np.rint(spikes * 1e6).astype(int)]
    stimulus = "".join(f"{50 * k}  {value:.6g}\n" for k, value in enumerate(envelope))
    return "\n".join([header, *us]) + "\n" * (2 + which), stimulus


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A folder with the text files of recording 1."""
    spikes, stimulus = texts(1)
    (tmp_path / "grasshopper_spike_times1.txt").write_text(spikes)
    (tmp_path / "grasshopper_stimulus1.txt").write_text(stimulus)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("which", [1, 2])
def test_packing_loses_nothing_of_the_original_text(which: int) -> None:
    spikes, stimulus = texts(which)
    assert hashlib.sha256(spikes.encode()).hexdigest() == SUMS[f"grasshopper_spike_times{which}.txt"]
    assert hashlib.sha256(stimulus.encode()).hexdigest() == SUMS[f"grasshopper_stimulus{which}.txt"]


@pytest.mark.parametrize("which", [1, 2])
def test_layout_provenance_and_reference_statistics(which: int) -> None:
    n, rate, cv, cutoff, bits = REFERENCE[which]
    block = datasets.grasshopper(which)
    (segment,) = block.segments
    (stimulus,) = segment.analogsignals
    assert len(segment.spiketrains) == 1
    assert (float(segment.spiketrains.t_start), float(segment.spiketrains.t_stop.rescale("s"))) == (0.0, 10.0)
    assert (stimulus.name, stimulus.shape) == ("stimulus", (200_000, 1))
    assert stimulus.dimensionality == pq.dimensionless.dimensionality
    assert float(stimulus.sampling_rate.rescale("Hz")) == 20_000.0
    about = {"licence": "BSD-3-Clause", "which": which, "carrier_hz": 2500.0, "cutoff_hz": cutoff}
    about["intensity_db"] = {1: 76.4286, 2: 71.2}[which]
    assert {key: block.annotations[key] for key in about} == about
    assert "nitime" in block.annotations["source"]
    spikes, envelope = arrays(block)
    intervals = np.diff(spikes)
    assert (len(spikes), round(len(spikes) / 10.0, 1)) == (n, rate)
    assert round(float(intervals.std() / intervals.mean()), 3) == cv
    # Gaussian level of 6 dB, clipped at amplitude 1: within the header's rounding
    assert round(float(np.std(20 * np.log10(envelope)))) == block.annotations["sd_db"] == 6
    estimate = coherence_information(
        datasets.envelope_db(block), block, f_max=cutoff * pq.Hz, nperseg=512, noverlap=256, n_shuffle=0
    )
    assert round(float(estimate), 1) == bits


def test_text_files_and_packed_files_give_the_same_block(copy: Path) -> None:
    text, packed = datasets.grasshopper(1, path=copy), datasets.grasshopper(1, path=str(FOLDER))
    for a, b in zip(arrays(text), arrays(packed), strict=True):
        assert np.array_equal(a, b)
    assert text.annotations == packed.annotations


def test_checksums_in_the_readme_are_those_of_the_files() -> None:
    for which in (1, 2):
        name = f"grasshopper{which}.npz"
        assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == SUMS[name]


def test_packaged_copy_with_another_checksum_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "grasshopper").mkdir()
    shutil.copy(FOLDER / "grasshopper2.npz", tmp_path / "grasshopper" / "grasshopper1.npz")
    monkeypatch.setattr(datasets.recordings, "shipped", lambda name: tmp_path)
    with pytest.raises(FormatError, match="checksum"):
        datasets.grasshopper(1)


def test_an_installation_without_the_recordings_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nsnn_neuro.core.shipped._PACKAGE", tmp_path / "nsnn_neuro")
    with pytest.raises(NsnnError, match=r"lacks the folder .*data: install nsnn_neuro again"):
        datasets.grasshopper(1)


def test_truncated_and_foreign_packed_files(tmp_path: Path) -> None:
    path = tmp_path / "grasshopper1.npz"
    for size in (0, 100, 70_000):
        path.write_bytes((FOLDER / "grasshopper1.npz").read_bytes()[:size])
        with pytest.raises(FormatError, match="truncated"):
            datasets.grasshopper(1, path=tmp_path)
    for content in (
        {"spike_us": np.arange(3)},
        {"header": "", "spike_us": np.arange(3), "order": 1, "planes": np.zeros((3, 9), np.uint8)},
        {"header": "", "spike_us": np.arange(3), "order": 10**9, "planes": np.zeros((4, 9), np.uint8)},
        {"header": "", "spike_us": np.array([None]), "order": 1, "planes": np.zeros((4, 9), np.uint8)},
    ):
        np.savez(path, **content)  # type: ignore[arg-type]
        with pytest.raises(FormatError, match="not a packed grasshopper recording"):
            datasets.grasshopper(1, path=tmp_path)


def test_a_packed_file_that_claims_much_memory_is_refused(tmp_path: Path) -> None:
    """By the header of its first array, 8 TiB and 1 GiB; each file is smaller than 2 KiB."""
    for shape in ((2**40,), (4, 2**28)):
        head = np.lib.format.header_data_from_array_1_0(np.zeros((4, 1), np.uint8)) | {"shape": shape}
        with (
            zipfile.ZipFile(tmp_path / "grasshopper1.npz", "w", zipfile.ZIP_DEFLATED) as archive,
            archive.open("header.npy", "w") as member,
        ):
            np.lib.format.write_array_header_1_0(member, head)
            member.write(bytes(10**6))
        with pytest.raises(
            FormatError, match=r"header of shape .* are left for this file: expected a recording"
        ):
            datasets.grasshopper(1, path=tmp_path)


MALFORMED: list[tuple[str, str, str, str]] = [  # file, text, what takes its place, words of the message
    ("spike_times", "\n13900\n", "\n9800\n", r"spike 3 \(9800 us\) isn't later"),
    ("spike_times", "\n13900\n", "\n9900\n", r"spike 3 \(9900 us\) isn't later"),
    ("spike_times", "\n13900\n", "\n13900 7\n", "not a table of numbers"),
    ("spike_times", "\n13900\n", "\n13900.5\n", "whole microseconds"),
    ("spike_times", "\n9999300\n", "\n10000000\n", "stimulus from 0 to 10000000 us"),
    ("spike_times", "# cut-off frequency", "# frequency", "lacks a number.*cut-off"),
    ("stimulus", "\n150  ", "\n", "not a table of numbers"),
    ("stimulus", "\n150  ", "\n100  ", "row 4 has the time 100 us where 150 us was expected"),
    ("stimulus", "\n150  0", "\n150  -0", "aren't positive"),
    ("stimulus", "\n150  0", "\n150  nan #", "finite"),
]


def test_malformed_text(copy: Path) -> None:
    for name, old, new, message in MALFORMED:
        path = copy / f"grasshopper_{name}1.txt"
        before = path.read_text()
        assert before.count(old) == 1
        path.write_text(before.replace(old, new))
        with pytest.raises(FormatError, match=message):
            datasets.grasshopper(1, path=copy)
        path.write_text(before)
    for changed, message in (
        (before[: len(before) // 2].rsplit("\n", 1)[0], "stimulus from 0 to"),
        ("\n".join(line.split()[1] for line in before.splitlines()), r"2 column\(s\)"),
    ):
        path.write_text(changed)
        with pytest.raises(FormatError, match=message):
            datasets.grasshopper(1, path=copy)


def block_with(amplitude: np.ndarray, name: str = "stimulus") -> neo.Block:
    block = neo.Block()
    block.segments.append(neo.Segment())
    block.segments[0].analogsignals.append(
        neo.AnalogSignal(
            amplitude, units="dimensionless", sampling_period=5 * pq.ms, t_start=2 * pq.s, name=name
        )
    )
    return block


def test_envelope_db_is_the_mean_of_levels() -> None:
    # 0, 20, -20, 40, 6.0206 dB; the level of mean amplitudes would be 14.8 and 34.0 dB
    level = datasets.envelope_db(block_with(np.array([1.0, 10.0, 0.1, 100.0, 2.0])), samples=2)
    assert level.magnitude[:, 0].tolist() == pytest.approx([10.0, 10.0], rel=1e-12)
    assert float(level.sampling_rate.rescale("Hz")) == pytest.approx(100.0, rel=1e-12)
    assert float(level.t_start.rescale("s")) == 2.0
    every = datasets.envelope_db(block_with(np.array([1.0, 10.0, 2.0])), samples=1)
    assert every.magnitude[:, 0].tolist() == pytest.approx([0.0, 20.0, 6.020599913], rel=1e-9)


NO_STIMULUS = "no AnalogSignal named 'stimulus'"


def test_wrong_arguments_are_refused() -> None:
    ones = np.ones(3)
    for call, message in (
        (lambda: datasets.envelope_db(block_with(ones), samples=0), "samples = "),
        (lambda: datasets.envelope_db(block_with(ones), samples=4), "samples = "),
        (lambda: datasets.envelope_db(block_with(np.array([1.0, 0.0])), samples=1), "amplitude 0"),
        (lambda: datasets.envelope_db(block_with(ones, name="v")), NO_STIMULUS),
        (lambda: datasets.envelope_db(neo.Block()), NO_STIMULUS),
        (lambda: datasets.grasshopper(0), "which = .*expected one of 1, 2"),
        (lambda: datasets.grasshopper("1"), "which = .*expected one of 1, 2"),  # type: ignore[arg-type]
        (lambda: datasets.digits("Train"), "split = .*expected one of 'train', 'val', 'test'"),  # type: ignore[arg-type]
        (lambda: datasets.digits(seed=-1), "seed = .*whole number"),
    ):
        with pytest.raises(NsnnError, match=message):
            call()


# Images of each digit 0 to 9 in the test set, as its authors' description (optdigits.names) gives them
IMAGES = [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
PARTS = ("train", "val", "test")


def rows(X: np.ndarray, y: np.ndarray) -> list[tuple[float, ...]]:
    """Each image as 64 grey values of 0 to 16 and its digit; no image is there twice."""
    return [(*row, digit) for row, digit in zip((16 * X).tolist(), y.tolist(), strict=True)]


def test_parts_of_the_digits_are_disjoint_and_complete() -> None:
    parts = {part: set(rows(*datasets.digits(part, seed=7))) for part in PARTS}  # type: ignore[arg-type]
    assert [len(parts[part]) for part in PARTS] == [1078, 360, 359]
    everything = load_digits()
    assert set().union(*parts.values()) == set(rows(everything.data / 16, everything.target))
    assert sum(len(part) for part in parts.values()) == len(everything.target) == sum(IMAGES)


def test_the_digits_are_stratified() -> None:
    for part, share in (("train", 0.6), ("val", 0.2), ("test", 0.2)):
        X, y = datasets.digits(part)  # type: ignore[arg-type]
        assert X.dtype == float
        assert y.dtype.kind == "i"
        assert (X.min(), X.max()) == (0.0, 1.0)
        assert np.abs(np.bincount(y, minlength=10) - share * np.array(IMAGES)).max() < 1


def test_the_seed_decides_the_split_and_no_other_state_does() -> None:
    first, again, other = datasets.digits(seed=3), datasets.digits("train", seed=3), datasets.digits(seed=4)
    assert np.array_equal(first[0], again[0])
    assert np.array_equal(first[1], again[1])
    shared = len(set(rows(*first)) & set(rows(*other)))
    assert abs(shared - 0.6 * 1078) < 4 * np.sqrt(1797 * 0.6 * 0.4 * 0.4 * 0.6)  # two independent splits
    first[0][:] = 0
    assert datasets.digits(seed=3)[0].max() == 1


def test_images_and_digits_belong_together() -> None:
    """The nearest neighbour is of a test image's digit about as often as the authors found: 98 % (optdigits.names, k = 1)."""
    right = [
        KNeighborsClassifier(1).fit(*datasets.digits(seed=k)).score(*datasets.digits("test", seed=k))
        for k in range(2)
    ]
    assert right[0] == 1  # as the docstring says
    assert 0.97 < right[1] < 0.995
