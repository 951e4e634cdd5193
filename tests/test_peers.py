"""The same quantity by statsmodels, NeMoS, pynapple, astropy, pingouin, psignifit, hmmlearn; files by SpikeInterface, neuroconv.

Equality to rounding, or to the tolerance of the other package's optimizer where it says so. Each test is skipped where its package
is absent: `make test-peers` installs them all but pingouin and psignifit, whose licence is the GPL.
"""

import warnings

import neo
import numpy as np
import pytest
import quantities as pq
from helpers.roundtrip import bounds_of, trains_of
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize_scalar

from nsnn_neuro import cut, fit_neuron, load, measures, save, to_block, to_pynapple
from nsnn_neuro.likelihood import Exponentials, Lags, NeuronModel, Poisson, StatesModel, fit_states

# --- statsmodels ---


def test_gain_variance_is_that_of_a_negative_binomial_regression():
    """NB2 with a level per stimulus; Cox and Reid's likelihood from the covariance of its levels at given gain variances."""
    discrete = pytest.importorskip("statsmodels.discrete.discrete_model")
    generalized = pytest.importorskip("statsmodels.genmod.generalized_linear_model")
    families = pytest.importorskip("statsmodels.genmod.families")
    rng = np.random.default_rng(2)
    stimulus = np.repeat([0, 1, 2], 40)
    counts = rng.poisson(np.array([2.0, 6.0, 15.0])[stimulus] * rng.gamma(4, 1 / 4, 120))
    levels = np.eye(3)[stimulus]
    fit = measures.modulated_poisson(stimulus, counts, bias=None)
    theirs = discrete.NegativeBinomial(counts, levels, loglike_method="nb2").fit(disp=0, maxiter=200)
    poisson = discrete.Poisson(counts, levels).loglike(np.log(fit.rate))
    assert_allclose(fit.log_likelihood_ratio, theirs.llf - poisson, rtol=1e-9)
    found = np.r_[np.log(fit.rate), fit.gain_variance]
    assert_allclose(found, theirs.params, rtol=1e-4)  # its optimizer's tolerance

    def adjusted(log_variance):
        family = families.NegativeBinomial(alpha=np.exp(log_variance))
        levels_fit = generalized.GLM(counts, levels, family=family).fit(tol=1e-12)
        return -levels_fit.llf - np.linalg.slogdet(levels_fit.cov_params())[1] / 2

    best = minimize_scalar(adjusted, bounds=(-3, 1), method="bounded", options={"xatol": 1e-9})
    fit = measures.modulated_poisson(stimulus, counts)
    assert_allclose(fit.gain_variance, np.exp(best.x), rtol=1e-5)
    none = generalized.GLM(counts, levels, family=families.Poisson()).fit(tol=1e-12)
    ratio = -best.fun - none.llf - np.linalg.slogdet(none.cov_params())[1] / 2
    assert_allclose(fit.log_likelihood_ratio, ratio, rtol=1e-9)


