"""Draw from Bayesian posteriors in low precision, with optimizers on any number format."""

import logging

from samplers import diagnostics, images, metrics, norms, toy
from samplers.averaging import PredictiveAverage
from samplers.chain import run_chain
from samplers.chains import run_chains
from samplers.counters import Counters
from samplers.cycles import CosineCycles
from samplers.precision import PerChannel, Precision
from samplers.predictive import Prediction, predictive
from samplers.priors import Gaussian, Laplace
from samplers.psgld import PSGLD
from samplers.samples import Samples
from samplers.sgdlp import SGDLP
from samplers.sghmc import SGHMC
from samplers.sgld import SGLD
from samplers.spec import ChainSpec
from samplers.store import SampleStore

logging.getLogger(__name__).addHandler(logging.NullHandler())

__all__ = [
    "PSGLD",
    "SGDLP",
    "SGHMC",
    "SGLD",
    "ChainSpec",
    "CosineCycles",
    "Counters",
    "Gaussian",
    "Laplace",
    "PerChannel",
    "Precision",
    "Prediction",
    "PredictiveAverage",
    "SampleStore",
    "Samples",
    "diagnostics",
    "images",
    "metrics",
    "norms",
    "predictive",
    "run_chain",
    "run_chains",
    "toy",
]
