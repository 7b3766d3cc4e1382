"""Law: the examples of docs/models.md run, and print what the page says."""

import contextlib
import io
import re

import pytest

from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "models.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
PRINTED = re.findall(r"prints\n\n```text\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_examples_run(block: str) -> None:
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(compile(block, "docs/models.md", "exec"), {})
    assert BLOCKS.index(block) > 0 or out.getvalue() == PRINTED[0]
