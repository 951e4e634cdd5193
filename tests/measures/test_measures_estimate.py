"""Estimate and the `measure` mark."""

import dataclasses

import numpy as np
import pytest
import quantities as pq

from nsnn_neuro import NsnnError, measures, tabulate, to_block
from nsnn_neuro.measures import Estimate, measure
from nsnn_neuro.measures.estimate import jackknife_se


def test_float_and_fields():
    e = Estimate(0.5, 0.1, "miller-madow", 0.01, 0.02, 40, "few trials")
    assert float(e) == 0.5
    names = [field.name for field in dataclasses.fields(e)]
    assert names[:7] == ["value", "se", "correction", "null_mean", "p", "n", "warning"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(e, "value", 1.0)  # noqa: B010


def test_prints_as_one_line_that_names_everything():
    text = str(Estimate(0.5, 0.125, "miller-madow", 0.01, 0.02, 40, "few trials"))
    assert text == (
        "0.5 ± 0.12 bit (correction miller-madow; null 0.01, p = 0.02; n = 40; warning: few trials)"
    )
    chosen = Estimate(1.0, 0.1, "nsb", n=9, se_method="posterior", reason="9 samples of 64 symbols")
    assert str(chosen) == (
        "1 ± 0.1 bit (correction nsb, chosen because 9 samples of 64 symbols; se posterior; n = 9)"
    )
    assert str(Estimate(118.3, n=77, unit="bit/s")) == "118.3 bit/s (correction none; n = 77)"
    assert str(Estimate(0.75, 0.1, n=8, unit="1")) == "0.75 ± 0.1 (correction none; n = 8)"


def test_a_format_applies_to_the_value_and_its_error():
    e = Estimate(0.2, 0.051)
    assert f"{e:.2f}" == "0.20 ± 0.05"
    with pytest.raises(NsnnError, match="format '>8s' of an Estimate: expected one for numbers"):
        f"{e:>8s}"
    assert f"{Estimate(0.2):+.1f}" == "+0.2"
    assert f"{e}" == str(e)


def test_measure_marks_and_leaves_the_function_alone():
    def f(block):
        return block

    marked = measure("Hz", parts=len)(f)
    assert marked is f
    assert vars(f) == {"unit": "Hz", "parts": len, "scale": "linear"}
    assert vars(measure("1", scale="log")(lambda block: block)) == {
        "unit": "1",
        "parts": None,
        "scale": "log",
    }


def test_the_jackknife_of_equal_trials_is_0_and_that_of_small_differences_is_kept():
    """49 equal trials leave out the same value but for rounding; a spread of 1e-9 of the value is one."""
    block = to_block([[np.arange(0.005, 0.3, 0.007)]] * 49, t_stop=0.3 * pq.s)
    assert tabulate(block, [measures.firing_rate, measures.cv])["se"].tolist() == [0.0, 0.0]
    rounded = 1 / 3 + np.array([0, 1, 0, 2, 1]) * np.spacing(1 / 3)
    assert jackknife_se(rounded) == 0.0
    assert jackknife_se(rounded, np.array([1, 2, 1, 1, 3])) == 0.0
    small = 5 * (1 + np.array([-1e-9, 0.0, 1e-9]))
    assert jackknife_se(small) == pytest.approx(5e-9 * np.sqrt(2 / 3 * 2), rel=1e-6)
    both = jackknife_se(np.array([[1.0, np.nan], [1.0, 2.0]]))
    assert both[0] == 0.0
    assert np.isnan(both[1])
    assert np.isnan(jackknife_se(np.array([1.0])))
