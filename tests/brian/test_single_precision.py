"""Times in single precision: no door converts them to seconds before they are widened."""

import neo
import numpy as np
import pytest
import quantities as pq
from helpers.roundtrip import bounds_of

from nsnn_neuro import AlphaSynapse, load, save, to_block
from nsnn_neuro.measures import as_trains

SINGLE = np.array([0.1, 7_199_999.5, 7_200_000.0], dtype=np.float32)  # ms
EXACT = SINGLE.astype(float) / 1e3
DOORS = {
    "save and load": lambda block, folder: as_trains(load(save(block, folder / "a.nwb"))).times,
    "to_block": lambda block, folder: as_trains(to_block([[pq.Quantity(SINGLE, "ms")]], t_stop=7300 * pq.s)).times,
    "as_trains": lambda block, folder: as_trains(block).times,
    "a saved signal's start": lambda block, folder: [
        float(load(save(with_signal(t), folder / f"{k}.nwb")).segments[0].analogsignals[0].t_start) for k, t in enumerate(SINGLE)],
}  # fmt: skip


def block_of(**objects):
    block = neo.Block()
    block.segments.append(neo.Segment())
    for container, one in objects.items():
        getattr(block.segments[0], container).append(one)
    return block


def with_signal(start):
    start = pq.Quantity(start, "ms")
    return block_of(
        analogsignals=neo.AnalogSignal(
            np.float32([1.0, 2.0]), units="mV", sampling_rate=1 * pq.Hz, t_start=start
        )
    )


@pytest.mark.slow
def test_single_precision_is_widened_before_units_change(tmp_path):
    """7,199,999.5 ms are 7,199.9995 s; in single precision they would be .5 ms later."""
    train = neo.SpikeTrain(SINGLE, units="ms", t_stop=7_300_000.0, dtype=np.float32)
    assert train.dtype == np.float32
    for door in DOORS.values():
        np.testing.assert_allclose(door(block_of(spiketrains=train), tmp_path), EXACT, rtol=1e-9)
    ends = neo.SpikeTrain([], units="ms", t_start=7_199_999.5, t_stop=7_200_000.5, dtype=np.float32)
    again = load(save(block_of(spiketrains=ends), tmp_path / "a.nwb"))
    assert bounds_of(again) == [(7199.9995, 7200.0005, 1)]


@pytest.mark.parametrize("kind", [np.float32, np.float16])
def test_quantities_become_si_in_double_precision(kind):
    values = np.array([0.1, 3001.0], dtype=kind)
    for value in (pq.Quantity(values, "ms"), pq.Quantity(values[1], "ms")):
        exact = np.asarray(value.magnitude, dtype=float) / 1e3
        np.testing.assert_allclose(AlphaSynapse(value).si("tau_syn"), exact, rtol=4e-16)
