"""The lean Cython target: the same results as Brian2's own, bit for bit, from code that reads only what it uses."""

from __future__ import annotations

import re
from typing import Any

import brian2 as b2
import numpy as np
import pytest
from brian2 import ms, mV, second

import nsnn_neuro as nsnn
from nsnn_neuro import engine, lean

STOCK = """\
def main(_namespace):
    cdef size_t _idx
    _var_N = _namespace["_var_N"]
    cdef int32_t N = _namespace["N"]
    _var_v = _namespace["_var_v"]
    cdef _numpy.ndarray[double, ndim=1, mode='c'] _buf__array_v = _namespace['_array_v']
    cdef double * _array_v = <double *> _buf__array_v.data
    cdef size_t _num_array_v = len(_namespace['_array_v'])
    cdef double v
    _var_b = _namespace["_var_b"]
    cdef _numpy.ndarray[char, ndim=1, mode='c', cast=True] _buf__array_b = _namespace['_array_b']
    cdef bool * _array_b = <bool *> _buf__array_b.data
    cdef size_t _num_array_b = len(_namespace['_array_b'])
    if '_owner' in _namespace:
        _owner = _namespace['_owner']
    for _idx in range(N):
        v = _array_v[_idx]
        _array_v[_idx] = v + _num_array_v
"""


def test_reads_what_is_used_and_nothing_else() -> None:
    assert lean.lean(STOCK).splitlines() == [
        "def main(_namespace):",
        "    cdef size_t _idx",
        '    cdef int32_t N = _namespace["N"]',
        "    cdef _numpy.ndarray _buf__array_v = _namespace['_array_v']",
        "    cdef double * _array_v = <double *> _buf__array_v.data",
        "    cdef size_t _num_array_v = len(_namespace['_array_v'])",
        "    cdef double v",
        "    if '_owner' in _namespace:",
        "        _owner = _namespace['_owner']",
        "    for _idx in range(N):",
        "        v = _array_v[_idx]",
        "        _array_v[_idx] = v + _num_array_v",
    ]


def test_a_text_that_is_lean_stays() -> None:
    assert lean.lean(lean.lean(STOCK)) == lean.lean(STOCK)


@pytest.fixture
def stock(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes the engine run Brian2's own target."""
    return lambda: monkeypatch.setattr(lean, "TARGET", "cython")


def every_part() -> list[Any]:
    """Refractory periods, synapses with delays, recorded voltages, trials: as arrays."""
    net = nsnn.brunel(g=5, eta=2, n_e=40, n_i=10, epsilon=0.2, J=1 * mV, seed=1)
    block = nsnn.simulate(
        net, duration=0.1 * second, seed=3, trials=2, record_v={"E": [0, 1]}, progress=False
    )
    found: list[Any] = []
    for segment in block.segments:
        found += [np.asarray(train.rescale("s").magnitude) for train in segment.spiketrains]
        found += [np.asarray(signal.magnitude) for signal in segment.analogsignals]
    return found


@pytest.mark.compile
def test_a_network_does_what_brian2s_own_target_makes_of_it(stock: Any) -> None:
    ours = every_part()
    stock()
    theirs = every_part()
    assert sum(len(x) for x in ours) > 100
    assert all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.compile
def test_compiled_code_is_the_lean_one() -> None:
    with engine.running("cython"):
        group = b2.NeuronGroup(
            2, "dv/dt = -v/ms : 1\nx : boolean", threshold="v > 1", reset="v = 0", dt=1 * ms
        )
        group.v = 2
        monitor = b2.StateMonitor(group, "v", record=True)
        network = b2.Network(group, monitor)
        network.run(2 * ms, namespace={})
        codes = [code for obj in network.sorted_objects for code in obj._code_objects]
        assert codes
        assert {code.__class__ for code in codes} == {lean.LeanCythonCodeObject}
        assert not any(re.search(r"\] _buf_", code.code.run) for code in codes)
        assert np.array(monitor.v) == pytest.approx(np.array([[2, 2 / np.e]] * 2), rel=1e-12)


@pytest.mark.compile
def test_users_target_is_theirs_again() -> None:
    before = b2.prefs.codegen.target
    with engine.running("cython"):
        assert b2.prefs.codegen.target == lean.TARGET
    assert b2.prefs.codegen.target == before
