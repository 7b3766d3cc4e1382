"""Draw from Bayesian posteriors in low precision, with optimizers on any number format."""

from samplers import diagnostics, metrics
from samplers.averaging import PredictiveAverage
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
    "PredictiveAverage",
    "SampleStore",
    "Samples",
    "diagnostics",
    "metrics",
    "predictive",
    "run_chain",
    "run_chains",
]
