"""Names of models: new ones, deprecated ones, and those in files, which never change."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
import pytest
from brian2 import Hz, mV

import nsnn_neuro as nsnn
from nsnn_neuro import NsnnError, brian

RENAMED = {"Rule": "ConnectionRule", "Exponential": "ExponentialHazard", "Jump": "DeltaSynapse"}
FAMILIES = {
    "Gaussian": "sigma",
    "Logistic": "s",
    "Uniform": "a",
    "Triangular": "a",
    "Cauchy": "g",
    "FastSigmoid": "b",
}


@pytest.mark.parametrize("old", RENAMED)
def test_an_old_name_warns_where_it_is_used_and_gives_the_new_class(old):
    with pytest.warns(
        DeprecationWarning, match=f"nsnn_neuro.{old} is deprecated: use nsnn_neuro.{RENAMED[old]}"
    ) as seen:
        kind = getattr(nsnn, old)
    assert kind.__name__ == RENAMED[old]
    assert seen[0].filename == __file__


def test_files_keep_the_names_that_classes_have_always_had():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        noise = nsnn.EscapeNoise(hazard=nsnn.ExponentialHazard(100 * Hz, 2 * mV))
    net = nsnn.feedforward([2, 2], noise=None)
    assert noise.describe()["hazard"]["type"] == "Exponential"
    assert net.describe()["projections"][0]["synapse"]["type"] == "Jump"


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_takes_its_parameter_as_scale(name):
    kind, parameter = getattr(nsnn, name), FAMILIES[name]
    one, other, third = kind(0.4), kind(scale=0.4), kind(**{parameter: 0.4})
    x = np.linspace(-2.0, 2.0, 9)
    np.testing.assert_array_equal(one.cdf(x), other.cdf(x))
    assert one.scale == other.scale == third.scale == getattr(other, parameter) == 0.4
    assert one.describe() == other.describe() == third.describe()
    assert dataclasses.replace(other, **{parameter: 0.2}).scale == 0.2
    with pytest.raises(AttributeError):
        one.scale = 1.0
    with pytest.raises(NsnnError, match=f"{parameter} = 0.4, scale = 0.5: two names of one parameter"):
        kind(0.4, scale=0.5)
    with pytest.raises(NsnnError, match=parameter):
        kind()


def test_the_room_of_brian2_shows_its_public_names():
    assert dir(brian) == sorted(brian.__all__)
    assert all(getattr(brian, name) is not None for name in brian.__all__)
    missing = "simulator"
    with pytest.raises(AttributeError, match=missing):
        getattr(brian, missing)
