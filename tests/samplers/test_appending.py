"""An append that is refused or fails leaves the store as it was, and the handle can go on."""

import errno
import os
import shutil

import numpy as np
import pytest
import torch

from samplers import SampleStore
from samplers.durable import replace_file


@pytest.fixture
def store(tmp_path):
    """Two samples of chain 0."""
    store = SampleStore(tmp_path / "store")
    for step in (2, 5):
        store.append(sample(step), step=step)
    return store


def sample(value):
    return {"w": torch.tensor([float(value)])}


def values(store):
    return [float(one["w"]) for one in store]


def test_what_another_store_has_appended_is_not_written_over(store):
    """Both would give the next sample the same number."""
    other = SampleStore(store.folder)
    other.append(sample(7))
    before = content(store.folder)
    with pytest.raises(ValueError, match=r"has 3 samples, and this store knows 2: .*open"):
        store.append(sample(8))
    assert content(store.folder) == before
    store.append(sample(8), chain=1)
    again = SampleStore(store.folder)
    again.append(sample(9))
    assert values(again) == [2, 5, 7, 9, 8]


def content(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("whole", [np.int64(9), np.uint8(9), torch.tensor(9)], ids=type)
def test_steps_and_chains_are_whole_numbers_of_any_kind(store, whole):
    store.append(sample(9), step=whole)
    store.append(sample(1), step=1, chain=whole)
    assert [(e.chain, e.step) for e in SampleStore(store.folder).entries] == [
        (0, 2), (0, 5), (0, 9), (9, 1)
    ]  # fmt: skip
    assert values(store) == values(SampleStore(store.folder)) == [2, 5, 9, 1]


@pytest.mark.parametrize("name", ["step", "chain"])
@pytest.mark.parametrize("value", [9.0, np.float32(9), "9", True, np.True_])
def test_other_steps_and_chains_are_refused_before_a_file_is_there(store, name, value):
    before = content(store.folder)
    with pytest.raises(ValueError, match=rf"{name}=.*write an int, for example {name}=int"):
        store.append(sample(9), **{name: value})
    assert content(store.folder) == before


UNREADABLE = [
    ({"w": torch.zeros(2, dtype=torch.complex128)}, r"'w'.*complex128.*view_as_real"),
    ({"w": torch.zeros(2, dtype=torch.uint8).view(torch.float8_e8m0fnu)}, r"'w'.*e8m0fnu.*uint8"),
    (
        {"w": torch.zeros(2, dtype=torch.uint8).view(torch.float4_e2m1fn_x2)},
        r"'w'.*float4_e2m1fn_x2.*uint8",
    ),
    ({"__metadata__": torch.ones(1)}, "'__metadata__'.*rename"),
    ({"\ud800": torch.ones(1)}, "rename"),
    ({3: torch.ones(1)}, "rename"),
    ({"w": 3.0}, "'w' is of type float; write a tensor"),
    ({"w": torch.eye(2).to_sparse()}, "'w' has layout.*to_dense"),
    ({"w": torch.ones(1, device="meta")}, "'w' has layout.*meta"),
]


@pytest.mark.parametrize("bad, message", UNREADABLE, ids=[str(list(b)) for b, _ in UNREADABLE])
def test_what_could_not_be_read_again_is_refused_before_a_file_is_there(tmp_path, bad, message):
    store = SampleStore(tmp_path / "new")
    with pytest.raises(ValueError, match=message):
        store.append({"first": torch.ones(2), **bad})
    assert not (tmp_path / "new").exists()


def full(monkeypatch, name, number):
    """Call ``number`` of ``os.name`` finds the disk full."""
    real, calls = getattr(os, name), []

    def call(*args):
        calls.append(args)
        if len(calls) == number:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(*args)

    monkeypatch.setattr(os, name, call)


@pytest.mark.skipif(os.name != "posix", reason="counts calls of fsync for files and folders")
@pytest.mark.parametrize("name, number", [("fsync", k) for k in (1, 2, 3)] + [("replace", 1)])
def test_a_full_disk_leaves_the_store_as_it_was(store, monkeypatch, name, number):
    """fsync 1 is that of the sample, 2 of its folder, 3 of the index."""
    before = content(store.folder)
    with monkeypatch.context() as patch:
        full(patch, name, number)
        with pytest.raises(OSError, match="No space left"):
            store.append(sample(7), step=7)
    assert content(store.folder) == before
    for step in (7, 8):
        store.append(sample(step), step=step)
    for held in (store, SampleStore(store.folder)):
        assert values(held) == [2, 5, 7, 8]
        assert not held.damaged()


@pytest.mark.skipif(os.name != "posix", reason="counts calls of fsync for files and folders")
@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_full_disk_under_the_first_sample_of_a_chain(store, monkeypatch, number):
    with monkeypatch.context() as patch:
        full(patch, "fsync", number)
        with pytest.raises(OSError, match="No space left"):
            store.append(sample(7), chain=1)
    assert values(SampleStore(store.folder)) == [2, 5]
    store.append(sample(8), chain=1)
    assert values(store) == values(SampleStore(store.folder)) == [2, 5, 8]
    assert not store.damaged()


def test_an_interrupted_append_can_be_done_again(store, monkeypatch):
    """Ctrl-C while the index is written; in a notebook the handle lives on."""

    def fsync(handle):
        if os.fstat(handle).st_ino == (store.folder / "chain-00000/index.jsonl").stat().st_ino:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        with pytest.raises(KeyboardInterrupt):
            store.append(sample(7))
    store.append(sample(8))
    assert values(store) == values(SampleStore(store.folder)) == [2, 5, 8]


def test_a_file_that_could_not_be_replaced_leaves_nothing_beside(tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"before")
    full(monkeypatch, "fsync", 1)
    with pytest.raises(OSError, match="No space left"):
        replace_file(tmp_path / "file", b"after")
    assert content(tmp_path) == {tmp_path / "file": b"before"}


@pytest.mark.parametrize("name", ["chain-00000-backup", "chain-00000 (copy)", "chain-0", "chain-x"])
def test_folders_with_other_names_are_no_chains(store, name):
    shutil.copytree(store.folder / "chain-00000", store.folder / name)
    again = SampleStore(store.folder)
    assert values(again) == [2, 5]
    assert {e.path.parent.name for e in again.entries} == {"chain-00000"}
