"""Estimate and the `measure` mark."""

import numpy as np
import pytest
import quantities as pq

from nsnn_neuro import NsnnError, measures, tabulate, to_block
from nsnn_neuro.measures import Estimate, measure
from nsnn_neuro.measures.estimate import jackknife_se


def test_prints_as_one_line_that_names_everything():
    e = Estimate(0.5, 0.125, "miller-madow", 0.01, 0.02, 40, "few trials")
    assert float(e) == 0.5
    assert str(e) == (
        "0.49 ± 0.12 bit over the null (raw 0.5, null 0.01, p = 0.02; correction miller-madow; n = 40; warning: few trials)"
    )
    chosen = Estimate(1.0, 0.1, "nsb", n=9, se_method="posterior", reason="9 samples of 64 symbols")
    assert str(chosen) == (
        "1 ± 0.1 bit (correction nsb, chosen because 9 samples of 64 symbols; se posterior; n = 9)"
    )
    assert str(Estimate(118.3, n=77, unit="bit/s")) == "118.3 bit/s (correction none; n = 77)"
    assert str(Estimate(0.75, 0.1, n=8, unit="1")) == "0.75 ± 0.1 (correction none; n = 8)"


def test_chance_is_not_information():
    """The gain leads text, format and table, and raw bits are named; of other units nothing is taken off."""
    e = Estimate(1.578, 0.12, "panzeri-treves", 1.572, 0.53, 40, null_se=0.05)
    assert (round(e.gain, 9), e.gain_se, e.verdict, float(e)) == (0.006, 0.13, "not above chance", 1.578)
    assert str(e).startswith(
        "0.006 ± 0.13 bit over the null, not above chance (raw 1.578, null 1.572, p = 0.53;"
    )
    assert repr(e) == f"Estimate({e})"
    assert f"{e:.3f}" == "0.006 ± 0.130"
    row = e.row()
    assert list(row)[:2] == ["information", "se"]
    assert (row["information"], row["se"], row["verdict"], row["raw"]) == (
        e.gain,
        e.gain_se,
        e.verdict,
        1.578,
    )
    s, r = np.repeat(np.arange(4), 10), np.arange(40)  # words that come once
    found = measures.mutual_information(s, r)
    assert found.value > 10 * found.se
    assert str(found).startswith(
        f"0 ± {found.gain_se:.2g} bit over the null, not above chance (raw {found.value:.4g}"
    )
    table = tabulate(to_block([[[0.1]]] * 40, t_stop=1 * pq.s), {"bits": lambda block: found})
    assert table[["value", "se"]].to_numpy().tolist() == [[found.gain, found.gain_se]]
    raw = measures.mutual_information(s, r, n_shuffle=0)
    assert str(raw).startswith(f"raw {raw.value:.4g} ± ")
    assert np.isnan(raw.gain)
    assert np.isnan(raw.row()["information"])
    assert str(Estimate(0.7, 0.1, null_mean=0.5, p=0.2, n=9, unit="1")).startswith("0.7 ± 0.1 (")
    below = measures.synergy(s % 2, s % 2, s % 2)  # redundancy, two-sided
    assert (below.gain < 0, below.verdict) == (True, "below chance")


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
