"""`load(path, signals=...)`, fields, and files without units, in the layout of the Allen Institute's Visual Coding, by pynwb."""

import warnings
from datetime import UTC, datetime

import neo
import numpy as np
import pytest
import quantities as pq
from helpers.roundtrip import quietly
from numpy.testing import assert_allclose
from pynwb import NWBHDF5IO, NWBFile, TimeSeries
from pynwb.ecephys import LFP, ElectricalSeries
from pynwb.epoch import TimeIntervals

from nsnn_neuro import FormatError, NsnnError, conditions, cut, load, measures, save, to_block

RNG = np.random.default_rng(3)
FRAMES = np.cumsum(RNG.uniform(0.015, 0.018, 3700))
FRAMES = FRAMES[FRAMES < 60]
SPEED = 20 + 10 * np.sin(2 * np.pi * FRAMES / 7)
ONSETS, ANGLES = np.arange(2.0, 58.0, 1.4), np.tile([0.0, 45, 90, 135], 10)
T = np.arange(0, 60, 0.002)
PHASE = 2 * np.pi * 6 * T + np.cumsum(RNG.normal(0, 0.1, T.size))


def nwb_file():
    nwb = NWBFile(
        session_description="a", identifier="a", session_start_time=datetime(2024, 1, 1, tzinfo=UTC)
    )
    group = nwb.create_electrode_group(
        "probeA", description="a", location="VISp", device=nwb.create_device("a")
    )
    for area in ("VISp", "CA1"):
        nwb.add_electrode(location=area, group=group)
    return nwb


