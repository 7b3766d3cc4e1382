"""PyTorch code on an accelerator's arithmetic: what ``simulate`` is made of."""

from numformats.torch.simulation.report import Report
from numformats.torch.simulation.running import Simulation
from numformats.torch.simulation.simulate import simulate

__all__ = ["Report", "Simulation", "simulate"]
