"""The calls of qtorch 0.3 (QPyTorch): write ``from numformats.torch.interop import qtorch``.

``qtorch.quant``, ``qtorch.optim`` and ``qtorch.auto_low`` hold what the modules of these names
hold; the formats are here.
"""

from numformats.torch.interop.qtorch import auto_low, optim, quant
from numformats.torch.interop.qtorch.number import (
    BlockFloatingPoint,
    FixedPoint,
    FloatingPoint,
    Number,
)

__all__ = [
    "BlockFloatingPoint", "FixedPoint", "FloatingPoint", "Number", "auto_low", "optim", "quant",
]  # fmt: skip
