"""Law: ``numformats quantize`` writes what ``nf.quantize`` and ``nf.pack`` give of the whole array,
whatever the pieces."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

import numformats as nf
from numformats.cli import app
from numformats.commands import files


def run(*arguments: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["quantize", *map(str, arguments)], env={"COLUMNS": "200"})
    return done.exit_code, done.stdout, done.stderr


def data(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("shape", [(), (0,), (1000,), (37, 48), (5, 7, 64)], ids=str)
@pytest.mark.parametrize(
    "fmt", ["e4m3", "mxfp4", "nvfp4", "bfp<8,block=16>", "bfp<8,block=16,axis=0>"]
)
@pytest.mark.parametrize("rounding", ["nearest_even", "stochastic"])
def test_pieces_round_as_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shape: tuple[int, ...], fmt: str, rounding: str
) -> None:
    monkeypatch.setattr(files, "PIECE", 200)
    x = data(*shape)
    if (not shape and "<" in fmt) or (not shape and nf.formats().get(fmt) and "x" in fmt):
        pytest.skip("blocks need an axis")
    np.save(tmp_path / "x.npy", x)
    code, _, err = run(
        tmp_path / "x.npy", "--format", fmt, "--out", tmp_path / "y.npy", "--rounding", rounding,
        "--seed", 3,
    )  # fmt: skip
    assert code == 0, err
    expected = nf.quantize(x, fmt, rounding, key=nf.Key(3).fold(0))
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), expected)


def test_the_summary_is_the_error_of_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "PIECE", 200)
    x = data(40, 64)
    np.save(tmp_path / "x.npy", x)
    found = json.loads(run(tmp_path / "x.npy", "--format", "mxfp4", "--json")[1])
    (row,) = found["tensors"]
    for name, value in vars(nf.error(x, "mxfp4")).items():
        assert row[name] == pytest.approx(value, rel=1e-12)
    assert Path(found["out"]).name == "x.mxfp4.npy"


@pytest.mark.parametrize("fmt", ["e4m3", "fixed<12,9>", "mxfp4", "nvfp4"])
def test_packed_files_decode_to_the_rounded_array(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fmt: str
) -> None:
    monkeypatch.setattr(files, "PIECE", 100)
    arrays = {"a": data(27, 64), "b": data(700), "n": np.arange(5), "o": data(0, 32)}
    np.savez(tmp_path / "x.npz", **arrays)
    code, _, err = run(tmp_path / "x.npz", "--format", fmt, "--packed", "--out", tmp_path / "y.npz")
    assert code == 0, err
    with np.load(tmp_path / "y.npz") as found:
        notes = json.loads(found["numformats.json"].tobytes())
        np.testing.assert_array_equal(found["n"], arrays["n"])
        for name in ("a", "b", "o"):
            parts = [found[name]]
            parts += [
                found[f"{name}#{p}"] for p in ("scales", "tensor_scale") if f"{name}#{p}" in found
            ]
            if len(parts) == 3:
                codes = nf.ScaledBlockCodes(parts[0], parts[1], float(parts[2]))
            else:
                codes = nf.BlockCodes(*parts) if len(parts) == 2 else parts[0]
            values = nf.Codes(codes, notes[name]["format"], tuple(notes[name]["shape"])).values()
            np.testing.assert_array_equal(values, nf.quantize(arrays[name], fmt))
            assert found[name].size == -(-arrays[name].size * nf.parse(fmt).bits // 8)


def test_safetensors_are_filled_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The result has the header of the file given; its tensors are rounded in pieces, as a whole,
    straight into the file."""
    monkeypatch.setattr(files, "PIECE", 64)
    tensors = {
        "w": torch.randn(40, 32, dtype=torch.bfloat16),
        "i": torch.arange(3),
        "h": torch.randn(3, 32).half(),
        "none": torch.empty(0, 32),
        "b": torch.tensor([True, False]),
        "d": torch.randn(2, 32).double(),
        "f": torch.tensor(7, dtype=torch.int8),
    }
    save_file(tensors, tmp_path / "x.safetensors", metadata={"made": "here"})
    code, out, err = run(
        tmp_path / "x.safetensors", "--format", "mxfp8_e4m3", "--rounding", "stochastic"
    )
    assert code == 0, err
    path = tmp_path / "x.mxfp8-e4m3.safetensors"
    found = load_file(path)
    with safe_open(tmp_path / "x.safetensors", "pt") as opened:
        order = list(opened.keys())
    for index, name in enumerate(order):
        wanted, key = tensors[name], nf.Key(0).fold(index)
        if wanted.is_floating_point():
            wanted = nf.quantize(wanted, "mxfp8_e4m3", "stochastic", key=key)
        assert torch.equal(found[name], wanted)
    assert "int64" in out
    header = 8 + int.from_bytes(path.read_bytes()[:8], "little")
    given = (tmp_path / "x.safetensors").read_bytes()
    assert path.read_bytes()[:header] == given[:header]
    assert not list(tmp_path.glob(".*part*"))


