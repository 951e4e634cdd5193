"""The noisy neuron as a torch module, with noise-driven learning as its backward pass; needs torch.

`expressions` evaluates Brian2 text on tensors, `encode` that of encoders. `neuron` has `NoisySpike`, `delays` learned delays,
`residual` skip connections. `transfer` converts nets to Brian2 networks and back (`linear_maps`: their linear parts), `files`
saves weights, `exchange` writes and reads NIR graphs (`nir_nodes`, `nir_files`). `classifier` takes images to scores, `fit`
trains it on the package's losses (`objective`), and `spike_fit` fits a network to recorded spikes (`module_trainer`: what both
share). `online` computes the gradient without signals from the future, `estimators` unbiased ones, `feedback_alignment` has
fixed random feedback weights. `attacks`, `worst_case` and `perturbations` test robustness, `certificate` proves some of it
(`first_layer`, `operator_norm`). `rng` seeds torch.

Arguments and tensors that don't fit raise `NsnnError`, which names the argument, its value and what was expected.
"""

from ..core.errors import needs_package

with needs_package("torch", "nsnn_neuro.deep"):
    from .attacks import fgsm, pgd, sphere, square
    from .certificate import certified_radius, smoothed_radius
    from .classifier import Classifier, accuracy
    from .delays import Delays
    from .estimators import backward
    from .exchange import from_nir, to_nir
    from .feedback_alignment import RandomFeedback
    from .files import load, save
    from .fit import Diverged, Fit, fit
    from .neuron import EachStep, NoisySpike, State, mean_field, passes, twin
    from .operator_norm import bound_norm
    from .perturbations import disturbed
    from .residual import Residual, Times
    from .spike_fit import SpikeFit, fit_spikes, log_likelihood
    from .transfer import from_network, to_network
    from .worst_case import WorstCase, worst_case

__all__ = [
    "Classifier",
    "Delays",
    "Diverged",
    "EachStep",
    "Fit",
    "NoisySpike",
    "RandomFeedback",
    "Residual",
    "SpikeFit",
    "State",
    "Times",
    "WorstCase",
    "accuracy",
    "backward",
    "bound_norm",
    "certified_radius",
    "disturbed",
    "fgsm",
    "fit",
    "fit_spikes",
    "from_network",
    "from_nir",
    "load",
    "log_likelihood",
    "mean_field",
    "passes",
    "pgd",
    "save",
    "smoothed_radius",
    "sphere",
    "square",
    "to_network",
    "to_nir",
    "twin",
    "worst_case",
]
