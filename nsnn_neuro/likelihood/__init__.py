"""Fit noisy neurons to recorded spikes by maximum likelihood, using noise-driven learning with the spikes clamped to the data.

The model. In step t of length dt a neuron fires with probability F(a_t), F an escape family such as `Gaussian(1.0)`:

    m_t = beta kept_(t-1) + b + sum_k w_k x_k(t),     kept = m (1 - o) [hard], m - theta o [subtract], m [none]
    a_t = m_t + sum_k h_k y_k(t) - theta

x_k is the stimulus filtered by the k-th function of a basis over lags 0, 1, ..., or the spikes of another neuron filtered by
one over lags 1, 2, ... (coupling; from 0 with first_input_lag=0), or a product of two of these; y_k the neuron's own spikes
filtered by the k-th function of a basis over lags 1, 2, ... (reset, refractoriness, adaptation; equivalent to a moving
threshold). With beta = 0 it is a generalised linear model; without history, with beta and a hard reset, it is the NSNN neuron.
m = o = 0 before the first step.

With `Poisson()` in place of a family a step has any number of spikes, with the mean exp(a_t): the usual generalised linear model.

The gradient. The loss is the negative log-likelihood of the recording,

    L = -log P(O|x) = -sum_t [o_t log F(a_t) + (1 - o_t) log(1 - F(a_t))]

Its derivative with respect to the probability of a spike is the learning signal, and a affects the loss only through F, so

    dL/dF(a_t) = -(o_t - F) / (F (1 - F)),      dL/dw_k = sum_t  dL/dF(a_t)  f(a_t)  e_k(t)
                                                            learning signal, density, eligibility trace

with f = F' and e_k(t) = da_t/dw_k for fixed spikes and resets: for a hard reset e_k(t) = beta (1 - o_(t-1)) e_k(t-1) + x_k(t).
These are the three factors of noise-driven learning (`reference.ndl` with reset_path="detached" and this signal). Unlike in network
training the gradient is unbiased, because the spikes are data. beta has a trace too:
e_beta(t) = (1 - o_(t-1)) (m_(t-1) + beta e_beta(t-1)).

The maximum. a is linear in b, w, h and theta. For a log-concave density f (Gaussian, logistic, uniform, triangular) log F and
log(1 - F) are concave, so for a given beta there is one maximum. Newton's method with safeguards finds it in about ten steps, also
on sparse data; beta climbs the profile of these maxima from the best of a few starts. With the heavy tails of Cauchy and the fast
sigmoid there may be several maxima. The uniform density jumps at its edges, so its likelihood has corners; Fisher scoring follows
them, in up to 200 steps, and the fit is refused where it does not converge.

Identifiability. a and the scale of F can be multiplied by the same number: so the family is given with its scale, and potentials
are in its units (`Gaussian(1.0)`: in noise SDs). Without a membrane (beta = 0) only b - theta matters: theta is 0 unless given.
With a membrane the threshold is fitted, since only the effect of b grows after a reset. `NeuronFit.derived` gives ratios such as
sigma / theta with their errors.

Standard errors are from the expected Fisher information along the recorded spikes, I = sum_t f^2 / (F (1 - F)) e e^T.

Source: Paninski 2004, doi 10.1088/0954-898X_15_4_002; Pillow et al. 2008, doi 10.1038/nature07140; Pfister et al. 2006,
doi 10.1162/neco.2006.18.6.1318; Ma, Yan & Tang 2023, doi 10.1016/j.patter.2023.100831
"""

from ..core import lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
