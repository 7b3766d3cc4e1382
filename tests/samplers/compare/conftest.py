"""One small comparison that all tests of this folder read."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import pytest

from samplers.compare import job
from tests.samplers.compare.running import CHOSEN, OPTIONS, Finished, changed, invoke

SMALL_TOY = functools.partial(job.toy_draws, chains=20)


@pytest.fixture(autouse=True)
def small_toy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The Gaussian toy takes seconds at its own size."""
    monkeypatch.setattr(job, "toy_draws", SMALL_TOY)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A finished folder and what the command printed; nobody may change it."""
    out = tmp_path_factory.mktemp("compare") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(job, "toy_draws", SMALL_TOY)
        result = invoke("compare", "--out", out, *OPTIONS, *CHOSEN)
    assert result.exit_code == 0, result.output
    return Finished(out, result.stdout)


@pytest.fixture(scope="session")
def compared(finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the page of the finished comparison and another with other numbers."""
    other, out = tmp_path_factory.mktemp("other"), tmp_path_factory.mktemp("differences") / "out"
    content = json.loads((finished.out / "results.json").read_text())
    (other / "results.json").write_text(json.dumps(changed(content)))
    result = invoke("report", finished.out, other, "--out", out)
    assert result.exit_code == 0, result.output
    return out
