"""Laws: every chip is there, says what it is and where that comes from, and claims no more
confidence than its sources give; silicon presets use the units that reproduce recordings."""

from __future__ import annotations

import os
import pathlib
import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import numformats as nf
from numformats.accelerators import Accelerator
from tests.accelerators.chips import ALL, CHIPS, LEVELS, NAMES, SILICON_UNITS, highest

ROLES = ("weights", "activations", "errors", "gradients")


def test_every_chip_is_there() -> None:
    assert sorted(set(CHIPS) - set(NAMES)) == []


def test_every_preset_is_covered_by_the_table_of_confidences() -> None:
    assert highest("nvidia-h100-fp8") == "silicon"
    assert highest("nvidia-b200-nvfp4") == "model"
    assert highest("unheard-of") == "approximate"


@pytest.mark.parametrize("name", NAMES)
def test_confidence_is_no_higher_than_its_sources(name: str) -> None:
    assert LEVELS.index(ALL[name].confidence) <= LEVELS.index(highest(name))


def test_silicon_presets_are_those_with_recorded_outputs() -> None:
    assert {n for n in NAMES if ALL[n].confidence == "silicon"} == set(SILICON_UNITS)


@pytest.mark.parametrize("name", SILICON_UNITS)
def test_silicon_presets_use_the_unit_of_the_chip(name: str) -> None:
    chip = "-".join(name.split("-")[:2])
    assert ALL[name].engine == nf.engine(chip, **SILICON_UNITS[name])


@pytest.mark.parametrize("name", NAMES)
def test_preset_pickles_hashes_and_is_found_by_name(name: str) -> None:
    chip = ALL[name]
    assert pickle.loads(pickle.dumps(chip)) == chip
    assert {chip: 1}[nf.accelerator(name)] == 1
    assert nf.accelerator(name.upper()) is nf.accelerator(name)


def test_another_process_finds_a_pickled_preset() -> None:
    """Hashes of texts differ between processes."""
    chip = ALL[NAMES[0]]
    assert hash(chip) == hash(chip)
    code = (
        "import pickle, sys, numformats as nf; chip = pickle.load(sys.stdin.buffer); "
        "assert {nf.accelerator(chip.name): 1}[chip] == 1"
    )
    surroundings = {**os.environ, "PYTHONHASHSEED": "12345"}
    subprocess.run(
        [sys.executable, "-c", code], input=pickle.dumps(chip), env=surroundings, check=True
    )


@pytest.mark.parametrize("name", NAMES)
def test_preset_explains_itself(name: str) -> None:
    chip, text = ALL[name], ALL[name].explain()
    plain = " ".join(text.split())
    assert plain.startswith(f"{name}: {chip.title}")
    assert max(map(len, text.splitlines())) <= 80
    for part in (*chip.sources, chip.notes, f"Confidence {chip.confidence}:"):
        assert "".join(part.split()) in "".join(plain.split())
    for role in ROLES:
        fmt = chip.storage(role)
        element = getattr(fmt, "element", fmt)
        line = next(line for line in text.splitlines() if line.startswith(role.capitalize()))
        assert (str(element) if fmt else "not stored") in line


@pytest.mark.parametrize("name", NAMES)
def test_preset_has_sources_and_says_what_is_not_known(name: str) -> None:
    chip = ALL[name]
    assert chip.sources
    assert chip.title != name
    if chip.confidence != "model":
        assert len(chip.notes) > 40


def test_chips_of_the_same_arithmetic_share_presets() -> None:
    assert nf.accelerator("nvidia-h200-fp8") is nf.accelerator("nvidia-h100-fp8")
    assert nf.accelerator("nvidia-rtx5090-nvfp4").name == "nvidia-rtx-blackwell-nvfp4"
    assert nf.accelerator("amd-mi300x-fp8").name == "amd-mi300-fp8"


def test_the_registry_is_a_copy() -> None:
    nf.accelerators().clear()
    assert list(nf.accelerators()) == NAMES


RECORDED = [
    ("v100", "fp16"), ("a100", "fp16"), ("a100", "bf16"), ("a100", "tf32"), ("ada", "fp16"),
    ("ada", "bf16"), ("ada", "tf32"), ("h100", "fp16"), ("h100", "bf16"), ("h100", "tf32"),
    ("b200", "fp16"), ("b200", "bf16"), ("b200", "tf32"),
]  # fmt: skip


def rows(folder: pathlib.Path, gpu: str, inputs: str) -> tuple[Any, ...]:
    path = folder / "silicon" / f"{gpu}_{inputs}.npz"
    if not path.is_file():
        pytest.skip(f"no file {path}")
    with np.load(path) as data:
        a, b, c = (data[name].view(np.float32) for name in ("a", "b", "c"))
        return a[:, None, :], b[:, :, None], c[:, None, None], data["d_fp32"]


@pytest.mark.parametrize("gpu, inputs", RECORDED)
def test_presets_give_recorded_outputs(gpu: str, inputs: str, data_folder: pathlib.Path) -> None:
    a, b, c, wanted = rows(data_folder, gpu, inputs)
    got = nf.accelerator(f"nvidia-{gpu}-{inputs}").matmul(a, b, c).reshape(-1)
    np.testing.assert_array_equal(got.view(np.uint32), wanted)


@pytest.mark.parametrize("fmt", ["e4m3", "e5m2"])
def test_hopper_fp8_gives_recorded_outputs(fmt: str, data_folder: pathlib.Path) -> None:
    """Recorded rows are operands as stored, so the unit of the preset runs without its scales."""
    a, b, _, wanted = rows(data_folder, "h100", fmt)
    chip = nf.accelerator("nvidia-h100-fp8")
    plain = Accelerator(
        "unscaled",
        weights=fmt,
        activations=fmt,
        engine=nf.engine("nvidia-h100", inputs=fmt, path="wgmma"),
    )
    assert fmt != "e4m3" or plain.engine == chip.engine
    got = plain.matmul(a, b).reshape(-1)
    np.testing.assert_array_equal(got.view(np.uint32), wanted)


@pytest.mark.parametrize("bad", ["nvidia-h100-fp9", "nvidia-h100-fp8 x", "h100", ""])
def test_unknown_names_are_refused(bad: str) -> None:
    with pytest.raises(ValueError, match="unknown accelerator"):
        nf.accelerator(bad)


def test_the_closest_name_is_offered() -> None:
    with pytest.raises(ValueError, match="did you mean 'nvidia-h100-fp8'"):
        nf.accelerator("nvidia-h100-fp88")
    with pytest.raises(ValueError, match=r"nvidia-b200 has .*nvidia-b200-nvfp4"):
        nf.accelerator("nvidia-b200-fp5")
    # a chip alone: by another name, and without its maker; all that there is of it
    with pytest.raises(ValueError, match=r"did you mean 'nvidia-ada-.*has nvidia-ada-bf16.*-tf32;"):
        nf.accelerator("nvidia-rtx4090")
    with pytest.raises(ValueError, match=r"h100 has nvidia-h100-bf16, .*, nvidia-h100-tf32; "):
        nf.accelerator("h100")
    with pytest.raises(ValueError, match=r"unknown accelerator ''; nf.accelerators"):
        nf.accelerator("")


def test_a_name_is_text() -> None:
    with pytest.raises(TypeError, match="write a name such as"):
        nf.accelerator(8)
