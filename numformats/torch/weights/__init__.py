"""Models with low-precision weights: stored as packed codes, tried layer by layer, searched for the
smallest formats."""

from numformats.torch.weights.packed import PackedWeight
from numformats.torch.weights.quantize_model import quantize_model
from numformats.torch.weights.search import FormatSearch, search_formats
from numformats.torch.weights.sensitivity import Sensitivity, sensitivity
from numformats.torch.weights.storage import Storage, storage

__all__ = [
    "FormatSearch", "PackedWeight", "Sensitivity", "Storage", "quantize_model", "search_formats",
    "sensitivity", "storage",
]  # fmt: skip
