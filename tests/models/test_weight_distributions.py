"""Laws of weights and delays against their distribution functions, written out here once more."""

from __future__ import annotations

import numpy as np
from brian2 import ms, mV
from scipy import stats

from nsnn_neuro import Between, LogNormal, Normal

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


def test_samples_have_the_law():
    for law, oracle in LAWS:
        x = law.sample(np.random.default_rng(3), 20_000)
        assert x.shape == (20_000,)
        assert x.dtype == np.float64
        assert stats.kstest(x, oracle.cdf).pvalue > 6e-5, law
        assert x.min() >= law.lowest


def test_minus_a_log_normal_is_for_inhibition_and_no_spread_gives_the_mean():
    plus, minus = (LogNormal(m, 0.3).sample(np.random.default_rng(5), 100) for m in (0.2, -0.2))
    assert np.array_equal(minus, -plus)
    assert LogNormal(-0.2, 0.3).lowest == -np.inf
    for law in (Normal(0.5, 0.0), Normal(0.5, 0.0, low=0.5), LogNormal(0.5, 0.0)):
        assert (law.sample(np.random.default_rng(1), 5) == 0.5).all()


def test_units_and_plain_data():
    assert [law.unit_symbol for law, _ in LAWS] == ["1", "1", "1", "s", "1", "V", "V"]
    assert LAWS[3][0].describe()["low"] == {"value": None, "unit": "s"}
    assert LAWS[3][0].describe()["high"] == {"value": 0.0015, "unit": "s"}
