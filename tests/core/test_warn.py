"""Warnings point at the user's line; misspelt keywords are answered with the closest name."""

from __future__ import annotations

import functools
import inspect
import pickle
import warnings

import neo
import numpy as np
import pytest
import quantities as pq
from brian2 import ms
from helpers.refusals import assert_refused

import nsnn_neuro as nsnn
from nsnn_neuro import NsnnError, measures

SILENT = nsnn.to_block([[[]], [[]]], t_stop=1000 * ms)
SIGNAL = neo.AnalogSignal(np.zeros((2000, 1)), units="V", sampling_rate=2 * pq.kHz)


def lines(function) -> list[tuple[str, int]]:
    """File and line of each warning of a call."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        function()
    return [(w.filename, w.lineno) for w in caught]


def here() -> int:
    """The caller's line."""
    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    return frame.f_back.f_lineno


@pytest.mark.parametrize(
    "call",
    [
        lambda: (measures.cv(SILENT), here())[1],
        lambda: (measures.coherence_information(SIGNAL, SILENT, nperseg=500, f_max=50 * pq.Hz), here())[1],
        lambda: (functools.partial(measures.lv, SILENT)(), here())[1],
    ],
    ids=["measure", "two levels down", "partial"],
)
def test_a_warning_points_at_the_line_that_called_the_package(call) -> None:
    at = []
    caught = lines(lambda: at.append(call()))
    assert caught
    assert set(caught) == {(__file__, at[0])}


KEYWORDS = [
    (lambda: nsnn.LIF(20 * ms), "LIF takes its arguments by name: ", "LIF(tau_m=..., ...)"),
    (lambda: nsnn.Gaussian(sgma=3), "Gaussian has no argument 'sgma'", "; did you mean 'sigma'?"),
    (lambda: nsnn.Population(3, nsnn.NSNNNeuron(), nme="a"), "'nme'", "did you mean 'name'?"),
    (lambda: nsnn.simulate(nsnn.NSNNNeuron(), trails=3), "simulate has no argument 'trails'", "; did you mean 'trials'?"),
    (lambda: measures.fano_factor(SILENT, widow=3), "fano_factor has no argument 'widow'", "; did you mean 'window'?"),
    (lambda: nsnn.save(SILENT, "a.nwb", overwrite=True), "save has no argument 'overwrite'", "expected one of block, path"),
    (lambda: measures.response_test(SILENT, 1, 2), "3 were given", "response_test(block, baseline=..., window=...)"),
    (lambda: measures.victor_purpura([], [], [], cost=1), "victor_purpura takes 1 argument without a name", "3 were given"),
]  # fmt: skip


def test_a_misspelt_keyword_is_answered_with_the_closest_name() -> None:
    assert_refused(KEYWORDS)
    with pytest.raises(TypeError, match="sgma") as caught:
        nsnn.Gaussian(sgma=3)
    assert isinstance(caught.value, NsnnError)


def test_other_type_errors_stay_as_they_are() -> None:
    with pytest.raises(TypeError, match="multiple values") as caught:
        measures.victor_purpura([], trains=[], cost=1)
    assert not isinstance(caught.value, NsnnError)


def test_public_functions_keep_their_signature_and_can_be_pickled() -> None:
    assert "trials" in inspect.signature(nsnn.simulate).parameters
    assert [*inspect.signature(nsnn.WhiteNoise).parameters] == ["sigma", "shared", "weight"]
    for function in (measures.firing_rate, measures.ksg, nsnn.simulate):
        assert pickle.loads(pickle.dumps(function)) is function
    assert pickle.loads(pickle.dumps(nsnn.WhiteNoise(0.5))).sigma == 0.5
    assert isinstance(SILENT, neo.Block)
