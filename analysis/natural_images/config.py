"""Configuration of the study `natural_images`: arms, disturbances, attacks and claims as fixed before the first full run."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

from ..harness import StudyConfig

CLAIM = (
    "On natural images noise in use protects a spiking network against attacks, learning with noise adds less than 3 points, noisy "
    "images in training protect more against noisy pixels, and noise protects more than its mean and besides adversarial training"
)
PAPER = "On natural images (CIFAR-10) NSNNs are as accurate as deterministic networks, and more robust"
PAPER_NUMBER = (
    "B: N3 is more accurate than D3",
    r"^(\S+ points, \[.*?\])",
    "noisy minus deterministic network, both under the worst of the same attacks, CIFAR-10: {}",
)
SET = "cifar10_16k"
SABOTAGES = {"labels shuffled": "the noisy network is trained on shuffled labels"}
ALPHA = 0.05
CLEAN_MARGIN, NOISE_ON_MARGIN, INSIDE_MARGIN = 0.02, 0.03, 0.02
LEARNED = 0.60
"""accuracy that the networks must reach"""


@dataclasses.dataclass(frozen=True)
class Arm:
    """A network: its noise, its surrogate, its training."""

    sigma: float = 0.0
    """standard deviation of the membrane noise; 0: deterministic"""
    width: float = 0.3
    """standard deviation of the surrogate's density, of a deterministic network; a noisy one has that of its noise"""
    twice: bool = False
    """whether noise is counted twice, as in the published code"""
    pixels: float = 0.0
    """standard deviation of the noise on pixels in training"""
    mean_field: bool = False
    """whether neurons emit the probability of a spike in place of draws; `sigma` is 0, `width` that of the probability"""

    adversarial: float = 0.0
    """largest change of a pixel, in 1/255, of the attacked images that the network is trained on; 0: it is trained on the images"""

    @property
    def quiet(self) -> Arm:
        """The deterministic neurons with the same surrogate, of the noise-free copy."""
        return Arm(width=self.sigma or self.width)


D3, N3, PAPER_NOISE, NOISY_INPUT, MEAN_FIELD = "D3", "N3", "N-paper", "D3aug", "MF3"
D3_ATTACKED, N3_ATTACKED = "D3adv", "N3adv"
TRAINED = {
    D3: Arm(),
    N3: Arm(sigma=0.3),
    PAPER_NOISE: Arm(sigma=0.3, twice=True),
    NOISY_INPUT: Arm(pixels=0.1),
    MEAN_FIELD: Arm(mean_field=True),
    D3_ATTACKED: Arm(adversarial=2),
    N3_ATTACKED: Arm(sigma=0.3, adversarial=2),
}
"""arms that are trained"""
NOISE_ON, NOISE_OFF = "D3 noise on", "N3 noise off"
IN_USE = {NOISE_ON: (D3, Arm(sigma=0.3)), NOISE_OFF: (N3, Arm(width=0.3))}
"""arms of networks that were trained otherwise: name -> trained arm, and the neurons in use"""

CLEAN, PIXELS, OCCLUSION = "clean", "pixel noise", "occlusion"
INSIDE = ("spikes lost", "spikes added", "lost and added", "membrane noise", "weight noise")
WORST, ONE_STEP, SPHERE, ATTACK = "worst PGD", "FGSM, one draw", "sphere, Adam", "attack"


@dataclasses.dataclass(frozen=True)
class Config(StudyConfig):
    """Configuration of a run."""

    seed: int = 201
    seeds: int = 5
    rates: tuple[float, ...] = (3e-3,)
    """learning rates, a factor: none is chosen by what comes out"""
    epochs: int = 9
    batch: int = 100
    attack_steps: int = 3
    """steps of PGD in adversarial training"""
    n_steps: int = 2
    channels: tuple[int, int] = (24, 48)
    half: bool = True
    """convolutions in bfloat16, which saves time where the processor has it"""
    train: int = 12_000
    """number of training images"""
    test: int = 2000
    """test images without a disturbance"""
    disturbed: int = 250
    """test images for disturbances, the first ones"""
    skip: int = 250
    """test images that attacks leave out: those that the first run attacked"""
    images: int = 500
    """test images for attacks, the next ones"""
    passes: int = 10
    """passes of every arm; results of 1 pass are means over them"""
    judge_passes: int = 100
    """passes that judge attacked images, by which no attack was chosen"""
    pixels: tuple[float, ...] = (0.05, 0.1, 0.2)
    squares: tuple[int, ...] = (8, 16)
    lost: tuple[float, ...] = (0.2, 0.4)
    added: tuple[float, ...] = (0.05, 0.1)
    both: tuple[float, ...] = (0.05, 0.1)
    membrane: tuple[float, ...] = (0.3, 0.6)
    weights: tuple[float, ...] = (0.1, 0.3)
    strengths: tuple[float, ...] = (2,)
    """largest change of a pixel by PGD, in 1/255"""
    one_step: tuple[float, ...] = (2, 4)
    """change of a pixel by FGSM with one draw, in 1/255"""
    radii: tuple[float, ...] = (0.25, 0.5)
    """L2 norm of the change by direct optimisation on a sphere"""
    sphere_steps: int = 30
    steps: int = 20
    momentum: float = 0.75
    widths: tuple[float, ...] = (0.3, 0.7, 1.2)
    draws: tuple[int, ...] = (5,)
    losses: tuple[str, ...] = ("cross_entropy", "margin")
    restarts: int = 5
    settled: float = 4.0
    """standard errors by which a vote is so wrong that its image is not attacked again"""
    jobs: int = 0
    """networks at a time, each in its own process; 0: one per core"""

    QUICK: ClassVar[dict[str, object]] = {
        "seeds": 2, "rates": (3e-3,), "epochs": 1, "channels": (8, 16), "train": 400, "test": 100, "disturbed": 20, "images": 10,
        "skip": 0,
        "passes": 4, "pixels": (0.1,), "squares": (8,), "lost": (0.2,), "added": (0.05,), "both": (0.05,), "membrane": (0.3,),
        "weights": (0.1,), "strengths": (2,), "one_step": (2,), "radii": (0.5,), "steps": 2, "widths": (0.3, 1.2), "draws": (1, 5),
        "restarts": 1, "judge_passes": 20, "sphere_steps": 3, "jobs": 1,
    }  # fmt: skip

    def all_seeds(self) -> range:
        """The seeds of every arm."""
        return range(self.seed, self.seed + self.seeds)
