"""Draw from Bayesian posteriors in low precision, with optimizers on any number format."""

from samplers import metrics
from samplers.counters import Counters
from samplers.cycles import CosineCycles
from samplers.precision import PerChannel, Precision
from samplers.predictive import Prediction, predictive
from samplers.priors import Gaussian, Laplace
from samplers.psgld import PSGLD
from samplers.sgdlp import SGDLP
from samplers.sghmc import SGHMC
from samplers.sgld import SGLD

__all__ = [
    "PSGLD",
    "SGDLP",
    "SGHMC",
    "SGLD",
    "CosineCycles",
    "Counters",
    "Gaussian",
    "Laplace",
    "PerChannel",
    "Precision",
    "Prediction",
    "metrics",
    "predictive",
]
