"""Laws of the sample store: every bit comes back, it is small, and what is damaged is named."""

import itertools
import json
import math
import os
import pickle

import numpy as np
import pytest
import torch

import numformats as nf
from samplers import PerChannel, Samples, SampleStore

GRIDS = ["fixed<6,4>", "e4m3", "bf16", "mxfp4", "mxfp8_e4m3", "nvfp4", "perchannel<8>"]
CASES = [(fmt, torch.float32) for fmt in GRIDS] + [
    (fmt, carrier)
    for fmt in ("fixed<6,4>", "mxfp4")
    for carrier in (torch.float16, torch.bfloat16, torch.float64)
]


def raw(tensor):
    return bytes(tensor.contiguous().flatten().view(torch.uint8).tolist())


def assert_same(got, wanted):
    assert list(got) == list(wanted)
    for name, tensor in wanted.items():
        assert (got[name].dtype, got[name].shape) == (tensor.dtype, tensor.shape)
        assert raw(got[name]) == raw(tensor)


def normal(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape)).float()


def any_sample():
    return {
        "weight": normal(5, 7),
        "half": normal(6).bfloat16(),
        "strided": normal(4, 6).t()[::2],
        "scalar": torch.tensor(math.pi, dtype=torch.float64),
        "nothing": torch.empty(0, 3),
        "specials": torch.tensor([math.nan, -math.inf, -0.0, 1e-45]),
        "num_batches_tracked": torch.tensor(2**40),
        "mask": torch.tensor([True, False]),
    }


def test_tensors_of_every_dtype_and_layout_come_back(tmp_path):
    sample = any_sample()
    SampleStore(tmp_path / "new").append(sample)
    assert_same(SampleStore(tmp_path / "new")[0], sample)


@pytest.mark.parametrize("fmt, carrier", CASES, ids=str)
def test_values_of_a_format_come_back_from_their_codes(tmp_path, fmt, carrier):
    grid = PerChannel(8).resolve((16, 64)) if fmt == "perchannel<8>" else fmt
    drawn = nf.quantize(normal(16, 64) / 4, grid).to(carrier)
    sample = {"weight": drawn, "bias": torch.zeros(3, dtype=carrier)}
    store = SampleStore(tmp_path, formats={"weight": fmt})
    store.append(sample)
    assert_same(store[0], sample)


@pytest.mark.parametrize("fmt", ["fixed<6,4>", "e4m3", "mxfp4"])
def test_values_off_the_grid_come_back_too(tmp_path, fmt):
    """Among them those without a code: -0 in fixed point, NaN, Inf, and one beyond the range."""
    tensor = nf.quantize(normal(32, 64), fmt)
    tensor[0, :5] = torch.tensor([-0.0, math.pi, 1e30, math.inf, math.nan])
    store = SampleStore(tmp_path, formats={"*": fmt})
    store.append({"weight": tensor, "off": normal(40, 64)})
    assert_same(store[0], {"weight": tensor, "off": normal(40, 64)})


BITS = {"fixed<6,4>": 6, "e4m3": 8, "bf16": 16, "mxfp4": 4 + 8 / 32}


@pytest.mark.parametrize("fmt", [*BITS, "nvfp4", "mxfp8_e4m3"])
def test_a_file_takes_the_bits_of_the_format(tmp_path, fmt):
    """Bits a weight over 8, and under 1000 bytes of names; few elements of NVFP4 and MXFP8, whose
    scales follow from the drawn elements, may stand aside."""
    n = 128 * 128
    bits, aside = BITS.get(fmt), 0.0
    if bits is None:
        bits, aside = {"nvfp4": 4 + 8 / 16, "mxfp8_e4m3": 8 + 8 / 32}[fmt], 0.01
    store = SampleStore(tmp_path, formats={"weight": fmt})
    drawn = nf.quantize(normal(128, 128) / 8, fmt)
    store.append({"weight": drawn})
    size = store.entries[0].path.stat().st_size
    assert bits * n / 8 <= size <= (bits / 8 + 8 * aside) * n + 1000


def test_packed_is_smaller_than_kept_as_it_is(tmp_path):
    """Negative control of the size: the same weights without a format take all 32 bits."""
    store = SampleStore(tmp_path)
    store.append({"weight": nf.quantize(normal(128, 128), "e2m1")})
    assert store.entries[0].path.stat().st_size >= 4 * 128 * 128


def test_formats_go_by_name_or_glob_and_the_first_match_wins(tmp_path):
    formats = {"norm.*": None, "*.weight": "e2m1"}
    store = SampleStore(tmp_path, formats=formats)
    grid = nf.quantize(normal(4096), "e2m1")
    store.append({"norm.weight": grid, "layer.weight": grid})
    assert 4.5 * 4096 <= store.entries[0].path.stat().st_size <= 4.5 * 4096 + 1000


def test_formats_are_a_mapping(tmp_path):
    with pytest.raises(TypeError, match=r"formats=\['weight'\]; write a mapping"):
        SampleStore(tmp_path, formats=["weight"])


@pytest.fixture
def filled(tmp_path):
    """Three chains, appended in turns; the value of a sample is 100·chain + step."""
    store = SampleStore(tmp_path / "store")
    for step, chain in itertools.product((2, 5, 9), (1, 0, 12)):
        store.append({"w": torch.tensor([100.0 * chain + step])}, chain=chain, step=step)
    return store


