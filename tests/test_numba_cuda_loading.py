"""Law: numba-cuda loads where NumPy lacks a name that it looks up, and NumPy stays as it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

numba_cuda = pytest.importorskip(
    "numba_cuda", reason="numba-cuda is missing; install the extra test-cuda"
)

from numformats.backends import numba_cuda_loading  # noqa: E402


@pytest.mark.parametrize("fails", [False, True])
def test_a_dropped_name_is_there_while_it_loads(
    fails: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    def loaded(name: str) -> None:
        seen.append(getattr(np, "row_stack", None))
        if fails:
            raise ImportError(name)

    monkeypatch.delattr(np, "row_stack", raising=False)
    monkeypatch.setattr(numba_cuda_loading.importlib, "import_module", loaded)
    if fails:
        with pytest.raises(ImportError, match=r"numba\.cuda"):
            numba_cuda_loading.load()
    else:
        numba_cuda_loading.load()
    assert seen == [np.vstack]
    assert not hasattr(np, "row_stack")
