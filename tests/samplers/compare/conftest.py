"""One small comparison that all tests of this folder read."""

from __future__ import annotations

import functools

import pytest

from samplers.compare import job
from tests.samplers.compare.running import CHOSEN, OPTIONS, Finished, invoke


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A finished folder and what the command printed; nobody may change it."""
    out = tmp_path_factory.mktemp("compare") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(job, "toy_draws", functools.partial(job.toy_draws, chains=20))
        result = invoke("compare", "--out", out, *OPTIONS, *CHOSEN)
    assert result.exit_code == 0, result.output
    return Finished(out, result.stdout)
