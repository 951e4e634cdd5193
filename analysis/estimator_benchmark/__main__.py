"""`python -m analysis.estimator_benchmark` prints bias and coverage on words of each kind as a Markdown table."""

from __future__ import annotations

import pandas as pd

from .config import Config
from .simulation import channels, rows_of_channel
from .verdicts import few_trials


def _print_few_trials(config: Config) -> None:
    rows = []
    for number, channel in enumerate(channels(config)):
        rows += [] if channel.shown else rows_of_channel(channel, number, config, lambda text: None)
    table = pd.DataFrame(rows)
    for trials in config.few:
        print(few_trials(table, trials), end="\n\n")


if __name__ == "__main__":
    _print_few_trials(Config(repeats=100))
