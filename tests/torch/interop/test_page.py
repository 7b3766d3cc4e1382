"""Law: the page's examples run, and its tables name what the shims have."""

from __future__ import annotations

import re

import pytest

from numformats.torch.interop.microxcaling.elements import ROUNDINGS
from tests.conftest import ROOT
from tests.torch.interop.qtorch_rules import CASES

PAGE = (ROOT / "docs/migrating.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_the_examples_run(block: str) -> None:
    exec(compile(block, "docs/migrating.md", "exec"), {})


def test_every_case_and_rounding_is_on_the_page() -> None:
    assert len(BLOCKS) == 5
    assert all(f"| {case} |" in PAGE for case in CASES)
    assert all(f'"{name}"' in PAGE and f"`{mode}`" in PAGE for name, mode in ROUNDINGS.items())