def written(nwb, path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with NWBHDF5IO(str(path), "w") as io:
            io.write(nwb)
    return path


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    nwb = nwb_file()
    gratings = TimeIntervals(name="drifting_gratings_presentations", description="a")
    gratings.add_column("orientation", "degrees")
    for onset, angle in zip(ONSETS, ANGLES, strict=True):
        gratings.add_row(start_time=onset, stop_time=onset + 0.7, orientation=angle)
    flashes = TimeIntervals(name="flashes_presentations", description="a")
    flashes.add_row(start_time=58.5, stop_time=58.7)
    for one in (gratings, flashes):
        nwb.add_time_intervals(one)
    module = nwb.create_processing_module("running", "a")
    module.add(TimeSeries(name="running_speed", data=SPEED, unit="cm/s", timestamps=FRAMES))
    module.add(TimeSeries(name="wheel", data=np.arange(120.0), unit="V", rate=2.0))
    nwb.add_acquisition(TimeSeries(name="voltage", data=np.zeros(600), unit="V", rate=10.0))
    for name in ("quality", "firing_rate"):
        nwb.add_unit_column(name, "a")
    rates = (
        8 + 40 * np.any([(o + 0.05 <= T) & (o + 0.5 > T) & (a == 45) for o, a in zip(ONSETS, ANGLES, strict=True)], axis=0),
        0.5 * np.interp(T, FRAMES, SPEED), 10 * (1 + 0.8 * np.cos(PHASE)), np.full(T.size, 0.5), np.full(T.size, 9.0),
    )  # fmt: skip
    for k, (rate, quality) in enumerate(zip(rates, ["good"] * 4 + ["noise"], strict=True)):
        times = T[RNG.random(T.size) < 0.002 * rate]
        nwb.add_unit(
            id=900 + k, spike_times=times, quality=quality, firing_rate=times.size / 60, electrodes=[k % 2]
        )
    return written(nwb, tmp_path_factory.mktemp("allen") / "session.nwb")


def field(path, times=T):
    nwb = nwb_file()
    data = 1e-4 * np.stack([np.cos(PHASE), RNG.normal(size=T.size)], axis=1)
    region = nwb.create_electrode_table_region([0, 1], "a")
    series = ElectricalSeries(name="probe_0_lfp_data", data=data, electrodes=region, timestamps=times)
    nwb.add_acquisition(LFP(name="probe_0_lfp", electrical_series=series))
    return written(nwb, path)


@pytest.mark.slow
def test_units_stimuli_speed_and_a_field_of_a_second_file(session, tmp_path):
    """From two files to responses, tuning, a rate map of speed, and locking."""
    options = {"trials": False, "signals": "running_speed", "t_start": 0 * pq.s, "t_stop": 60 * pq.s}
    block = quietly(session, units="quality == 'good' and firing_rate > 1", **options)
    assert block.annotations["units"]["id"] == [900, 901, 902]
    assert block.annotations["units"]["location"] == ["VISp", "CA1", "VISp"]
    (segment,) = block.segments
    assert {one.name for one in segment.epochs} == {
        "drifting_gratings_presentations",
        "flashes_presentations",
    }
    trials = cut(
        block, "drifting_gratings_presentations", before=0.5 * pq.s, after=0.7 * pq.s, labels="orientation"
    )
    assert conditions(trials).tolist() == ANGLES.tolist()
    table = measures.responsive_units(trials, baseline=[-0.5, 0] * pq.s, response=[0, 0.5] * pq.s)
    assert table.id.tolist() == [900, 901, 902]
    assert table.responds.tolist() == [True, False, False]
    curve = measures.tuning_curve(conditions(trials), trials, window=[0, 0.5] * pq.s)
    assert curve.values[curve.mean[0].argmax()] == 45
    (speed,) = segment.irregularlysampledsignals
    assert len(segment.analogsignals) == 0
    assert_allclose(speed.magnitude[:, 0], SPEED)
    with pytest.raises(NsnnError, match=r"numpy\.interp"):
        measures.rate_map(speed, block, bins=4)
    even = np.interp(np.arange(0, 60, 1 / 30), speed.times.magnitude, speed.magnitude[:, 0])
    even = neo.AnalogSignal(even, units="cm/s", sampling_rate=30 * pq.Hz)
    rate = measures.rate_map(even, block, bins=[10, 20, 30]).rate
    assert 1.3 < rate[1, 1] / rate[1, 0] < 2.1
    probe = quietly(field(tmp_path / "lfp.nwb"))
    lfp = probe.segments[0].analogsignals[0]
    assert (lfp.shape, lfp.name) == ((30_000, 2), "probe_0_lfp_data")
    assert_allclose(float(lfp.sampling_rate), 500.0)
    locking = measures.phase_locking(
        lfp[:, [0]], block, band=[4, 8] * pq.Hz, n_surrogates=39, t_start=1 * pq.s, t_stop=59 * pq.s
    )
    assert locking.p[2] == 1 / 40
    assert abs(locking.direction[2]) < 0.3
    assert (locking.vector_strength < 0.2).tolist() == [True, True, False]


def test_signals_are_chosen_by_name(session):
    def names(signals, **options):
        (segment,) = quietly(session, trials=False, signals=signals, **options).segments
        return [one.name for one in (*segment.analogsignals, *segment.irregularlysampledsignals)]

    assert names(True) == ["voltage"]
    assert names(False) == names([]) == []
    assert names("voltage") == ["voltage"]
    assert names(["running/wheel", "running_speed"]) == ["wheel", "running_speed"]
    with pytest.warns(UserWarning, match=r"running/running_speed \(processed: see signals=\)"):
        load(session, trials=False)
    trials = quietly(session, trials="drifting_gratings_presentations", signals="wheel")
    assert trials.segments[0].analogsignals[0].magnitude[:, 0].tolist() == [4.0, 5.0]
    with pytest.raises(
        FormatError, match=r"'running_spee'.*'voltage', 'running_speed'.*did you mean 'running_speed'"
    ):
        load(session, signals="running_spee")
    with pytest.raises(NsnnError, match="signals = 3"):
        load(session, signals=3)


def test_a_file_without_units_has_signals_on_the_sessions_clock(tmp_path):
    uneven = T + np.where(np.arange(T.size) % 7 == 3, 0.0015, 0.0)
    uneven[-1] += 1
    path = field(tmp_path / "b.nwb", uneven)
    (segment,) = quietly(path).segments
    assert len(segment.analogsignals) == 0
    assert_allclose(segment.irregularlysampledsignals[0].times.magnitude, uneven)
    path = field(tmp_path / "a.nwb", T + 100)
    with pytest.warns(UserWarning, match="no units table"):
        block = load(path, t_start=110 * pq.s, t_stop=120 * pq.s)
    (lfp,) = block.segments[0].analogsignals
    assert (float(lfp.t_start), lfp.shape) == (110.0, (5000, 2))
    parts = cut(block, [112.0, 115.0] * pq.s, before=1 * pq.s, after=1 * pq.s)
    assert [one.analogsignals[0].shape for one in parts.segments] == [(1000, 2)] * 2
    assert quietly(save(block, tmp_path / "c.nwb")).segments[0].analogsignals[0].shape == (5000, 2)
    for name in ("units", "trials"):
        with pytest.raises(FormatError, match=f"{name} = 'x'"):
            load(path, **{name: "x"})
    with pytest.raises(NsnnError, match="no spike trains"):
        measures.firing_rate(block)
    ours = save(to_block([[[0.1]]], t_stop=1 * pq.s), tmp_path / "d.nwb")
    (tmp_path / "e.txt").write_text("0.1 0.2\n")
    for other, signals in ((ours, "lfp"), (tmp_path / "e.txt", "lfp"), (path, None), (path, [1])):
        with pytest.raises(NsnnError, match="signals = "):
            load(other, signals=signals)
