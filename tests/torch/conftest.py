"""Settings of the tests with torch."""

import numba
import pytest
import torch


@pytest.fixture(autouse=True)
def one_thread():
    """Small arrays: a second thread costs more than it saves, and results do not depend on it."""
    before = torch.get_num_threads(), numba.get_num_threads()
    torch.set_num_threads(1)
    numba.set_num_threads(1)
    yield
    torch.set_num_threads(before[0])
    numba.set_num_threads(before[1])
