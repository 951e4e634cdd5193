"""The keys of Brian2's caches: those of the package are Brian2's own, and Brian2's own function is put back."""
# Imports internals: no public name makes these keys.

from __future__ import annotations

from typing import Any

import pytest
from brian2 import Hz, ms, mV
from brian2.utils import caching

import nsnn_neuro as nsnn
from nsnn_neuro.brian import cache_keys

OWN = caching._hashable


def network() -> nsnn.Network:
    return nsnn.brunel(g=5, eta=2, n_e=8, n_i=2, epsilon=0.3)


@pytest.mark.parametrize(
    "model",
    [
        nsnn.LIF(tau_m=20 * ms, v_rest=0 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2 * ms),
        nsnn.WangBuzsaki(),
        nsnn.PoissonSource(20 * Hz),
        network(),
    ],
)
def test_keys_of_a_run_are_those_of_brian2(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = []

    def both(value: Any) -> Any:
        made = cache_keys.hashable(value)
        pairs.append((made, OWN(value)))
        return made

    # what calls itself stays what it is, so that only whole arguments are compared
    monkeypatch.setattr(cache_keys, "use", lambda: setattr(caching, "_hashable", both))
    nsnn.simulate(model, duration=1 * ms, seed=1, engine="numpy")
    assert len(pairs) > 20
    assert all(own == brian and hash(own) == hash(brian) for own, brian in pairs)


def test_they_are_used_in_a_run_and_not_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    ours = cache_keys.hashable
    monkeypatch.setattr(cache_keys, "hashable", lambda value: made.append(value) or ours(value))
    nsnn.simulate(nsnn.PoissonSource(20 * Hz), duration=1 * ms, seed=1, engine="numpy")
    assert made
    assert caching._hashable is OWN


def test_what_has_no_key_is_a_type_error_as_in_brian2() -> None:
    for value in ({"a": bytearray(b"x")}, [bytearray(b"x")]):
        with pytest.raises(TypeError):
            OWN(value)
        with pytest.raises(TypeError):
            cache_keys.hashable(value)
