"""The page "How long, how much memory" (docs/scaling.md) from the measurements of cost_model.py, which calls `write_page`."""

from __future__ import annotations

import json
from typing import Any

from cost_model import ALLOWED, DOCS, KEPT, MODELS, Features, predicted

PAGE = DOCS / "scaling.md"
POINTS, WORKERS, CHUNK = 1_000_000, 1000, 50
TRIALS, STEPS = 20, 10_000  # of a point of the example
UNITS = {"seconds": ("h", 3600.0, "min", 60.0, "s", 1.0, "ms", 1e-3, "µs", 1e-6, "ns", 1e-9)}
UNITS["bytes"] = ("TB", 1e12, "GB", 1e9, "MB", 1e6, "kB", 1e3, "bytes", 1.0)
NAMES = {
    "run": "call", "step": "step", "neuron": "neuron", "small neuron step": "neuron in a step, below 2,000 neurons",
    "neuron step": "neuron in a step", "synapse": "synapse",
    "event": "synaptic event", "spike": "spike", "point": "point", "chunk": "chunk", "process": "process",
}  # fmt: skip

TEXT = """\
# How long, how much memory
This page says what a simulation or a sweep costs before you start it. `benchmarks/cost_model.py` measures runs of
many sizes, fits a cost per neuron, step, synaptic event, spike and point, and predicts sizes that were left out of
the fit. [sweep.md](sweep.md) explains sweeps, [engine.md](engine.md) the engines, [long_runs.md](long_runs.md) the
argument `out`.

Times are seconds of the processor (user and system), of all processes together, since other work on the machine
changes them less than the time by the clock. A run that has a core for itself takes this time by the clock; two
processes on two cores take half of it. Compilation is not included.
Measured on {date}: {machine}.

## Seconds
The time is a sum over the columns of number times cost. A dash means that the cost is not part of the model, 0 that
the fit gives none. Neurons count once per trial. On NumPy populations of 2,000 neurons and more draw the random
numbers of four steps at once, in C++ all do. The step is of 0.1 ms, but only the number of steps matters. All
sizes are measured in five rounds, those that take three seconds or more in two, and the least time of each is kept.

{seconds}

The populations are LIF neurons in white noise ({population_rates} spikes per second, bridge included). The networks
are Brunel's, a tenth of all pairs connected, at {network_rates} spikes per second; a synaptic event is the arrival of
a spike at a synapse. Spikes come from Poisson sources, so the table separates them from the neurons. Other neurons and noises in
C++: [performance](performance.md#simulation), 4 to 10 ns in a step, and 36 ns for a Wang-Buzsaki neuron.

## Bytes
The peak memory of a run on NumPy is the following, above the {base} that Python and its packages take.

{bytes}

With `out` ([long_runs.md](long_runs.md)) spikes are not kept in memory during the run.

## How good the predictions are
The costs minimise the relative error of the sizes in the fit, under the condition that no cost is negative.
Criterion: sizes held out are predicted within {allowed_seconds} % of their time and {allowed_bytes} % of their
memory.

{check}

{verdict}

## Two large examples
**A sweep of {points} points on {workers} workers.** Each point has one neuron, {trials} trials and {steps} steps (1
s), on NumPy in chunks of {chunk} points. All chunks together take {work} of processor time: {share} on each worker,
after {start} to start it. The process that calls `sweep`, in which the scheduler runs, needs {caller} and
{caller_memory} of memory. {limit} Assumptions: the cost of a point and of a chunk in the caller is that with one
worker and at most {largest} points; workers are as fast as this machine, each with a core of its own; all of them
start at once; none is killed.

**10⁹ seconds of a neuron** (for example 100 000 neurons for 10 000 s) are 10¹³ neuron-steps of 0.1 ms. In C++ they
take {neuron_seconds} of processor time, {two} on two cores and {many} on 1,000. At 10 spikes per second they emit
10¹⁰ spikes. These do not fit into memory ({spike_memory}), so divide the time into parts (`return_state=True`) and
keep measures, or write the spikes on NumPy or Cython with `out`. Assumptions: the cost of a neuron in a step is that
of up to {largest_neurons} neurons, and the cores do not slow one another down.
"""


