"""Draw from Bayesian posteriors in low precision, with optimizers on any number format."""

from samplers import metrics
from samplers.chain import run_chain
from samplers.chains import run_chains
from samplers.cycles import CosineCycles
from samplers.precision import PerChannel, Precision
from samplers.predictive import Prediction, predictive
from samplers.samples import Samples
from samplers.sgld import SGLD, Counters
from samplers.spec import ChainSpec
from samplers.store import SampleStore

__all__ = [
    "SGLD",
    "ChainSpec",
    "CosineCycles",
    "Counters",
    "PerChannel",
    "Precision",
    "Prediction",
    "SampleStore",
    "Samples",
    "metrics",
    "predictive",
    "run_chain",
    "run_chains",
]
