"""Fit noisy neurons to recorded spikes by maximum likelihood: noise-driven learning with the spikes clamped to the data.

In step t of length dt a neuron fires with probability F(a_t), F an escape family such as `Gaussian(1.0)`:

    m_t = beta kept_(t-1) + b + sum_k w_k x_k(t),     kept = m (1 - o) [hard], m - theta o [subtract], m [none]
    a_t = m_t + sum_k h_k y_k(t) - theta

x_k is the stimulus filtered by the k-th function of a basis over lags 0, 1, ..., or the spikes of another neuron filtered by
one over lags 1, 2, ... (coupling; from 0 with first_input_lag=0), or a product of two of these; y_k the neuron's own spikes
filtered by the k-th function of a basis over lags 1, 2, ... . m = o = 0 before the first step. With `Poisson()` in place of a
family a step has any number of spikes, with the mean exp(a_t). The page docs/likelihood.md has gradients, maxima and errors.

Source: Paninski 2004, doi 10.1088/0954-898X_15_4_002; Pillow et al. 2008, doi 10.1038/nature07140; Pfister et al. 2006,
doi 10.1162/neco.2006.18.6.1318; Ma, Yan & Tang 2023, doi 10.1016/j.patter.2023.100831
"""

from ..core import lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
