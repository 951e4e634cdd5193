"""Profiles and SPIKE-synchronization beside PySpike, and their means beside the distances."""

from __future__ import annotations

import numpy as np
import pytest
import quantities as pq

from nsnn_neuro import measures

pyspike = pytest.importorskip("pyspike")


def trains(seed: int, n: int = 5, mean: float = 12.0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    out = [np.sort(rng.uniform(0, 1, rng.poisson(mean))) for _ in range(n)]
    if seed % 2:
        out[0] = np.sort(np.concatenate([out[1][::2], out[0]]))  # equal times in two trains
        out[2] = out[2][:1]
    if seed % 3 == 0:
        out[3] = np.empty(0)
    return out


WINDOW = {"t_start": 0 * pq.s, "t_stop": 1 * pq.s}


@pytest.mark.parametrize("seed", [0, 1, 3])
def test_profiles_are_pyspikes(seed: int) -> None:
    own = trains(seed)
    peers = [pyspike.SpikeTrain(t, [0.0, 1.0]) for t in own]
    isi, spike = measures.isi_profile(own, **WINDOW), measures.spike_profile(own, **WINDOW)
    for profile, theirs in ((isi, pyspike.isi_profile(peers)), (spike, pyspike.spike_profile(peers))):
        middle = (profile.times[1:] + profile.times[:-1]) / 2
        np.testing.assert_allclose((profile.left + profile.right) / 2, [theirs(t) for t in middle], atol=1e-9)
        assert profile.mean() == pytest.approx(theirs.avrg(), abs=1e-9)
        part = profile.mean(0.21 * pq.s, 0.64 * pq.s)
        assert part == pytest.approx(theirs.avrg((0.21, 0.64)), abs=1e-9)


@pytest.mark.parametrize("seed", [0, 1, 3])
def test_spike_synchronization_is_pyspikes(seed: int) -> None:
    own = trains(seed)
    peers = [pyspike.SpikeTrain(t, [0.0, 1.0]) for t in own]
    matrix = measures.spike_synchronization(own, **WINDOW)
    off = ~np.eye(5, dtype=bool)
    np.testing.assert_allclose(matrix[off], pyspike.spike_sync_matrix(peers)[off], atol=1e-9)
    profile, theirs = measures.synchronization_profile(own, **WINDOW), pyspike.spike_sync_profile(peers)
    np.testing.assert_allclose(profile.times, theirs.x[1:-1], atol=1e-12)
    np.testing.assert_allclose(profile.values, (theirs.y / theirs.mp)[1:-1], atol=1e-9)
    assert profile.mean() == pytest.approx(pyspike.spike_sync(peers), abs=1e-9)


@pytest.mark.slow
def test_synchronization_of_trains_with_a_known_share() -> None:
    """Trains shifted by less than half an interval coincide wholly; half of the spikes shifted by half an interval do not."""
    one = np.arange(0.05, 10, 0.1)
    two = one + np.where(np.arange(one.size) % 2 == 0, 0.001, 0.049)
    options = {"t_start": 0 * pq.s, "t_stop": 10.1 * pq.s}
    assert 0.5 <= measures.spike_synchronization([one, two], **options)[0, 1] <= 1
    for shift in (0.001, 0.0499999):
        assert measures.spike_synchronization([one, one + shift], **options)[0, 1] == 1
    assert measures.spike_synchronization([[], []], **WINDOW).tolist() == [[1, 1], [1, 1]]
