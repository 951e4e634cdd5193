"""Lower bounds of the information in population responses, by several decoders side by side."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from ...core.aliases import Time, Values
from ...core.checks import check, one_of, suggest_keywords
from ...core.errors import NsnnError
from ...core.units import shown
from ..entropies.contingency import information, miller_madow
from ..entropies.estimators import CLOSED_FORMS
from ..entropies.information_tables import information_of_tables
from ..estimate import Estimate
from ..response_checks import refuse_swapped, share_reached, shuffle_test
from . import cross_validation as cv
from .decoders import LinearDiscriminant, NegativeBinomialMAP, PoissonMAP

_LEAST_LOG = -700.0  # of a probability 0, relative to the largest one, before a power is taken
_LARGEST_POWER = 20.0
_NEWTON_STEPS = 12


@suggest_keywords
def decoder_information(
    stimulus: Values,
    responses: Values,
    *,
    decoders: Any = None,
    bias: str = "miller-madow",
    n_folds: int = 5,
    bin_width: Time | None = None,
    n_shuffle: int = 100,
    seed: int = 0,
    t_start: Time | None = None,
    t_stop: Time | None = None,
) -> pd.DataFrame:
    """Lower bounds of the information of a population about the stimulus, by cross-validated
    decoders.

    For populations that are too large for words. A row for each decoder and source:

    | source | information |
    |---|---|
    | "confusion" | between presented and decoded stimuli |
    | "posterior" | H(S) + mean log2 q, q the decoder's probability of the trial's stimulus |
    | "rescaled" | the same for q^b / sum_s q^b, b fitted to other folds: for too sure posteriors |

    Each row is a lower bound on average. The best of several rows is a little too high, and its own
    p too small: `p_all` is the share of shuffles in which the smallest p of any row is as small.

    Columns: decoder, source; information (bit), the gain over shuffled stimuli, its se, p, p_all,
    verdict (p <= 0.05), raw (bit), null_mean, n (trials), correction, warning. Posteriors of a
    decoder that learned nothing are below zero, so that of "posterior" and "rescaled" a negative
    null_mean is not taken off. se: of a table multinomial, of posteriors the spread over trials.
    Without shuffles information, null_mean, p and p_all are NaN.

    Parameters
    ----------
    stimulus, responses : as for `decode`
    decoders : dict of names and decoders, see `decode`. None (default): `LinearDiscriminant`, then
        for counts `PoissonMAP` and `NegativeBinomialMAP`, for other responses Gaussian naive Bayes,
        and a support vector machine with a Gaussian kernel of scikit-learn, which has no posteriors
        and takes most of the time with many trials
    bias : of tables, "miller-madow" (default, at most H(S)), "none", "panzeri-treves", "chao-shen"
        or "grassberger"
    n_folds, bin_width, t_start, t_stop : see `decode`
    n_shuffle, seed : shuffles of the stimuli, 0 for none

    Raises
    ------
    NsnnError : decoders that are no dict or empty, and what `decode` refuses. Sources: Quian
        Quiroga & Panzeri 2009, doi 10.1038/nrn2578; rescaled posteriors: Latham & Nirenberg 2005,
        doi 10.1523/JNEUROSCI.5319-04.2005

    >>> rng = np.random.default_rng(1)
    >>> stimulus = np.repeat([0, 1], 60)
    >>> counts = rng.poisson(3 + 3 * np.outer(stimulus, np.ones(5)))
    >>> table = decoder_information(stimulus, counts, decoders={"Poisson": PoissonMAP()}, n_shuffle=19)
    >>> table[["decoder", "source", "p", "p_all"]].values.tolist()
    [['Poisson', 'confusion', 0.05, 0.05], ['Poisson', 'posterior', 0.05, 0.05], ['Poisson', 'rescaled', 0.05, 0.05]]
    """
    check(bias=bias, n_folds=n_folds, n_shuffle=n_shuffle, seed=seed)
    one_of(bias, ("none", *sorted(CLOSED_FORMS)), "bias")
    refuse_swapped(stimulus, responses, "decoder_information(stimulus, responses)")

    def trials_for(decoder: Any) -> cv.DecodingTrials:
        return cv.read_trials(responses, stimulus, decoder, n_folds, bin_width, t_start, t_stop)

    given = _standard(trials_for(LinearDiscriminant()).features) if decoders is None else _named(decoders)
    trials = {name: trials_for(decoder) for name, decoder in given.items()}
    number = next(iter(trials.values())).number
    rng = np.random.default_rng(seed)
    orders = np.concatenate([number[None], rng.permuted(np.tile(number, (n_shuffle, 1)), axis=1)])
    fold = rng.permutation(np.arange(number.size) % n_folds)
    n_labels = float(number.max() + 1)

    def corrected(tables: np.ndarray) -> np.ndarray:
        if bias in ("none", "plugin"):
            return information(tables)
        if bias == "miller-madow":
            return miller_madow(tables)
        return information_of_tables(tables, bias, n_labels)

    def bounds(decoder: Any, own: cv.DecodingTrials) -> list[tuple[str, Estimate, np.ndarray]]:
        """Source, estimate and its values for shuffles, of one decoder; the first of the `orders` is that of the trials."""
        result = [cv.cross_validated(decoder, own, order, n_folds, seed, posteriors=True) for order in orders]
        pairs = zip(orders, result, strict=True)
        tables = np.array(
            [cv.confusion_table(order, predicted, own.named) for order, (predicted, _) in pairs]
        )
        correction = "none" if bias == "plugin" else bias
        of_table = cv.confusion_information(tables[0], tables[1:], corrected, correction)
        found = [("confusion", of_table, corrected(tables[1:]) if len(orders) > 1 else np.empty(0))]
        posteriors = [log_q for _, log_q in result if log_q is not None]
        if not posteriors:
            return found
        scaled = [rescaled(log_q, order, fold) for log_q, order in zip(posteriors, orders, strict=True)]
        nothing = Estimate(-np.inf)  # no table to compare with
        for source, kind, against in (("posterior", posteriors, of_table), ("rescaled", scaled, nothing)):
            each = [
                cv.posterior_information(log_q, order, against)
                for log_q, order in zip(kind, orders, strict=True)
            ]
            found.append((source, each[0], np.array([one.value for one in each[1:]])))
        return found

    rows: list[tuple[str, str, Estimate]] = []
    values: list[np.ndarray] = []
    for name, decoder in given.items():
        for source, estimate, null in bounds(decoder, trials[name]):
            rows.append((name, source, estimate))
            values.append(np.concatenate([[estimate.value], null]))
    return _table(rows, np.array(values))


def _named(decoders: Any) -> dict[str, Any]:
    if not isinstance(decoders, dict) or not decoders or not all(isinstance(name, str) for name in decoders):
        raise NsnnError(
            f"decoders = {shown(decoders)}: expected a dict of names and decoders, such as {{'Poisson': PoissonMAP()}}"
        )
    for name, decoder in decoders.items():
        try:
            cv.check_decoder(decoder)
        except NsnnError as error:
            raise NsnnError(f"decoders[{name!r}]: {error}") from None
    return decoders


def _standard(features: np.ndarray) -> dict[str, Any]:
    from sklearn.naive_bayes import GaussianNB  # slow to import
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    decoders: dict[str, Any] = {"linear discriminant": LinearDiscriminant()}
    if ((features >= 0) & (features == np.floor(features))).all():
        decoders |= {"Poisson": PoissonMAP(), "negative binomial": NegativeBinomialMAP()}
    else:
        decoders["Gaussian naive Bayes"] = GaussianNB()
    return decoders | {"kernel": make_pipeline(StandardScaler(), SVC(random_state=0))}


def rescaled(log_q: np.ndarray, number: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Log posteriors (n, K) to the power that makes the other folds' stimuli most probable."""
    log_q = np.maximum(log_q - log_q.max(axis=1, keepdims=True), _LEAST_LOG)
    out = np.empty_like(log_q)
    for k in np.unique(fold):
        inside = fold == k
        scaled = _power(log_q[~inside], number[~inside]) * log_q[inside]
        out[inside] = scaled - np.log(np.exp(scaled).sum(axis=1, keepdims=True))  # the largest is 0
    return out


