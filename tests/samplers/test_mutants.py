"""The list of injected faults fits the code: each text stands once. `make mutants` runs them."""

from pathlib import Path

import pytest

from tests.mutants.faults import FAULTS

pytestmark = pytest.mark.law

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_fault_fits_the_code(fault):
    assert (ROOT / fault.file).read_text().count(fault.old) == 1
    assert fault.new != fault.old
    for test in fault.tests:
        file, _, rest = test.partition("::")
        assert f"def {rest.partition('[')[0]}" in (ROOT / file).read_text()


def test_names_are_unique():
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)