def shown(value: float, unit: str) -> str:
    """Two significant digits with a prefix.

    >>> shown(0, "seconds"), shown(2.34e-8, "seconds"), shown(7200, "seconds"), shown(1e9 * (1 - 1e-12), "bytes")
    ('0', '23 ns', '2 h', '1 GB')
    """
    steps = UNITS[unit]
    for name, size in zip(steps[::2], steps[1::2], strict=True):
        if value >= size * (1 - 1e-9):  # fitted costs have rounding errors
            return f"{float(f'{value / size:.2g}'):,.10g} {name}"
    return f"{value / steps[-1]:.2g} {steps[-2]}" if value else "0"


def rows(made: dict[str, Any], unit: str) -> str:
    """The table of costs of the models in a unit."""
    models = {key: one for key, one in made["models"].items() if one["unit"] == unit}
    names = [name for name in NAMES if any(name in one["costs"] for one in models.values())]
    text = "| | " + " | ".join(NAMES[name] for name in names) + " |\n" + "|---" * (len(names) + 1) + "|\n"
    for key, one in models.items():
        cells = [shown(one["costs"][name], unit) if name in one["costs"] else "-" for name in names]
        text += f"| {MODELS[key].label} | " + " | ".join(cells) + " |\n"
    return text.rstrip("\n")


def check(made: dict[str, Any]) -> str:
    """The table of the errors of held-out sizes."""
    text = "| | sizes in the fit | sizes held out | range | largest error (%) |\n|---|---|---|---|---|\n"
    for key, one in made["models"].items():
        low, high = (shown(value, one["unit"]) for value in one["range"])
        text += (
            f"| {MODELS[key].label} | {one['fitted']} | {len(one['held_out'])} | {low} to {high} | "
            f"{100 * one['largest_error']:.0f} |\n"
        )
    return text.rstrip("\n")


def verdict(made: dict[str, Any]) -> str:
    """Which models fulfil the criterion."""
    missed = [
        f"{MODELS[key].label} ({100 * one['largest_error']:.0f} %)"
        for key, one in made["models"].items()
        if one["largest_error"] > one["allowed"]
    ]
    if not missed:
        return "All models fulfil the criterion."
    return f"The criterion is not fulfilled for: {'; '.join(missed)}."


def page(made: dict[str, Any]) -> str:
    """The page."""
    models = made["models"]

    def cost(key: str, features: Features) -> float:
        return predicted(models[key]["costs"], features)

    chunks = POINTS // CHUNK
    members = CHUNK * TRIALS * STEPS
    work = chunks * cost("sweep", {"run": 1, "step": STEPS, "point": CHUNK, "neuron step": members})
    caller = cost("caller", {"run": 1, "point": POINTS, "chunk": chunks})
    caller_memory = cost("memory", {"point": POINTS})
    long = 1e13 * models["cpp"]["costs"]["neuron step"]
    longer = "the caller is what limits the sweep" if caller > work / WORKERS else "the workers take longer"
    return TEXT.format(
        date=made["date"],
        machine=made["machine"],
        base=shown(made["base"], "bytes"),
        seconds=rows(made, "seconds"),
        bytes=rows(made, "bytes"),
        population_rates="{:.2g} to {:.2g}".format(*models["cpp"]["rates"]),
        network_rates="{:.2g} to {:.2g}".format(*models["cpp network"]["rates"]),
        allowed_seconds=f"{100 * ALLOWED['seconds']:.0f}",
        allowed_bytes=f"{100 * ALLOWED['bytes']:.0f}",
        check=check(made),
        verdict=verdict(made),
        points=f"{POINTS:,}",
        workers=f"{WORKERS:,}",
        trials=TRIALS,
        steps=f"{STEPS:,}",
        chunk=CHUNK,
        work=shown(work, "seconds"),
        share=shown(work / WORKERS, "seconds"),
        start=shown(cost("process", {"process": 1}), "seconds"),
        caller=shown(caller, "seconds"),
        caller_memory=shown(caller_memory, "bytes"),
        limit=f"So {longer}: about {shown(max(caller, work / WORKERS), 'seconds')} by the clock.",
        largest=f"{models['caller']['largest']['point']:,.0f}",
        neuron_seconds=shown(long, "seconds"),
        two=shown(long / 2, "seconds"),
        many=shown(long / 1000, "seconds"),
        spike_memory=shown(cost("memory", {"spike": 1e10}), "bytes"),
        largest_neurons=f"{models['cpp']['largest']['neuron']:,.0f}",
    )


def write_page(made: dict[str, Any]) -> None:
    """Write the page, and its numbers into a file of the same folder."""
    KEPT.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(made), encoding="utf-8")
