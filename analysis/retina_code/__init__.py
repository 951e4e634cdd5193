"""Retinal ganglion cells under a natural movie: does noise in a hidden layer help to predict their spikes?

Recording: 49 ganglion cells of a salamander retina, 60 windows of 300 ms of a natural movie, 29 repeats (Onken et al. 2016,
doi 10.1371/journal.pcbi.1005189; `datasets.salamander_retina`; the first repeat is nearly empty and left out). It is not
part of the package, and the study needs it. Spikes are in bins of 10 ms, 1 or 0.

Stimulus. Around the receptive field of each cell 12 x 12 pixels are averaged to 3 x 3 tiles. Features: brightening,
darkening and luminance, averaged over the tiles, of the last twelve frames; 36 numbers. Hidden neurons have the same weights
for all cells, and receive the features of the cell's own place (`NetworkModel(own_inputs=True)`).

Arms. (1) Two-layer NSNN with 16 noisy hidden neurons (noise .4 of the threshold, beta .5) and noisy outputs, whose spikes
are forced to the recorded ones in training; one draw of the hidden layer in each pass. (2) The same without noise in the
hidden layer, fitted from scratch, surrogate gradient of the same width. (3) The weights of (2), noise added afterwards. (4)
Linear-nonlinear, a filter for each cell; (5) 16 rectified subunits shared by all cells; (6) a Poisson GLM, filter and spike
history of each cell; (7) a convolutional network of the tiles, about as many parameters as (1). (4) to (7) have a Poisson
output: a bin has a spike with probability 1 - exp(-rate). (7) needs torch, and is skipped without it.

Folds and choices. Five folds of windows (every fifth). Epochs, ridge and learning rate are chosen for every arm from the
same grid, on two inner folds of the training windows, by the score of cells 0, 2, 4, ... So the cells 1, 3, 5, ... are
left out of all choices, and one claim is about them alone. All arms make as many passes over the data in an epoch. Final
fits have two initial seeds. A ridge is in nats of all cells together, so the same number binds the filters of a single cell
(4, 6) more than weights that all cells share; the grid reaches down to 30 for their sake.

Scores on held-out windows. Bits per spike above constant probabilities, those of the training windows. For a noisy hidden
layer the likelihood is log of the mean probability over 64 draws. That is too low on average, which makes the noisy arms
look worse. PSTH correlation in bins of 30 ms between the recorded repeats and as many drawn ones, 0 for a cell of which no
spike is drawn, and its ceiling, the correlation that repeats drawn from the cell itself would have. Excess Victor-Purpura
distance of drawn from recorded trains, 2 d(drawn, recorded) - d(drawn, drawn) - d(recorded, recorded). Fano factors. Noise
correlations: hidden neurons are not common to cells, so no arm has any; the recorded ones are reported.

Hypotheses. The preregistration (fixed before this code) has one primary claim: noisy less noiseless hidden layer, bits per
spike, five folds of windows, paired over cells and folds, above 0; the noiseless arm fitted from scratch with equal budget.
Secondary: against the other arms; PSTH correlation; distance; Fano. Criteria are in config.py: cells as clusters and windows
as clusters, both intervals above 0. Every claim also requires that the noisy arm beats a constant rate, and its own score
with the stimuli of the test windows exchanged. So all claims fail if it has no information about the stimulus.

Known beforehand. A prototype with other settings (weight decay, noise on the inputs, no inner folds) had .431 bits per spike
with noise, .306 without, .277 with four linear filters. To set the grid, 24 fits of arms 1 and 2 on one inner fold of the
first fold were seen (ridges 1 to 30,000, rates .006 and .02, 15 and 40 epochs): the best had .54 and .35 bits per spike.
Which cells these scores included was not noted, so cells 1, 3, 5, ... are left out of the choices within the grid, not of
the grid itself. No final fit and no other arm had been run when this text was written. Later a full run was begun and
stopped, and its scores were not looked at. Before the reported run a review, without results, added the ridge of 30 and the
windows of the left-out cells. It replaced the ceiling, which was that of a noiseless prediction. Cells without a drawn spike
count now, and the sabotage leaves no window in its place.

Outcome of the full run of 2026-11-28 (docs/results.md). The primary claim holds: +.073 bits per spike. The noisy network is
not the best model: a linear filter is as good (noisy less linear -.034 [-.108, .040]), and subunits, the convolutional
network and the GLM are ahead, by .25, .23 and .66.

Limits. One retina and one movie. Windows come from one film, so neighbouring windows may be alike. Each cell's hidden
neurons are a private copy. A noisy hidden layer also regularises; the grid of ridges is there so that the noiseless arm can
be regularised as well.
"""

from .config import CLAIM, PAPER, SABOTAGES, SET, Config
from .simulation import run, tabulated
from .verdicts import claims, headline, plot, summary, tables

RECORDINGS = REQUIRED = (SET,)
