"""The trimmed Cython target: code that reads only what it uses. Its spikes are those of NumPy in test_simulate_network.py."""
# Imports internals: the generated code and the modules that are compiled from it do not appear in results.

from __future__ import annotations

import itertools
import re
import types
from typing import Any

import brian2 as b2
import numpy as np
import pytest
from brian2 import ms

import nsnn_neuro as nsnn
from nsnn_neuro.brian import cython_build, cython_target, engine

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


def test_a_text_that_is_lean_stays() -> None:
    assert cython_target.trimmed(cython_target.trimmed(STOCK)) == cython_target.trimmed(STOCK)


MODULE = """\
import numpy as _numpy
# support code
cdef double half(double u):
    return u / 2

def main(_namespace):
    cdef double u
    # half of it
    w = {}
"""


@pytest.mark.parametrize("used", [True, False])
def test_functions_stay_where_they_are_called(used: bool) -> None:
    text = cython_target.trimmed(MODULE.format("half(1)" if used else "1"))
    assert ("cdef double half(double u):" in text) is used
    assert "    cdef double u\n    #" not in text


def test_arrays_are_numbered_in_all_blocks() -> None:
    run = "_buf__array_a_v = _namespace['_array_a_v']\n_num_array_a_v + _array_a_vs\n_namespace['_dynamic_array_b']"
    blocks, renamed = cython_target.with_numbered_arrays(
        {"run": run, "after_run": "_namespace['_array_c'] + _array_a_v"}
    )
    assert blocks == {
        "run": "_buf__array_0 = _namespace['_array_0']\n_num_array_0 + _array_a_vs\n_namespace['_dynamic_array_1']",
        "after_run": "_namespace['_array_2'] + _array_0",
    }
    assert renamed == {
        "_array_a_v": "_array_0",
        "_dynamic_array_b": "_dynamic_array_1",
        "_array_c": "_array_2",
    }


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


@pytest.mark.compile
def test_equal_layers_are_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """By their texts; nothing is compiled, nothing happens."""
    idle = types.SimpleNamespace(main=lambda namespace: None)
    monkeypatch.setattr(cython_build, "load", lambda *args: idle)
    compiled: dict[str, set[str]] = {}
    compile_block = cython_target.TrimmedCythonCodeObject.compile_block

    def spied(code_object: Any, block: str) -> Any:
        module = compile_block(code_object, block)
        if module is not None:
            name = f"{code_object.owner.name}_{code_object.template_name}"
            compiled.setdefault(name, set()).add(getattr(code_object.code, block))
        return module

    monkeypatch.setattr(cython_target.TrimmedCythonCodeObject, "compile_block", spied)
    noise = nsnn.EscapeNoise(nsnn.Gaussian(0.4))
    cells = [nsnn.Population(3, nsnn.NSNNNeuron(), noise=noise, name=f"layer{k}") for k in range(4)]
    wires = [nsnn.Projection(a, b, rule=nsnn.AllToAll(), weight=0.5) for a, b in itertools.pairwise(cells)]
    net = nsnn.Network(cells, wires)
    nsnn.simulate(net, duration=20 * ms, seed=1, engine="cython", progress=False)
    layers = [{k.split("_", 2)[2] for k in compiled if k.startswith(f"population_{i}_")} for i in (2, 3)]
    assert layers[0] == layers[1] == {"stateupdate", "threshold", "reset"}
    for part in layers[0]:
        assert compiled[f"population_2_{part}"] == compiled[f"population_3_{part}"]
    assert compiled["projection_1_synapses"] == compiled["projection_2_synapses"]
    assert compiled["spikes_0_spikemonitor"] == compiled["spikes_3_spikemonitor"]


@pytest.mark.compile
def test_users_target_is_theirs_again() -> None:
    before = b2.prefs.codegen.target
    with engine.running("cython"):
        assert b2.prefs.codegen.target == cython_target.TARGET
    assert b2.prefs.codegen.target == before
