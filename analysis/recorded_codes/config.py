"""Configuration of the study `recorded_codes`, with its claims and pass criteria as fixed before the first full run."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from ..harness import StudyConfig

CLAIM = "Retinal ganglion cells tell more about a natural image by the time of their first spike than by their spike count"
SABOTAGES = {
    "labels shuffled": "image labels are permuted over all trials",
    "times exchanged": "first spikes and words are exchanged between trials of the same cell with the same count",
    "common gain": "each trial keeps all of its spikes or a quarter of them, the same in all cells",
}
SET = "salamander_retina_onken"
COLUMNS = ["part", "cell", "image", "code", "x", "quantity", "value", "se", "null", "p", "warning"]

# Claims with their criteria. Each p is one-sided; the central ones hold if p < .05 after Holm's correction over all six.
LATENCY_ABOVE_COUNT = (
    "first-spike latency carries more information about the image than the spike count, in equally many classes of responses, in "
    "the majority of responsive cells (sign test over cells)"
)
TIMING_ADDS = (
    "latencies add to counts: a linear decoder of both has a higher cross-entropy information than with latencies exchanged "
    "between trials of the same count (over images)"
)
MAJORITY = (
    "latencies alone carry more than half of the cross-entropy information of the spikes in bins of 20 ms, with linear decoders "
    "tuned alike (over images)"
)
NB_CALIBRATED = (
    "negative binomial posteriors are better calibrated than Poisson posteriors: higher cross-entropy information "
    "(over images)"
)
CORRELATIONS_SMALL = (
    "noise correlations are small: shuffling trials of each image within blocks of repeats changes the cross-entropy information "
    "of the linear decoder of counts by less than 5 % (equivalence test over images)"
)
SUB_POISSON = (
    "counts are less variable than Poisson: mean Fano factor over images with one spike or more below 1 "
    "(signed-rank test over cells)"
)
MARGIN = 0.05
ALPHA = 0.05


@dataclasses.dataclass(frozen=True)
class Config(StudyConfig):
    """Configuration of a run. Times in s."""

    images: int = 60
    """first images of the recording that are used"""
    cells: int = 49
    classes: int = 7
    """largest number of responses of counts and of latencies: 30 trials per image are 4.3 per response"""
    onset: float = 0.1
    """start of words and bins; responses begin about 100 ms after the image"""
    bins: tuple[float, ...] = (0.1, 0.05, 0.04)
    """bin widths of the words of single cells: 2, 4 and 5 bins"""
    fine: float = 0.02
    """bin width of the population decoder"""
    shuffles: int = 200
    check_shuffles: int = 20
    """of the corrections that serve as a check"""
    exchanges: int = 39
    """exchanges of words between trials of the same count, for single cells"""
    n_folds: int = 5
    """blocks of consecutive repeats, so that slow changes of the recording cannot help a decoder"""
    inner_folds: int = 3
    group: int = 4
    """cells of a decoder; the groups are disjoint"""
    large: int = 12
    """cells of the larger groups, for noise correlations"""
    components: tuple[int, ...] = (2, 4, 8, 16, 40)
    """candidates of each linear decoder: principal components of the training trials"""
    shrinkages: tuple[float, ...] = (0.01, 0.1, 0.3, 1.0)
    temperatures: tuple[float, ...] = (0.7, 1.0, 1.4, 2.0, 2.8)
    """log posteriors are divided by it"""
    draws: int = 2
    """exchanges and shuffles for the decoders"""

    QUICK: ClassVar[dict[str, Any]] = {
        "images": 24, "shuffles": 50, "check_shuffles": 2, "exchanges": 20, "bins": (0.1, 0.05), "n_folds": 3, "inner_folds": 2,
        "components": (4, 16), "shrinkages": (0.1, 0.3), "temperatures": (1.0, 2.0), "draws": 1,
    }  # fmt: skip
