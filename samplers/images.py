"""Labelled images to train on: scikit-learn's digits, or MNIST from a folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from samplers.data_folder import data_folder
from samplers.idx import find_idx, read_idx

DATA_SETS = ("digits", "mnist")
DIGITS_TEST = 500
CLASSES = 10


@dataclass(frozen=True)
class Images:
    """Training and test set: pixels (n, features), float32 in [0, 1]; labels (n,), int64."""

    name: str
    train_x: torch.Tensor
    train_y: torch.Tensor
    test_x: torch.Tensor
    test_y: torch.Tensor


def load_images(name: str, folder: Path | None = None) -> Images:
    """The data set ``name``; ``folder`` is for MNIST, by default ``$NUMFORMATS_DATA/mnist``.

    Raises:
        ValueError: an unknown name, no folder, or files that are missing or damaged.
    """
    if name == "digits":
        return _digits()
    if name == "mnist":
        return _mnist(data_folder("mnist", folder))
    raise ValueError(f"data set {name!r} is unknown; write one of {DATA_SETS}")


def training_data(
    name: str = "digits", folder: str | Path | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Pixels and labels of the training set, for ``ChainSpec.data``; arguments of `load_images`."""
    images = load_images(name, None if folder is None else Path(folder))
    return images.train_x, images.train_y


def _digits() -> Images:
    """1797 scans of 8x8 pixels; a fixed random half thousand of them is the test set."""
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))
    x, y = (pixels[order] / 16).astype(np.float32), labels[order]
    return _images("digits", x[DIGITS_TEST:], y[DIGITS_TEST:], x[:DIGITS_TEST], y[:DIGITS_TEST])


def _mnist(folder: Path) -> Images:
    train_x, train_y = _mnist_part(folder, "train")
    test_x, test_y = _mnist_part(folder, "t10k")
    return _images("mnist", train_x, train_y, test_x, test_y)


def _mnist_part(folder: Path, part: str) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    image_file = find_idx(folder, f"{part}-images-idx3-ubyte")
    label_file = find_idx(folder, f"{part}-labels-idx1-ubyte")
    pixels, labels = read_idx(image_file, 3), read_idx(label_file, 1)
    if len(pixels) != len(labels) or not len(labels):
        raise ValueError(
            f"{image_file} holds {len(pixels)} images and {label_file} {len(labels)} labels; "
            "wanted as many"
        )
    if labels.max() >= CLASSES:
        raise ValueError(f"{label_file} holds the label {labels.max()}; wanted 0 to {CLASSES - 1}")
    return (pixels.reshape(len(pixels), -1) / np.float32(255)).astype(np.float32), labels


def _images(name: str, *arrays: NDArray[np.generic]) -> Images:
    tensors = [torch.tensor(a) for a in arrays]
    train_x, train_y, test_x, test_y = (t if t.is_floating_point() else t.long() for t in tensors)
    return Images(name, train_x, train_y, test_x, test_y)
