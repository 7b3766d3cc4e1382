"""Draw from Bayesian posteriors in low precision, with optimizers on any number format."""

from samplers import metrics
from samplers.cycles import CosineCycles
from samplers.precision import PerChannel, Precision
from samplers.predictive import Prediction, predictive
from samplers.samples import Samples
from samplers.sgld import SGLD, Counters
from samplers.store import SampleStore

__all__ = [
    "SGLD",
    "CosineCycles",
    "Counters",
    "PerChannel",
    "Precision",
    "Prediction",
    "SampleStore",
    "Samples",
    "metrics",
    "predictive",
]