def _power(log_q: np.ndarray, number: np.ndarray) -> float:
    """Power of the probabilities with the highest likelihood, at most 20, by Newton steps."""
    own = log_q[np.arange(number.size), number].mean()
    low, high, power = 0.0, _LARGEST_POWER, 1.0
    for _ in range(_NEWTON_STEPS):
        q = np.exp(power * log_q)
        q /= q.sum(axis=1, keepdims=True)
        mean = (q * log_q).sum(axis=1)
        slope = own - mean.mean()
        low, high = (power, high) if slope > 0 else (low, power)
        curvature = ((q * log_q**2).sum(axis=1) - mean**2).mean()
        step = power + slope / curvature if curvature > 0 else high
        power = step if low < step < high else (low + high) / 2
    return power


def _table(rows: list[tuple[str, str, Estimate]], values: np.ndarray) -> pd.DataFrame:
    """With p of each row, and p for all rows together: values (n_rows, 1 + n_shuffle)."""
    p, out = share_reached(values), []
    for (name, source, one), null, reached in zip(rows, values[:, 1:], p[:, 0], strict=True):
        row = {"decoder": name, "source": source} | replace(one, **shuffle_test(null, one.value)).row()
        if source != "confusion" and row["null_mean"] < 0:  # a bound already, which this would lift
            row |= {"information": one.value, "se": one.se}
        out.append(row | {"p_all": float(np.mean(p.min(axis=0) <= reached + 1e-12)) if null.size else np.nan})
    table = pd.DataFrame(out)
    table.insert(table.columns.get_loc("p") + 1, "p_all", table.pop("p_all"))
    return table
