"""Law: every unit of the registry equals MMA-Sim's, whose tables are its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import numformats as nf
from tests.engines import peers
from tests.engines.inputs import assert_equal_bits, operands

try:
    import mmasim.nv_ptx  # noqa: F401 - builds an extension with a C++ compiler
except (ImportError, OSError, RuntimeError) as error:
    pytest.skip(f"mmasim cannot be imported: {error}", allow_module_level=True)

UNITS = [unit for unit in nf.engines.units() if peers.has_peer(unit)]
SAME_NAN = (
    nf.engines.TruncatedFDPA,
    nf.engines.RoundDownFDPA,
    nf.engines.GroupScaledFDPA,
)  # the others return the host's NaN in MMA-Sim


def label(unit: Any) -> str:
    return "-".join(str(part) for part in (*unit[:5], unit.scale, unit.scale_block) if part)


def is_main(unit: Any) -> bool:
    return unit.a == unit.b and not unit.scale and unit.a not in ("e3m2", "e2m3", "e2m1")


MAIN = list({unit.engine: unit for unit in reversed(UNITS) if is_main(unit)}.values())


LARGE = ("nvidia-v100", "nvidia-a100", "nvidia-h100", "amd-mi300")


def side(unit: Any) -> int:
    """Rows and columns: 1e5 results an engine of the main chips with equal formats and FP32 or FP64
    output; fewer for others, for FP8 but E4M3, and for units with the engine of another."""
    if unit not in MAIN:
        return 40
    main = unit.chip in LARGE and unit.output != "fp16" and not unit.a.startswith("e5m2")
    return 320 if main else 100


@pytest.mark.parametrize("unit", UNITS, ids=label)
def test_equals_mmasim(unit: Any) -> None:
    size = side(unit)
    got, wanted = peers.run(unit, lambda k: operands(unit, size, size, k, 17))
    assert np.isfinite(wanted).mean() > 0.3, "too few finite results to tell units apart"
    assert_equal_bits(got, wanted, any_nan=not isinstance(unit.engine, SAME_NAN))


@pytest.mark.parametrize("unit", MAIN, ids=label)
def test_groups_are_chained_in_order(unit: Any) -> None:
    """K of three instructions: the result of one is the c of the next."""
    got, wanted = peers.run(unit, lambda k: operands(unit, 40, 24, 3 * k, 18))
    assert_equal_bits(got, wanted, any_nan=not isinstance(unit.engine, SAME_NAN))
