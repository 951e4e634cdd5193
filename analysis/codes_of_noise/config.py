"""Configuration of the study `codes_of_noise`, with its claims and pass criteria as fixed before the first full run."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from ..harness import StudyConfig

CLAIM = (
    "Noise destroys information in spike times before that in counts, creates some about weak stimuli, turns redundancy into "
    "synergy, and links cells to choices without telling more about the stimulus"
)
SABOTAGES = {
    "stimuli shuffled": "stimulus labels are permuted over all trials",
    "times shuffled": "rate and timing: spikes are moved to random times in the window; counts stay the same",
    "one noise level": "every neuron has the largest noise",
    "noise private": "noise and gains that cells should share are drawn for each cell",
    "choices shuffled": "choices, with the readout's spikes, are exchanged between the trials of a stimulus",
}
RETINA, CASES = "salamander_retina_onken", "case_studies_spikes"
COLUMNS = ["part", "group", "condition", "kind", "level", "quantity", "value", "se", "null", "p", "warning"]

# Claims with their criteria; intervals are 95 %, Student's, paired over seeds unless others are named.
# Central: networks simulated here.
TIMING_LOST = (
    "destroys: with little noise, words of fast stimuli tell more than .1 bit beyond the count; at the largest noise less than a "
    "quarter of that surplus is left (95 %, diffusive and escape noise)"
)
MOVED = (
    "moves: where noise has halved the information in words, the count has a larger share of it than with the least noise (95 %, "
    "diffusive and escape noise)"
)
CREATED = (
    "creates: about stimuli below threshold, counts tell more at an intermediate noise level, the best of the other seeds, than at "
    "the smallest and at the largest (95 %, diffusive and escape noise)"
)
KINDS = (
    "diffusive and escape noise move information alike: where each has halved the information in words, the shares of the count "
    "differ by less than .15 (95 % equivalence)"
)
TO_SYNERGY = (
    "private noise turns redundancy of equally tuned cells into synergy: from the smallest to the largest noise the share of "
    "redundant bits falls and that of synergistic bits rises (95 %)"
)
SHARED_EQUAL = "shared noise destroys synergy of equally tuned cells: less at c = .75 than at c = 0 (95 %)"
SHARED_OPPOSITE = (
    "shared noise creates synergy of oppositely tuned cells: more at c = .75 than at c = 0 (95 %), and more than with trials "
    "shuffled within stimuli (p < .05 in every seed)"
)
MARGINS = (
    "shared noise leaves redundant and unique bits as they are: from c = 0 to .75 redundant bits change by less than .05 bit (95 % "
    "equivalence, both tunings)"
)
GAIN = (
    "orientation-tuned cells: a gain that two cells of equal preference share leaves less synergy than gains of the same variance "
    "drawn for each cell (95 %)"
)
READOUT = (
    "noise of the readout destroys what the choice uses: intersection information falls below half from the smallest to the "
    "largest noise (95 %); it is above zero at the smallest"
)
PROCESSING = (
    "the choice has its information from the layer: given the layer's count, choice and stimulus share less than a tenth of "
    "I(S; C) (95 %, private noise, quietest readout)"
)
CHOICE_LINK = (
    "shared noise of the layer links single cells to the choice without telling it more: I(cell; C | S) rises and I(S; C) falls "
    "from c = 0 to .5 (95 %)"
)
TRANSFER = (
    "transfer entropy from the layer to the readout falls with the readout's noise, and is more than five times that in the "
    "opposite direction at the smallest (95 %)"
)
# Secondary: recordings, and checks.
CORRECTIONS = "corrections agree: for words, Panzeri-Treves and quadratic extrapolation differ by less than .02 bit at every noise"
SINGLE_CELL = "intersection information of single cells does not rise with shared noise: from c = 0 to .5 by below .01 bit (95 %)"
ORTHOGONAL = "orientation-tuned cells 90 degrees apart: a shared gain leaves more synergy than gains drawn for each cell (95 %)"
JITTER = (
    "retina: jitter of the spikes moves information to the count: latency exceeds count without, and count exceeds latency with a "
    "jitter of 50 ms (95 % over cells)"
)
NET_REDUNDANT = (
    "retina: pairs of cells are net redundant, redundant minus synergistic bits above 0 (95 % over pairs)"
)
CORRELATIONS = (
    "retina: noise correlations make no synergy: shuffling trials within images changes it by less than .01 bit (95 % equivalence "
    "over pairs)"
)
LOSSES = (
    "retina: losses of spikes that two cells share, compared with losses of each cell, take more synergy the more alike the "
    "cells' tuning is (Spearman correlation with signal correlation below 0, one-sided p < .05 over pairs)"
)
STN = "subthalamic neuron: its count tells the direction of the movement (p < .05), in 50 trials, during movement"
LIGHT = (
    "retinal neuron in low and high light: words of 50 ms tell more about the light than counts of 200 ms, beyond counts (p < .05 "
    "of the exchange between windows of the same count)"
)
ALPHA = 0.05


@dataclasses.dataclass(frozen=True)
class Config(StudyConfig):
    """Configuration of a run. Times in s, voltages in mV."""

    seeds: int = 16
    """each with its own stimuli, networks and noise"""
    sigmas: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
    """SD of the free membrane (diffusive) and width of the exponential hazard (escape), rate and timing"""
    stimuli: int = 8
    trials: int = 600
    """of each stimulus, rate and timing"""
    letter: float = 4e-3
    """bin width of words and latencies"""
    shuffles: int = 20
    pair_sigmas: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0, 8.0)
    fractions: tuple[float, ...] = (0.0, 0.25, 0.5, 0.75, 1.0)
    """of the noise variance that two cells share"""
    pair_sigma: float = 3.0
    pair_trials: int = 600
    classes: int = 4
    """largest number of classes of a cell's count"""
    nulls: int = 50
    """shuffles of decompositions"""
    gain_trials: int = 200
    gain_sd: float = 0.5
    """SD of the gain of the tuned drive, mean 1"""
    layer: int = 20
    readout_sigmas: tuple[float, ...] = (0.5, 4.0, 16.0)
    choice_trials: int = 400
    jitters: tuple[float, ...] = (0.0, 0.01, 0.02, 0.05)
    """SD of the jitter of recorded spikes"""
    pairs: int = 24
    images: int = 60

    QUICK: ClassVar[dict[str, Any]] = {
        "seeds": 3, "sigmas": (0.5, 2.0, 8.0, 32.0), "trials": 200, "shuffles": 5, "pair_sigmas": (0.5, 2.0, 8.0),
        "fractions": (0.0, 0.75), "pair_trials": 200, "nulls": 20, "gain_trials": 100, "choice_trials": 150,
        "jitters": (0.0, 0.05), "pairs": 8, "images": 30,
    }  # fmt: skip
