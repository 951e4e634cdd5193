"""Names of models: in Python, and those in files, which never change."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from brian2 import Hz, mV

import nsnn_neuro as nsnn
from nsnn_neuro import NsnnError

FAMILIES = {
    "Gaussian": "sigma",
    "Logistic": "s",
    "Uniform": "a",
    "Triangular": "a",
    "Cauchy": "g",
    "FastSigmoid": "b",
}


def test_files_keep_the_names_that_classes_have_always_had():
    noise = nsnn.EscapeNoise(hazard=nsnn.ExponentialHazard(100 * Hz, 2 * mV))
    net = nsnn.feedforward([2, 2], noise=None)
    assert noise.describe()["hazard"]["type"] == "Exponential"
    assert nsnn.Exponential is nsnn.ExponentialHazard
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
