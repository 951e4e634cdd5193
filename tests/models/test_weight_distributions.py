"""Laws of weights and delays against their distribution functions, written out here once more."""

from __future__ import annotations

import json

import numpy as np
import pytest
from brian2 import Hz, ms, mV
from scipy import stats

from nsnn_neuro import Between, LogNormal, Normal, NsnnError

SPREAD = np.sqrt(np.log(1 + (0.3 / 0.2) ** 2))
LAWS = [
    (Normal(0.1, 0.4), stats.norm(0.1, 0.4)),
    (Normal(0.1, 0.4, low=-0.2), stats.truncnorm(-0.75, np.inf, 0.1, 0.4)),
    (Normal(0.1, 0.4, low=0.0, high=0.3), stats.truncnorm(-0.25, 0.5, 0.1, 0.4)),
    (Normal(1 * ms, 0.5 * ms, high=1.5 * ms), stats.truncnorm(-np.inf, 1, 1e-3, 5e-4)),
    (Normal(0.0, 1.0, low=2.9), stats.truncnorm(2.9, np.inf)),
    (LogNormal(0.2 * mV, 0.3 * mV), stats.lognorm(SPREAD, scale=2e-4 * np.exp(-(SPREAD**2) / 2))),
    (Between(-1 * mV, 3 * mV), stats.uniform(-1e-3, 4e-3)),
]


@pytest.mark.parametrize(("law", "oracle"), LAWS, ids=lambda value: repr(value)[:40])
def test_samples_have_the_law(law, oracle):
    x = law.sample(np.random.default_rng(3), 20_000)
    assert x.shape == (20_000,)
    assert x.dtype == np.float64
    assert stats.kstest(x, oracle.cdf).pvalue > 6e-5
    if law.lowest > -np.inf:
        assert x.min() >= law.lowest


def test_the_mean_and_sd_of_a_log_normal_are_its_own():
    mean, sd = 0.2, 0.3
    x = LogNormal(mean, sd).sample(np.random.default_rng(4), 400_000)
    assert abs(x.mean() - mean) < 4 * sd / np.sqrt(x.size)
    spread = np.std((x - mean) ** 2) / np.sqrt(x.size)
    assert abs(np.mean((x - mean) ** 2) - sd**2) < 4 * spread


def test_minus_a_log_normal_is_for_inhibition():
    plus, minus = (LogNormal(m, 0.3).sample(np.random.default_rng(5), 100) for m in (0.2, -0.2))
    assert np.array_equal(minus, -plus)
    assert LogNormal(-0.2, 0.3).lowest == -np.inf


def test_no_spread_gives_the_mean_itself():
    for law in (Normal(0.5, 0.0), Normal(0.5, 0.0, low=0.5), LogNormal(0.5, 0.0)):
        assert (law.sample(np.random.default_rng(1), 5) == 0.5).all()


def test_units_and_plain_data():
    assert [law.unit_symbol for law, _ in LAWS] == ["1", "1", "1", "s", "1", "V", "V"]
    for law, _ in LAWS:
        text = law.describe()
        assert json.loads(json.dumps(text)) == text
    assert LAWS[3][0].describe()["low"] == {"value": None, "unit": "s"}
    assert LAWS[3][0].describe()["high"] == {"value": 0.0015, "unit": "s"}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Normal(0.1 * mV, 0.2), "mean = 100. uV, sd = 0.2: expected the same unit for both"),
        (lambda: Normal(0.1, 0.2, low=0 * mV), "mean = 0.1, low = 0. V: expected the same unit for both"),
        (lambda: Normal(0.1, -0.2), "sd = -0.2: expected zero or a positive value"),
        (lambda: Normal(None, 0.2), "mean = None"),
        (lambda: Normal(0.1, None), "sd = None"),
        (lambda: Normal(2 * Hz, 1 * Hz), "mean of .* = 2. Hz: expected a voltage"),
        (lambda: Normal([0.1, 0.2], 0.2), r"mean = \[0.1, 0.2\]: expected one number"),
        (lambda: Normal(0.1, 0.2, low=1.0, high=0.0), "low = 1.0: expected a value below high = 0.0"),
        (lambda: Normal(0.0, 0.1, low=1.0), "only a fraction .* lies between them"),
        (lambda: Normal(0.0, 0.0, low=1.0), "only a fraction 0 "),
        (lambda: LogNormal(0.0, 0.1), "mean = 0.0: expected a mean other than zero"),
        (lambda: LogNormal(1e-300, 1e300), "mean = 1e-300: expected .* not tiny compared with sd"),
        (lambda: Between(1 * ms, 1 * ms), "low = 1. ms: expected a value below high = 1. ms"),
    ],
)
def test_mistakes_are_named(make, message):
    with pytest.raises(NsnnError, match=message):
        make()