def test_a_poisson_fit_with_coupling_is_the_glm_of_nemos():
    """Its columns of another neuron's spikes, parameters of its solver (in double precision) and log-likelihood of counts."""
    state = np.random.get_state()  # noqa: NPY002 - NeMoS draws from it when it is imported
    nemos = pytest.importorskip("nemos")
    import jax

    x = np.random.default_rng(0).normal(size=2000)
    signal = neo.AnalogSignal(x, units=pq.dimensionless, sampling_period=5 * pq.ms)
    other = np.flatnonzero(np.random.default_rng(1).random(2000) < 0.2)
    inputs = to_block([[other * 5e-3]], t_stop=10 * pq.s)
    bases = {"stimulus": Lags(2), "coupling": Exponentials([10, 40] * pq.ms), "history": Lags(1)}
    model = NeuronModel(dt=5 * pq.ms, family=Poisson(), n_inputs=1, **bases)
    block = model.simulate([-0.7, 0.5, 0.3, 0.4, -0.2, -0.2], signal, inputs=inputs, seed=1)
    fit = fit_neuron(block, signal, dt=5 * pq.ms, inputs=inputs, family=Poisson(), **bases)
    data = fit.model.data(block, signal, inputs=inputs)
    assert data.o.max() > 1
    kernel = bases["coupling"].matrix(5e-3, 1)
    with jax.enable_x64(True):
        counts = np.bincount(other, minlength=2000).astype(float)
        theirs = np.asarray(nemos.convolve.create_convolutional_predictor(kernel, counts))
        assert_allclose(data.drive[len(kernel) :, 2:4], theirs[len(kernel) :], atol=1e-12)
        columns = np.hstack([data.drive, data.history])
        glm = nemos.glm.GLM(solver_name="LBFGS", solver_kwargs={"tol": 1e-10, "maxiter": 5000})
        glm = glm.fit(columns, data.o)
        assert_allclose(fit.values, np.r_[glm.intercept_, glm.coef_], atol=1e-7)  # its solver's tolerance
        mean = glm.score(columns, data.o, score_type="log-likelihood")
    np.random.set_state(state)  # noqa: NPY002
    assert fit.log_likelihood == pytest.approx(2000 * float(mean), rel=1e-9)


def test_a_cosine_tuning_curve_is_a_linear_regression():
    """Least squares with White's errors (HC1), also of the amplitude and the preferred angle."""
    linear = pytest.importorskip("statsmodels.regression.linear_model")
    rng = np.random.default_rng(3)
    angle = np.repeat(np.arange(0, 360, 45.0), 6)
    rates = rng.poisson(8 + 5 * np.cos(np.radians(angle - 70))).astype(float)
    fit = measures.tuning_curve(angle, rates).fit("cosine")
    design = np.stack([np.ones(48), np.cos(np.radians(angle)), np.sin(np.radians(angle))], axis=1)
    theirs = linear.OLS(rates, design).fit(cov_type="HC1")
    base, c, s = theirs.params
    amplitude = np.hypot(c, s)
    found = {name: value[0] for name, value in fit.parameters.items()}
    assert_allclose(
        [found["baseline"], found["amplitude"], found["preferred"]],
        [base, amplitude, np.degrees(np.arctan2(s, c)) % 360],
        rtol=1e-6,
    )
    slopes = np.array([[1, 0, 0], [0, c, s], [0, -s * 180 / np.pi / amplitude, c * 180 / np.pi / amplitude]])
    slopes[1] /= amplitude
    slopes[2] /= amplitude
    errors = np.sqrt(np.diag(slopes @ theirs.cov_params() @ slopes.T))
    assert_allclose([fit.se[name][0] for name in ("baseline", "amplitude", "preferred")], errors, rtol=1e-5)


def test_tests_and_limits_of_counts():
    """Garwood's limits of a PSTH, the sign test of a response, the AUC with DeLong's error, correlation of successive trials."""
    rates = pytest.importorskip("statsmodels.stats.rates")
    descriptive = pytest.importorskip("statsmodels.stats.descriptivestats")
    nonparametric = pytest.importorskip("statsmodels.stats.nonparametric")
    tools = pytest.importorskip("statsmodels.tsa.stattools")
    rng = np.random.default_rng(4)
    counts = rng.poisson([4, 7], size=(30, 2))
    trials = [[np.sort(np.r_[rng.uniform(0, 0.5, a), rng.uniform(0.5, 1.0, b)])] for a, b in counts]
    block = to_block(trials, t_stop=1 * pq.s)
    h = measures.psth(block, bin_width=50 * pq.ms)
    low, high = np.transpose([rates.confint_poisson(c, 30 * 0.05, method="exact-c") for c in h.counts[0]])
    assert_allclose(h.lower[0], low, rtol=1e-9, atol=1e-12)
    assert_allclose(h.upper[0], high, rtol=1e-9)
    test = measures.response_test(block, baseline=[0, 0.5] * pq.s, window=[0.5, 1] * pq.s, test="sign")
    assert_allclose(test.p[0], descriptive.sign_test(counts[:, 1] - counts[:, 0])[1], rtol=1e-9)
    area = measures.roc_auc(counts[:, 0], counts[:, 1])
    theirs = nonparametric.rank_compare_2indep(counts[:, 1], counts[:, 0])
    assert_allclose(area.value, theirs.prob1, rtol=1e-9)
    delong = (theirs.var / 60) ** 0.5
    assert delong < area.se < 1.1 * delong  # a small term is added to it, for overlaps not seen
    drift = measures.trial_drift(counts[:, :1], n_shuffle=0)
    assert_allclose(
        drift.correlation[0], tools.acf(counts[:, 0].astype(float), nlags=1, fft=False)[1], rtol=1e-9
    )


