"""The same noisy LIF neurons outside Brian2: by hand in C++, in NEST, and as a plain loop in JAX and in PyTorch.

All take the exact step  v -> mu + (v - mu) exp(-dt/tau) + sigma sqrt(1 - exp(-2 dt/tau)) z  in float64 on one thread and keep every
spike. The loops in JAX and PyTorch are what a user of these libraries would write: JAX compiles its `scan` before the timed run.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import brunel_brian2_nest as wired
import numpy as np
from engine_cases import DT, MU, REFRAC, RESET, SIGMA, TAU, THETA, Case, Setting
from timing import Sample, rates

KEEP = float(np.exp(-DT / TAU))
KICK = float(SIGMA * np.sqrt(1 - KEEP**2))
HOLD = round(REFRAC / DT)  # steps of a refractory period


def n_steps(setting: Setting) -> int:
    """Time steps of a run."""
    return round(setting.seconds / (DT * 1e-3))


def limit(setting: Setting, program: Path, generator: str) -> Case:
    """The program of lif_limit.cpp."""

    def case(seed: int) -> Sample:
        sizes = [generator, setting.neurons, n_steps(setting), seed]
        cell = [MU, SIGMA, DT / TAU, THETA, RESET, HOLD]
        command = [str(program), "step", *(str(x) for x in sizes + cell)]
        begun = time.perf_counter()
        said = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        per_second = 1e3 / DT
        return Sample(
            said["seconds"],
            time.perf_counter() - begun,
            said["rate"] * per_second,
            said["error"] * per_second,
        )

    return case


def nest_lif(setting: Setting) -> Case:
    """NEST's iaf_psc_delta with a noise_generator: a current held for a step, of the same variance."""

    def case(seed: int) -> Sample:
        begun = time.perf_counter()
        os.environ["PYNEST_QUIET"] = "1"
        import nest

        nest.ResetKernel()
        nest.verbosity = nest.VerbosityLevel.ERROR
        nest.set(resolution=DT, rng_seed=seed + 1, local_num_threads=1, overwrite_files=True)
        cell = {
            "C_m": 1.0, "tau_m": TAU, "t_ref": REFRAC, "E_L": 0.0, "V_reset": RESET, "V_th": THETA, "V_m": RESET, "I_e": MU / TAU,
        }  # fmt: skip
        cells = nest.Create("iaf_psc_delta", setting.neurons, params=cell)
        spread_of_current = KICK / ((1 - KEEP) * TAU)
        noise = nest.Create("noise_generator", params={"mean": 0.0, "std": spread_of_current, "dt": DT})
        nest.Connect(noise, cells)
        recorder = nest.Create("spike_recorder")
        nest.Connect(cells, recorder)
        nest.Prepare()
        entered = time.perf_counter()
        nest.Run(1e3 * setting.seconds)
        loop = time.perf_counter() - entered
        nest.Cleanup()
        count = np.bincount(np.asarray(recorder.events["senders"]) - 1, minlength=setting.neurons)
        return Sample(loop, time.perf_counter() - begun, *rates(count[: setting.neurons], setting.seconds))

    return case


def nest_brunel(size: wired.Size) -> Case:
    """Brunel's network in NEST, with the wiring that stock Brian2 has; neurons start at 0 mV as there."""
    wiring = wired.fixed(size, np.random.default_rng(1))

    def case(seed: int) -> Sample:
        begun = time.perf_counter()
        import nest

        recorder = wired.nest_network(size, wiring, seed + 1, initial=np.zeros(size.n), record_from=0.0)
        nest.Prepare()
        entered = time.perf_counter()
        nest.Run(1e3 * size.seconds)
        loop = time.perf_counter() - entered
        nest.Cleanup()
        count = np.bincount(np.asarray(recorder.events["senders"]) - 1, minlength=size.n)
        return Sample(loop, time.perf_counter() - begun, *rates(count, size.seconds))

    return case


def jax_lif(setting: Setting) -> Case:
    """A `scan` over the time steps in JAX, with its default random numbers."""
    one_thread = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    os.environ.setdefault("XLA_FLAGS", one_thread)  # read when JAX starts its CPU
    import jax
    import jax.numpy as jnp

    steps = n_steps(setting)

    def step(state: tuple[Any, Any], key: Any) -> tuple[tuple[Any, Any], Any]:
        v, silent = state
        moved = MU + (v - MU) * KEEP + KICK * jax.random.normal(key, v.shape, v.dtype)
        v = jnp.where(silent > 0, v, moved)
        fired = v > THETA
        return (jnp.where(fired, RESET, v), jnp.where(fired, HOLD, jnp.maximum(silent - 1, 0))), fired

    @jax.jit
    def run(key: Any) -> Any:
        state = (jnp.full(setting.neurons, RESET), jnp.zeros(setting.neurons, jnp.int32))
        return jax.lax.scan(step, state, jax.random.split(key, steps))[1]

    def case(seed: int) -> Sample:
        begun = time.perf_counter()
        with jax.enable_x64(True):
            key = jax.random.PRNGKey(seed)
            entered = time.perf_counter()
            raster = run(key).block_until_ready()
            loop = time.perf_counter() - entered
        count = np.asarray(raster).sum(axis=0)
        return Sample(loop, time.perf_counter() - begun, *rates(count, setting.seconds))

    return case


def torch_lif(setting: Setting) -> Case:
    """A loop over the time steps in PyTorch."""
    import torch

    steps = n_steps(setting)

    def case(seed: int) -> Sample:
        begun, threads = time.perf_counter(), torch.get_num_threads()
        torch.set_num_threads(1)
        generator = torch.Generator().manual_seed(seed)
        v = torch.full((setting.neurons,), RESET, dtype=torch.float64)
        silent = torch.zeros(setting.neurons, dtype=torch.int32)
        raster = torch.zeros((steps, setting.neurons), dtype=torch.bool)
        noise = torch.empty_like(v)
        entered = time.perf_counter()
        with torch.inference_mode():
            for t in range(steps):
                moved = MU + (v - MU) * KEEP + KICK * noise.normal_(generator=generator)
                v = torch.where(silent > 0, v, moved)
                fired = torch.gt(v, THETA, out=raster[t])
                v = v.masked_fill(fired, RESET)
                silent = (silent - 1).clamp(min=0).masked_fill(fired, HOLD)
        loop = time.perf_counter() - entered
        torch.set_num_threads(threads)
        count = raster.sum(0).numpy()
        return Sample(loop, time.perf_counter() - begun, *rates(count, setting.seconds))

    return case