def values(samples):
    return [float(sample["w"]) for sample in samples]


def test_samples_come_chain_after_chain_in_the_order_of_steps(filled):
    expected = [100 * chain + step for chain in (0, 1, 12) for step in (2, 5, 9)]
    for store in (filled, SampleStore(filled.folder), pickle.loads(pickle.dumps(filled))):
        assert values(store) == values(reversed(list(store)))[::-1] == expected
        assert [float(store[k]["w"]) for k in range(-9, 0)] == expected
        assert (len(store), store.chains) == (9, (0, 1, 12))
        assert values(store.chain(12)) == [1202, 1205, 1209]
        assert isinstance(store[1:7:2], Samples)
        assert values(store[1:7:2]) == expected[1:7:2]
        assert values(store[::-1]) == expected[::-1]
        assert [e.step for e in store.chain(1).entries] == [2, 5, 9]
    with pytest.raises(IndexError):
        filled[9]


def test_a_chain_forgets_its_late_samples_and_goes_on(filled):
    filled.forget_after(5, chain=1)
    filled.append({"w": torch.tensor([7.0])}, chain=1, step=7)
    for store in (filled, SampleStore(filled.folder)):
        assert values(store) == [2, 5, 9, 102, 105, 7, 1202, 1205, 1209]
    assert len(list(filled.folder.glob("chain-00001/*.safetensors"))) == 3


@pytest.mark.parametrize("fault", ["truncated", "flipped", "missing", "empty"])
def test_a_damaged_file_is_named_and_the_rest_stays_readable(filled, fault):
    path = filled.entries[4].path
    content = path.read_bytes()
    if fault == "missing":
        path.unlink()
    else:
        kept = {"truncated": content[:-2], "flipped": content[:-1] + b"?", "empty": b""}
        path.write_bytes(kept[fault])
    store = SampleStore(filled.folder)
    with pytest.raises(ValueError, match=path.name) as error:
        list(store)
    assert "step 5 of chain 1" in str(error.value)
    assert values(store[:4]) == [2, 5, 9, 102]
    assert list(store.damaged()) == [path]
    assert values(store.readable()) == [2, 5, 9, 102, 109, 1202, 1205, 1209]


def test_an_append_cut_short_anywhere_leaves_whole_samples(tmp_path, monkeypatch):
    """Whatever call of fsync is the last one: what the index names can be read."""

    class Stopped(BaseException):
        pass

    def appended(folder, last):
        calls = []

        def fsync(handle):
            calls.append(handle)
            if len(calls) == last:
                raise Stopped

        store = SampleStore(folder)
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", fsync)
            for step in range(3):
                store.append({"w": torch.full((50,), float(step))}, step=step)
        return len(calls)

    for last in range(1, appended(tmp_path / "all", None) + 1):
        folder = tmp_path / str(last)
        with pytest.raises(Stopped):
            appended(folder, last)
        store = SampleStore(folder)
        assert not store.damaged()
        assert [float(sample["w"][0]) for sample in store] == list(range(len(store)))


@pytest.mark.parametrize("cut", range(1, 40, 6))
def test_an_index_line_cut_short_is_no_sample_and_is_written_over(filled, cut):
    index = filled.folder / "chain-00001/index.jsonl"
    index.write_bytes(index.read_bytes()[:-cut])
    store = SampleStore(filled.folder)
    assert values(store.chain(1)) == [102, 105]
    store.append({"w": torch.tensor([3.0])}, chain=1)
    assert values(SampleStore(filled.folder).chain(1)) == [102, 105, 3]


def test_a_damaged_index_line_is_named(filled):
    index = filled.folder / "chain-00000/index.jsonl"
    lines = index.read_text().splitlines()
    index.write_text("\n".join([lines[0], lines[1][:20], lines[2]]) + "\n")
    with pytest.raises(ValueError, match=r"index.jsonl: line 2 is damaged"):
        SampleStore(filled.folder)


def test_other_folders_are_refused(tmp_path, filled):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"no store.json"):
        SampleStore(tmp_path)
    with pytest.raises(ValueError, match="no folder of samples"):
        SampleStore(tmp_path / "notes.txt")
    marker = filled.folder / "store.json"
    marker.write_text(json.dumps({**json.loads(marker.read_text()), "schema": 99}))
    with pytest.raises(ValueError, match=r"'schema': 99.*wanted"):
        SampleStore(filled.folder)


def test_nothing_is_made_before_the_first_sample(tmp_path):
    assert len(SampleStore(tmp_path / "new")) == 0
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "sample, options, message",
    [
        ({}, {}, "no tensors"),
        ({"a#b": torch.ones(1)}, {}, "rename"),
        ({"w": torch.ones(1)}, {"step": 9}, "ascending"),
        ({"w": torch.ones(1)}, {"chain": -1}, "chain >= 0"),
    ],
)
def test_bad_samples_are_refused_and_nothing_is_written(filled, sample, options, message):
    before = sorted(filled.folder.rglob("*"))
    with pytest.raises(ValueError, match=message):
        filled.append(sample, **options)
    assert sorted(filled.folder.rglob("*")) == before
