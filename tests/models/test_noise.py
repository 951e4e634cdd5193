"""Noise families against scipy's distributions and numerical derivatives; the texts against the functions."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
import pytest
from brian2 import Hz, Network, NeuronGroup, ms, mV
from brian2.utils.stringtools import word_substitute
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

import nsnn_neuro as nsnn
from nsnn_neuro import NsnnError
from nsnn_neuro.brian import functions, running

FAMILIES = [
    nsnn.Gaussian(0.4),
    nsnn.Logistic(0.25),
    nsnn.Uniform(0.7),
    nsnn.Triangular(0.9),
    nsnn.Cauchy(0.3),
    nsnn.FastSigmoid(5.0),
]
SCIPY = [
    stats.norm(scale=0.4),
    stats.logistic(scale=0.25),
    stats.uniform(-0.7, 1.4),
    stats.triang(0.5, -0.9, 1.8),
    stats.cauchy(scale=0.3),
]
X = np.array([-1e3, -5.0, -0.95, -0.5, -0.1, 0.0, 0.05, 0.3, 0.89, 2.0, 1e3])


def test_cdf_and_pdf_are_those_of_scipy():
    for family, law in zip(FAMILIES[:5], SCIPY, strict=True):
        np.testing.assert_allclose(family.cdf(X), law.cdf(X), rtol=1e-12, atol=1e-300)
        np.testing.assert_allclose(family.pdf(X), law.pdf(X), rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize("family", FAMILIES, ids=repr)
def test_pdf_is_the_derivative_of_cdf(family):
    """Fourth-order central differences away from kinks, and the integral of f over all x is 1."""
    x, h = np.array([-0.613, -0.211, 0.017, 0.333, 0.505]), 1e-4
    f = family.cdf
    slope = (8 * (f(x + h) - f(x - h)) - (f(x + 2 * h) - f(x - 2 * h))) / (12 * h)
    np.testing.assert_allclose(family.pdf(x), slope, rtol=1e-8)
    inside, _ = integrate.quad(
        lambda y: float(family.pdf(y)), -2, 2, points=[-0.9, -0.7, 0.0, 0.7, 0.9], limit=200
    )
    assert abs(inside - float(f(2.0) - f(-2.0))) < 1e-8


@given(x=st.floats(-1e6, 1e6, allow_nan=False))
def test_cdf_is_a_distribution_function_everywhere(x):
    for family in FAMILIES:
        low, here, high = family.cdf(x - 0.5), family.cdf(x), family.cdf(x + 0.5)
        assert 0 <= low <= here <= high <= 1
        assert 0 <= family.pdf(x) < 10
        assert abs(family.cdf(x) + family.cdf(-x) - 1) < 1e-12


@pytest.mark.parametrize("family", FAMILIES, ids=repr)
def test_brian2_text_equals_the_functions(family):
    """The text that simulations run, evaluated by Brian2, at every distance and without a floating-point warning."""
    parameter = family.parameter_fields()[0].name
    texts = [
        word_substitute(t, {parameter: "p_scale", "x": "x_in"}) for t in (family.cdf_text, family.pdf_text)
    ]
    with running("numpy"), warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        group = NeuronGroup(
            X.size,
            "x_in : 1\np_scale : 1\ncdf : 1\npdf : 1",
            namespace=functions(),
            dt=0.1 * ms,
        )
        group.x_in, group.p_scale = X, family.si(parameter)
        group.run_regularly(f"cdf = {texts[0]}\npdf = {texts[1]}")
        Network(group).run(0.1 * ms, namespace={})
        cdf, pdf = np.array(group.cdf), np.array(group.pdf)
    np.testing.assert_allclose(cdf, family.cdf(X), rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(pdf, family.pdf(X), rtol=1e-9, atol=1e-15)


def test_every_family_takes_its_parameter_as_scale():
    for family in FAMILIES:
        kind, parameter = type(family), family.parameter_fields()[0].name
        one, other, third = kind(0.4), kind(scale=0.4), kind(**{parameter: 0.4})
        assert one.scale == other.scale == third.scale == getattr(other, parameter) == 0.4
        assert one.describe() == other.describe() == third.describe()
        assert dataclasses.replace(other, **{parameter: 0.2}).scale == 0.2
        with pytest.raises(AttributeError):
            one.scale = 1.0
        with pytest.raises(NsnnError, match=f"{parameter} = 0.4, scale = 0.5: two names of one parameter"):
            kind(0.4, scale=0.5)
        with pytest.raises(NsnnError, match=parameter):
            kind()


def test_families_in_millivolt_are_those_without_units_in_other_words():
    volts, plain = nsnn.Gaussian(2 * mV), nsnn.Gaussian(2.0)
    np.testing.assert_allclose(volts.cdf([-1, 3] * mV), plain.cdf([-1, 3]), rtol=1e-14)
    np.testing.assert_allclose(volts.pdf([-1, 3] * mV), 1e3 * plain.pdf([-1, 3]), rtol=1e-14)
    steep = nsnn.FastSigmoid(5 / mV)
    np.testing.assert_allclose(steep.cdf([-1, 3] * mV), nsnn.FastSigmoid(5.0).cdf([-1, 3]), rtol=1e-14)
    assert steep.x_unit == "V"


def test_files_keep_the_name_that_a_hazard_has_always_had():
    assert nsnn.Exponential is nsnn.ExponentialHazard
    assert nsnn.ExponentialHazard(100 * Hz, 2 * mV).describe()["type"] == "Exponential"
