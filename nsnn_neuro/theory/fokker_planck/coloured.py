"""Rate and CV of a one-dimensional neuron in Ornstein-Uhlenbeck noise with any correlation time, from its Fokker-Planck equation.

tau_m dV/dt = f(V) + I, tau_noise dI = -I dt + sigma_I sqrt(2 tau_noise) dW, sigma_I = sigma sqrt(1 + tau_m / tau_noise). With
x = V, time in tau_m, z = I / sigma_I, s = sigma_I, k = tau_noise / tau_m the density P(x, z) obeys

    d/dx [(f + s z) P] - (1/k) d/dz [z P + dP/dz] = -dP/dt.

The flux at v_spike (f + s z > 0 there, and P = 0 where f + s z < 0) has the distribution j(z); after tau_refrac, during which z
evolves freely, it re-enters at v_reset. The discretisation is a Galerkin method with discontinuous polynomials of degree 2 and
upwind flux in V, and continuous polynomials of degree 3 in z. It conserves probability, mean and variance of z to rounding.
Integrals over elements in which the sign of f + s z changes are split there. At v_spike P rises as the square root of the distance
from f + s z = 0 (Doering et al. 1987, doi 10.1103/PhysRevLett.59.2129), so the mesh is graded towards that point and towards
v_reset. Rate and CV are functionals of P; their error is a product of primal and adjoint errors and falls much faster than that of
P.

With A the operator of one interval (no re-entry), A G1 = (entry law) and A G2 = G1 give the moments int G1 and 2 int G2 of the
passage time; the entry law is the stationary vector of the matrix that maps the distribution of z at a spike to that at the next
spike.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy import linalg, sparse
from scipy.sparse.linalg import splu

from ...core.aliases import Time, Voltage
from ...core.checks import suggest_keywords
from ...core.errors import NsnnError
from ..arguments import expect, out, times, voltages
from .stationary import drift_problem, lowest

_V_ORDER, _Z_ORDER = 2, 3
_Z_END = 6.5  # a normal variable is beyond it with probability 8e-11
_LARGEST = 300_000  # largest number of unknowns
_RAREST = 1e-9  # smallest rate in 1/tau_m; below, the tails of P are lost in rounding
_NEAR = 0.03  # smallest element at the singular point, in z; in V, as the cube of z there, _NEAR^3 s k


class _Point(NamedTuple):
    """One neuron: voltages in SI, times in tau_m."""

    f: Callable[[np.ndarray], np.ndarray]
    s: float
    k: float
    refrac: float
    low: float
    reset: float
    spike: float
    wall: bool  # low was given
    resolution: float

    def still(self, v: float) -> float:
        """The z for which dV/dt = 0 at v."""
        return -self.f(np.array([v])).item() / self.s


@suggest_keywords
def coloured_fp_rate(
    drift: Callable[[Any], Any],
    sigma: Voltage,
    tau_noise: Time,
    *,
    tau_m: Time,
    v_spike: Voltage,
    v_reset: Voltage,
    tau_refrac: Time,
    v_low: Voltage | None = None,
    resolution: float = 1.0,
) -> Any:
    """Stationary firing rate of a neuron with any drift in Ornstein-Uhlenbeck noise with any correlation time, in Hz.

    tau_m dV/dt = drift(V) + I, tau_noise dI = -I dt + sigma sqrt(1 + tau_m / tau_noise) sqrt(2 tau_noise) dW;
    1/r = tau_refrac + (mean time from v_reset to v_spike, I distributed as at re-entry). The two-dimensional
    Fokker-Planck equation is solved for each point, which takes about a second (longer for tau_noise >> tau_m).

    From resolution 1 to 1.5 the rate changes by at most 2e-5 for tau_noise from tau_m / 200 to 20 tau_m, more for rare spikes:
    compare two resolutions there.

    Parameters
    ----------
    drift : function of V such as `lif_drift(mu)`
    sigma : noise, > 0: as for `OUNoise`; for a leaky neuron the standard deviation of the free membrane
    tau_noise : correlation time of I, > 0
    tau_m, tau_refrac : times; v_spike, v_reset : voltages; a spike is the arrival at v_spike (v_thresh of an LIF). During
        the refractory time V stays at v_reset while I evolves. All broadcast
    v_low : wall below v_reset at which the membrane stays until dV/dt > 0; None: where the density is negligible
    resolution : number of elements in each direction, relative to the default

    Raises
    ------
    NsnnError : a drift that needs v_low; rates below 1e-9 / tau_m; a mesh with too many elements

    Source: Fourcaud & Brunel 2002, doi 10.1162/089976602320264015 (equation and boundary conditions)

    >>> from brian2 import mV, ms
    >>> from nsnn_neuro.theory import lif_drift
    >>> cell = dict(tau_m=20*ms, v_spike=20*mV, v_reset=10*mV, tau_refrac=2*ms)
    >>> rate = coloured_fp_rate(lif_drift(20*mV), 5*mV / 2**.5, 5*ms, **cell)
    >>> round(rate, 2)    # white noise: 27.34
    19.65
    """
    neuron = (tau_m, v_spike, v_reset, tau_refrac, v_low)
    return _rate_and_cv(drift, sigma, tau_noise, neuron, resolution)[0]


@suggest_keywords
def coloured_fp_cv(
    drift: Callable[[Any], Any],
    sigma: Voltage,
    tau_noise: Time,
    *,
    tau_m: Time,
    v_spike: Voltage,
    v_reset: Voltage,
    tau_refrac: Time,
    v_low: Voltage | None = None,
    resolution: float = 1.0,
) -> Any:
    """Coefficient of variation of the interspike intervals in Ornstein-Uhlenbeck noise with any correlation time.

    CV^2 = r^2 (E[T^2] - E[T]^2), T the time from v_reset to v_spike with I distributed as at re-entry. Successive intervals
    are correlated, so the Fano factor of long windows is not CV^2. It is as accurate as the rate down to a CV of 0.05; below, CV^2
    has an absolute error of about 2e-7. Arguments and errors as in `coloured_fp_rate`.

    Source: Fourcaud & Brunel 2002, doi 10.1162/089976602320264015 (equation and boundary conditions)

    >>> from nsnn_neuro.theory import lif_drift
    >>> cell = dict(tau_m=1.0, v_spike=1.0, v_reset=0.0, tau_refrac=0.1)
    >>> coloured_fp_cv(lif_drift(0.8), 0.3, [0.1, 1.0], **cell).round(3).tolist()    # white noise: .644
    [0.721, 1.038]
    """
    neuron = (tau_m, v_spike, v_reset, tau_refrac, v_low)
    return _rate_and_cv(drift, sigma, tau_noise, neuron, resolution)[1]


def coloured_fp_rate_and_cv(
    drift: Callable[[Any], Any],
    sigma: Any,
    tau_noise: Any,
    *,
    tau_m: Any,
    v_spike: Any,
    v_reset: Any,
    tau_refrac: Any,
    v_low: Any = None,
    resolution: float = 1.0,
) -> tuple[Any, Any]:
    """`coloured_fp_rate` and `coloured_fp_cv` in the time of one: both come from the same solution.

    >>> from nsnn_neuro.theory import lif_drift
    >>> cell = dict(tau_m=1.0, v_spike=1.0, v_reset=0.0, tau_refrac=0.1)
    >>> rate, cv = coloured_fp_rate_and_cv(lif_drift(0.8), 0.3, 0.1, **cell)
    >>> round(cv, 3)
    0.721
    """
    return _rate_and_cv(drift, sigma, tau_noise, (tau_m, v_spike, v_reset, tau_refrac, v_low), resolution)


def _rate_and_cv(drift, sigma, tau_noise, neuron, resolution) -> tuple[Any, Any]:
    """Rate and CV from mean and variance of the first-passage time, which are in tau_m and tau_m^2."""
    voltages(sigma=sigma)
    tau_m, v_spike, v_reset, tau_refrac, v_low = neuron
    memory, tau = times(tau_noise=tau_noise, tau_m=tau_m)
    expect(memory > 0, "a positive time (white noise: fp_rate, fp_cv)", tau_noise=tau_noise)
    expect(0 < resolution < np.inf, "a positive number", resolution=resolution)
    spread = sigma * np.ones(np.shape(memory)) if np.ndim(memory) else sigma
    p = drift_problem(drift, spread, tau_m, v_spike, v_reset, tau_refrac, v_low, 1)
    k = np.broadcast_to(memory / tau, p.sigma.shape)
    s = p.sigma * np.sqrt(1 + 1 / k)
    low = p.low if v_low is not None else lowest(drift, s * np.sqrt(k), p.reset)
    moments, names = np.empty((2, *p.sigma.shape)), ("s", "k", "refrac", "low", "reset", "spike")
    for at in np.ndindex(p.sigma.shape):

        def f(v: np.ndarray, at: Any = at) -> np.ndarray:
            column = v.reshape(-1, *[1] * p.sigma.ndim)
            every = np.broadcast_to(drift(column), (v.size, *p.sigma.shape))
            return every[(slice(None), *at)].reshape(v.shape)

        here = dict(zip(names, (float(a[at]) for a in (s, k, p.refrac, low, p.reset, p.spike)), strict=True))
        moments[:, *at] = _passage(_Point(f=f, wall=v_low is not None, resolution=resolution, **here))
    mean, variance = moments
    return out(1 / (p.refrac + mean) * p.tau**-1.0), out(np.sqrt(variance) / (p.refrac + mean))


def _equidistribute(x: np.ndarray, density: np.ndarray, least: int) -> np.ndarray:
    """Nodes from x[0] to x[-1] such that the integral of the density between neighbours is the same, about 1."""
    total = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2 * np.diff(x))])
    nodes = np.interp(np.linspace(0, total[-1], max(least, int(np.ceil(total[-1]))) + 1), total, x)
    nodes[0], nodes[-1] = x[0], x[-1]
    return nodes


def _voltage_mesh(p: _Point, z_end: float) -> tuple[np.ndarray, int]:
    """Borders of the cells in V and the index of v_reset among them.

    Per unit of V: the rate of change l = |f'| + sqrt(s |f''|) along a trajectory against its speed; the spread
    s sqrt(k/l) / (1 + k l) of V about its value at frozen I; the e-folding |f| / (s^2 k) of a density that climbs against the
    drift; and a grading towards v_spike, v_reset and a wall within the boundary layer s k.
    """
    smallest, layer = _NEAR**3 * p.s * p.k, 2 * p.s * p.k
    parts = []
    for low, high in ((p.low, p.reset), (p.reset, p.spike)):
        ends = (high - low) * np.concatenate([[0], np.geomspace(1e-9, 0.5, 400)])
        v = np.unique(np.concatenate([low + ends, high - ends, np.linspace(low, high, 2001)]))
        f = p.f(v)
        slope = np.gradient(f, v)
        change = np.abs(slope) + np.sqrt(np.abs(np.gradient(slope, v)) * p.s)
        density = 2 * change / (np.abs(f) + p.s) + 4 / (p.spike - p.reset)
        density += (np.abs(f) < 4 * p.s) * 0.6 * np.sqrt(change / p.k) * (1 + change * p.k) / p.s
        uphill = (f < 0) | (high == p.reset)
        density += uphill * (np.abs(f) < z_end * p.s) * np.abs(f) / (2 * p.s**2 * p.k)
        graded = [(p.reset, 0.5, 10 * smallest)]
        if high == p.spike and abs(p.still(p.spike)) < z_end:
            graded.append((p.spike, 1.0, smallest))
        if low == p.low and p.wall:
            graded.append((p.low, 1.0, smallest))
        for place, much, least in graded:
            away = np.abs(v - place)
            density += much / (away + least) * np.exp(-away / layer)
        parts.append(_equidistribute(v, p.resolution * density, 2))
    if p.wall:  # an additional cell, so narrow that only density that stays at the wall is in it
        parts[0] = np.insert(parts[0], 1, p.low + 1e-9 * layer)
    return np.concatenate([parts[0], parts[1][1:]]), len(parts[0]) - 1


def _current_mesh(p: _Point, z_end: float) -> np.ndarray:
    """Borders of the elements in z: 1 / sqrt(1 + k) is the spread of z at a given V; graded towards the singular points."""
    z = np.linspace(-_Z_END, z_end, 20_001)
    density = 0.5 + 0.5 * np.sqrt(1 + p.k) + 0.1 * np.abs(z)
    graded = [(p.spike, 0.5, _NEAR), (p.reset, 0.25, 3 * _NEAR)]
    for v, much, least in graded + [(p.low, 0.5, _NEAR)] * p.wall:
        away = np.abs(z - p.still(v))
        density += much / (away + least) * np.exp(-away)
    return _equidistribute(z, p.resolution * density, 4)


class _Elements:
    """Continuous piecewise polynomials in z: integrals of products of two of them, and of z times such products."""

    def __init__(self, borders: np.ndarray):
        n, count = _Z_ORDER, borders.size - 1
        nodes = -np.cos(np.pi * np.arange(n + 1) / n)
        self._of = np.linalg.inv(np.polynomial.legendre.legvander(nodes, n))  # Legendre coefficients
        self._slope = np.polynomial.legendre.legder(self._of)
        self._x, self._w = np.polynomial.legendre.leggauss(n + 2)
        self._borders, self._middle = borders, (borders[1:] + borders[:-1]) / 2
        self._half = np.diff(borders) / 2
        self.size = count * n + 1
        own = np.arange(count)[:, None] * n + np.arange(n + 1)
        self._rows = np.repeat(own, n + 1, axis=1).ravel()
        self._columns = np.tile(own, (1, n + 1)).ravel()
        z = self._middle[:, None] + self._half[:, None] * self._x
        values, slopes = self._values(self._x), np.polynomial.legendre.legval(self._x, self._slope).T
        sums = lambda w, left, right: np.einsum("eg,gi,gj->eij", w, left, right)  # noqa: E731
        weight = self._half[:, None] * self._w
        self._local_mass = sums(weight, values, values)
        self._local_moment = sums(weight * z, values, values)
        self.mass, self.moment = self._matrix(self._local_mass), self._matrix(self._local_moment)
        diffusion = sums(self._w / self._half[:, None], slopes, slopes)
        self.relaxation = self._matrix(diffusion + sums(self._w * z, slopes, values))

    def _values(self, x: np.ndarray) -> np.ndarray:
        return np.polynomial.legendre.legval(x, self._of).T

    def _matrix(self, local: np.ndarray) -> sparse.csr_matrix:
        return sparse.csr_matrix((local.ravel(), (self._rows, self._columns)), shape=(self.size,) * 2)

    def above(self, border: float) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
        """`mass` and `moment` of the part z > border."""
        whole = (self._borders[:-1] >= border)[:, None, None]
        mass, moment = self._local_mass * whole, self._local_moment * whole
        e = int(np.searchsorted(self._borders, border)) - 1
        if 0 <= e < self._half.size and self._borders[e] < border < self._borders[e + 1]:
            part = (self._borders[e + 1] - border) / 2
            z = self._borders[e + 1] - part * (1 - self._x)
            values = self._values((z - self._middle[e]) / self._half[e])
            mass[e] = np.einsum("g,gi,gj->ij", self._w * part, values, values)
            moment[e] = np.einsum("g,gi,gj->ij", self._w * part * z, values, values)
        return self._matrix(mass), self._matrix(moment)


def _operator(
    p: _Point, borders: np.ndarray, z: _Elements
) -> tuple[sparse.csc_matrix, sparse.csr_matrix, sparse.csr_matrix]:
    """The operator A of one interval, the matrix of the outflow at v_spike, and the mass matrix of the basis.

    Coefficients of P are ordered as (cell, Legendre degree in V, function of z).
    """
    n, count, width = _V_ORDER + 1, borders.size - 1, np.diff(borders)
    x, w = np.polynomial.legendre.leggauss(n + 3)
    basis = np.polynomial.legendre.legvander(x, _V_ORDER)
    slope = np.polynomial.legendre.legval(x, np.polynomial.legendre.legder(np.eye(n))).T
    drift = p.f((borders[1:] + borders[:-1])[:, None] / 2 + width[:, None] / 2 * x)
    mass = sparse.diags_array(np.outer(width, 1 / (2 * np.arange(n) + 1)).ravel())
    # the basis at a cell's two ends
    right, left = np.ones((count, n)), np.tile((-1.0) ** np.arange(n), (count, 1))
    advected = np.einsum("cg,gi,gj->cij", drift * w, slope, basis)
    moved = np.tile(np.einsum("g,gi,gj->ij", w, slope, basis), (count, 1, 1))
    unused = np.zeros((count, n))
    if p.wall:  # the density in the cell of the wall is constant in V: other degrees are 0
        right[0, 1:] = left[0, 1:] = advected[0] = moved[0] = 0
        unused[0, 1:] = 1
    inside = sparse.kron(mass, z.relaxation / p.k) + sparse.kron(sparse.diags_array(unused.ravel()), z.mass)
    inside -= sparse.kron(sparse.block_diag(list(advected)), z.mass)
    inside -= p.s * sparse.kron(sparse.block_diag(list(moved)), z.moment)
    terms = [(0, 0, inside.tocoo())]
    outflow = z.mass
    for c, f in enumerate(p.f(borders[1:])):
        part, moment = z.above(-f / p.s)
        outflow = f * part + p.s * moment
        terms.append((c, c, sparse.kron(np.outer(right[c], right[c]), outflow).tocoo()))
        if c < count - 1:
            back = f * z.mass + p.s * z.moment - outflow
            terms.append((c + 1, c, sparse.kron(-np.outer(left[c + 1], right[c]), outflow).tocoo()))
            terms.append((c, c + 1, sparse.kron(np.outer(right[c], left[c + 1]), back).tocoo()))
            terms.append((c + 1, c + 1, sparse.kron(-np.outer(left[c + 1], left[c + 1]), back).tocoo()))
    size = n * z.size
    rows = np.concatenate([m.coords[0] + r * size for r, _, m in terms])
    columns = np.concatenate([m.coords[1] + c * size for _, c, m in terms])
    values = np.concatenate([m.data for *_, m in terms])
    operator = sparse.csc_matrix((values, (rows, columns)), shape=(count * size,) * 2)
    return operator, outflow, sparse.kron(mass, z.mass).tocsr()


def _passage(p: _Point) -> tuple[float, float]:
    """Mean and variance of the time from v_reset to v_spike in the stationary state, in tau_m and tau_m^2."""
    grid = np.linspace(p.reset, p.spike, 2001)
    hardest = np.max(-p.f(grid)) / p.s
    rare = NsnnError(
        f"sigma is so small (sigma_I = {p.s} in SI) that the rate is below {_RAREST} / tau_m: expected a larger one"
    )
    if hardest > 12:
        raise rare
    z_end = max(_Z_END, hardest + 4)
    if not p.wall:  # the end for white noise, or the voltage where the drift exceeds every I, if it is higher
        v = p.reset - (p.reset - p.low) * np.linspace(0, 1, 2001)[1:]
        outrun = np.minimum.accumulate(p.f(v[::-1]))[::-1] > _Z_END * p.s
        if outrun.any():
            p = p._replace(low=float(v[np.argmax(outrun)]))
    borders, reset = _voltage_mesh(p, z_end)
    z = _Elements(_current_mesh(p, z_end))
    n, count = _V_ORDER + 1, borders.size - 1
    if (unknowns := count * n * z.size) > _LARGEST:
        raise NsnnError(
            f"tau_noise = {p.k} tau_m at resolution = {p.resolution} needs {unknowns} unknowns: "
            "expected a lower resolution or a drift and v_low that need fewer"
        )
    operator, outflow, product = _operator(p, borders, z)
    solver = splu(operator)
    enter = _entry(p, z, count, reset)
    # the distribution of z at the next spike, given that at this spike
    top = lambda density: density.reshape(count, n, z.size, -1)[-1].sum(axis=0)  # noqa: E731
    each = np.split(np.eye(z.size), range(64, z.size, 64), axis=1)
    ahead = np.concatenate([outflow @ top(solver.solve(enter(laws))) for laws in each], axis=1)
    # ahead @ spikes = spikes, sum 1; probability is conserved, so one equation is redundant
    equations = np.vstack([ahead - np.eye(z.size), np.ones(z.size)])
    spikes = np.linalg.lstsq(equations, np.append(np.zeros(z.size), 1.0), rcond=None)[0]
    first = solver.solve(enter(spikes[:, None])[:, 0])
    second = solver.solve(product @ first)
    one = np.kron(np.tile([1.0] + [0.0] * _V_ORDER, count), np.ones(z.size))
    mean, square = float(one @ (product @ first)), 2 * float(one @ (product @ second))
    if not 0 < mean + p.refrac < 1 / _RAREST:
        raise rare
    return mean, max(square - mean**2, 0.0)


def _entry(p: _Point, z: _Elements, count: int, reset: int) -> Callable[[np.ndarray], np.ndarray]:
    """The source at v_reset of distributions of z at spikes, (functions of z, distributions) -> (unknowns, distributions).

    z evolves for tau_refrac; then density with dV/dt > 0 enters the cell above v_reset, the rest the cell below. A distribution is
    given by its products with the basis in z.
    """
    inverse = np.linalg.inv(z.mass.toarray())
    held = linalg.expm(-p.refrac / p.k * z.relaxation.toarray() @ inverse) if p.refrac else np.eye(z.size)
    density = inverse @ held
    rising = z.above(p.still(p.reset))[0]
    up, down = rising @ density, (z.mass - rising) @ density
    n = _V_ORDER + 1

    def enter(laws: np.ndarray) -> np.ndarray:
        source = np.zeros((count, n, *laws.shape))
        source[reset] = (-1.0) ** np.arange(n)[:, None, None] * (up @ laws)
        source[reset - 1] = down @ laws
        return source.reshape(-1, laws.shape[1])

    return enter
