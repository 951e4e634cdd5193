"""What the information measures do with unequal lengths, NaN, constant arguments and alphabets too large for the samples.

Each either raises an error that names the argument, or returns NaN with one warning, or 0 with a `warning` of the estimate that
names what is constant.
"""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from nsnn_neuro import NsnnError, measures
from nsnn_neuro.measures import SilentNeuronWarning

SERIES: dict[str, Any] = {"n_shuffle": 0, "n_blocks": 4}


def transfer(**options: Any) -> Callable[..., Any]:
    return lambda x, y, z=None: measures.transfer_entropy(x, y, z=z, **SERIES, **options)


def active(**options: Any) -> Callable[..., Any]:
    return lambda x: measures.active_information(x, **SERIES, **options)


CASES: dict[str, tuple[Callable[..., Any], tuple[str, ...], bool]] = {  # call, names of its arguments, discrete
    "conditional": (lambda *a: measures.conditional_information(*a, n_shuffle=0), ("x", "y", "z"), True),
    "interaction": (lambda *a: measures.interaction_information(*a, n_shuffle=0), ("x", "y", "z"), True),
    "local": (measures.local_information, ("x", "y", "z"), True),
    "capacity": (lambda *a: measures.channel_capacity(*a, n_shuffle=0), ("s", "r"), True),
    "partial": (lambda *a: measures.partial_information(*a, n_shuffle=0), ("s", "r1", "r2"), True),
    "intersection": (lambda *a: measures.intersection_information(*a, n_shuffle=0), ("s", "r", "c"), True),
    "feature transfer": (
        lambda *a: measures.feature_information_transfer(*a, n_shuffle=0), ("s", "x_past", "y", "y_past"), True),
    "transfer": (transfer(), ("x", "y", "z"), True),
    "transfer, local": (measures.local_transfer_entropy, ("x", "y"), True),
    "transfer, Gaussian": (transfer(estimator="gaussian"), ("x", "y", "z"), False),
    "transfer, KSG": (transfer(estimator="ksg"), ("x", "y", "z"), False),
    "active": (active(), ("x",), True),
    "active, Gaussian": (active(estimator="gaussian"), ("x",), False),
    "active, KSG": (active(estimator="ksg"), ("x",), False),
    "history": (lambda y: measures.history_length(y, longest=2), ("y",), True),
    "history, Gaussian": (
        lambda y, x: measures.history_length(y, x=x, longest=2, estimator="gaussian"), ("y", "x"), False),
}  # fmt: skip
EACH = [(name, argument) for name, (_, names, _) in CASES.items() for argument in names]


def arguments(name: str) -> tuple[Callable[..., Any], dict[str, np.ndarray]]:
    call, names, discrete = CASES[name]
    rng = np.random.default_rng(3)
    return call, {one: rng.integers(0, 2, 40) if discrete else rng.normal(size=40) for one in names}


@pytest.mark.parametrize(("name", "argument"), EACH)
def test_nan_and_unequal_lengths_are_refused_by_name(name: str, argument: str) -> None:
    call, given = arguments(name)
    holed = given[argument].astype(float)
    holed[3] = np.nan
    for values in [holed, given[argument][1:], []] if len(given) > 1 else [holed, []]:
        with pytest.raises(NsnnError) as caught:
            call(*{**given, argument: values}.values())
        assert argument in str(caught.value).split(":")[0]


def outcome(call: Callable[..., Any], values: Any) -> tuple[Any, str, list[Any]]:
    """The result, or None and the text of the error; and the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            return call(*values), "", caught
        except NsnnError as error:
            return None, str(error), caught


@pytest.mark.parametrize(("name", "argument"), EACH)
def test_a_constant_argument_is_an_error_nan_or_named(name: str, argument: str) -> None:
    call, given = arguments(name)
    given[argument] = 0 * given[argument]
    result, error, caught = outcome(call, given.values())
    if error:
        assert error.startswith((f"{argument}: constant (0)", f"{argument} holds one value"))
    elif caught:
        assert [one.category for one in caught] == [SilentNeuronWarning]
        assert np.isnan(result if isinstance(result, np.ndarray) else result.value).all()
    elif argument == "z" or name == "history":
        pass  # nothing is known of z, no past is needed: both can be meant
    elif isinstance(result, np.ndarray):
        assert (result == 0).all()
    else:
        parts = result.values() if isinstance(result, dict) else [result]
        assert all(np.isfinite(part.value) for part in parts)
        named = f"{argument} holds one value: it tells nothing"
        assert all(named in str(part.warning) for part in parts)


@pytest.mark.parametrize("name", [name for name, (_, _, discrete) in CASES.items() if discrete])
def test_alphabets_too_large_are_refused_or_warned_of(name: str) -> None:
    call, given = arguments(name)
    order = np.random.default_rng(4).permutation(40)
    for values in (order, np.tile(order, 10)):  # 40 symbols in as many samples, or in 400
        result, error, _ = outcome(call, [values] * len(given))
        if error:
            assert any(what in error for what in ("cells", "equations", "of 1 trial", "too many symbols"))
        elif name not in (
            "local",
            "transfer, local",
            "history",
        ):  # plug-in values, and a cross-validated length
            parts = result.values() if isinstance(result, dict) else [result]
            assert all(part.warning is not None for part in parts)


def test_a_series_that_its_past_determines_has_a_history_length() -> None:
    """No variance is left of a sine; its score is bounded by rounding, and two bins are enough."""
    wave = 1e4 + np.sin(0.3 * np.arange(500))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lengths = measures.history_length(wave, longest=4, estimator="gaussian")
    assert int(lengths) == 2
    assert np.isfinite(lengths.score).all()
