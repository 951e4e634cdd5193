"""Intracellular recordings in NWB files: sweeps with their voltages and currents."""

from datetime import UTC, datetime

import neo
import numpy as np
import pytest
import quantities as pq
from brian2 import second

import nsnn_neuro as nsnn
from nsnn_neuro import FormatError

RATE = 5000.0
STARTS = [2.0, 12.5]


def cell(n_samples, seed):
    """Current (A) and voltage (V)."""
    rng = np.random.default_rng(seed)
    return 1e-10 * rng.normal(size=n_samples), 0.01 * rng.normal(size=n_samples)


def session(path, *, numbered=True, spikes=False, extra=()):
    """A file as a patch-clamp rig writes it."""
    import pynwb
    from pynwb.icephys import CurrentClampSeries, CurrentClampStimulusSeries

    file = pynwb.NWBFile(
        session_description="x", identifier="x", session_start_time=datetime(2024, 1, 1, tzinfo=UTC)
    )
    device = file.create_device("amplifier")
    electrode = file.create_icephys_electrode(name="patch", device=device, description="whole cell")
    for k, start in enumerate(STARTS):
        current, v = cell(500, k)
        common = {"electrode": electrode, "rate": RATE, "starting_time": start}
        number = {"sweep_number": np.uint64(k)} if numbered else {}
        response = CurrentClampSeries(
            name=f"response_{k}",
            data=(v * 1e3).astype("f4"),
            conversion=1e-3,
            bridge_balance=12e6,
            **common,
            **number,
        )
        stimulus = CurrentClampStimulusSeries(
            name=f"command_{k}", data=current * 1e12, conversion=1e-12, gain=1.0, **common, **number
        )
        file.add_acquisition(response)
        file.add_stimulus(stimulus)
    for one in extra:
        file.add_acquisition(one)
    if spikes:
        file.add_unit(spike_times=[2.5, 3.0])
    with pynwb.NWBHDF5IO(path, "w") as io:
        io.write(file)
    return path


@pytest.mark.parametrize("numbered", [True, False])
def test_each_sweep_is_a_segment(tmp_path, numbered):
    block = nsnn.load(session(tmp_path / "one.nwb", numbered=numbered))
    assert [segment.annotations["start_time"] for segment in block.segments] == STARTS
    for k, segment in enumerate(block.segments):
        voltage, current = segment.analogsignals
        amps, v = cell(500, k)
        assert (voltage.name, current.name) == (f"response_{k}", f"command_{k}")
        assert voltage.t_start == current.t_start == 0 * pq.s
        assert float(voltage.sampling_rate.rescale("Hz")) == RATE
        np.testing.assert_allclose(voltage.rescale("V").magnitude[:, 0], v, atol=1e-8)
        np.testing.assert_allclose(current.rescale("A").magnitude[:, 0], amps, rtol=1e-12)
        assert voltage.annotations["bridge_balance"] == 12e6
        assert voltage.annotations["electrode"] == "patch"
    assert len(nsnn.load(tmp_path / "one.nwb", t_start=10 * second).segments) == 1
    with pytest.raises(FormatError, match="none of its 2 sweeps lies between them"):
        nsnn.load(tmp_path / "one.nwb", t_start=13 * second)


def test_other_series_and_tables(tmp_path):
    from pynwb import TimeSeries

    extra = [TimeSeries(name="temperature", data=np.zeros(5), unit="C", rate=1.0)]
    assert len(nsnn.load(session(tmp_path / "one.nwb", extra=extra)).segments) == 2
    with pytest.raises(FormatError, match=r"trials = 'epochs': a file of sweeps"):
        nsnn.load(tmp_path / "one.nwb", trials="epochs")
    # with spike times it is what it was: one uncut segment with all signals
    block = nsnn.load(session(tmp_path / "two.nwb", spikes=True), t_start=0 * second, t_stop=16 * second)
    assert isinstance(block.segments[0].spiketrains[0], neo.SpikeTrain)
    with pytest.raises(FormatError, match="units"):
        nsnn.load(tmp_path / "one.nwb", units=0)
