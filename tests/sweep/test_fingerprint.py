"""Fingerprints. Not public: a sweep is resumed only where they are equal, and only they show which change matters."""

from __future__ import annotations

import dataclasses
import functools
import json

import numpy as np
from brian2 import ms, mV

import nsnn_neuro as nsnn
from nsnn_neuro.measures import cv, firing_rate
from nsnn_neuro.sweep.fingerprint import fingerprint

CELL = nsnn.LIF(tau_m=20 * ms, v_rest=0 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2 * ms)


def _bounded(text: str):
    """A class of noise made on the spot, all of one name."""

    @dataclasses.dataclass(frozen=True, eq=False)
    class Bounded(nsnn.MultiplicativeNoise):
        amplitude = text
        slope = "0"

    return Bounded(0.2, -10 * mV, calculus="ito")


def test_a_class_of_the_package_is_known_by_its_name_wherever_its_module_stands(monkeypatch) -> None:
    before = fingerprint([CELL, nsnn.WhiteNoise(3 * mV), firing_rate, functools.partial(cv, t_start=0.1)])
    assert "nsnn_neuro" not in json.dumps(before)
    for named in (nsnn.LIF, nsnn.WhiteNoise, firing_rate, cv):
        monkeypatch.setattr(named, "__module__", "nsnn_neuro.models.elsewhere")
    assert (
        fingerprint([CELL, nsnn.WhiteNoise(3 * mV), firing_rate, functools.partial(cv, t_start=0.1)])
        == before
    )
    assert before[0]["type"] == "LIF"
    assert fingerprint(_bounded("v"))["type"].startswith(f"{__name__}.")  # a user's class keeps its module


def test_the_code_of_a_users_measure_or_noise_model_is_part_of_its_fingerprint() -> None:
    def window(block, *, width=0.1):
        return width

    def wider(block, *, width=0.2):
        return width

    wider.__qualname__ = window.__qualname__

    def scaled(factor):
        return lambda block: factor

    class Counter:
        def __init__(self, start):
            self.start = start

        def __call__(self, block):
            return self.start

        def method(self, block):
            return self.start

    partials = (functools.partial(window, width=np.int64(k)) for k in (3, 4))
    for one, other in (
        (window, wider),
        (scaled(1), scaled(2)),
        (Counter(1), Counter(2)),
        (Counter(1).method, Counter(2).method),
        tuple(partials),
        (_bounded("v"), _bounded("2 * v")),
    ):
        assert fingerprint(one) != fingerprint(other)
    assert fingerprint(_bounded("v")) == fingerprint(_bounded("v"))
    assert fingerprint(scaled(1)) == fingerprint(scaled(1))
