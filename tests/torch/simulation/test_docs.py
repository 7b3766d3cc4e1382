"""Law: ``docs/simulate.md`` names every call that is taken over."""

from __future__ import annotations

from numformats.torch.simulation.handlers import HANDLERS
from tests.conftest import ROOT

TEXT = (ROOT / "docs/simulate.md").read_text()


def test_calls_are_listed() -> None:
    """Every intercepted function, or the one that leads to it, is named."""
    inner = {"__matmul__": "@", "linalg_matmul": "matmul", "linalg_multi_dot": "multi_dot"}
    inner |= {
        "chain_matmul": "multi_dot",
        "vdot": "dot",
        "linalg_vecdot": "vecdot",
        "rnn_tanh": "RNN",
        "rnn_relu": "RNN",
    }
    inner |= {name: "2d" for name in HANDLERS if name.startswith("conv_transpose")}
    for name in HANDLERS:
        word = inner.get(name.removesuffix("_cell"), name.removesuffix("_cell"))
        assert word.upper() in TEXT.upper(), name
