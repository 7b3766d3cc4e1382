"""What formats do to the tensors of a model, layer by layer: tables, histograms, pictures."""

from numformats.torch.analysis.analyze import analyze
from numformats.torch.analysis.binades import Binades
from numformats.torch.analysis.observation import Analysis, Observation
from numformats.torch.analysis.plot import plot_binades, plot_layers

__all__ = ["Analysis", "Binades", "Observation", "analyze", "plot_binades", "plot_layers"]
