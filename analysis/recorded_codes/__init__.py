"""Codes of recorded cells: what counts, first spikes and words of retinal ganglion cells tell about natural images.

Recording: 49 ganglion cells of a salamander retina, 60 natural images with 30 repeats each, 300 ms from the onset of the
image (Onken et al. 2016, doi 10.1371/journal.pcbi.1005189; `datasets.salamander_retina`). It is not part of the package, and
the study needs it. Images are the stimuli, trials the repeats.

Single cells. Three codes: the spike count; the time of the first spike, where silence is a response of its own; and binary
words of the last 200 ms, in bins of 100, 50 and 40 ms (responses begin after 100 ms). Counts and latencies are merged, in
their order and without regard to images, into at most seven classes of nearly equal frequency. So both codes have the same
alphabet, and 30 trials per image are 4.3 per response, enough for the Panzeri-Treves correction (docs/information.md). Words
have 4, 16 and 32 possible responses. Except for the shortest they have too few trials, carry a warning, and are shown with
two corrections of opposite bias (Panzeri-Treves and shuffled). Counts and latencies are checked by quadratic extrapolation.
Errors: jackknife over trials. Nulls: images shuffled over trials, with the same correction. What words add to counts is their
information minus that of words exchanged between trials of the same count.

Variability. Fano factor, and variance of the gain of the modulated Poisson model (`measures.modulated_poisson`; Goris et al.
2014, doi 10.1038/nn.3711). Noise correlations, compared with trials shuffled within images, cell by cell.

Decoders. Groups of four cells (twelve disjoint groups, drawn from the seed) are decoded by posteriors, cross-validated over
five blocks of consecutive repeats: Poisson, negative binomial, and a linear discriminant on counts, latencies, both, or
spikes in bins of 20 ms (binary). The linear decoders have the same candidates for the number of principal components,
shrinkage and temperature, chosen on inner folds of the training trials. Score: the cross-entropy information log2 60 + mean
log2 q(true image), a lower bound of the information that also sees overconfidence; and accuracy. The control for "latencies
add to counts" has as many features: latencies exchanged between trials of the same cell and the same count, which keep what
the count tells.

Hypotheses. Claims and criteria are in config.py. Sources: latency above count, Gollisch & Meister 2008, doi
10.1126/science.1149639; latencies carry the majority, and timing adds to counts, Onken et al. 2016; variability below
Poisson, Berry, Warland & Meister 1997, doi 10.1073/pnas.94.10.5411; overdispersion by a common gain, Goris et al. 2014
(cortex). The last two disagree about this retina, and the study decides. Known beforehand: the number of spikes of each cell,
the time course of the sum of all responses, the split-half correlation of counts (.99), and Fano factors of .6 to .9 for the
movie. Six central claims, each with a one-sided p: over cells (sign and signed-rank test) or over images (Student's t,
paired), with Holm's correction over the six. Claims about information also need information above zero, so that they fail if
there is none.

Changes after quick runs on 24 of the images, before the first full run. At first, decoders read all 49 cells; they had one
error in 1000 trials, so that nothing could be compared, and groups of four cells replaced them. Linear decoders received the
uniform part of their posterior, and choose the number of components (it was 40). Shuffling trials over all repeats also
removed the slow changes of the recording, from which the blocks of the cross-validation suffer; so trials are now shuffled
within blocks. Other claims and all criteria are unchanged.

Limits. One retina: cells share images, and images share cells, so intervals describe other cells or other images of this
preparation, not other retinae. Classes and bins lose information, more of the code with more distinct values. Decoders give
lower bounds. Repeats are assumed to be in the order of recording.
"""

from __future__ import annotations

import functools
from pathlib import Path

import neo
import pandas as pd

from nsnn_neuro import datasets

from ..harness import Progress, part, quiet
from ..shared import recordings
from . import cells, population
from .config import CLAIM, COLUMNS, SABOTAGES, SET, Config
from .verdicts import claims, figures, headline, plot, summary, tables

RECORDINGS = REQUIRED = (SET,)


def run(config: Config, out: Path | None = None, progress: Progress = quiet) -> pd.DataFrame:
    """Rows of single cells, of noise correlations and of decoders; see `COLUMNS`."""
    place = recordings.required(SET, "recorded_codes")
    return tabulated(datasets.salamander_retina(place).images, config, out, progress)


def tabulated(
    block: neo.Block, config: Config, out: Path | None = None, progress: Progress = quiet
) -> pd.DataFrame:
    """The table of a Block whose segments have the annotations label and repeat."""
    data = cells.responses(block, config)
    rows = []
    for name, make in (
        ("information in single cells", cells.information_rows),
        ("gain of words over counts", cells.gain_rows),
        ("noise correlations", cells.correlation_rows),
    ):
        progress(name)
        rows += part(out, name, functools.partial(make, data, config))
    rows += cells.variability_rows(data)
    for arm in population.ARMS:
        progress(f"decoder: {arm}")
        rows += part(out, f"decoder {arm}", functools.partial(population.decoder_rows, arm, data, config))
    for arm in (population.COUNTS, population.SHUFFLED):
        progress(f"decoder, {population.LARGE}: {arm}")
        make = functools.partial(population.decoder_rows, arm, data, config, large=True)
        rows += part(out, f"decoder {population.LARGE} {arm}", make)
    return pd.DataFrame(rows, columns=COLUMNS)
