"""Old names of arguments work for one release, with a warning that names the cure."""

import numpy as np
import pytest
import quantities as pq

from nsnn_neuro import NsnnError, measures

RNG = np.random.default_rng(0)
TRAINS = measures.as_repeats(list(np.sort(RNG.random((4, 20)))), t_start=0 * pq.s, t_stop=1 * pq.s)
LABELS = [0, 1, 0, 1]
WIDTH = 100 * pq.ms


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (measures.words, (TRAINS,)),
        (measures.information_per_spike, (TRAINS,)),
        (measures.decode, (TRAINS, LABELS)),
        (measures.word_entropies, (TRAINS,)),
        (measures.direct_information_rate, (TRAINS,)),
    ],
)
def test_bin_is_now_bin_width(function, arguments):
    more = {"n_folds": 2, "n_shuffle": 0} if function is measures.decode else {}
    if function in (measures.word_entropies, measures.direct_information_rate):
        more = {"word_lengths": [1], "bias": "none"}
    with pytest.warns(
        DeprecationWarning, match=rf"{function.__name__}\(bin=...\) .*: use .*bin_width="
    ) as caught:
        old = function(*arguments, bin=WIDTH, **more)
    assert caught[0].filename == __file__
    assert str(old) == str(function(*arguments, bin_width=WIDTH, **more))
    with pytest.raises(NsnnError, match="both bin_width and bin, its old name"):
        function(*arguments, bin=WIDTH, bin_width=WIDTH, **more)
