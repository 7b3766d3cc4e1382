"""A user's program; ``mypy --strict`` must take it as it is, from the installed package."""

import numpy as np

import numformats as nf
from numformats import Format

fmt: Format = nf.parse("float<4,3,specials=fn>")
same: Format = nf.parse(np.float16)
key = nf.Key(0, 1)
rounded = nf.quantize(np.ones(3, np.float32), fmt, "stochastic", key=key)
typed = nf.quantize(np.ones(3, np.float32), np.dtype(np.float16))
report: float = nf.error(np.ones(3, np.float32), nf.E4M3).sqnr
chip = nf.accelerator("nvidia-h100-fp8")
block = nf.BlockFloat(nf.FixedPoint(8, 6), 16)
print(rounded, typed, report, chip.name, block.bits_per_value, fmt.bits, same)