# --- pynapple ---


@pytest.fixture(scope="module")
def recording():
    """100 s of two units in bins of 10 ms, spikes in the middles of bins, and the same as a group of pynapple."""
    pytest.importorskip("pynapple", minversion="0.11")
    rng = np.random.default_rng(6)
    spikes = rng.random((10_000, 2)) < 0.1
    spikes[1:, 1] |= spikes[:-1, 0] & (rng.random(9999) < 0.3)
    block = to_block([[np.flatnonzero(x) * 0.01 + 0.005 for x in spikes.T]], t_stop=100 * pq.s)
    return spikes, block, to_pynapple(block)


def test_spikes_around_events_are_those_of_pynapple(recording):
    import pynapple as nap

    _, block, group = recording
    events = np.arange(2.0, 98, 1.5)
    trials = cut(block, events, before=0.5 * pq.s, after=1 * pq.s)
    around = nap.compute_perievent(group, nap.Ts(events), window=(-0.5, 1.0))
    for unit in (0, 1):
        for k, segment in enumerate(trials.segments):
            assert_allclose(segment.spiketrains[unit].magnitude, around[unit][k].t, atol=1e-9)
    h = measures.psth(trials, bin_width=100 * pq.ms)
    for unit in (0, 1):
        times = np.concatenate([around[unit][k].t for k in range(len(events))])
        # shifted by 1 ns as pynapple rounds to ns and spikes may lie on the bins' edges
        assert_array_equal(h.counts[unit], np.histogram(times + 1e-9, h.edges)[0])


def test_correlograms_are_those_of_pynapple(recording):
    import pynapple as nap

    _, block, group = recording
    theirs = nap.compute_crosscorrelogram(group, binsize=0.01, windowsize=0.1, norm=False)
    lags, rate = theirs.index.to_numpy(), theirs[(0, 1)].to_numpy()
    ours = measures.cross_correlogram(block, (0, 1), bin_width=10 * pq.ms, max_lag=100 * pq.ms)
    assert_allclose(ours.lags, lags, atol=1e-9)
    # pynapple divides by all spikes
    assert_allclose(ours.counts / (ours.n_spikes[0] * 0.01), rate, rtol=1e-9)
    auto = nap.compute_autocorrelogram(group, binsize=0.01, windowsize=0.1, norm=False)[0].to_numpy()
    own = measures.cross_correlogram(block, (0, 0), bin_width=10 * pq.ms, max_lag=100 * pq.ms)
    middle = np.arange(21) != 10  # pynapple sets lag 0 to 0
    assert_allclose(own.counts[middle] / (own.n_spikes[0] * 0.01), auto[middle], rtol=1e-9)


