"""Dot-product engines: how a matrix unit forms ``d = c + sum_k a_k b_k``, bit for bit."""

from numformats.engines.ap_fixed import ApFixed
from numformats.engines.chips import Unit
from numformats.engines.choosing import engine, units
from numformats.engines.emulated import EmulatedFDPA
from numformats.engines.engine import Engine
from numformats.engines.exact import ExactFDPA
from numformats.engines.fdpa import TruncatedFDPA
from numformats.engines.flushed import FlushedAddMul
from numformats.engines.fma import FMAChain
from numformats.engines.group_scaled import GroupScaledFDPA
from numformats.engines.integer import IntegerDot
from numformats.engines.mac import MACChain
from numformats.engines.matmul import matmul
from numformats.engines.paired import PairedDot
from numformats.engines.phased import PhasedChain
from numformats.engines.requantize import MultiplierRequantize, ShiftRequantize, requantize
from numformats.engines.round_down import RoundDownFDPA

__all__ = [
    "ApFixed", "EmulatedFDPA", "Engine", "ExactFDPA", "FMAChain", "FlushedAddMul",
    "GroupScaledFDPA", "IntegerDot", "MACChain", "MultiplierRequantize", "PairedDot",
    "PhasedChain", "RoundDownFDPA", "ShiftRequantize", "TruncatedFDPA", "Unit",
    "engine", "matmul", "requantize", "units",
]  # fmt: skip
