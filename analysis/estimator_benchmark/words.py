"""Words of several kinds under stimuli with their exact probabilities, for the benchmark of estimators."""

from __future__ import annotations

import numpy as np
import pandas as pd

KINDS = ("independent", "refractory", "gain of two states", "gain of three states")
ON_WORDS = ("panzeri-treves", "shuffle", "nsb", "chao-shen", "grassberger", "auto")
_GAINS = {
    "gain of two states": ((0.2, 0.5), (1.8, 0.5)),
    "gain of three states": ((0.1, 0.3), (1.0, 0.4), (2.0, 0.3)),
}
_LOW, _HIGH = 0.03, 0.45  # probability of a spike in a bin, far from the peak of the stimulus and at it


def word_law(
    kind: str, n_stimuli: int, bins: int, *, informative: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """All words (2^bins, bins) and their probabilities (n_stimuli, 2^bins), by enumeration.

    Each stimulus has a bump of firing at its own time. "independent": bins are independent given the stimulus; "refractory": a
    spike reduces the probability in the next bin to a tenth; "gain ...": a random factor for all bins of a trial, with two or
    three values. Without `informative` all stimuli have the same time.
    """
    time, s = np.arange(bins), np.arange(n_stimuli)[:, None]
    peak = (bins - 1) * s / (n_stimuli - 1)
    rate = _LOW + (_HIGH - _LOW) * np.exp(-0.5 * ((time - peak) / (bins / 5)) ** 2)
    if not informative:
        rate = np.tile(rate[n_stimuli // 2], (n_stimuli, 1))
    words = np.array(np.meshgrid(*[[0, 1]] * bins, indexing="ij")).reshape(bins, -1).T
    before = np.column_stack([np.zeros(len(words), dtype=int), words[:, :-1]])
    recovered = np.where(before, 0.1, 1.0) if kind == "refractory" else 1.0
    law = np.zeros((n_stimuli, len(words)))
    for gain, weight in _GAINS.get(kind, ((1.0, 1.0),)):
        chance = np.minimum(gain * rate[:, None] * recovered, 0.95)
        law += weight * np.where(words, chance, 1 - chance).prod(axis=2)
    return words, law


def shown(table: pd.DataFrame) -> list[str]:
    """Names of the channels in the figure, all except the words of each kind."""
    return [name for name in dict.fromkeys(table.channel) if not name.startswith(KINDS)]


def few_trials(table: pd.DataFrame, trials: int) -> str:
    """Markdown table for the words of each kind with few trials: bias and coverage, and the bracket of "auto"."""
    names = [name for name in ON_WORDS if name != "auto"]
    lines = [
        f"| words, {trials} trials per stimulus | truth | {' | '.join(names)} | auto: from, to; coverage |",
        "|---" * (len(names) + 3) + "|",
    ]
    rows = table[~table.channel.isin(shown(table)) & (table.trials == trials)]
    for channel, own in rows.groupby("channel", sort=False):
        own = own.set_index("estimator")
        cells = [f"{own.truth.iloc[0]:.2f}"]
        for name in names:
            bias, coverage = own["mean"][name] - own.truth[name], own.coverage[name]
            cells.append("NaN" if np.isnan(bias) else f"{bias:+.2f}, {100 * coverage:.0f} %")
        auto = own.loc["auto"]
        cells.append(f"{auto.lower:.2f}, {auto.upper:.2f}; {100 * auto.coverage:.0f} %")
        lines.append(f"| {channel} | {' | '.join(cells)} |")
    return "\n".join(lines)
