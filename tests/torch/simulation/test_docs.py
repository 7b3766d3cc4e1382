"""Law: the examples of ``docs/simulate.md`` run, and print what it says."""

from __future__ import annotations

import re

import pytest

from numformats.torch.simulation.handlers import HANDLERS
from tests.conftest import ROOT

TEXT = (ROOT / "docs/simulate.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_examples_run(block: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "assert" in block or "print" in block
    exec(compile(block, "docs/simulate.md", "exec"), {})
    assert capsys.readouterr().out in TEXT


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
