"""Examples of the documentation of NeMoS and statsmodels: coefficients, errors, p values and likelihoods equal theirs.

The models are the same, so that differences are those of optimizers; benchmarks/peers.py compares hidden states and posteriors.
"""

from importlib import import_module

import neo
import numpy as np
import pytest
import quantities as pq
from numpy.testing import assert_allclose

from nsnn_neuro import Gaussian, Logistic, fit_neuron, fit_population, to_block
from nsnn_neuro.likelihood import Lags, NegativeBinomial, Poisson, RaisedCosines

DT, WINDOW, BUMPS = 1 * pq.ms, 80, 6
PRECISE = {"solver_name": "LBFGS", "solver_kwargs": {"tol": 1e-10, "maxiter": 5000}}


def recorded(counts, x):
    """Counts (n_steps, n_neurons) as spikes in the middles of steps, and a stimulus (n_steps, n_channels)."""
    middles = (np.arange(len(counts)) + 0.5) * 1e-3
    block = to_block([[np.repeat(middles, one.astype(int)) for one in counts.T]], t_stop=len(counts) * DT)
    return block, neo.AnalogSignal(x, units=pq.dimensionless, sampling_period=DT)


def glm(counts, x, family):
    return fit_neuron(*recorded(counts[:, None], x), dt=DT, stimulus=Lags(1), family=family)


@pytest.fixture
def nemos():
    """NeMoS in double precision; it draws from NumPy's global generator when it is imported."""
    state = np.random.get_state()  # noqa: NPY002
    module = pytest.importorskip("nemos", minversion="0.2.8")
    with import_module("jax").enable_x64(True):
        yield module
    np.random.set_state(state)  # noqa: NPY002


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Poisson", "NegativeBinomial", "Logit", "Probit"])
def test_regressions_of_the_tables_of_statsmodels(name):
    """Visits to a doctor (20,190 counts, 9 regressors), with the dispersion; grades (32, 3 regressors)."""
    table = "spector" if name in ("Logit", "Probit") else "randhie"
    families = {"Poisson": Poisson(), "NegativeBinomial": NegativeBinomial(), "Logit": Logistic(1.0)}
    api = pytest.importorskip("statsmodels.api")
    data = getattr(api.datasets, table).load()
    x, y = data.exog.to_numpy(float), data.endog.to_numpy(float)
    fit, model = glm(y, x, families.get(name, Gaussian(1.0))), getattr(api, name)(y, api.add_constant(x))
    start = model.fit(method="bfgs", maxiter=500, disp=0).params if table == "randhie" else None
    theirs = model.fit(start, method="newton", tol=1e-13, maxiter=100, disp=0)
    if name == "Probit":  # its errors are of the observed information, those of GLM of the expected one
        link = api.families.Binomial(api.families.links.Probit())
        theirs = api.GLM(y, api.add_constant(x), family=link).fit(tol=1e-13)
    assert_allclose(fit.values, theirs.params, atol=1e-6)
    assert_allclose(fit.log_likelihood, theirs.llf, atol=1e-8)
    assert_allclose(list(fit.se.values()), theirs.bse, rtol=1e-6)
    n = 1 + x.shape[1]  # dispersions have no p here
    assert_allclose(fit.table["p"][:n], theirs.pvalues[:n], atol=1e-7)


@pytest.mark.slow
def test_the_demo_of_a_glm_of_nemos_with_negative_binomial_counts(nemos):
    """NeMoS does not fit a dispersion: it gets ours."""
    rng = np.random.default_rng(111)
    x, w = 0.5 * rng.normal(size=(1000, 5)), rng.normal(size=5)
    counts = rng.poisson(np.exp(x @ w) * rng.gamma(2, 0.5, size=1000)).astype(float)
    fit = glm(counts, x, NegativeBinomial())
    observed = nemos.observation_models.NegativeBinomialObservations(fit.parameters["dispersion"])
    theirs = nemos.glm.GLM(observation_model=observed, **PRECISE).fit(x, counts)
    assert_allclose(fit.values[:6], np.r_[theirs.intercept_, theirs.coef_], atol=1e-8)
    mean = theirs.score(x, counts, score_type="log-likelihood")
    assert_allclose(fit.log_likelihood, 1000 * float(mean), rtol=1e-9)


def cosines(first):
    """NeMoS' `RaisedCosineLogConv(BUMPS, WINDOW)`, its first function at lag `first`."""
    last, offset = WINDOW - 1, (WINDOW - 1) / 50
    stop = offset * np.expm1((1 - 2 / (BUMPS + 1)) * np.log1p(last / offset)) + first
    return RaisedCosines(BUMPS, stop * DT, start=first * DT, offset=(offset - first) * DT)


@pytest.mark.slow
def test_coupled_neurons_of_nemos_with_its_cosines_and_a_ridge(nemos):
    """Three neurons of its `simulation`; its ridge is ours over the number of steps, for each column."""
    jax = import_module("jax")
    n, ridge, rng, basis = 5000, 2.0, np.random.default_rng(5), nemos.basis.RaisedCosineLogConv
    present = basis(BUMPS, window_size=WINDOW, conv_kwargs={"shift": False})  # else NeMoS begins at lag 1
    kernel, gamma = np.asarray(present.evaluate_on_grid(WINDOW)[1]), nemos.simulation.difference_of_gammas
    for first in (0, 1):
        ours = cosines(first).matrix(1e-3, first)
        assert_allclose(np.pad(ours, ((0, WINDOW - len(ours)), (0, 0))), kernel, atol=1e-12)
    shapes = [gamma(WINDOW, excit_a=a, excit_b=b) for a, b in rng.uniform(1.1, 3, (9, 2))]
    weights = nemos.simulation.regress_filter(0.5 * np.reshape(np.transpose(shapes), (WINDOW, 3, 3)), kernel)
    stimulus, quiet = rng.normal(size=n), np.zeros((WINDOW, 3))  # NeMoS leaves the first window out
    drive = np.asarray(present.compute_features(np.r_[quiet[:, 0], stimulus]))[WINDOW:]
    given = weights, 0.1 * rng.normal(size=(3, BUMPS)), np.full(3, -3.0), jax.random.key(1)
    drives = np.repeat(drive[:, None], 3, axis=1)
    counts, _ = nemos.simulation.simulate_recurrent(*given, drives, kernel, quiet, jax.numpy.exp)
    past = np.asarray(basis(BUMPS, window_size=WINDOW).compute_features(np.vstack([quiet, counts])))
    columns, counts = np.hstack([drive, past[WINDOW:]]), np.asarray(counts)
    strength = np.repeat(ridge * np.mean(columns**2, axis=0)[:, None] / n, 3, axis=1)
    theirs = nemos.glm.PopulationGLM(regularizer="Ridge", regularizer_strength=strength, **PRECISE)
    theirs.fit(columns, counts)
    given = {"stimulus": cosines(0), "coupling": cosines(1), "history": cosines(1), "ridge": ridge}
    fit = fit_population(*recorded(counts, stimulus[:, None]), dt=DT, family=Poisson(), **given)
    for k, one in enumerate(fit.fits):
        senders = [j for j in range(3) if j != k] + [k]  # history follows coupling
        order = [*range(BUMPS), *(BUMPS * (1 + j) + i for j in senders for i in range(BUMPS))]
        assert_allclose(one.values, np.r_[theirs.intercept_[k], theirs.coef_[np.array(order), k]], atol=1e-6)
    mean = theirs.score(columns, counts, score_type="log-likelihood")
    assert_allclose(sum(one.log_likelihood for one in fit.fits), 3 * n * float(mean), rtol=1e-9)
