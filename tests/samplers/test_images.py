"""Data files: what is read, and what is refused with which words."""

import gzip

import numpy as np
import pytest
import torch

from samplers.idx import find_idx, read_idx
from samplers.images import load_images


def idx(array, type_code=8):
    head = bytes([0, 0, type_code, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return head + array.astype(np.uint8).tobytes()


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for part, n in (("train", 12), ("t10k", 5)):
        (tmp_path / f"{part}-images-idx3-ubyte").write_bytes(idx(rng.integers(0, 256, (n, 4, 3))))
        (tmp_path / f"{part}-labels-idx1-ubyte.gz").write_bytes(
            gzip.compress(idx(rng.integers(0, 10, n)))
        )
    return tmp_path


def test_reads_plain_and_gzipped_files(folder):
    images = load_images("mnist", folder)
    assert images.train_x.shape == (12, 12)
    assert images.test_y.shape == (5,)
    raw = np.random.default_rng(0).integers(0, 256, (12, 4, 3)).reshape(12, 12)
    torch.testing.assert_close(images.train_x, torch.from_numpy(raw / 255).float())


def test_digits_are_embedded_and_split_once():
    a, b = load_images("digits"), load_images("digits")
    assert (len(a.train_y), len(a.test_y)) == (1297, 500)
    assert torch.equal(a.train_x, b.train_x)
    assert a.train_x.max() == 1


@pytest.mark.parametrize(
    "damage, message",
    [
        (lambda path: path.unlink(), r"wanted train-images-idx3-ubyte"),
        (
            lambda path: path.write_bytes(path.read_bytes()[:-1]),
            r"train-images.*143 bytes.*\(12, 4, 3\).*144",
        ),
        (lambda path: path.write_bytes(b""), r"train-images.*nothing; wanted an idx file"),
        (
            lambda path: path.write_bytes(idx(np.zeros(12))),
            r"1 dimension.*wanted unsigned bytes \(0x08\) with 3",
        ),
        (lambda path: path.write_bytes(idx(np.zeros((11, 4, 3)))), r"11 images.*12 labels"),
        (lambda path: path.write_bytes(idx(np.zeros((12, 4, 3)), 13)), r"type 0x0d"),
    ],
)
def test_damaged_image_files_are_named(folder, damage, message):
    damage(folder / "train-images-idx3-ubyte")
    with pytest.raises(ValueError, match=message):
        load_images("mnist", folder)


def test_a_truncated_gzip_is_named(folder):
    path = folder / "t10k-labels-idx1-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ValueError, match=r"t10k-labels.*cannot be read"):
        read_idx(path, 1)


def test_labels_beyond_nine_are_refused(folder):
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(np.full(5, 10))))
    with pytest.raises(ValueError, match="label 10"):
        load_images("mnist", folder)


def test_files_lie_where_the_variable_says(monkeypatch, folder):
    monkeypatch.setenv("NUMFORMATS_DATA", str(folder / "above"))
    (folder / "above").mkdir()
    (folder / "above/mnist").symlink_to(folder)
    assert torch.equal(load_images("mnist").test_x, load_images("mnist", folder).test_x)
    monkeypatch.delenv("NUMFORMATS_DATA")
    with pytest.raises(ValueError, match=r"NUMFORMATS_DATA to the folder above mnist/, or give"):
        load_images("mnist")


def test_a_missing_folder_and_an_unknown_name_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"not a folder.*NUMFORMATS_DATA"):
        find_idx(tmp_path / "nowhere", "train-images-idx3-ubyte")
    with pytest.raises(ValueError, match="'cifar' is unknown"):
        load_images("cifar")