@pytest.mark.parametrize("content", [None, b"", b"garbagegarbage", b"\2" + bytes(7) + b"{}x"])
def test_damaged_safetensors_are_refused_and_leave_nothing(
    tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "x.safetensors"
    if content is not None:
        path.write_bytes(content)
    code, _, err = run(path, "--format", "e4m3")
    assert code == 2
    assert ("does not exist" if content is None else "cannot be read") in err
    assert err.count("\n") == 1
    assert [*tmp_path.iterdir()] == ([] if content is None else [path])


@pytest.mark.parametrize(
    ("make", "arguments", "words"),
    [
        (None, ["--format", "e4m3"], "does not exist"),
        (b"no array", ["--format", "e4m3"], "is no .npy file"),
        (b"", ["--format", "e4m3"], "cannot be read"),
        ("array", ["--format", "e4m4"], "e4m"),
        ("array", ["--format", "e4m3", "--rounding", "up"], "up"),
        ("array", ["--format", "e4m3", "--out", "y.npz"], "results are .npy"),
        ("array", ["--format", "e4m3", "--packed", "--out", "y.npy"], "packed files are .npz"),
        ("array", ["--format", "e4m3", "--out", "x.npy"], "is the file given"),
        ("array", ["--format", "e4m3", "--out", "no/y.npy"], "there is no folder no; make it"),
        ("array", ["--format", "e4m3", "--out", "folder.npy"], "folder.npy is a folder; write"),
        ("array", ["--format", "block<e2m1,block=4,axis=1>"], "x.npy: block<e2m1"),
        ("short", ["--format", "e4m3"], "x.npy cannot be read"),
        ("objects", ["--format", "e4m3"], "x.npy is no .npy file, or one of Python objects"),
    ],
)
def test_bad_input_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: object, arguments: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder.npy").mkdir()
    if make == "array":
        np.save("x.npy", data(4))
    elif make == "short":
        np.save("x.npy", data(4))
        Path("x.npy").write_bytes(Path("x.npy").read_bytes()[:-4])
    elif make == "objects":
        np.save("x.npy", np.array([{}], object), allow_pickle=True)
    elif isinstance(make, bytes):
        Path("x.npy").write_bytes(make)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir() if p.is_file()}
    code, out, err = run("x.npy", *arguments)
    assert (code, out) == (2, "")
    assert words in err
    assert err.count("\n") == 1
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir() if p.is_file()} == before


@pytest.mark.parametrize(
    "x", [np.arange(6), np.arange(6) > 2, np.array(["a", "bc"]), np.ones(3, np.complex64)], ids=str
)
@pytest.mark.parametrize("packed", [False, True])
def test_what_holds_no_real_numbers_is_kept(tmp_path: Path, x: np.ndarray, packed: bool) -> None:
    np.save(tmp_path / "x.npy", x)
    out = tmp_path / ("y.npz" if packed else "y.npy")
    flags = ["--packed"] if packed else []
    code, _, err = run(tmp_path / "x.npy", "--format", "e4m3", "--out", out, *flags)
    assert (code, err) == (0, "")
    kept = np.load(out)
    kept = kept["array"] if packed else kept
    assert kept.dtype == x.dtype
    assert np.array_equal(kept, x)


@pytest.mark.parametrize("taken", ["x#scales", "numformats.json"])
def test_entries_of_packed_files_have_names_of_their_own(tmp_path: Path, taken: str) -> None:
    np.savez(tmp_path / "x.npz", **{"x": data(4, 32), taken: np.arange(3)})
    out = tmp_path / "y.npz"
    code, _, err = run(tmp_path / "x.npz", "--format", "mxfp4", "--packed", "--out", out)
    assert code == 2
    assert f"two entries {taken!r}" in err
    assert [p.name for p in tmp_path.iterdir()] == ["x.npz"]


def test_errors_name_the_tensor(tmp_path: Path) -> None:
    save_file({"w": torch.ones(2).to(torch.float8_e5m2)}, tmp_path / "x.safetensors")
    code, _, err = run(tmp_path / "x.safetensors", "--format", "e4m3")
    assert code == 2
    assert "x.safetensors, tensor 'w': x has dtype float8_e5m2" in err


def test_other_kinds_of_files_are_refused(tmp_path: Path) -> None:
    code, _, err = run(tmp_path / "x.pt", "--format", "e4m3")
    assert code == 2
    assert ".safetensors" in err