def test_tuning_and_information_about_place_are_those_of_pynapple(recording):
    """Mean responses by condition; Skaggs' information in bits per spike of units whose rate depends on a position."""
    import pynapple as nap

    spikes, block, group = recording
    epochs = {"a": np.array([2.0, 10.0, 30.0]), "b": np.array([5.0, 20.0, 60.0])}
    theirs = nap.compute_response_per_epoch(
        group, {name: nap.IntervalSet(start=at, end=at + 2.0) for name, at in epochs.items()}
    )
    order = np.argsort(np.concatenate(list(epochs.values())))
    labels = np.repeat(["a", "b"], 3)[order]
    starts = np.concatenate(list(epochs.values()))[order]
    curve = measures.tuning_curve(labels, cut(block, starts, before=0 * pq.s, after=2 * pq.s))
    assert_allclose(curve.mean, theirs.values, rtol=1e-9)
    place = np.random.default_rng(7).integers(0, 4, 10_000)
    kept = spikes & (
        np.random.default_rng(8).random(spikes.shape) < np.array([0.2, 0.4, 0.6, 1.0])[place][:, None]
    )
    place_cells = nap.TsGroup(
        {k: nap.Ts(np.flatnonzero(x) * 0.01 + 0.005) for k, x in enumerate(kept.T)},
        time_support=nap.IntervalSet(0, 100),
    )
    position = nap.Tsd(
        np.arange(10_000) * 0.01 + 0.005, place.astype(float), time_support=nap.IntervalSet(0, 100)
    )
    table = nap.compute_mutual_information(
        nap.compute_tuning_curves(place_cells, position, bins=np.arange(5) - 0.5)
    )
    ours = [measures.skaggs_information(place, x.astype(int), bias="none", n_shuffle=0).value for x in kept.T]
    assert_allclose(ours, table["bits/spike"].to_numpy(), rtol=1e-9)


@pytest.mark.parametrize("d", [1, 2])
def test_rate_maps_are_those_of_pynapple(d):
    """Bins without a visit too; information in bits per spike and per second, before any correction."""
    nap = pytest.importorskip("pynapple")
    rng = np.random.default_rng(9)
    x = np.cumsum(rng.normal(0, 0.2, (6000, d)), axis=0)
    t, trains = np.arange(6000) / 50, [np.sort(rng.uniform(0, 119.9, n)) for n in (900, 300)]
    edges = [np.linspace(-9, 6, 10), np.linspace(-4, 9, 7)][:d]
    path = nap.TsdFrame(t, x) if d == 2 else nap.Tsd(t, x[:, 0])
    theirs = nap.compute_tuning_curves(
        nap.TsGroup(
            {k: nap.Ts(one) for k, one in enumerate(trains)}, time_support=nap.IntervalSet(0, 119.98)
        ),
        path,
        bins=edges,
        epochs=nap.IntervalSet(0, 119.98),
    )
    signal = neo.AnalogSignal(x, units="cm", sampling_rate=50 * pq.Hz)
    bins = edges if d == 2 else edges[0]
    ours = measures.rate_map(signal, to_block([trains], t_stop=120 * pq.s), bins=bins, min_occupancy=0 * pq.s)
    assert_allclose(ours.rate, theirs.values, rtol=1e-9)
    assert_allclose(ours.occupancy, theirs.attrs["occupancy"] / 50, rtol=1e-9)
    table = ours.information(n_shuffle=0)
    rates = (
        table["n"] / ours.occupancy.sum()
    ).to_numpy()  # its own are those of all spikes, also outside the bins
    bits = nap.compute_mutual_information(theirs, rates=rates)
    assert_allclose(table["raw"], bits["bits/spike"], rtol=1e-9)
    assert_allclose(table["raw"] * rates, bits["bits/sec"], rtol=1e-9)


