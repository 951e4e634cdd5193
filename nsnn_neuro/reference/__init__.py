"""Reference gradients of layered NSNN networks in plain NumPy, small and slow, to test learning rules with.

The model. Layer l at step t receives z = the spikes of layer l - 1 at the same step t (the first layer: x) and, where it has
recurrent weights, its own spikes of step t - 1:

    u(t) = beta kept(t-1) + z(t) W,    kept = u (1 - o) [hard reset] or u - theta o [subtractive],    P(o(t) = 1) = F(u(t) - theta)

with u = o = 0 before step 0. So P(O|x) = prod over layers, steps, neurons of p^o (1 - p)^(1 - o), p = F(u - theta), and a learning
rule minimises J = E[L(O)] over spike patterns O. All gradients here are dJ/dW or estimates of it, so weights change by -eta times
them.

Exact gradient. For fixed spikes u is linear in W: e_ij(t) = du_j(t)/dw_ij = beta (dkept/du)(t-1) e_ij(t-1) + z_i(t), and

    dJ/dW = E[L sum_t (dlog P(o(t))/du) e(t)],    dlog P/du = (o - p) / (p (1 - p)) f,    f = F'          (`score_function`)
          = E[sum_t (E[L | o(t) = 1] - E[L | o(t) = 0]) f e(t)]                                     (`local_expectation`)

where the expectations in the second line are conditional on all spikes drawn before o(t) and over all spikes drawn after it.
`enumerate` sums the first line over every pattern.

Noise-driven learning, NDL (Ma, Yan & Tang 2023), replaces the difference by a derivative:

    dW_ij = sum_t delta_j(t) f(u_j(t) - theta) e_ij(t)

The learning signal delta is dL/do through all layers above (`signals`), f is the postsynaptic factor, and e, the presynaptic
factor, is `traces`: as above but, with reset_path="exact", also through o in kept, as if do/du were f. This equals backpropagation
through time with do/du = f (`bptt`), computed forward in time; for recurrent weights without the paths through other neurons. Both
are exact for one step of an output layer and a loss that is affine in each spike. Otherwise they are biased, since a derivative
differs from E[L | o = 1] - E[L | o = 0]:

- through a layer above, by the curvature of F over the effect of a spike. This bias vanishes as weight / sigma -> 0: it is small
  for many weak synapses and large for few strong ones (for one synapse of weight 1 and sigma 0.4 NDL is 0.58 of the gradient);
- through the reset of the neuron, a jump of beta u or beta theta for any strength of synapses. This bias vanishes as sigma grows:
  for two steps of an output neuron as sigma^-3; with reset_path="detached", which omits the path, as sigma^-1 (for sigma 0.4 and
  drive 0.8 NDL is 1.6 % and 20 % too large);
- by the curvature of the loss in each spike.

The same rule for a neuron's beta, theta and noise scale is `membranes`, with du/dp in place of e.

Local traces of a recurrent layer omit the paths through its other neurons, an error of the order of the recurrent weights: with six
neurons, 15 steps and sigma 0.4 it is half of the norm of `bptt` for weights of SD 0.5, and 5 % for weights of SD 0.05.

Arguments of all functions, dimensionless:

- W: a list of arrays (n_pre, n_post); recurrent: None, or a list with an array (n, n) or None per layer
- x: (T, n_in); spikes: a list of arrays (T, n) of 0 and 1, one per layer. Axes before T are samples, also in results
- family, beta, theta: one for all layers or a list with one per layer, as for `Family` and `NSNNNeuron`
- reset: "hard" or "subtract"
- loss: a callable; loss(o) is a number, with o the list of arrays (T, n) of one sample; loss.gradient(o), if it exists, is the
  list of derivatives. Otherwise they are extrapolated central differences with steps 1/8 to 1/64, exact to rounding (1e-12 of the
  loss) for polynomials up to degree 8 and similarly accurate for functions that are smooth on that scale

Source: Ma, Yan & Tang 2023, doi 10.1016/j.patter.2023.100831; Shekhovtsov & Yanush 2021, arXiv:2006.06880;
Titsias & Lazaro-Gredilla 2015, arXiv:1503.01494 (local expectation)
"""

from .gradient_estimators import enumerate, local_expectation, score_function
from .model import forward, patterns, probability, traces
from .rules import bptt, membranes, ndl, signals

__all__ = [
    "bptt",
    "enumerate",
    "forward",
    "local_expectation",
    "membranes",
    "ndl",
    "patterns",
    "probability",
    "score_function",
    "signals",
    "traces",
]
