"""What the tests of Blocks and files share: a rich Block, and equality to the last bit."""

import warnings
from datetime import datetime

import neo
import numpy as np
import quantities as pq
from hypothesis import strategies as st

from nsnn_neuro import load, provenance
from nsnn_neuro.io.block import build_block
from nsnn_neuro.io.json_codec import dumps

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
scalars |= st.binary(max_size=4) | st.timedeltas() | st.complex_numbers(allow_nan=False)
scalars |= st.datetimes().map(lambda d: d.replace(fold=0))


values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5), inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.integers(), inner, max_size=2)
        | st.dictionaries(st.just("__type__"), inner, max_size=1)
    ),
    max_leaves=6,
)


NESTED = [[[0.5, 0.1 + 0.2], [], [1 / 3]], [[], [], [0.0, 1.0]]]


def quietly(*args, **options):
    """What `load` reads, without its warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return load(*args, **options)


def trains_of(block):
    """[trial][neuron] -> bytes of the times, read train by train: independent of `Trains`."""
    return [[np.asarray(t.rescale("s").magnitude).tobytes() for t in s.spiketrains] for s in block.segments]


def bounds_of(block):
    lists = [s.spiketrains for s in block.segments]
    return [(float(t.t_start.rescale("s")), float(t.t_stop.rescale("s")), len(t)) for t in lists]


def assert_same(a, b):
    """Equal to the last bit in all that a Block holds here."""
    assert bounds_of(a) == bounds_of(b)
    assert trains_of(a) == trains_of(b)
    assert dumps(dict(a.annotations)) == dumps(dict(b.annotations))
    assert [s.index for s in b.segments] == list(range(len(a.segments)))
    for one, two in zip(a.segments, b.segments, strict=True):
        assert (one.name, one.description, one.annotations) == (two.name, two.description, two.annotations)
        assert len(one.analogsignals) == len(two.analogsignals)
        for x, y in zip(one.analogsignals, two.analogsignals, strict=True):
            assert x.magnitude.tobytes() == y.magnitude.tobytes()
            assert (x.shape, x.dtype, x.name) == (y.shape, y.dtype, y.name)
            assert (x.t_start, x.sampling_rate, x.units) == (y.t_start, y.sampling_rate, y.units)
            assert dumps(dict(x.array_annotations)) == dumps(dict(y.array_annotations))
            assert y.segment is two
        for kind in ("events", "epochs", "irregularlysampledsignals"):
            assert [contents(x) for x in getattr(one, kind)] == [contents(y) for y in getattr(two, kind)]


def contents(one):
    """All that an Event, Epoch or IrregularlySampledSignal says, times and durations in seconds."""
    arrays = {
        key: (np.asarray(values).tolist(), str(getattr(values, "units", "")))
        for key, values in one.array_annotations.items()
    }
    values = (
        getattr(one, "magnitude", None)
        if isinstance(one, neo.IrregularlySampledSignal)
        else one.times.magnitude
    )
    seconds = [
        part.rescale("s").magnitude.tobytes() for part in (one.times, getattr(one, "durations", one.times))
    ]
    return (
        *(one.name, one.description, dumps(dict(one.annotations)), dumps(arrays), *seconds),
        *(values.tobytes(), values.shape, str(values.dtype), np.asarray(getattr(one, "labels", [])).tolist()),
    )


def volt(values, name=None, rate=1000.0, **more):
    return neo.AnalogSignal(np.asarray(values), units="mV", sampling_rate=rate * pq.Hz, name=name, **more)


def rich_block(dt=1e-4):
    rng = np.random.default_rng(3)
    tick, trial, neuron = rng.integers(0, 10_000, 300), rng.integers(0, 3, 300), rng.integers(0, 5, 300)
    moments = {"tick": tick, "dt": dt} if dt else {"times": rng.random(300)}
    stimulus = [volt(np.arange(10.0), "stimulus", rate=10.0) for _ in range(3)]
    traces = [
        volt(rng.normal(size=(10, 2)), "v", rate=10.0, array_annotations={"neuron": [1, 3]}) for _ in range(3)
    ]
    block = build_block(
        trial,
        neuron,
        **moments,
        n_trials=3,
        n_neurons=6,  # neuron 5 is silent throughout
        t_start=0.0,
        t_stop=[1.0, 1.0, 1.0],
        signals=[list(pair) for pair in zip(stimulus, traces, strict=True)],
        annotations={
            "seed": 2**100 + 1,
            "parameters": {"tau_m": {"value": 20.0, "unit": "ms"}, "noise": None, "bridge": True},
            "populations": [{"name": "excitatory", "size": 4}, {"name": "inhibitory", "size": 2}],
            "name": "an annotation called name",
            "µ-Ω 雪": "\x00 snow \ud800 ☃",
            **provenance(),
        },
    )
    block.name, block.rec_datetime = "ünit", datetime(2024, 2, 29, 12, 30, 1, 5)
    block.segments[1].name = "second"
    block.segments[1].annotate(condition="left", weight=0.1)
    block.segments[1].rec_datetime = datetime(2024, 2, 29, 12, 30, 3)
    for segment in block.segments[:2]:
        times = rng.random(4)  # in no order
        arrays = {
            "angle": np.arange(4),
            "depth": np.arange(4) * pq.mm,
            "id": np.array(["a", "µ/☃", "", "long"]),  # NWB gives a meaning to these two names
            "duration": np.ones(4),
        }
        segment.events.append(
            neo.Event(times * pq.s, labels=list("abcd"), name="cue/1", array_annotations=arrays, unit="V")
        )
        segment.epochs.append(
            neo.Epoch(times * pq.s, np.ones(4) * pq.s, name="trials", array_annotations=arrays, hit=True)
        )
        segment.irregularlysampledsignals.append(
            neo.IrregularlySampledSignal(
                np.sort(times) * pq.s, rng.random((4, 2)), units="mV", name="v", eye="left"
            )
        )
    block.segments[2].events.append(neo.Event([] * pq.s, name="none"))
    return block
