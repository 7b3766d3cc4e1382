"""Images in folders, one for each class: training crops drawn at random, test crops from the
middle."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from PIL.Image import Image

KINDS = (".jpeg", ".jpg", ".png", ".webp", ".bmp")
MEAN = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
STD = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
AREA, RATIO = (0.08, 1.0), (3 / 4, 4 / 3)  # of a random crop
MARGIN = 256 / 224  # shorter side of a test image in units of its crop
Box = tuple[float, float, float, float]


class FolderImages:
    """Paths and labels; an index tensor gives a batch of standardised images (n, 3, side, side).

    With ``augment`` each image is a random part of the file's, mirrored or not, by draws from
    torch's generator that are all made before a file is read; so results do not depend on
    ``workers``, the number of threads that read.
    """

    def __init__(
        self, paths: list[Path], labels: torch.Tensor, side: int, augment: bool, workers: int
    ) -> None:
        self.paths, self.labels, self.side, self.augment = paths, labels, side, augment
        self.workers = workers

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        draws = torch.rand(len(index), 5).tolist() if self.augment else [None] * len(index)
        chosen = [self.paths[i] for i in index.tolist()]
        with ThreadPoolExecutor(self.workers) as pool:
            images = list(pool.map(self._read, chosen, draws))
        pixels = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255
        return ((pixels - MEAN) / STD).contiguous(), self.labels[index]

    def _read(self, path: Path, draw: list[float] | None) -> Any:
        from PIL import Image

        try:
            with Image.open(path) as file:
                image = file.convert("RGB")
        except (OSError, ValueError) as error:
            raise ValueError(f"{path}: cannot be read as an image ({error})") from error
        box = middle(image.size) if draw is None else random_part(image.size, draw)
        return _resized(image, box, self.side, draw is not None and draw[4] < 0.5)

    def batches(self, size: int, device: str) -> FolderBatches:
        """All images in order, where ``device`` says; read anew each time."""
        return FolderBatches(self, size, device)


class FolderBatches:
    """Batches of a `FolderImages`, in the same order every time."""

    def __init__(self, images: FolderImages, size: int, device: str) -> None:
        self.images, self.size, self.device = images, size, device

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        for index in torch.split(torch.arange(len(self.images)), self.size):
            images, labels = self.images[index]
            yield images.to(self.device), labels.to(self.device)


def random_part(size: tuple[int, int], draw: list[float]) -> Box:
    """A part of 8 to 100 % of the area, its sides' ratio between 3/4 and 4/3, cut to the image.

    Args:
        size: width and height.
        draw: uniform numbers: of area, ratio, and place (two).
    """
    width, height = size
    area = width * height * (AREA[0] + draw[0] * (AREA[1] - AREA[0]))
    low, high = (math.log(ratio) for ratio in RATIO)
    ratio = math.exp(low + draw[1] * (high - low))
    w, h = min(math.sqrt(area * ratio), width), min(math.sqrt(area / ratio), height)
    left, top = draw[2] * (width - w), draw[3] * (height - h)
    return left, top, left + w, top + h


def middle(size: tuple[int, int]) -> Box:
    """The square in the middle that is the crop once the shorter side is 256/224 of its side."""
    half = min(size) / MARGIN / 2
    x, y = size[0] / 2, size[1] / 2
    return x - half, y - half, x + half, y + half


def _resized(image: Image, box: Box, side: int, mirrored: bool) -> Any:
    from PIL import Image

    pixels = np.asarray(image.resize((side, side), Image.Resampling.BILINEAR, box=box))
    return pixels[:, ::-1] if mirrored else pixels


def load_folder(
    folder: str,
    *,
    train: bool = True,
    side: int = 224,
    limit: int | None = None,
    augment: bool = True,
    workers: int | None = None,
) -> FolderImages:
    """The training or the test images, for ``ChainSpec.data``.

    Args:
        folder: with ``train`` and ``val``, in which each class has a folder of images; classes are
            numbered by their names in ``train``, in alphabetical order.
        train: the training images.
        side: pixels of a crop's side.
        limit: so many images, evenly spread over all.
        augment: random parts and mirror images.
        workers: threads that read; as many as there are CPUs where None.

    Raises:
        ValueError: a folder that is missing, or holds no images or another class.
    """
    place = Path(folder)
    numbers = {name: number for number, name in enumerate(classes(folder))}
    part = place / ("train" if train else "val")
    found = [
        (path, numbers[name])
        for name in _folders(part)
        for path in sorted((part / name).iterdir())
        if path.suffix.lower() in KINDS and _known(name, numbers, part)
    ]
    if not found:
        raise ValueError(f"{str(part)!r} holds no images; wanted CLASS/*{' '.join(KINDS)}")
    if limit is not None:
        found = found[:: max(len(found) // limit, 1)][:limit]
    paths, labels = zip(*found, strict=True)
    threads = workers or os.cpu_count() or 1
    return FolderImages(list(paths), torch.tensor(labels), side, augment, threads)


def classes(folder: str) -> list[str]:
    """Names of the classes: the folders in ``train``.

    Raises:
        ValueError: there are none.
    """
    return _folders(Path(folder) / "train")


def _folders(part: Path) -> list[str]:
    found = sorted(p.name for p in part.iterdir() if p.is_dir()) if part.is_dir() else []
    if not found:
        raise ValueError(
            f"{str(part)!r} has no folders of classes; give the folder that holds "
            "train/CLASS/*.jpg and val/CLASS/*.jpg"
        )
    return found


def _known(name: str, numbers: dict[str, int], part: Path) -> bool:
    if name not in numbers:
        raise ValueError(f"{str(part)!r} holds the class {name!r}, which train does not have")
    return True
