"""The CIFAR study at a tiny size on generated records: data, network, chains, refusals."""

import json
import lzma
import os
import pathlib

import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from numformats.torch import Quantizer
from samplers.cli import app
from samplers.reproductions import cifar
from samplers.reproductions.cifar import Settings, spec_of, step_factor
from samplers.reproductions.cifar_data import MEAN, STD, Images, augmented, load_cifar
from samplers.reproductions.cifar_rows import PUBLISHED, ROWS
from samplers.reproductions.resnet import ResNet18
from samplers.reproductions.study import reproduce

ROW_NAMES = ("SGLD-fixed-VC", "SGHMC-bfp-VC", "SGD-bfp-F")
SMALL = Settings(
    rows=ROW_NAMES, width=2, images=32, test_images=20, epochs=2, sampled_epochs=1,
    batch_size=16, processes=1,
)  # fmt: skip
REAL = pathlib.Path(
    os.environ.get("NUMFORMATS_DATA", pathlib.Path(__file__).parents[4] / "shared" / "data")
)


def records(count, label_bytes=1, classes=10):
    rng = np.random.default_rng(0)
    table = rng.integers(0, 256, (count, label_bytes + 3072), np.uint8)
    table[:, :label_bytes] = rng.integers(0, classes, (count, label_bytes))
    return table


