"""The IMDB study at a tiny size on generated reviews: data, model, chains, refusals."""

import json
import lzma

import numpy as np
import pytest
import torch

from numformats.torch import Quantizer
from samplers.reproductions import imdb
from samplers.reproductions.imdb import NAMES, Classifier, Settings, spec_of
from samplers.reproductions.imdb_data import load_imdb
from samplers.reproductions.scores import ordered
from samplers.reproductions.study import reproduce

SMALL = Settings(
    rows=("SGD", "SGLD-bfp-VC", "SGHMC-bfp-VC"), reviews=None, words=20, length=6, width=4,
    epochs=20, samples=5, batch_size=20, lr=2.0, processes=1,
)  # fmt: skip


def write(path, reviews):
    lines = [json.dumps({"text": text, "label": label}) for text, label in reviews]
    path.write_bytes(lzma.compress("\n".join(lines).encode()))


@pytest.fixture(autouse=True)
def data(monkeypatch, tmp_path_factory):
    """Reviews whose words give their label away."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "imdb").mkdir()
    rng = np.random.default_rng(0)
    for part, count in (("train", 200), ("test", 100)):
        labels = np.arange(count) >= count // 2
        words = [
            " ".join(rng.choice(["Good", "fine!"] if label else ["BAD", "dull"], 6))
            for label in labels
        ]
        pairs = zip(words, labels.astype(int).tolist(), strict=True)
        write(folder / f"imdb/imdb_{part}.jsonl.xz", pairs)
    monkeypatch.setenv("NUMFORMATS_DATA", str(folder))
    return folder


def test_tokens_count_words_by_frequency_and_pad_at_the_front(data):
    write(data / "imdb/imdb_train.jsonl.xz", [("b a. A a, b c", 1), ("", 0), ("it's B", 1)])
    tokens, labels = load_imdb(words=4, length=4)
    assert tokens.tolist() == [[3, 2, 2, 2], [0, 0, 0, 0], [0, 0, 1, 3]]
    assert labels.tolist() == [1, 0, 1]


def test_a_part_of_the_reviews_has_both_labels():
    _, labels = load_imdb(reviews=50, words=10, length=3)
    assert torch.bincount(labels).tolist() == [25, 25]


def test_the_test_set_has_the_training_words(data):
    write(data / "imdb/imdb_test.jsonl.xz", [("bad unheard good", 0)])
    tokens, _ = load_imdb(train=False, words=10, length=3)
    known, _ = load_imdb(words=10, length=3)
    assert tokens[0, 1] == 1
    assert {int(tokens[0, 0]), int(tokens[0, 2])} <= set(known.flatten().tolist())


@pytest.mark.parametrize("content", [None, b"no xz", lzma.compress(b'{"text": "a"}\n')])
def test_missing_and_damaged_files_are_named(data, content):
    path = data / "imdb/imdb_train.jsonl.xz"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=r"imdb_train.jsonl.xz: cannot be read as reviews"):
        load_imdb()


def test_padding_does_not_count():
    """A padded review has the mean of its own states."""
    torch.manual_seed(0)
    net = Classifier(10, 4)
    net.lstm = torch.nn.Identity()
    net.lstm.forward = lambda x: (x, None)
    short, padded = torch.tensor([[5, 7]]), torch.tensor([[0, 0, 5, 7]])
    assert torch.allclose(net(short), net(padded))
    assert torch.isfinite(net(torch.zeros(1, 3, dtype=torch.long))).all()


def test_activations_are_rounded_in_bfp_rows_alone(tmp_path):
    for name in NAMES:
        spec = spec_of(name, Settings(), tmp_path, 5000)
        net = Classifier(**spec.model_options)
        rounds = sum(isinstance(module, Quantizer) for module in net.modules())
        assert rounds == (3 if "bfp" in name else 0)
        assert (spec.steps - spec.burn_in) // spec.thinning == 20


def test_a_small_run_learns_and_goes_on(tmp_path):
    outcome = reproduce("imdb", SMALL, tmp_path)
    assert [row[:2] for row in outcome.rows] == [(name, 5) for name in SMALL.rows]
    assert all(row[2] < 20 for row in outcome.rows)
    assert outcome.claims == []
    assert reproduce("imdb", SMALL, tmp_path).rows == outcome.rows
    with pytest.raises(ValueError, match=r"lr=2.0 \(now 1.0\)"):
        imdb.run(Settings(**{**SMALL.__dict__, "lr": 1.0}), tmp_path)


def test_unknown_rows_are_refused(tmp_path):
    with pytest.raises(ValueError, match="'cSGLD'"):
        imdb.run(Settings(rows=("cSGLD",)), tmp_path)


def test_claims_compare_nlls():
    nll = {"SGLD-bfp-F": 0.4, "SGD-bfp-F": 0.5, "SGLD-bfp-VC": 0.499, "SGLD-bfp-L": 0.5}
    found = ordered({name: {"nll": value} for name, value in nll.items()}, imdb.ORDER)
    assert [claim.held for claim in found] == [True, False]


def test_sghmc_moves_as_far_as_the_others(tmp_path):
    """η·u/γ is their step size."""
    spec = spec_of("SGHMC-bfp-L", Settings(), tmp_path, 5000)
    o = spec.options
    assert o["lr"] * o["inverse_mass"] / o["friction"] == pytest.approx(Settings().lr)
    assert (spec.optimizer, spec.precision["accumulator"]) == ("SGHMC", "low")
