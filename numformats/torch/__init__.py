"""PyTorch on simulated number formats: rounding with gradients, under every transform of PyTorch.

``quantize`` rounds a tensor and its gradient; ``Quantizer`` is the module for it, with streams of
random bits and histories of scales; ``AmaxScaling`` says how scales are chosen.
"""

from numformats.torch.quantizer import Quantizer
from numformats.torch.quantizing import quantize
from numformats.torch.scaling import AmaxScaling
from numformats.torch.streams import reseed

__all__ = ["AmaxScaling", "Quantizer", "quantize", "reseed"]
