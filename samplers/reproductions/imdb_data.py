"""IMDB reviews as words: token tables of equal length from the JSON lines of the data set."""

from __future__ import annotations

import collections
import json
import lzma
import re
from pathlib import Path

import torch

from samplers.data_folder import data_folder

WORD = re.compile(r"[a-z']+")
PADDING, UNKNOWN = 0, 1
Review = tuple[list[str], int]


def load_imdb(
    folder: str | None = None,
    *,
    train: bool = True,
    reviews: int | None = None,
    words: int = 5000,
    length: int = 100,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Tokens (n, length), int64, padded with 0 at the front, and labels; for ``ChainSpec.data``.

    The vocabulary is the ``words`` - 2 most frequent words of the training reviews that are used; 1
    stands for all others.

    Args:
        folder: of ``imdb_train.jsonl.xz`` and ``imdb_test.jsonl.xz``; ``$NUMFORMATS_DATA/imdb``
            where None.
        train: the training set.
        reviews: so many, evenly spread over the file, which is ordered by label.
        words: size of the vocabulary.
        length: first words of a review that are read.

    Raises:
        ValueError: a file that is missing or damaged.
    """
    place = data_folder("imdb", folder)
    known = _reviews(place / "imdb_train.jsonl.xz", reviews, length)
    counts = collections.Counter(word for text, _ in known for word in text)
    ranked = sorted(counts, key=lambda word: (-counts[word], word))[: words - 2]
    numbers = {word: number for number, word in enumerate(ranked, UNKNOWN + 1)}
    wanted = known if train else _reviews(place / "imdb_test.jsonl.xz", reviews, length)
    tokens = torch.full((len(wanted), length), PADDING)
    for row, (text, _) in zip(tokens, wanted, strict=True):
        if text:
            row[-len(text) :] = torch.tensor([numbers.get(word, UNKNOWN) for word in text])
    return tokens, torch.tensor([label for _, label in wanted])


def _reviews(path: Path, count: int | None, length: int) -> list[Review]:
    try:
        with lzma.open(path, "rt", encoding="utf-8") as file:
            lines = file.readlines()
        chosen = lines if count is None else lines[:: max(len(lines) // count, 1)][:count]
        found = [json.loads(line) for line in chosen]
        return [(WORD.findall(r["text"].lower())[:length], int(r["label"])) for r in found]
    except (OSError, lzma.LZMAError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path}: cannot be read as reviews ({error!r}); wanted JSON lines with text and label "
            "in xz; set NUMFORMATS_DATA to the folder above imdb/"
        ) from error
