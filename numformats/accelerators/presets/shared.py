"""What presets of several vendors share."""

from numformats.accelerators.scaling import Scaling

MMA_SIM = "Xie et al., MMA-Sim, arXiv 2511.10909, and its package mmasim 2.1.1"
RECIPE_NOTE = (
    "The unit does not scale: one dynamic scale a tensor is the usual software recipe, with no "
    "history of magnitudes."
)
TENSOR = Scaling("tensor")


def stored(fmt: str) -> dict[str, str]:
    """All four roles in one format."""
    return dict.fromkeys(("weights", "activations", "errors", "gradients"), fmt)
