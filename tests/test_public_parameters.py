"""One word for one thing: the names and the order of parameters over the whole public API."""

from __future__ import annotations

import inspect
import re
from typing import Any

from test_architecture import public_objects

# The word the package uses -> words that mean the same and are not used.
ONE_WORD = {
    "n_folds": {"folds", "k_folds", "n_splits", "cv_folds", "num_folds"},
    "bin_width": {"bin", "binsize", "bin_size", "binwidth", "bins_width", "bin_length"},
    "seed": {"random_state", "random_seed", "rng_seed"},
    "window": {"win", "window_size", "window_length", "count_window"},
    "t_start": {"t_begin", "tstart", "start_time", "t0"},
    "t_stop": {"t_end", "tstop", "stop_time", "end_time", "t1"},
    "n_shuffle": {"shuffles", "n_shuffles"},
    "n_jobs": {"jobs", "workers", "n_workers", "num_workers", "n_processes"},
    "n_neurons": {"num_neurons", "neurons_n", "size_n"},
    "n_steps": {"num_steps", "timesteps", "n_timesteps"},
    "stimulus": {"stim", "stimuli"},
    "duration": {"t_total", "t_sim", "runtime", "sim_time"},
    "progress": {"verbose", "progress_bar", "show_progress"},
    "epochs": {"n_epochs", "num_epochs"},
    "neurons": {"unit_ids", "neuron_ids", "ids", "index", "indices", "cell"},
}
# What comes first among required parameters -> what it stands before; an optional one may stand behind what it belongs to.
BEFORE = {
    "stimulus": {"response", "responses", "counts", "words", "block", "trains", "train"},
    "signal": {"train", "trains", "block", "spikes"},
    "s": {"r", "r1", "r2", "words"},
    "labels": {"trains"},
    "position": {"counts"},
    "phase": {"block"},
    "classes": {"x"},
}


# A fit is of spike trains, so these come first.
FITS = ("fit_neuron", "fit_network", "likelihood.")


def parameters() -> dict[str, list[inspect.Parameter]]:
    """Public function, class or public method -> its parameters; without results that only the package constructs."""
    found = {}
    for name, thing in public_objects().items():
        made = re.search(r"(made|returned) by `|Result of `", thing.__doc__ or "")
        if inspect.isclass(thing) and made:
            continue
        candidates: dict[str, Any] = {name: thing}
        if inspect.isclass(thing):
            candidates |= {
                f"{name}.{method}": member
                for method, member in vars(thing).items()
                if inspect.isfunction(member) and not method.startswith("_")
            }
        for label, function in candidates.items():
            try:
                found[label] = list(inspect.signature(function).parameters.values())
            except ValueError:
                continue
    return found


def synonyms(names: list[str]) -> list[str]:
    """What is wrong with the words of one signature."""
    return [
        f"{name}: expected {word}" for name in names for word, others in ONE_WORD.items() if name in others
    ]


def disorder(names: list[str]) -> list[str]:
    """What is wrong with the order of one signature's positional parameters."""
    return [
        f"{names[late]} before {names[early]}"
        for late in range(len(names))
        for early in range(late + 1, len(names))
        if names[late] in BEFORE.get(names[early], ())
    ]


def test_one_word_for_one_thing() -> None:
    wrong = {label: bad for label, ps in parameters().items() if (bad := synonyms([p.name for p in ps]))}
    assert wrong == {}


def test_neuron_is_an_index_and_neurons_are_several() -> None:
    """Among arguments that choose neurons of a Block; a model of a neuron and the columns of a table have the name too."""
    found = {
        (label, p.name): str(p.annotation)
        for label, ps in parameters().items()
        if label.startswith(("measures.", "plotting.")) and label != "measures.Trains"
        for p in ps
        if p.name in ("neuron", "neurons")
    }
    kinds = {"neuron": {"int", "int | str", "int | None", "int | str | None"}, "neurons": {"Any"}}
    assert len(found) >= 8
    units = {label for label, ps in parameters().items() if "units" in {p.name for p in ps}}
    # rows of the table "units", with its columns; a count of units
    assert units == {"load", "select", "coding.PopulationCode"}
    assert [where for where, kind in found.items() if kind not in kinds[where[1]]] == []


def test_stimulus_before_response_and_signal_before_trains() -> None:
    wrong = {}
    for label, ps in parameters().items():
        names = [p.name for p in ps if p.kind is p.POSITIONAL_OR_KEYWORD and p.default is p.empty]
        if not label.startswith(FITS) and (bad := disorder(names)):
            wrong[label] = bad
    assert wrong == {}
