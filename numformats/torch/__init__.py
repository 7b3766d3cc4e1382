"""PyTorch on simulated number formats and accelerators.

``quantize`` rounds a tensor and its gradient, under every transform of PyTorch; ``Quantizer`` is
the module for it, with streams of random bits and histories of scales; ``AmaxScaling`` says how
scales are chosen. ``simulate`` runs a model as an accelerator computes it. ``quantize_model``,
``sensitivity`` and ``search_formats`` (``weights``) store models in few bits; ``analyze``
(``analysis``) shows what formats do to a model's tensors.
"""

from numformats.torch.analysis import analyze
from numformats.torch.quantizer import Quantizer
from numformats.torch.quantizing import quantize
from numformats.torch.scaling import AmaxScaling
from numformats.torch.simulation import Report, Simulation, simulate
from numformats.torch.streams import reseed
from numformats.torch.weights import quantize_model, search_formats, sensitivity, storage

__all__ = [
    "AmaxScaling", "Quantizer", "Report", "Simulation", "analyze", "quantize", "quantize_model",
    "reseed", "search_formats", "sensitivity", "simulate", "storage",
]  # fmt: skip
