"""Bias, spread and coverage of information estimators against the number of trials, on channels with known information.

The information of each channel is an exact sum or a closed form:

- words: eight stimuli, binary words of six bins. Each stimulus has its own time course of firing, with refractoriness. Of the 64
  words some are common, many are rare and some almost never occur, as in recordings
- counts: eight stimuli, Poisson counts with means from 1 to 15
- words of each kind: eight stimuli, 6 to 10 binary bins, 20 and 50 trials each; independent bins, refractory bins, or a common
  gain with two or three states; with and without information. Fewer trials than most corrections need, as in recordings
- uniform, Zipf: entropy of a flat and of a steep distribution over 100 symbols
- Gaussian: two normal variables with correlation .6; curve: y = x^2 + noise, dependent but uncorrelated

All estimators receive the same repeats. Bias is the mean over repeats minus the true value. Coverage is the fraction of repeats in
which the true value lies within two standard errors as given by the estimator, or within its bracket. Repeats without a value
are counted separately. An estimator is in its regime if it returns no warning and its assumptions about the distribution hold,
which a sample cannot show: a long tail for Chao-Shen, normal variables for KSG and the copula.
`python -m analysis.estimator_benchmark` prints the results for the words of each kind as a table.
"""

from .config import CLAIM, SABOTAGES, Config
from .simulation import run
from .verdicts import claims, plot, summary
