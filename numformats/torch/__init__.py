"""PyTorch on simulated arithmetic: ``simulate`` runs a model as an accelerator computes it."""

from numformats.torch.simulation import Report, Simulation, simulate

__all__ = ["Report", "Simulation", "simulate"]
