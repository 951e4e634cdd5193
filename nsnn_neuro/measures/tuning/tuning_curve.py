"""Tuning curves: mean response to each stimulus, selectivity with bootstrap intervals and permutation tests.

Indices of the vector sum use all stimuli, so that they have smaller errors than those of the peak, which compare single stimuli
(Mazurek, Kager & Van Hooser 2014).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import quantities as pq

from ...core.aliases import SpikeSource, Values
from ...core.checks import check, one_of, suggest_keywords
from ...core.errors import NsnnError
from ...core.parallel import narrow_products
from ..estimate import counted, listed
from ..limits import between_0_and_1, index_interval
from ..response_checks import by_category, permutation_p, refuse_swapped
from ..spiketrain.sparseness import vinje_gallant
from ..table import unit_names
from ..trains import nan_ratio, warn_silent
from ..trial_counts import means_of, sums_of
from .read_trials import in_unit, limits_by_stimulus, read_responses, read_stimulus

if TYPE_CHECKING:
    from .tuning_fit import TuningFit

_ANGLES = ("deg", "rad", "mrad", "arcmin", "arcsec")
_NO_ANGLES = "; stimuli that are no angles have the index 'sparseness', as in p('sparseness')"
_APART = 1e-5  # rad, by which angles may miss equal spacing: more than rounding to float32


@dataclass(frozen=True, eq=False)
class TuningCurve:
    """Mean response of each neuron to each stimulus, with its standard error; made by `tuning_curve`.

    Angles are stimuli in degrees or radians (`unit`); plain numbers are taken as degrees. `osi`, `dsi` and their peak forms need
    angles that are equally spaced over the circle (`osi` over 180 or 360 degrees, all others over 360). `preferred` needs no
    angles, so for its interval plain numbers are angles only if they are equally spaced over a circle.

    >>> rates = [[9.0], [11.0], [4.0], [6.0], [2.0], [2.0], [4.0], [4.0]]
    >>> curve = tuning_curve([0, 0, 90, 90, 180, 180, 270, 270], rates)
    >>> curve.mean.tolist(), curve.se.tolist(), curve.upper.round(1).tolist()
    ([[10.0, 5.0, 2.0, 4.0]], [[1.0, 1.0, 0.0, 0.0]], [[22.7, 17.7, 2.0, 4.0]])
    >>> curve.dsi.round(3), curve.dsi_peak.round(3), curve.preferred
    (array([0.384]), array([0.667]), array([0.]))
    """

    values: np.ndarray
    """(n_stimuli,) distinct stimuli: numbers or texts, sorted; texts of a pandas Categorical in the order of its categories"""
    mean: np.ndarray
    """(n_neurons, n_stimuli) mean response over trials"""
    se: np.ndarray
    """(n_neurons, n_stimuli) SD over trials / sqrt(n); NaN for a stimulus with one trial. With few
    trials take `lower` and `upper` ("Errors with few trials" in the documentation)"""
    n: np.ndarray
    """(n_stimuli,) trials"""
    unit: str
    """of the stimulus: "1" for plain numbers and texts"""
    response_unit: str
    """ "Hz"; "1" for a table of counts without a window"""
    responses: np.ndarray = field(repr=False)
    """(n_trials, n_neurons) response of each trial"""
    label: np.ndarray = field(repr=False)
    """(n_trials,) index of each trial's stimulus in `values`"""
    names: list[str] = field(default_factory=list, repr=False)
    """(n_neurons,) what figures and reports call the neurons, "unit 17" where the Block has ids or names"""

    def __str__(self) -> str:
        """The largest and the smallest mean response of each neuron, of at most seven of them."""
        n, k = self.mean.shape
        stimuli, rate = ("" if unit == "1" else f" {unit}" for unit in (self.unit, self.response_unit))
        values = [f"{one:g}" if isinstance(one, float) else str(one) for one in self.values.tolist()]

        def row(j: int) -> str:
            mean, se = self.mean[j], self.se[j]
            ends = (
                f"{mean[i]:.3g} ± {se[i]:.2g}{rate} at {values[i]}{stimuli}"
                for i in (mean.argmax(), mean.argmin())
            )
            return f"{self.names[j] if self.names else f'neuron {j}'}: {', '.join(ends)}"

        title = f"tuning_curve: {counted(n, 'neuron')}, {k} stimuli, {self.n.sum()} trials"
        return listed(title, row, n)

    @property
    def lower(self) -> np.ndarray:
        """Lower limit of the mean, (n_neurons, n_stimuli), 95 %, from Student's distribution with a correction for skewness.

        Where all responses are equal, such as 0 spikes, the limits equal the mean and are too narrow.
        """
        return self._limits()[0]

    @property
    def upper(self) -> np.ndarray:
        """Upper limit of the mean, see `lower`."""
        return self._limits()[1]

    def _limits(self) -> tuple[np.ndarray, np.ndarray]:
        scale = "linear" if (self.responses < 0).any() else "positive"
        return limits_by_stimulus(self.label, self.responses, scale)

    @property
    def preferred(self) -> np.ndarray:
        """The stimulus with the largest mean response, (n_neurons,); the first of several."""
        return self.values[self.mean.argmax(axis=1)]

    @property
    def direction(self) -> np.ndarray:
        """Preferred direction: the phase of the vector sum, (n_neurons,) in the unit of the stimulus, from 0 to 360 degrees."""
        return self._index("direction", self.mean)

    @property
    def orientation(self) -> np.ndarray:
        """Preferred orientation: half the phase of the vector sum at twice the angle, (n_neurons,), from 0 to 180 degrees."""
        return self._index("orientation", self.mean)

    @property
    def osi(self) -> np.ndarray:
        """Orientation selectivity |sum of R exp(2 i t)| / sum of R, (n_neurons,): 0 for none, 1 for one orientation alone.

        Noise raises it, and this is not corrected: without selectivity its mean is about sqrt(pi) se/(2 R sqrt(n_stimuli)) with
        R +- se the mean response to a stimulus. `p` tests it against chance. NaN for silent neurons, with one warning.
        """
        return self._selectivity("osi")

    @property
    def dsi(self) -> np.ndarray:
        """Direction selectivity |sum of R exp(i t)| / sum of R, (n_neurons,); see `osi`."""
        return self._selectivity("dsi")

    @property
    def osi_peak(self) -> np.ndarray:
        """Orientation selectivity (R_pref - R_orth)/(R_pref + R_orth), (n_neurons,).

        R_orth is the mean response at +90 and -90 degrees from the peak. It is above 0 without selectivity too: see `p`.
        """
        return self._selectivity("osi_peak")

    @property
    def dsi_peak(self) -> np.ndarray:
        """Direction selectivity (R_pref - R_null)/(R_pref + R_null), (n_neurons,), R_null at 180 degrees from the peak."""
        return self._selectivity("dsi_peak")

    @property
    def sparseness(self) -> np.ndarray:
        """Sparseness (1 - (mean of R)^2 / mean of R^2) / (1 - 1/n_stimuli), (n_neurons,), of any stimuli, texts as well.

        0: equal responses; 1: a response to one stimulus alone. Sources: Rolls & Tovee 1995, doi 10.1152/jn.1995.73.2.713;
        Vinje & Gallant 2000, doi 10.1126/science.287.5456.1273.
        """
        return self._selectivity("sparseness")

    @suggest_keywords
    def interval(
        self, name: str, *, level: float = 0.95, n_resample: int = 1000, seed: int = 0
    ) -> tuple[np.ndarray, np.ndarray]:
        """Bootstrap interval of an index, (lower, upper), each (n_neurons,).

        Trials of each stimulus are drawn with replacement, n - 1 of n (Rao & Wu), and the index is computed again; the ends are
        quantiles of these values, of angles those of the difference from the estimate, so that an interval may go below 0 or
        beyond 360 degrees. Noise biases an index of selectivity upwards: the lower end is moved down by twice that bias, and is 0
        where noise alone reaches the index; estimates stay biased. Coverage: "Errors with few trials" in the documentation.

        "preferred" is an angle, of period 360 degrees, where the stimuli have a unit of angles (deg, rad). Its period is 180
        degrees where three or more angles are equally spaced over 180 degrees (orientations). Plain numbers are angles, in
        degrees, where three or more are equally spaced over 180 or 360 degrees, such as 0, 30, ..., 330; others lie on a line.

        Parameters
        ----------
        name : "preferred", "direction", "orientation", "osi", "dsi", "osi_peak", "dsi_peak" or "sparseness"
        level : between 0 and 1
        n_resample, seed : of the bootstrap, at least 20

        Raises
        ------
        NsnnError : a stimulus with one trial, texts for "preferred", what the index itself refuses. Source of the bootstrap: Rao &
            Wu 1988, doi 10.1080/01621459.1988.10478591

        >>> rng = np.random.default_rng(0)
        >>> angle = np.repeat(np.arange(0, 360, 45), 20)
        >>> curve = tuning_curve(angle, rng.poisson(10 + 8*np.cos(np.deg2rad(angle - 60)))[:, None])
        >>> [ends.round(1) for ends in curve.interval("direction")]
        [array([59.2]), array([69.])]
        """
        check(n_resample=n_resample, seed=seed)
        between_0_and_1(level, "level")
        if n_resample < 20:
            raise NsnnError(f"n_resample = {n_resample}: expected at least 20")
        if self.n.min() < 2:
            k = int(self.n.argmin())
            raise NsnnError(
                f"stimulus {self.values[k]} has one trial: a bootstrap needs at least two of each"
            )
        own = self._index(name, self.mean)
        if own.dtype.kind == "U":
            raise NsnnError("name = 'preferred': texts have no order; there is no interval")
        return index_interval(
            lambda means: self._index(name, means), self.label, self.responses, level=level, n_resample=n_resample, seed=seed,
            period=self._period(name), selectivity=name in _INDICES,
        )  # fmt: skip

    @suggest_keywords
    def p(self, name: str = "osi", *, n_shuffle: int = 1000, seed: int = 0) -> np.ndarray:
        """P-value of an index of selectivity, (n_neurons,), by permutations of the stimuli over trials.

        p = (1 + permutations whose index is at least that of the data)/(1 + n_shuffle): a test of "the response does not depend
        on the stimulus" against this kind of selectivity.

        Parameters
        ----------
        name : "osi", "dsi", "osi_peak", "dsi_peak" or "sparseness"
        n_shuffle, seed : of the permutations

        Raises
        ------
        NsnnError : another name, what the index itself refuses. Silent neurons have NaN, with one SilentNeuronWarning. Source:
            Phipson & Smyth 2010, doi 10.2202/1544-6115.1585

        >>> rng = np.random.default_rng(0)
        >>> angle = np.repeat(np.arange(0, 360, 45), 10)
        >>> rates = rng.poisson(10 + np.outer(8*np.cos(np.deg2rad(angle)), [1, 0]))
        >>> tuning_curve(angle, rates).p("dsi", n_shuffle=199).round(3)
        array([0.005, 0.435])
        """
        check(n_shuffle=n_shuffle, seed=seed)
        one_of(name, _INDICES, "name")
        own = self._selectivity(name)
        rng = np.random.default_rng(seed)
        null = np.empty((n_shuffle, own.size))
        for k in range(n_shuffle):
            null[k] = self._index(name, means_of(self.responses, rng.permutation(self.label))[0].T)
        values = [permutation_p(column, value) for column, value in zip(null.T, own, strict=True)]
        return np.where(np.isnan(own), np.nan, np.array(values, dtype=float))

    @suggest_keywords
    def fit(
        self, model: str = "von_mises", *, period: float = 360.0, n_shuffle: int = 1000, seed: int = 0
    ) -> TuningFit:
        """Fit a curve to the responses of each neuron by least squares over trials, with a test against a constant.

        A fit with a large `p` means nothing, whatever its standard errors. Amplitudes are at least 0, and so is the baseline where
        no response is negative. Standard errors are finite, or NaN with a `reason`.

        Parameters
        ----------
        model : with x the stimulus, baseline b, amplitude a, preferred stimulus x0:
            "von_mises": b + a exp(concentration (cos(t - t0) - 1)), t = 360 x/period degrees;
            "two_von_mises": the same and a second peak, second_amplitude <= a, half a period away: for direction;
            "gaussian": b + a exp(-(x - x0)^2/(2 width^2)), for stimuli on a line;
            "cosine": b + a cos(t - t0)
        period : in degrees, of all but "gaussian": 360 (default) for directions, 180 for orientations
        n_shuffle, seed : of the permutations of stimuli over trials; n_shuffle = 0 leaves p NaN

        Raises
        ------
        NsnnError : texts, fewer stimuli than parameters (3 to 5), angles in another unit than degrees or radians. Warns once,
            SilentNeuronWarning, for neurons whose mean response is the same to all stimuli (NaN); once of standard errors that are
            NaN; and once of second peaks that "von_mises" leaves out. Sources: Swindale 1998, doi 10.1007/s004220050411;
            cosine: Georgopoulos et al. 1982, doi 10.1523/JNEUROSCI.02-11-01527.1982; standard errors: White 1980,
            doi 10.2307/1912934

        >>> angle = np.repeat(np.arange(0, 360, 45), 2)
        >>> rates = 5 + 3*np.cos(np.deg2rad(angle - 60)) + np.tile([-0.1, 0.1], 8)
        >>> fit = tuning_curve(angle, rates[:, None]).fit("cosine")
        >>> {name: value.round(3).tolist() for name, value in fit.parameters.items()}, fit.p.round(3)
        ({'baseline': [5.0], 'amplitude': [3.0], 'preferred': [60.0]}, array([0.001]))
        """
        from .tuning_fit import fit_curve

        if self.values.dtype.kind == "U":
            raise NsnnError("stimulus holds texts: a curve can only be fitted to numbers")
        check(n_shuffle=n_shuffle, seed=seed)
        with narrow_products():
            return fit_curve(self, model, period, n_shuffle=n_shuffle, seed=seed)

    def angles(self) -> np.ndarray:
        """The stimuli as angles in radians, (n_stimuli,); NsnnError for texts, other units or numbers that look like radians."""
        if self.values.dtype.kind == "U":
            raise NsnnError(f"stimulus holds texts: expected angles{_NO_ANGLES}")
        if self.unit == "1":
            span = float(np.ptp(self.values))
            if 0 < span <= 2 * np.pi:
                raise NsnnError(
                    f"stimulus goes over {span:.3g} without a unit, which would be read as degrees: give radians as "
                    f"stimulus * quantities.rad{_NO_ANGLES}"
                )
            return np.deg2rad(self.values)
        try:
            return in_unit(pq.Quantity(self.values, self.unit), "rad", "stimulus")
        except NsnnError:
            raise NsnnError(
                f"stimulus has the unit {self.unit}: expected angles, in deg or rad{_NO_ANGLES}"
            ) from None

    def _period(self, name: str) -> float | None:
        """Period of an index that is an angle, in the unit of the stimulus; None for any other."""
        if name not in ("direction", "orientation", "preferred"):
            return None
        plain = self.unit == "1"
        if name == "preferred" and not plain and self.unit not in _ANGLES:
            return None
        turn = 360.0 if plain else float(pq.Quantity(360, "deg").rescale(self.unit))
        if name != "preferred":
            return turn if name == "direction" else turn / 2
        if self.values.dtype.kind == "U":
            return None
        several = self.values.size > 2  # two stimuli lie on a line as well as on a circle
        if several and _tile(self.values / turn * 2 * np.pi, np.pi):
            return turn / 2
        on_circle = several and _tile(self.values / turn * 2 * np.pi, 2 * np.pi)
        return turn if on_circle or not plain else None

    def _selectivity(self, name: str) -> np.ndarray:
        return warn_silent(self._index(name, self.mean), name, "have no response to any stimulus")

    def _index(self, name: str, means: np.ndarray) -> np.ndarray:
        """An index of mean responses (..., n_stimuli), (...)."""
        one_of(name, ("preferred", "direction", "orientation", *_INDICES), "name")
        if name == "preferred":
            return self.values[means.argmax(axis=-1)]
        if name != "direction" and name != "orientation" and (self.mean < 0).any():
            raise NsnnError(
                f"block has a mean response of {self.mean.min():g}: expected none below 0 for {name}; take rates or counts"
            )
        if name == "sparseness":
            if means.shape[-1] < 2:
                raise NsnnError("stimulus has a single value: sparseness needs at least two")
            return vinje_gallant(means, axis=-1)
        t = self.angles()
        if name in ("osi_peak", "dsi_peak"):
            return _at_peak(means, t, name)
        times = 2 if name in ("osi", "orientation") else 1
        phases = np.exp(1j * times * t)
        # phases of two opposite directions are equal, so at twice the angle it takes three directions
        if not (t.size > times and _tile(t, 2 * np.pi)) and not (
            times == 2 and t.size > 1 and _tile(t, np.pi)
        ):
            covered = "180 or 360" if times == 2 else "360"
            raise NsnnError(
                f"stimulus = {self.values}: {name} needs angles that are equally spaced over {covered} degrees, each once"
            )
        vector = means @ phases
        if name in ("osi", "dsi"):
            return nan_ratio(np.abs(vector), means.sum(axis=-1))
        period = self._period(name)
        assert period is not None
        return np.asarray(np.angle(vector) / (2 * np.pi) * period % period)


