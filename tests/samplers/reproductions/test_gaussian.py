"""The Gaussian toy's study on few chains.

False alarms: each z is compared with 5 (6e-7); nine of them. Seeds are fixed.
"""

import pytest

from samplers.reproductions import gaussian
from samplers.reproductions.gaussian import Settings

SMALL = Settings(chains=1000, times=2.0, sgld_steps=(2e-2, 2e-3), sghmc_steps=(0.36, 0.09))


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    return gaussian.run(SMALL, tmp_path_factory.mktemp("out"))


def claims(outcome):
    return {claim.text: claim.held for claim in outcome.claims}


def test_a_row_for_each_case_beside_what_was_reported(outcome):
    assert len(outcome.rows) == 3 * (2 + 2)
    reported = {row[:3]: row[-1] for row in outcome.rows if row[-1] is not None}
    assert reported == {
        ("SGLD", "low", 2e-3): 1.30,
        ("SGLD", "variance_corrected", 2e-3): 1.00,
    }


def test_naive_widens_and_all_follow_the_closed_forms(outcome):
    found = claims(outcome)
    assert found["SGLD with a low accumulator widens as the step shrinks"]
    assert found["SGLD: every sd within 5 standard errors of its closed form"]
    assert found["SGHMC: every sd within 5 standard errors of its closed form"]
    assert found["SGHMC with any accumulator, step 0.09, keeps the sd within 2 % of 1"]


def test_a_form_without_rounding_is_rejected(monkeypatch, tmp_path):
    """Negative control."""
    right = gaussian.sgld_variance
    monkeypatch.setattr(
        gaussian, "sgld_variance", lambda accumulator, *a, **o: right("variance_corrected", *a, **o)
    )
    found = claims(gaussian.run(Settings(1000, 2.0, (2e-3,), (0.36,)), tmp_path))
    assert not found["SGLD: every sd within 5 standard errors of its closed form"]
    assert not found["SGHMC with any accumulator, step 0.36, keeps the sd within 2 % of 1"]
