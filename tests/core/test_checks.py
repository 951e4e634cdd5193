"""Checks of arguments: one wording, the closest name for what is misspelt."""

import dataclasses
from functools import partial

import numpy as np
import pytest
import quantities as pq
from helpers.refusals import assert_refused

from nsnn_neuro import NsnnError, datasets, measures, perturb
from nsnn_neuro.core import checks  # the wording of every room: no single public function shows all of it

BLOCK = measures.as_repeats([[0.1, 0.3], [0.2]], t_start=0 * pq.s, t_stop=1 * pq.s)


REFUSED = [
    (lambda: checks.whole(True, 0, "n"), "n = True: ", "expected a whole number, at least 0"),
    (lambda: perturb.gaussian([0.1], sd=0.1, seed=-1), "seed = -1: ", "expected a whole number, at least 0"),
    (lambda: checks.whole(9, 0, "n", 3), "n = 9: ", "expected a whole number from 0 to 3"),
    (lambda: checks.number(np.nan, "x"), "x = nan: ", "expected a finite number without a unit"),
    (lambda: checks.number(1 * pq.s, "x"), "x = ", "expected a finite number without a unit"),
    (lambda: checks.fraction(1.5, "p"), "p = 1.5: ", "expected a number from 0 to 1"),
    (lambda: checks.non_negative(-1, "x"), "x = -1: ", "expected a finite number, at least 0"),
    (lambda: checks.positive(0 * pq.s, "s", "tau"), "tau = 0.0 s: ", ", greater than 0"),
    (lambda: checks.flag(1, "bridge"), "bridge = 1: ", "expected True or False"),
    (lambda: checks.one_of(["a"], ("a", None), "x"), "x = ['a']: ", "expected one of 'a', None"),
    (lambda: checks.one_of(True, (1, 2), "variant"), "variant = True: ", "expected one of 1, 2"),
    *((lambda bad=bad: checks.check_seed(bad), "seed = ", "an integer from 0 to") for bad in (-1, 1.5, True, "1", 2**63)),
]  # fmt: skip


def test_each_check_names_argument_value_and_what_was_expected():
    assert_refused(REFUSED)


def test_seed_is_drawn_or_kept():
    assert checks.check_seed(None) != checks.check_seed(None)
    assert checks.check_seed(np.int64(7)) == 7


@pytest.mark.parametrize(
    ("call", "closest"),
    [
        (lambda: measures.mutual_information([0, 1], [0, 1], bias="panzeri-trevs"), "panzeri-treves"),
        (lambda: measures.entropy([0, 1], method="Miller_Madow"), "miller-madow"),
        (lambda: measures.tabulate(BLOCK, [measures.cv], by="neurons"), "neuron"),
    ],
)
def test_a_misspelt_choice_is_answered_with_the_closest_one(call, closest):
    with pytest.raises(NsnnError, match=f"; did you mean '{closest}'"):
        call()


def test_a_misspelt_option_of_a_measure_is_answered_with_the_closest_one():
    with pytest.raises(NsnnError, match=r"fano_factor has no argument 'Window'; did you mean 'window'"):
        measures.tabulate(BLOCK, {"f": partial(measures.fano_factor, Window=1)})


def test_a_field_of_settings_is_answered_with_where_it_goes():
    @dataclasses.dataclass(frozen=True)
    class Settings:
        epochs: int = 3

    @checks.suggest_keywords
    def fit(*, settings=Settings()):
        pass

    with pytest.raises(
        NsnnError, match=r"fit has no argument 'epochs': use settings=Settings\(epochs=\.\.\.\)$"
    ):
        fit(epochs=5)


def test_what_resembles_no_choice_gets_no_suggestion():
    with pytest.raises(NsnnError, match=r"split = 'xyz': expected one of 'train', 'val', 'test'$"):
        datasets.digits("xyz")