def _tile(t: np.ndarray, period: float) -> bool:
    """Whether the angles (n,) are equally spaced over the period, each once."""
    around = np.sort(t % period)
    gaps = np.diff(around, append=around[0] + period)
    return bool((np.abs(gaps - period / t.size) < _APART).all())


def _at_peak(means: np.ndarray, t: np.ndarray, name: str) -> np.ndarray:
    turns = (np.pi,) if name == "dsi_peak" else (np.pi / 2, -np.pi / 2)
    away = np.abs(np.exp(1j * (t[:, None] + np.array(turns)))[:, None] - np.exp(1j * t)[None, :, None])
    if (away.min(axis=1) > 1e-6).any():
        raise NsnnError(
            f"stimulus: {name} needs for each direction those at {' and '.join(f'{np.rad2deg(v):+.0f}' for v in turns)} degrees"
        )
    other = away.argmin(axis=1)  # (n_stimuli, n_turns)
    peak = means.argmax(axis=-1)
    top = np.take_along_axis(means, peak[..., None], axis=-1)[..., 0]
    low = np.take_along_axis(means, other[peak], axis=-1).mean(axis=-1)
    return nan_ratio(top - low, top + low)


_INDICES: tuple[str, ...] = ("osi", "dsi", "osi_peak", "dsi_peak", "sparseness")


