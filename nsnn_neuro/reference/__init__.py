"""What learning rules are tested against: layered NSNN networks in plain NumPy, small and slow. Nothing here trains.

The model. Layer l at step t receives z = the spikes of layer l - 1 at the same step t (the first layer: x) and, where it has
recurrent weights, its own spikes of step t - 1:

    u(t) = beta kept(t-1) + z(t) W,    kept = u (1 - o) [hard reset] or u - theta o [subtractive],    P(o(t) = 1) = F(u(t) - theta)

with u = o = 0 before step 0. So P(O|x) = prod over layers, steps, neurons of p^o (1 - p)^(1 - o), p = F(u - theta), and a learning
rule minimises J = E[L(O)] over spike patterns O. All gradients here are dJ/dW or estimates of it, so weights change by -eta times
them.

The exact gradient. With spikes held fixed u is linear in W: e_ij(t) = du_j(t)/dw_ij = beta (dkept/du)(t-1) e_ij(t-1) + z_i(t), and

    dJ/dW = E[L sum_t (dlog P(o(t))/du) e(t)],    dlog P/du = (o - p) / (p (1 - p)) f,    f = F'          (`score_function`)
          = E[sum_t (E[L | o(t) = 1] - E[L | o(t) = 0]) f e(t)]                                     (`local_expectation`)

where both expectations are given all that was drawn before o(t), over all that is drawn after it. `enumerate` sums the first of
them over every pattern.

Noise-driven learning, NDL (Ma, Yan & Tang 2023), puts a derivative in the place of the difference:

    dW_ij = sum_t delta_j(t) f(u_j(t) - theta) e_ij(t)

delta, the learning signal, is dL/do through everything above the layer (`signals`); f is the post-synaptic factor; e, the
pre-synaptic factor, is `traces`: as above but, with reset_path="exact", also through o in kept, as if do/du were f. This is
backpropagation through time with do/du = f (`bptt`), taken forward in time; for recurrent weights without the paths through other
neurons. Both are exact for one step of an output layer and a loss affine in each spike. Elsewhere they are biased, as a derivative
isn't the difference E[L | o = 1] - E[L | o = 0]:

- through a layer above, by the curvature of F over a spike's effect. It vanishes as weight / sigma -> 0: many weak synapses are
  safe, few strong ones aren't (one of weight 1, sigma .4: NDL is .58 of the gradient);
- through the neuron's own reset, a jump of beta u or beta theta, however weak the synapses. It vanishes as sigma grows: for two
  steps of an output neuron as sigma^-3; with reset_path="detached", which leaves the path out, as sigma^-1 (sigma .4, drive .8:
  1.6 % and 20 % too large);
- by the curvature of the loss in each spike.

Local traces of a recurrent layer leave out the paths through its other neurons, an error of the order of the recurrent weights: six
neurons, 15 steps, weights of SD .5, sigma .4: half of the norm of `bptt`; SD .05: a twentieth.

Arguments that all functions share, dimensionless:

- W: a list of arrays (n_pre, n_post); recurrent: None or a list with an array (n, n) or None for each layer
- x: (T, n_in); spikes: a list of arrays (T, n) of 0 and 1, one for each layer. Axes before T are samples; results have them too
- family, beta, theta: one for all layers or a list with one for each, as the records `Family` and `NSNNNeuron` have them
- reset: "hard" or "subtract"
- loss: a callable; loss(o) is a number, o the list of arrays (T, n) of one sample; loss.gradient(o), if it exists, the list of the
  derivatives. Without one they are central differences at steps 1/8 to 1/64, extrapolated: exact to rounding (1e-12 of the loss)
  for polynomials up to degree 8 and about as good for functions that are smooth on that scale

Source: Ma, Yan & Tang 2023, doi 10.1016/j.patter.2023.100831; Shekhovtsov & Yanush 2021, arXiv:2006.06880;
Titsias & Lazaro-Gredilla 2015, arXiv:1503.01494 (local expectation)
"""

from .estimators import enumerate, local_expectation, score_function
from .model import forward, patterns, probability, traces
from .rules import bptt, ndl, noise_scale, signals

__all__ = [
    "bptt",
    "enumerate",
    "forward",
    "local_expectation",
    "ndl",
    "noise_scale",
    "patterns",
    "probability",
    "score_function",
    "signals",
    "traces",
]
