"""Times in single precision: no door converts them to seconds before they are widened."""

import neo
import numpy as np
import pytest
import quantities as pq
from helpers.roundtrip import bounds_of

from nsnn_neuro import AlphaSynapse, load, measures, save, to_block
from nsnn_neuro.measures import as_trains

SINGLE = np.array([0.1, 7_199_999.5, 7_200_000.0], dtype=np.float32)  # ms
EXACT = SINGLE.astype(float) / 1e3
DOORS = {
    "save and load": lambda block, folder: as_trains(load(save(block, folder / "a.nwb"))).times,
    "to_block, in units": lambda block, folder: as_trains(to_block([[pq.Quantity(SINGLE, "ms")]], t_stop=7300 * pq.s)).times,
    "as_trains": lambda block, folder: measures.as_trains(block).times,
    "isi": lambda block, folder: np.cumsum([EXACT[0], *measures.isi(block)[0]]),
    "tabulate": lambda block, folder: [EXACT[0], 7199.9995, 7199.9995 + measures.tabulate(block, last_interval)["value"][0]],

    "a saved signal's start": lambda block, folder: [
        float(load(save(with_signal(t), folder / f"{k}.nwb")).segments[0].analogsignals[0].t_start) for k, t in enumerate(SINGLE)],
}  # fmt: skip


def last_interval(block):
    """A measure for the table."""
    return measures.isi(block)[0][-1]


def with_signal(start):
    block = neo.Block()
    block.segments.append(neo.Segment())
    block.segments[0].analogsignals.append(
        neo.AnalogSignal(
            np.float32([1.0, 2.0]), units="mV", sampling_rate=1 * pq.Hz, t_start=pq.Quantity(start, "ms")
        )
    )
    return block


@pytest.mark.slow
@pytest.mark.parametrize("door", DOORS)
def test_single_precision_is_widened_before_units_change(door, tmp_path):
    """7,199,999.5 ms are 7,199.9995 s; in single precision they would be .5 ms later."""
    block = neo.Block()
    block.segments.append(neo.Segment())
    train = neo.SpikeTrain(SINGLE, units="ms", t_stop=7_300_000.0, dtype=np.float32)
    assert train.dtype == np.float32
    block.segments[0].spiketrains.append(train)
    np.testing.assert_allclose(DOORS[door](block, tmp_path), EXACT, rtol=1e-9)


def test_a_spike_trains_ends_in_single_precision(tmp_path):
    block = neo.Block()
    block.segments.append(neo.Segment())
    block.segments[0].spiketrains.append(
        neo.SpikeTrain([], units="ms", t_start=7_199_999.5, t_stop=7_200_000.5, dtype=np.float32)
    )
    assert bounds_of(load(save(block, tmp_path / "a.nwb"))) == [(7199.9995, 7200.0005, 1)]


@pytest.mark.parametrize("kind", [np.float32, np.float16])
def test_quantities_become_si_in_double_precision(kind):
    values = np.array([0.1, 3001.0], dtype=kind)
    for value in (pq.Quantity(values, "ms"), pq.Quantity(values[1], "ms")):
        exact = np.asarray(value.magnitude, dtype=float) / 1e3
        np.testing.assert_allclose(AlphaSynapse(value).si("tau_syn"), exact, rtol=4e-16)
