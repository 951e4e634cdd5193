"""Which estimator of information, when: bias, spread and coverage against the number of trials, on channels of known information.

The information of each channel is an exact sum or a closed form:
- words: eight stimuli, binary words of six bins. Each stimulus has its own time course of firing, with refractoriness, so that of
  the 64 words some are common, many are rare and some all but never occur, as in recordings
- counts: eight stimuli, Poisson counts of mean 1 to 15
- words of each kind: eight stimuli, 6 to 10 binary bins, 20 and 50 trials of each; independent bins, refractory ones, a common gain
  of two or three states; with information and without. Fewer trials than most corrections need, as in recordings
- uniform, Zipf: the entropy of a flat and of a steep law over 100 symbols
- Gaussian: two normal variables of correlation .6; curve: y = x^2 + noise, which depends on x without any correlation
All estimators see the same repeats. Bias is the mean over repeats less the truth, coverage the fraction of repeats in which the
truth lies within two standard errors as the estimator gives them, or within the bracket where it gives one. Repeats in which it
gives no value, because none is possible, claim nothing and are counted apart. An estimator is in its regime where it returns no
warning, and where what it supposes of the law, which no sample tells, holds: a long tail for Chao and Shen, normal variables for
KSG and copula. `python -m analysis.estimator_benchmark` prints the words of each kind alone, as a table for the documentation.
"""

from __future__ import annotations

from ..harness import verifier
from .config import CLAIM, SABOTAGES, Config
from .plots import plot
from .simulation import run
from .verdicts import claims, summary

__all__ = ["CLAIM", "SABOTAGES", "Config", "claims", "plot", "run", "summary", "verify"]

verify = verifier(claims)
