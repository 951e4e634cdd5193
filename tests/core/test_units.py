"""The unit border: what comes in as a quantity is an SI float inside, and comes out as one again."""
# Imports internals: every public function has this border, and none shows all of it.

from __future__ import annotations

import numpy as np
import pytest
import quantities as pq
from brian2 import Hz, ms, mV, nS, pA, pF, second, volt
from hypothesis import given
from hypothesis import strategies as st

from nsnn_neuro import NsnnError
from nsnn_neuro.core import units

SCALARS = [
    (20 * ms, "s", 0.02),
    (20 * pq.ms, "s", 0.02),
    (-70 * mV, "V", -0.07),
    (5 / mV, "1/V", 5000.0),
    (10 * Hz, "Hz", 10.0),
    (10 * pq.kHz, "Hz", 1e4),
    (1 / (10 * ms), "Hz", 100.0),
    (100 * pA, "A", 1e-10),
    (200 * pF, "F", 2e-10),
    (10 * nS, "S", 1e-8),
    (0.5, "1", 0.5),
    (pq.Quantity(0.5, "dimensionless"), "1", 0.5),
    (np.int32(3), "1", 3.0),
]


def test_scalars():
    for value, unit, expected in SCALARS:
        got = units.si(value, unit, "x")
        assert isinstance(got, float)
        assert got == pytest.approx(expected, rel=1e-15)
        assert units.unit_of(value) == unit


def test_arrays_and_lists_of_quantities():
    for value in ([10, 20] * ms, [10 * ms, 20 * ms], [10, 20] * pq.ms, np.array([0.01, 0.02]) * second):
        np.testing.assert_allclose(units.si(value, "s", "x"), [0.01, 0.02], rtol=1e-15)


def test_an_array_that_comes_in_is_not_changed_later():
    taus = [10, 20] * ms
    inside = units.si(taus, "s", "tau")
    inside[0] = 99
    assert float(taus[0] / ms) == 10


@given(st.floats(-1e9, 1e9, allow_nan=False))
def test_out_and_in_again_is_exact(x):
    for unit in ("s", "V", "Hz", "1"):
        assert units.si(units.pq_quantity(x, unit), unit, "x") == x
        assert units.si(units.brian(x, unit), unit, "x") == x


def test_what_is_a_quantity():
    assert units.is_quantity(3 * ms)
    assert units.is_quantity(3 * pq.ms)
    assert not units.is_quantity(3 * ms / ms)
    assert not units.is_quantity(pq.Quantity(3, "dimensionless"))
    assert not units.is_quantity([1, 2])
    assert units.unit_of(3 * pq.m) == "?"


BAD = [
    (20, "s", "x = 20 has no unit: expected a time such as 20\\*ms"),
    ("20 ms", "s", "x = '20 ms': expected a time"),
    (20 * volt, "s", "x = 20. V: expected a time"),
    (20 * pq.V, "s", "expected a time"),
    (20 * ms, "1", "expected a plain number"),
    (float("nan") * ms, "s", "NaN"),
    ([1 * ms, 2], "s", "x = "),
    (np.array([1 + 2j]) * pq.ms, "s", "complex"),
    ((1 + 2j) * ms, "s", "complex"),
    (1 + 0j, "1", "complex"),
    (np.array([1j]), "1", "its real part or its modulus"),
    ([1, 10**400], "1", "too large for a float"),
    (10**5000, "1", "int object"),
    (["5"], "1", "a plain number"),
    (np.array(["5"], dtype=object), "1", "a plain number"),
    ([[1], [2, 3]], "1", "a plain number"),
    ([1 * pq.ms, 2 * pq.ms], "1", "a plain number"),
    ([1 * pq.ms, [2, 3] * pq.ms], "s", "of one shape"),
    (None, "s", "x = None"),
    (object(), "1", "a plain number"),
    (np.datetime64("2020-01-01"), "1", "a plain number"),
]


def test_what_is_no_real_number_of_the_unit_is_refused_by_name():
    for value, unit, words in BAD:
        with pytest.raises(NsnnError, match=words) as caught:
            units.si(value, unit, "x")
        assert str(caught.value).startswith("x = ")
        assert len(str(caught.value)) < 300


def test_units_made_one_after_another_keep_their_own_factors():
    """What is known of a unit is kept by its id, which the next one may get."""
    for k in range(1, 30):
        made = pq.CompoundUnit(f"{k}*ms")
        x = np.arange(3) * made
        assert units.unit_of(x) == "s"
        np.testing.assert_array_equal(units.si(x, "s", "x"), (x * 1.0).rescale("s").magnitude)
        with pytest.raises(NsnnError, match="expected a voltage"):
            units.si(x, "V", "x")
        del made, x
