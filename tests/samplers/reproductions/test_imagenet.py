"""The ImageNet study at a tiny size on generated images: folders, crops, network, chains, resume,
refusals."""

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from numformats.torch import Quantizer
from samplers import run_chain
from samplers.cli import app
from samplers.reproductions import imagenet
from samplers.reproductions.cifar_rows import ROWS
from samplers.reproductions.imagenet import NAMES, Settings, spec_of, step_factor
from samplers.reproductions.imagenet_data import MEAN, STD, load_folder, middle, random_part
from samplers.reproductions.resnet import ResNet18
from samplers.reproductions.study import reproduce
from samplers.store import SampleStore

SIZES = [(40, 30), (24, 48), (32, 32)]


def write(path, seed, size, kind="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    Image.fromarray(pixels).convert(kind).save(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three classes of 8 training and 4 test images of several sizes; one of them in grey."""
    place = tmp_path_factory.mktemp("images")
    for part, count in (("train", 8), ("val", 4)):
        for number, name in enumerate(("ant", "bee", "cat")):
            for k in range(count):
                kind = "L" if k == 3 else "RGB"
                write(place / part / name / f"{k}.png", 100 * number + k, SIZES[k % 3], kind)
    (place / "train/ant/notes.txt").write_text("no image")
    return place


def small(folder, **changes):
    base = {"folder": str(folder), "rows": ("SGLD-bfp-VC", "SGD"), "width": 2, "side": 32}
    sizes = {"images": None, "test_images": 9, "refresh_images": 12, "batch_size": 8}
    return Settings(**{**base, **sizes, "processes": 1, "workers": 2, **changes})


def test_folders_are_classes_and_test_images_their_middle(folder):
    images = load_folder(str(folder), train=False, side=20, augment=False)
    assert images.labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    batch, labels = images[torch.tensor([2, 11])]
    assert labels.tolist() == [0, 2]
    assert middle((32, 32)) == (2, 2, 30, 30)
    with Image.open(folder / "val/ant/2.png") as file:
        part = file.crop((2, 2, 30, 30)).resize((20, 20), Image.Resampling.BILINEAR)
    wanted = torch.from_numpy(np.asarray(part).astype(np.float32)).permute(2, 0, 1) / 255
    inner = (slice(None), slice(1, -1), slice(1, -1))  # a filter sees beyond the part's edge
    assert torch.allclose(batch[0][inner], ((wanted - MEAN) / STD)[inner], atol=2 / 255 / 0.22)
    assert len(load_folder(str(folder), limit=6)) == 6
    assert load_folder(str(folder), limit=6).labels.tolist() == [0, 0, 1, 1, 2, 2]


def test_random_parts_are_what_was_asked_and_inside():
    rng = np.random.default_rng(0)
    for draw in rng.random((2000, 4)).tolist():
        left, top, right, bottom = random_part((640, 480), draw)
        assert 0 <= left < right <= 640 + 1e-9
        assert 0 <= top < bottom <= 480 + 1e-9
        share = (right - left) * (bottom - top) / (640 * 480)
        assert share < 1.0001
        if bottom - top < 479.9 and right - left < 639.9:  # not cut off at a side
            assert share == pytest.approx(0.08 + draw[0] * 0.92)
            assert 0.75 - 1e-9 < (right - left) / (bottom - top) < 4 / 3 + 1e-9


def test_crops_follow_torchs_generator_whatever_the_number_of_threads(folder):
    index, batches = torch.tensor([0, 5, 9, 20]), []
    for workers in (1, 4):
        torch.manual_seed(3)
        batches.append(load_folder(str(folder), side=16, workers=workers)[index][0])
    assert torch.equal(*batches)
    assert not torch.equal(batches[0], load_folder(str(folder), side=16)[index][0])


def test_mirrored_images_are_half_of_all(folder):
    """Binomial(200, 1/2) leaves [65, 135] with probability below 1e-6; black on the left stays
    there or goes right."""
    pixels = np.zeros((32, 32, 3), np.uint8)
    pixels[:, 16:] = 255
    path = folder.parent / "mirror/train/one/0.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    images = load_folder(str(folder.parent / "mirror"), side=8)
    torch.manual_seed(0)
    batch = images[torch.zeros(400, dtype=torch.long)][0][:, 0]
    slope = batch[:, :, -1].mean(1) - batch[:, :, 0].mean(1)
    decided = slope[slope.abs() > 1]  # parts of one colour tell nothing
    assert len(decided) > 200
    assert 65 / 200 < float((decided < 0).float().mean()) < 135 / 200


def test_the_network_for_large_images_is_resnet_18():
    """11.69 million parameters, and a quarter of the side before the blocks."""
    net = ResNet18(1000, word_bits=8, large=True)
    assert sum(p.numel() for p in net.parameters()) == 11_689_512
    assert sum(isinstance(module, Quantizer) for module in net.modules()) == 28
    stem = net.pool(net.norm(net.conv(torch.zeros(1, 3, 224, 224))))
    assert stem.shape == (1, 64, 56, 56)
    assert ResNet18(3, 2, large=True)(torch.zeros(2, 3, 64, 64)).shape == (2, 3)


def test_full_settings(folder, tmp_path):
    full = imagenet.STUDY.full
    assert [step_factor(k, 90) for k in (0, 29, 30, 60, 89)] == pytest.approx(
        [1, 1, 0.1, 0.01, 0.01]
    )
    spec = spec_of("SGLD-bfp-VC", Settings(**{**vars(full), "folder": str(folder)}), tmp_path, 2560)
    assert (spec.steps, spec.batch_size, spec.device) == (900, 256, "cuda")
    assert (spec.steps - spec.burn_in) // spec.thinning == 20
    assert spec.data_options == {"folder": str(folder), "side": 224, "limit": None}
    assert set(NAMES) <= set(ROWS)


def test_a_small_run_scores_and_goes_on(folder, tmp_path):
    settings = small(folder)
    outcome = reproduce("imagenet", settings, tmp_path)
    assert [row[:2] for row in outcome.rows] == [("SGLD-bfp-VC", 1), ("SGD", 1)]
    assert all(0 <= row[2] <= 100 for row in outcome.rows)
    assert reproduce("imagenet", settings, tmp_path).rows == outcome.rows
    with pytest.raises(ValueError, match=r"width=2 \(now 4\)"):
        imagenet.run(small(folder, width=4), tmp_path)


def test_a_run_cut_short_in_an_epoch_gives_the_bits_of_the_whole(folder, tmp_path):
    whole = spec_of("SGLD-bfp-VC", small(folder), tmp_path / "whole", 24)
    run_chain(whole)
    data = {**whole.to_json(), "folder": str(tmp_path / "cut"), "checkpoint_every": 2}

    def stop(done):
        if done == 3:
            raise KeyboardInterrupt

    cut = type(whole)(**data)
    with pytest.raises(KeyboardInterrupt):
        run_chain(cut, progress=stop)
    run_chain(cut)
    for a, b in zip(SampleStore(whole.folder), SampleStore(cut.folder), strict=True):
        assert a.keys() == b.keys()
        assert all(torch.equal(a[name], b[name]) for name in a)


def test_bad_folders_are_refused(folder, tmp_path):
    with pytest.raises(ValueError, match="has no folders of classes"):
        load_folder(str(tmp_path))
    write(tmp_path / "train/a/0.png", 0, (8, 8))
    (tmp_path / "val/b").mkdir(parents=True)
    with pytest.raises(ValueError, match="holds no images"):
        load_folder(str(tmp_path), train=False)
    write(tmp_path / "val/b/0.png", 0, (8, 8))
    with pytest.raises(ValueError, match="class 'b', which train does not have"):
        load_folder(str(tmp_path), train=False)
    (tmp_path / "train/a/1.jpg").write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"1.jpg: cannot be read as an image"):
        load_folder(str(tmp_path))[torch.tensor([1])]
    with pytest.raises(ValueError, match="'SGHMC'"):
        imagenet.run(Settings(rows=("SGHMC",)), tmp_path)
    with pytest.raises(ValueError, match="--folder"):
        imagenet.run(Settings(), tmp_path)


def test_the_command_takes_a_folder_and_rows(folder, tmp_path):
    command = ["reproduce", "imagenet", "--folder", str(folder), "--rows", "SGD"]
    result = CliRunner().invoke(app, [*command, "--out", str(tmp_path / "o")])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "o/results.json").is_file()
    refused = CliRunner().invoke(app, ["reproduce", "gaussian", "--folder", str(folder)])
    assert refused.exit_code == 2
    assert "'gaussian' has no folder" in refused.output