@pytest.mark.parametrize("d", [1, 2])
def test_posteriors_are_those_of_pynapple(d):
    """With a flat prior where all bins were visited: in others it takes each likelihood as 1."""
    nap = pytest.importorskip("pynapple", minversion="0.11")
    rng = np.random.default_rng(10)
    x, support = rng.uniform(0, 4, (6000, d)), nap.IntervalSet(0, 119.98)
    trains = [np.sort(rng.uniform(0, 119.9, n)) for n in (900, 300, 0)]
    group = nap.TsGroup({k: nap.Ts(one) for k, one in enumerate(trains)}, time_support=support)
    edges = [np.arange(5.0)] * d
    path = nap.TsdFrame(np.arange(6000) / 50, x) if d == 2 else nap.Tsd(np.arange(6000) / 50, x[:, 0])
    curves = nap.compute_tuning_curves(group, path, bins=edges, epochs=support)
    signal = neo.AnalogSignal(x, units="cm", sampling_rate=50 * pq.Hz)
    block = to_block([trains], t_stop=120 * pq.s)
    map = measures.rate_map(signal, block, bins=edges[0])
    for prior in ("flat", "occupancy"):
        ours = map.decode(block, window=0.5 * pq.s, prior=prior, min_rate=1e-12 * pq.Hz, t_stop=119.5 * pq.s)
        decoded, posterior = nap.decode_bayes(
            curves, group, nap.IntervalSet(0, 119.5), 0.5, uniform_prior=prior == "flat"
        )
        assert_allclose(ours.posterior, posterior.values, rtol=1e-9)
        modes = [f"mode_{i}" for i in range(d)] if d == 2 else ["mode"]
        assert_array_equal(ours.table[modes], decoded.values.reshape(-1, d))
        assert_allclose(ours.table["time"], decoded.t, rtol=1e-9)


# --- astropy, pingouin, psignifit ---


@pytest.mark.parametrize("package", ["astropy.stats.circstats", "pingouin"])
def test_locking_is_the_circular_statistics_of_astropy_and_pingouin(package):
    """Mean angle, vector strength and Zar's p; astropy's p is another series for the same probability."""
    circular = pytest.importorskip(package)
    rng = np.random.default_rng(10)
    for n, kappa in ((6, 1.0), (40, 0.4), (300, 0.1)):
        phases = np.mod(rng.vonmises(2.0, kappa, n), 2 * np.pi)
        row = measures.phase_locking(
            1 * pq.Hz, to_block([[np.sort(phases) / (2 * np.pi)]], t_stop=1 * pq.s)
        ).iloc[0]
        if package == "pingouin":
            theirs = circular.circ_mean(phases), circular.circ_r(phases)
            assert_allclose(row.p, circular.circ_rayleigh(phases)[1], rtol=1e-9)
        else:
            theirs = circular.circmean(phases), 1 - circular.circvar(phases)
            assert_allclose(row.p, circular.rayleightest(phases), atol=3e-3)
        assert_allclose([row.direction, row.vector_strength], theirs, rtol=1e-9)


@pytest.mark.parametrize(
    ("model", "name"), [("gaussian", "norm"), ("logistic", "logistic"), ("weibull", "weibull")]
)
def test_psychometric_curves_are_those_of_psignifit(model, name):
    """The curve of the same parameters, thresholds at other fractions, and the mode of a flat posterior."""
    psignifit = pytest.importorskip("psignifit")
    rng = np.random.default_rng(12)
    x = np.repeat([0.5, 1.0, 2, 3, 4, 6], 60)
    right = rng.random(x.size) < 0.5 + 0.46 / (1 + np.exp(-(x - 2.2) * 2))
    curve = measures.psychometric(x, right, model=model, guess=0.5)
    p = curve.parameters
    law = psignifit.sigmoids.sigmoid_by_name(name, PC=0.5, alpha=0.05)
    scale = np.log if name == "weibull" else np.asarray  # they leave the logarithm to their user
    given = scale(p["threshold"]), p["width"], 0.5, p["lapse"]
    where = np.linspace(0.1, 9, 50)
    assert_allclose(curve.predict(where), law(scale(where), *given), rtol=1e-9)
    table = np.stack([scale(curve.stimulus), np.rint(curve.fraction * curve.n), curve.n], axis=1)
    limits = {"threshold": (0.0, 6.0), "width": (0.5, 12.0), "lambda": (0.0, 0.1)}
    flat = {
        key: lambda value, low=low, high=high: np.where((value >= low) & (value <= high), 1.0, 0.0)
        for key, (low, high) in limits.items()
    }
    theirs = psignifit.psignifit(
        table, sigmoid=name, experiment_type="2AFC", priors=flat, bounds=limits, fixed_parameters={"eta": 0.0},
    ).parameter_estimate_MAP  # fmt: skip
    assert_allclose([given[0], p["width"], p["lapse"]], [theirs[one] for one in limits], rtol=5e-3, atol=2e-3)
    at = measures.psychometric(x, right, model=model, guess=0.5, at=0.75)
    theirs_at = law.inverse(0.75, *given[:2], 0.5, p["lapse"])
    assert_allclose(scale(at.threshold.value), theirs_at, rtol=1e-3)  # of two searches


