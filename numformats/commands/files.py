"""``numformats quantize``: the tensors of a file in another format."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

import numformats as nf
from numformats.blocks import BlockCodes, ScaledBlockCodes
from numformats.commands import tensors
from numformats.commands.printing import AsJson, print_json, refusals
from numformats.formats import BlockFloat, Format
from numformats.measuring import Tally
from numformats.rounding import find

PIECE = 1 << 20  #: elements rounded in one go, about
NOTES = "numformats.json"  #: what a packed file says of its tensors


def quantize(
    file: Annotated[Path, typer.Argument(help="A .npy, .npz or .safetensors file.")],
    fmt: Annotated[str, typer.Option("--format", help="A format, for example mxfp4.")],
    out: Annotated[Path | None, typer.Option(help="The new file.")] = None,
    rounding: Annotated[str, typer.Option(help="A name in nf.roundings().")] = "nearest_even",
    seed: Annotated[int, typer.Option(help="Of stochastic rounding.")] = 0,
    packed: Annotated[bool, typer.Option(help="Write dense codes and scales, as .npz.")] = False,
    as_json: AsJson = False,
) -> None:
    """Round the tensors of a file to a format, and say what that did to them.

    Tensors that hold no floating-point numbers stay as they are. Files of .npy and
    .safetensors are read and written in pieces, .npz tensor by tensor, so that they may be larger
    than memory. --packed writes, for
    every tensor, the bytes of nf.pack, and for blocks NAME#scales and NAME#tensor_scale; the entry
    numformats.json has formats and shapes. nf.Codes reads them.
    """
    with refusals("quantize"):
        target = nf.parse(fmt)
        find(rounding)
        suffix = ".npz" if packed else tensors.checked_kind(file)
        path = out or file.with_name(f"{file.stem}.{_plain(fmt)}{suffix}")
        if packed and path.suffix != ".npz":
            raise ValueError(f"--out {path}: packed files are .npz; write --out {path.stem}.npz")
        if not packed and path.suffix != suffix:
            raise ValueError(f"--out {path}: results are {suffix}, as the file given")
        if path.resolve() == file.resolve():
            raise ValueError(f"--out {path} is the file given; write another name")
        if path.is_dir():
            raise ValueError(f"--out {path} is a folder; write a file, such as {path / file.name}")
        if not path.parent.is_dir():
            raise ValueError(f"--out {path}: there is no folder {path.parent}; make it first")
        key = nf.Key(seed)
        rows = list((_pack_all if packed else _round_all)(file, path, target, rounding, key))
    if as_json:
        print_json({"out": str(path), "bytes": path.stat().st_size, "tensors": rows})
        return
    _print(rows)
    print(f"{path}: {path.stat().st_size:,} bytes, {file.stat().st_size:,} before")


def _plain(text: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in text).strip("-")


def _is_real(x: Any) -> bool:
    return np.dtype(x.dtype).kind == "f" if isinstance(x, np.ndarray) else x.is_floating_point()


def _round_all(
    file: Path, path: Path, fmt: Format, rounding: str, key: nf.Key
) -> Iterator[dict[str, Any]]:
    with tensors.Writer(path, file) as writer:
        for index, (name, x) in enumerate(tensors.read(file)):
            if not _is_real(x):
                writer.put(name, x)
                yield {"tensor": name, "format": str(x.dtype), "elements": int(np.prod(x.shape))}
                continue
            with tensors.named(file, name):
                new, tally = _round(writer, name, x, fmt, rounding, key.fold(index))
            writer.put(name, new)
            yield _row(name, fmt, tally)


def _round(
    writer: tensors.Writer, name: str, x: Any, fmt: Format, rounding: str, key: nf.Key
) -> tuple[Any, Tally]:
    """A tensor rounded, in memory of the new file, and the error."""
    new, tally = writer.like(name, x), Tally(fmt)
    for part, start in pieces(tuple(x.shape), fmt):
        nf.quantize(x[part], fmt, rounding, key=key.at(start), out=new[part])
        tally.add(x[part], new[part])
    return new, tally


def pieces(shape: tuple[int, ...], fmt: Format) -> Iterator[tuple[Any, int]]:
    """Parts of an array that round as the whole does, and where each begins: stretches of rows, or
    of blocks; all at once where blocks or a scale reach further."""
    count = int(np.prod(shape))
    whole, step = ... if not shape else slice(None), 1
    if isinstance(fmt, BlockFloat):
        size, last = fmt.block_size, fmt.axis in (-1, len(shape) - 1)
        if fmt.tensor_scale or not last or not isinstance(size, int):
            yield whole, 0
            return
        step = size if len(shape) == 1 else 1
    if count <= PIECE or not shape:
        yield whole, 0
        return
    row = count // shape[0]
    rows = -(-max(1, PIECE // (row * step)) // 8) * 8 * step  # codes of 8 rows fill whole bytes
    for at in range(0, shape[0], rows):
        yield slice(at, at + rows), at * row


def _pack_all(
    file: Path, path: Path, fmt: Format, rounding: str, key: nf.Key
) -> Iterator[dict[str, Any]]:
    notes: dict[str, Any] = {}
    with tensors.Writer(path) as writer:
        for index, (name, x) in enumerate(tensors.read(file)):
            name = name or "array"
            if not _is_real(x):
                writer.put(name, x)
                yield {"tensor": name, "format": str(x.dtype), "elements": int(np.prod(x.shape))}
                continue
            with tensors.named(file, name):
                tally = _pack(writer, name, x, fmt, rounding, key.fold(index))
            notes[name] = {
                "format": str(fmt), "shape": list(x.shape),
                "dtype": str(x.dtype).removeprefix("torch."),
            }  # fmt: skip
            yield _row(name, fmt, tally)
        writer.put(NOTES, np.frombuffer(json.dumps(notes).encode(), np.uint8))


def _pack(
    writer: tensors.Writer, name: str, x: Any, fmt: Format, rounding: str, key: nf.Key
) -> Tally:
    """Write a tensor's dense codes, and then its scales; its rounding error."""
    tally, scales, whole = Tally(fmt), [], None
    with writer.bytes(name, nf.packed_size(int(np.prod(x.shape)), fmt)) as entry:
        for part, start in pieces(tuple(x.shape), fmt):
            codes = nf.encode(x[part], fmt, rounding, key=key.at(start))
            tally.add(x[part], nf.decode(codes, fmt))
            if isinstance(codes, BlockCodes | ScaledBlockCodes):
                scales.append(np.asarray(codes.scales))
                whole = getattr(codes, "tensor_scale", None)
                codes = codes.codes
            entry.write(np.asarray(nf.pack(codes, fmt)).tobytes())
    if isinstance(fmt, BlockFloat):
        writer.put(f"{name}#scales", nf.pack(np.concatenate(scales), fmt.scale))
    if whole is not None:
        writer.put(f"{name}#tensor_scale", np.float32(whole))
    return tally


def _row(name: str, fmt: Format, tally: Tally) -> dict[str, Any]:
    row = {"tensor": name, "format": str(fmt), "elements": tally.elements}
    return row | (vars(tally.error) if tally.elements else {})


def _print(rows: list[dict[str, Any]]) -> None:
    table = Table(box=None)
    headings = ("tensor", "format", "elements", "SQNR dB", "saturated", "flushed", "non-finite")
    for at, heading in enumerate(headings):
        table.add_column(heading, justify="left" if at < 2 else "right")
    for row in rows:
        shares = [f"{row[k]:.2%}" for k in ("saturated", "flushed", "non_finite") if k in row]
        sqnr = [f"{row['sqnr']:.1f}"] if "sqnr" in row else []
        table.add_row(row["tensor"], row["format"], f"{row['elements']:,}", *sqnr, *shares)
    Console().print(table)
