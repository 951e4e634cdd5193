"""The trimmed Cython target: code that reads only what it uses. Its spikes are those of NumPy in test_simulate_network.py."""
# Imports internals: the generated code and the modules that are compiled from it do not appear in results.

from __future__ import annotations

import re

import brian2 as b2
import numpy as np
import pytest
from brian2 import ms

from nsnn_neuro.brian import cython_target, engine

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
    assert cython_target.trimmed(STOCK).splitlines() == [
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


def test_the_data_of_a_dynamic_array_have_its_number() -> None:
    """As Brian2 writes them from 2.10 on; unless they are an array that is read by itself."""
    text = "_namespace['_dynamic_array_b_capsule'] _dynamic_array_b_ptr _array_b[0]"
    assert (
        cython_target.with_numbered_arrays({"run": text})[0]["run"]
        == "_namespace['_dynamic_array_0'] _dynamic_array_0_ptr _array_0[0]"
    )
    both, _ = cython_target.with_numbered_arrays({"run": f"{text} _namespace['_array_b']"})
    assert both["run"].endswith("_array_1[0] _namespace['_array_1']")


@pytest.mark.slow
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
        assert {code.__class__ for code in codes} == {cython_target.TrimmedCythonCodeObject}
        assert not any(re.search(r"\] _buf_", code.code.run) for code in codes)
        assert np.array(monitor.v) == pytest.approx(np.array([[2, 2 / np.e]] * 2), rel=1e-12)