def by_stimulus(label: np.ndarray, responses: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Trials (n_stimuli,), mean and standard error (n_neurons, n_stimuli) of responses (n_trials, n_neurons) by label."""
    mean, n = means_of(responses, label)
    squares = sums_of((responses - mean[label]) ** 2, label)
    return n, mean.T, np.sqrt(nan_ratio(squares, ((n - 1) * n)[:, None])).T


@suggest_keywords
def tuning_curve(stimulus: Values, block: SpikeSource, *, window: Any = None) -> TuningCurve:
    """Mean response of each neuron to each stimulus, with its standard error over trials.

    The response of a trial is a rate: spikes in the window divided by its duration, in Hz. A table of counts becomes rates by
    its window; without one its values are kept as they are.

    Parameters
    ----------
    stimulus : (n_trials,) numbers, a quantity or texts. Plain numbers are degrees where angles are needed (`osi`, `dsi`, fits);
        give radians a unit, stimulus * quantities.rad
    block : neo.Block, one Segment per trial; or a table of counts or rates, (n_trials, n_neurons) or (n_trials,) for one neuron
    window : in which spikes are counted. Two times, (start, stop); or one, the first part of each trial; None (default): the whole
        trial, or as above for a table, whose window is its duration alone

    Raises
    ------
    NsnnError : another number of stimuli than of trials, NaN, a window beyond a trial, a table of another shape.
        A stimulus with one trial has a mean and se NaN. Source of the indices: Mazurek, Kager & Van Hooser 2014,
        doi 10.3389/fncir.2014.00092

    >>> import quantities as pq
    >>> from nsnn_neuro import to_block
    >>> block = to_block([[[0.1, 0.2]], [[0.3]], [[0.1, 0.4, 0.7, 0.8]], [[0.2, 0.6]]], t_stop=1*pq.s)
    >>> print(tuning_curve(["left", "left", "right", "right"], block))
    tuning_curve: 1 neuron, 2 stimuli, 4 trials
    neuron 0: 3 ± 1 Hz at right, 1.5 ± 0.5 Hz at left
    >>> tuning_curve([0, 0, 90, 90], block, window=(0*pq.ms, 500*pq.ms)).mean.tolist()
    [[3.0, 3.0]]
    """
    refuse_swapped(stimulus, block, "tuning_curve(stimulus, block)")
    responses, response_unit = read_responses(block, window)
    values, unit = read_stimulus(stimulus, len(responses))
    distinct, label = np.unique(values, return_inverse=True)
    if values.dtype.kind == "U":  # numbers have their place on an axis
        distinct, label = by_category(distinct, label, stimulus)
    n, mean, se = by_stimulus(label, responses)
    return TuningCurve(
        distinct, mean, se, n, unit, response_unit, responses, label, unit_names(block, len(mean))
    )