@pytest.fixture(autouse=True)
def data(monkeypatch, tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    (folder / "cifar10").mkdir()
    table = records(40)
    (folder / "cifar10/data_batch_1.bin.xz").write_bytes(lzma.compress(table[:20].tobytes()))
    for k in range(2, 6):
        (folder / f"cifar10/data_batch_{k}.bin").write_bytes(table[20:].tobytes())
    (folder / "cifar10/test_batch.bin").write_bytes(table[:20].tobytes())
    monkeypatch.setenv("NUMFORMATS_DATA", str(folder))
    return folder


def test_records_are_a_label_and_three_planes(data):
    images, table = load_cifar(augment=False), records(40)
    assert len(images) == 100
    assert images.labels[:40].tolist() == table[:, 0].tolist()
    batch, _ = images[torch.tensor([21])]
    expected = torch.from_numpy(table[21, 1:].reshape(3, 32, 32).astype(np.float32)) / 255
    assert torch.equal(batch[0], (expected - MEAN) / STD)
    assert len(load_cifar(limit=7)) == 7


def test_cifar100_takes_the_fine_label(data):
    (data / "cifar100").mkdir()
    table = records(5, label_bytes=2, classes=100)
    (data / "cifar100/train.bin").write_bytes(table.tobytes())
    assert load_cifar("cifar100").labels.tolist() == table[:, 1].tolist()


def test_damaged_and_missing_files_are_named(data):
    (data / "cifar10/test_batch.bin").write_bytes(b"1234")
    with pytest.raises(ValueError, match=r"test_batch.bin: 4 bytes are no whole records of 3073"):
        load_cifar(train=False)
    (data / "cifar10/test_batch.bin").unlink()
    with pytest.raises(ValueError, match="NUMFORMATS_DATA"):
        load_cifar(train=False)
    (data / "cifar10/data_batch_1.bin.xz").write_bytes(b"no xz")
    with pytest.raises(ValueError, match="fetch it again"):
        load_cifar()


def test_augmented_images_are_crops_of_the_padded_ones_or_their_mirrors():
    torch.manual_seed(0)
    images = torch.randn(64, 3, 32, 32)
    flips = 0
    for before, after in zip(images, augmented(images), strict=True):
        padded = nn.functional.pad(before, (4, 4, 4, 4))
        windows = padded.unfold(1, 32, 1).unfold(2, 32, 1).permute(1, 2, 0, 3, 4).flatten(0, 1)
        straight = any(torch.equal(w, after) for w in windows)
        mirrored = any(torch.equal(w, after.flip(-1)) for w in windows)
        assert straight != mirrored
        flips += mirrored
    assert 12 < flips < 52  # binomial(64, 1/2) leaves this with probability below 1e-6


def test_the_full_network_is_resnet_18():
    """11.17 million parameters, 20 convolutions; 8 blocks with 3 quantizers and 3 shortcuts."""
    net = ResNet18(word_bits=8)
    assert sum(p.numel() for p in net.parameters()) == 11_173_962
    kinds = [type(module) for module in net.modules()]
    assert (kinds.count(nn.Conv2d), kinds.count(Quantizer)) == (20, 1 + 8 * 3 + 3)
    assert Quantizer not in [type(module) for module in ResNet18().modules()]
    assert ResNet18(width=2)(torch.zeros(2, 3, 32, 32)).shape == (2, 10)


def test_the_schedule_is_the_papers():
    found = [step_factor(round(t * 1000), 1000) for t in (0, 0.5, 0.7, 0.9, 1)]
    assert found == pytest.approx([1, 1, 0.505, 0.01, 0.01])


def test_full_settings_are_the_papers(tmp_path):
    spec = spec_of(ROWS["SGLD-bfp-VC"], cifar.STUDY.full, tmp_path, 50_000)
    assert (spec.batch_size, spec.steps, spec.device) == (128, 245 * 390, "cuda")
    assert (spec.steps - spec.burn_in) // spec.thinning == 50
    assert dict(spec.options) == {"lr": 0.5, "weight_decay": 5e-4, "temperature": 1e-3}
    assert spec.precision["weight"] == spec.precision["gradient"] == "perchannel<8>"
    assert spec.model_options["word_bits"] == 8
    cyclic = spec_of(ROWS["cSGLD"], cifar.STUDY.full, tmp_path, 50_000)
    assert (cyclic.cycles, cyclic.schedule) == (7, None)
    assert round(cyclic.exploration * 35) == 30


def test_every_published_row_can_be_run():
    assert set(PUBLISHED["cifar10"]) == set(PUBLISHED["cifar100"]) == set(ROWS) - {"cSGLD"}


def test_a_small_run_stands_beside_the_papers_and_goes_on(tmp_path):
    outcome = reproduce("cifar", SMALL, tmp_path)
    assert [row[0] for row in outcome.rows] == list(ROW_NAMES)
    assert all(row[1] == 1 and 0 <= row[2] <= 100 for row in outcome.rows)
    assert outcome.rows[0][5:] == (7.13, 0.60)
    assert outcome.claims == []
    assert reproduce("cifar", SMALL, tmp_path).rows == outcome.rows
    with pytest.raises(ValueError, match="width=2"):
        cifar.run(Settings(rows=ROW_NAMES, width=4, images=32), tmp_path)


def test_the_command_runs_cifar100_on_a_row(data, tmp_path):
    (data / "cifar100").mkdir()
    for part in ("train", "test"):
        table = records(512, label_bytes=2, classes=100)
        (data / f"cifar100/{part}.bin").write_bytes(table.tobytes())
    command = ["reproduce", "cifar", "--data", "cifar100", "--rows", "SGD", "--out"]
    result = CliRunner().invoke(app, [*command, str(tmp_path / "o")])
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "o/results.json").read_text())
    assert found["settings"]["data"] == "cifar100"
    assert found["rows"][0]["error % published"] == 22.64
    refused = CliRunner().invoke(app, [*command[:3], "cifar1000", *command[4:], str(tmp_path)])
    assert refused.exit_code == 2
    assert "write one of cifar10, cifar100" in refused.output


def test_unknown_rows_are_refused(tmp_path):
    with pytest.raises(ValueError, match="'SGLD-bfp-X'"):
        cifar.run(Settings(rows=("SGLD-bfp-X",)), tmp_path)


def test_full_size_without_a_gpu_is_refused_before_anything_is_written(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    result = CliRunner().invoke(app, ["reproduce", "cifar", "--full", "--out", str(tmp_path / "o")])
    assert result.exit_code == 2
    assert "torch finds no GPU here" in result.output
    assert not (tmp_path / "o").exists()


def test_the_official_files_read(monkeypatch):
    monkeypatch.setenv("NUMFORMATS_DATA", str(REAL))
    try:
        images = load_cifar(train=False, augment=False)
    except ValueError as error:
        pytest.skip(f"no CIFAR-10: {error}")
    assert isinstance(images, Images)
    assert torch.bincount(images.labels).tolist() == [1000] * 10
    channels = images[torch.arange(2000)][0].mean((0, 2, 3))
    assert channels.abs().max() < 0.05