# --- hmmlearn ---


def test_hidden_states_of_poisson_counts_are_those_of_hmmlearn():
    """Likelihood of the counts of three trials, posterior and most likely path at parameters that were fitted."""
    hmm = pytest.importorskip("hmmlearn.hmm")
    model = StatesModel(dt=20 * pq.ms, family=Poisson(), n_states=3)
    p = [-3.0, -1.0, 0.5, -3.0, -5.0, -2.5, -3.0, -5.0, -2.0, 0.5, -0.5]
    block = model.simulate(p, trials=3, duration=20 * pq.s, seed=1)
    fit = fit_states(block, dt=20 * pq.ms, family=Poisson(), n_states=3, n_starts=1)
    counts, lengths = model.data(block).o[:, None].astype(int), [1000] * 3
    theirs = hmm.PoissonHMM(3)
    theirs.startprob_, theirs.transmat_ = fit.initial, fit.transition
    theirs.lambdas_ = np.exp([[fit.parameters[f"state[{k}].bias"]] for k in range(3)])
    value, posterior = theirs.score_samples(counts, lengths)
    assert_allclose(fit.log_likelihood, value, rtol=1e-12)
    assert_allclose(fit.posterior(), posterior, atol=1e-10)
    assert_array_equal(fit.states(), theirs.decode(counts, lengths)[1])


# --- files ---


def samples():
    dt = 1 / 30_000
    block = to_block(
        [[np.array(x) * dt for x in trial] for trial in ([[3000, 9210], [1200]], [[4500], []])],
        t_stop=0.5 * pq.s,
    )
    block.annotations["dt"] = dt
    return block


def test_spikeinterface_reads_what_we_save(tmp_path):
    """Trials lie one after another; a spike's frame is its sample."""
    extractors = pytest.importorskip("spikeinterface.extractors")
    path = save(samples(), tmp_path / "a.nwb")
    sorting = extractors.read_nwb_sorting(str(path), sampling_frequency=30_000.0, t_start=0.0)
    assert list(sorting.get_unit_ids()) == [0, 1]
    frames = [sorting.get_unit_spike_train(unit, segment_index=0).tolist() for unit in (0, 1)]
    assert frames == [[3000, 9210, 15_000 + 4500], [1200]]


def test_a_file_repacked_by_neuroconv_is_ours_again(tmp_path):
    helpers = pytest.importorskip("neuroconv.tools.nwb_helpers")
    block = samples()
    path = save(block, tmp_path / "a.nwb", metadata={"lab": "Ears"})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pynwb's and hdmf's own
        helpers.repack_nwbfile(nwbfile_path=path, export_nwbfile_path=tmp_path / "b.nwb")
    again = load(tmp_path / "b.nwb", check="full")
    assert trains_of(again) == trains_of(block)
    assert bounds_of(again) == bounds_of(block)
    assert again.annotations["nwb"]["lab"] == "Ears"
