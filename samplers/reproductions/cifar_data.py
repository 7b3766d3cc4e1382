"""CIFAR-10 and CIFAR-100 in their binary versions, plain or xz: training batches, test batches."""

from __future__ import annotations

import lzma
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from samplers.data_folder import data_folder

LABEL_BYTES = {"cifar10": 1, "cifar100": 2}  # CIFAR-100 has the coarse label first
CLASSES = {"cifar10": 10, "cifar100": 100}
FILES = {
    ("cifar10", True): tuple(f"data_batch_{k}.bin" for k in range(1, 6)),
    ("cifar10", False): ("test_batch.bin",),
    ("cifar100", True): ("train.bin",),
    ("cifar100", False): ("test.bin",),
}
PIXELS, SIDE, PAD = 3072, 32, 4
MEAN = torch.tensor([0.4914, 0.4822, 0.4465])[:, None, None]
STD = torch.tensor([0.2470, 0.2435, 0.2616])[:, None, None]


class Images:
    """Images (n, 3, 32, 32), uint8, and labels; an index tensor gives a batch of standardised ones.

    With ``augment`` a batch is cropped out of 4 pixels of zeros and flipped at random, by draws
    from torch's generator.
    """

    def __init__(self, pixels: torch.Tensor, labels: torch.Tensor, augment: bool) -> None:
        self.pixels, self.labels, self.augment = pixels, labels, augment

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        images = (self.pixels[index].float() / 255 - MEAN) / STD
        return augmented(images) if self.augment else images, self.labels[index]

    def batches(self, size: int, device: str) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """All images in order, where ``device`` says."""
        parts = (self[index] for index in torch.split(torch.arange(len(self)), size))
        return [(images.to(device), labels.to(device)) for images, labels in parts]


def augmented(images: torch.Tensor) -> torch.Tensor:
    """A random crop out of a margin of zeros and a random flip, of each image its own."""
    count = len(images)
    padded = torch.nn.functional.pad(images, (PAD,) * 4)
    top, left = torch.randint(2 * PAD + 1, (2, count, 1))
    span = torch.arange(SIDE)
    flipped = torch.randint(2, (count, 1)) == 1
    columns = left + torch.where(flipped, SIDE - 1 - span, span)
    rows = (top + span)[:, None, :, None]
    image, channel = torch.arange(count)[:, None, None, None], torch.arange(3)[:, None, None]
    return padded[image, channel, rows, columns[:, None, None, :]]


def load_cifar(
    name: str = "cifar10",
    folder: str | None = None,
    *,
    train: bool = True,
    limit: int | None = None,
    augment: bool = True,
) -> Images:
    """The training or the test set, for ``ChainSpec.data``.

    Args:
        name: ``"cifar10"`` or ``"cifar100"``.
        folder: of the binary files, ``$NUMFORMATS_DATA/name`` where None.
        train: the training set.
        limit: its first so many images.
        augment: random crops and flips.

    Raises:
        ValueError: an unknown name; a file that is missing or damaged.
    """
    if name not in CLASSES:
        raise ValueError(f"data set {name!r} is unknown; write one of {', '.join(CLASSES)}")
    place = data_folder(name, folder)
    records: list[NDArray[np.uint8]] = []
    for file in FILES[name, train]:
        records.append(_records(place, file, LABEL_BYTES[name]))
        if limit is not None and sum(map(len, records)) >= limit:
            break
    table = torch.from_numpy(np.concatenate(records)[:limit])
    labels = table[:, LABEL_BYTES[name] - 1].long()
    if int(labels.max()) >= CLASSES[name]:
        raise ValueError(f"{place} holds the label {int(labels.max())}; wanted {name}")
    pixels = table[:, LABEL_BYTES[name] :].reshape(-1, 3, SIDE, SIDE)
    return Images(pixels, labels, augment)


def _records(folder: Path, file: str, label_bytes: int) -> NDArray[np.uint8]:
    path = next((p for p in (folder / file, folder / f"{file}.xz") if p.is_file()), None)
    if path is None:
        raise ValueError(
            f"{str(folder)!r} has no {file} or {file}.xz; set NUMFORMATS_DATA to the folder above"
        )
    try:
        raw = path.read_bytes()
        content = lzma.decompress(raw) if path.suffix == ".xz" else raw
    except (OSError, lzma.LZMAError) as error:
        raise ValueError(f"{path}: cannot be read ({error}); fetch it again") from error
    if not content or len(content) % (label_bytes + PIXELS):
        raise ValueError(
            f"{path}: {len(content)} bytes are no whole records of {label_bytes + PIXELS}; "
            "the file is damaged, fetch it again"
        )
    return np.frombuffer(content, np.uint8).reshape(-1, label_bytes + PIXELS).copy()
