"""`VoltageCalibration`: the result of `calibrate` with method="voltage"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import quantities as pq
from scipy.stats import t

from ...core.aliases import SpikeSource, Time
from ...models.stimuli import Filtered
from ..calibration.calibration import SpikeCalibration
from .membrane import difference
from .samples import read_samples


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class VoltageCalibration(SpikeCalibration):
    """A neuron fitted to a recorded membrane potential and its spikes.

    Standard errors are those of two steps, by a jackknife over blocks of time: the potential may
    have noise of any spectrum, and errors of the threshold contain those of the membrane and of
    tau_refrac, which is read off the mean spike. `log_likelihood` is that of the spikes.

    >>> from brian2 import Hz, ms, mV, second
    >>> from nsnn_neuro import EscapeNoise, ExponentialHazard, FrozenNoise, LIF, calibrate, simulate
    >>> potentials = {"v_rest": 0*mV, "v_reset": 5*mV, "v_thresh": 20*mV}
    >>> cell = LIF(tau_m=20*ms, tau_refrac=2*ms, **potentials)
    >>> noise = EscapeNoise(hazard=ExponentialHazard(500*Hz, 2*mV))
    >>> drive = FrozenNoise(20*mV, 9*mV, 5*ms, seed=1)
    >>> options = {"duration": 2.5*second, "dt": 0.2*ms, "seed": 1, "engine": "numpy"}
    >>> block = simulate(cell, noise, drive, record_v=True, **options)
    >>> free = {"tau_m": None, "v_rest": None, "v_thresh": (10*mV, 30*mV)}
    >>> fit = calibrate(cell, free, noise=noise, stimulus=drive, voltage=block, method="voltage")
    >>> round(1e3 * fit.parameters["tau_m"], 3), round(fit.variance_explained, 6)
    (20.0, 1.0)
    """

    variance_explained: float
    """of the variance of the potential between the spikes, by the membrane of `model`"""
    voltage_error: float
    """root mean square difference there, V"""
    series_resistance: float
    """in series with the membrane: V for one unit of the signal, ohm where its gain is in ohm"""
    series_resistance_se: float
    degrees_of_freedom: dict[str, float]
    """of each standard error: few where few stretches of the recording determine the parameter"""

    _RELATIVE = False
    absent: ClassVar[dict[str, str]] = {
        "profile": "a fit to voltage has no profile: its two steps have no common likelihood; use interval()"
    }

    def _head(self) -> list[str]:
        stimulus = self._recorded(0)[1]
        ohm = isinstance(stimulus, Filtered) and stimulus.unit("gain") == "ohm"
        size, unit = (1e6, "Mohm") if ohm else (1.0, "V per unit of the signal")
        series, error = self.series_resistance / size, self.series_resistance_se / size
        head, logs = super()._head()
        return [
            head,
            f"voltage between spikes: {100 * self.variance_explained:.3g} % of its variance explained, "
            f"{1e3 * self.voltage_error:.3g} mV rms left",
            f"series resistance {series:.3g} +- {error:.2g} {unit}, not part of the neuron",
            logs,
        ]

    def _quantile(self, upper: float) -> np.ndarray:
        freedom = np.array(list(self.degrees_of_freedom.values()))
        return np.asarray(t.ppf(upper, np.where(np.isfinite(freedom), freedom, np.inf)))

    def predicted_variance(
        self,
        voltage: Any,
        trains: SpikeSource | None = None,
        *,
        t_start: Time | None = None,
        t_stop: Time | None = None,
    ) -> float:
        """Fraction of the variance of a recorded potential between spikes that the fit explains.

        Pass a recording that was not fitted, of the same stimulus, or a later part of it, such as
        from the fit's t_stop on.

        voltage, trains, t_start, t_stop : as for `calibrate`
        """
        samples = read_samples(self.stimulus, voltage, trains, t_start, t_stop, self.dt * pq.s)
        return difference((self.model, self.noise, self.stimulus), samples, self.series_resistance)[0]
