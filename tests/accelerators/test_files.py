"""Law: JSON and TOML files give back the accelerator that was saved, for presets and one's own."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import tomllib

import pytest

import numformats as nf
from numformats.accelerators import Accelerator, Scaling, from_dict, load, to_dict
from numformats.engines import FMAChain, MACChain
from tests.accelerators.chips import ALL, NAMES


@pytest.mark.parametrize("ending", ["json", "toml"])
@pytest.mark.parametrize("name", NAMES)
def test_files_give_back_what_was_saved(name: str, ending: str, tmp_path: pathlib.Path) -> None:
    path = tmp_path / f"chip.{ending}"
    ALL[name].save(path)
    found = load(path)
    assert found == ALL[name]
    assert (hash(found), found.explain()) == (hash(ALL[name]), ALL[name].explain())


def awkward() -> Accelerator:
    return Accelerator(
        "my.chip-1",
        'Quotes " and \\ and a\ttab, é, Σ, DEL \x7f',
        weights="e4m3",
        activations=nf.parse("float<4,5,specials=finite>"),
        errors="e5m2",
        scaling={
            "weights": Scaling("block", block=(3, 5), limit=3.5),
            "errors": Scaling("tensor", power_of_two=True, exponent_step=4, exponents=(-8, 4)),
        },
        rounding="stochastic",
        error_rounding="to_odd",
        engine=MACChain("fp16", "fp16", accumulator="fp16", random_bits=5, rounding="stochastic_a"),
        sources=("one", "two\nlines"),
    )


@pytest.mark.parametrize("ending", ["json", "toml"])
def test_awkward_accelerators_come_back(ending: str, tmp_path: pathlib.Path) -> None:
    path = tmp_path / f"chip.{ending}"
    awkward().save(path)
    assert load(path) == nf.accelerator(str(path)) == nf.accelerator(path) == awkward()


def test_both_kinds_of_file_hold_the_same_data(tmp_path: pathlib.Path) -> None:
    awkward().save(tmp_path / "chip.json")
    awkward().save(tmp_path / "chip.toml")
    text, toml = ((tmp_path / f"chip.{e}").read_text(encoding="utf-8") for e in ("json", "toml"))
    assert json.loads(text) == tomllib.loads(toml) == to_dict(awkward())


def test_a_short_file_is_enough(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "chip.toml"
    path.write_text('name = "plain"\n[engine]\nclass = "FMAChain"\nfmt = "fp32"\n')
    assert load(path) == Accelerator("plain", engine=FMAChain("fp32"))


@pytest.mark.parametrize(
    "change, message",
    [
        ({"engine": None}, "class = one of"),
        ({"engine": {"class": "Chain"}}, "class of engine 'Chain'; did you mean"),
        ({"engine": {"class": "FMAChain", "format": "fp32"}}, "argument of FMAChain 'format'"),
        ({"engine": {"class": "TruncatedFDPA", "a_format": "e4m3"}}, "needs 'b_format'"),
        ({"wieghts": "e4m3"}, "did you mean 'weights'"),
        ({"weights": "e4m9"}, "unknown format 'e4m9'"),
        ({"scaling": {"weights": {"kind": "tensors"}}}, "did you mean 'tensor'"),
        ({"requantize": {"class": "ShiftRequantize"}}, "needs 'shift'"),
    ],
)
def test_broken_data_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        from_dict(to_dict(ALL["nvidia-h100-fp8"]) | change)


@pytest.mark.parametrize("missing", ["name", "engine"])
def test_missing_fields_are_named(missing: str) -> None:
    data = to_dict(ALL["nvidia-h100-fp8"])
    del data[missing]
    with pytest.raises(ValueError, match=f"has no '{missing}'"):
        from_dict(data)


def test_files_have_known_endings(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ValueError, match=r"ends in \.json or \.toml"):
        ALL["max78000"].save(tmp_path / "chip.yaml")
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none.json")
    for name in ("a.json", "a.toml"):
        (tmp_path / name).write_text("name = = {")
        with pytest.raises(ValueError, match=r"is no (JSON|TOML)"):
            load(tmp_path / name)


def test_engines_of_other_programs_cannot_be_named(tmp_path: pathlib.Path) -> None:
    @dataclasses.dataclass(frozen=True)
    class Own(FMAChain):
        """An engine that no file can name."""

    with pytest.raises(ValueError, match="Own is a class of this program only"):
        Accelerator("own", engine=Own("fp32")).save(tmp_path / "own.json")


TOML = """\
name = "plain"
weights = "e4m3"
activations = "e4m3"
notes = \"\"\"
weights = 3
\"\"\"
[scaling.weights]
kind = "channel"

[engine]
class = "TruncatedFDPA"
a_format = "e4m3"
b_format = "e4m3"
length = 32
frac_bits = 13
"""
JSON = """\
{
  "scaling": {"weights":
    {"kind": "channel"}},
  "name": "plain",
  "weights": "e4m3", "activations": "e4m3",
  "notes": "{\\"weights\\": 3",
  "engine": {
    "class": "TruncatedFDPA",
    "a_format": "e4m3", "b_format": "e4m3",
    "length": 32, "frac_bits": 13
  }
}
"""
#: old text, new text, message, line, key
BROKEN = [
    ('"e4m3"\nact', '"e4m9"\nact', "unknown format 'e4m9'", 2, "weights"),
    ("activations", "activation", "did you mean 'activations'", 3, "activation"),
    ("TruncatedFDPA", "TruncatedFPDA", "did you mean 'TruncatedFDPA'", 11, "engine.class"),
    ("frac_bits = 13", "frac_bits = 130", "out of range", 15, "engine.frac_bits"),
    ("frac_bits", "fracbits", "did you mean 'frac_bits'", 15, "engine.fracbits"),
    ("length = 32\n", "", "needs 'length'", 10, "engine.length"),
    ('b_format = "e4m3"', "b_format = 3", "give a format or a name", 13, "engine.b_format"),
    ('"channel"', '"chanel"', "did you mean 'channel'", 8, "scaling.weights.kind"),
    ("scaling.weights", "scaling.weight", "did you mean 'weights'", 7, "scaling.weight"),
    ('name = "plain"\n', "", "has no 'name'", 1, "name"),
    ("notes = ", 'rounding = ["a"]\nnotes = ', "unknown rounding", 4, "rounding"),
    (
        "notes = ", 'rounding = "stochastic"\nerror_rounding = "stochastc"\nnotes = ',
        "unknown error_rounding 'stochastc'; did you mean 'stochastic'", 5, "error_rounding",
    ),
    ("notes = ", 'error_rounding = ""\nnotes = ', "unknown error_rounding ''", 4, "error_rounding"),
    ('name = "plain"', 'name = "A b"', "lower-case words", 1, "name"),
    ('[engine]\nclass = "Tr', '[engine]\nclss = "Tr', "class = one of", 10, "engine"),
]  # fmt: skip


@pytest.mark.parametrize("old, new, message, line, key", BROKEN)
def test_the_line_and_the_key_at_fault_are_named(
    old: str, new: str, message: str, line: int, key: str, tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "chip.toml"
    path.write_text(TOML)
    assert load(path).name == "plain"
    assert TOML.replace(old, new, 1) != TOML
    path.write_text(TOML.replace(old, new, 1))
    with pytest.raises((TypeError, ValueError), match=message) as found:
        load(path)
    assert str(found.value).startswith(f"{path}, line {line}, key {key!r}: ")


@pytest.mark.parametrize(
    "old, new, line, key",
    [
        ('"weights": "e4m3"', '"weights": "e4m9"', 5, "weights"),
        ("channel", "chanel", 3, "scaling.weights.kind"),
        ('"frac_bits": 13', '"frac_bits": 130', 10, "engine.frac_bits"),
        ('"length": 32, ', "", 7, "engine.length"),
        ('"name": "plain",', "", 1, "name"),
    ],
)
def test_lines_of_json(old: str, new: str, line: int, key: str, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "chip.json"
    path.write_text(JSON)
    assert load(path).name == "plain"
    path.write_text(JSON.replace(old, new))
    with pytest.raises((TypeError, ValueError)) as found:
        load(path)
    assert str(found.value).startswith(f"{path}, line {line}, key {key!r}: ")


@pytest.mark.parametrize("ending, text", [("toml", TOML), ("json", JSON)])
def test_encodings(ending: str, text: str, tmp_path: pathlib.Path) -> None:
    """A byte order mark is no text; what is not UTF-8 is named."""
    path = tmp_path / f"chip.{ending}"
    path.write_text(text, encoding="utf-8-sig")
    assert load(path).name == "plain"
    path.write_bytes(text.replace("plain", "plain\xe9").encode("latin-1"))
    with pytest.raises(ValueError, match=r"chip\.(toml|json) is no (TOML|JSON): 'utf-8'"):
        load(path)


def test_broken_syntax_has_a_line(tmp_path: pathlib.Path) -> None:
    for name, text in (("a.json", '{\n"name": "x",\n]'), ("a.toml", 'name = "x"\n\nengine = = {')):
        (tmp_path / name).write_text(text)
        with pytest.raises(ValueError, match=r"is no (JSON|TOML): .*line 3"):
            load(tmp_path / name)


@pytest.mark.parametrize("name", ["rounding", "product_rounding", "outer_rounding"])
def test_the_mode_at_fault_is_named_among_several(name: str, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "chip.toml"
    modes = dict.fromkeys(("rounding", "product_rounding", "outer_rounding"), "to_odd")
    lines = ['name = "plain"', "[engine]", 'class = "MACChain"', 'a_format = "fp16"']
    lines += ['b_format = "fp16"', 'accumulator = "fp32"', "chunk = 4"]
    lines += [f'{key} = "{mode}"' for key, mode in (modes | {name: "to_od"}).items()]
    path.write_text("\n".join(lines))
    with pytest.raises(ValueError, match=f"unknown {name} 'to_od'; did you mean") as found:
        load(path)
    line = 8 + list(modes).index(name)
    assert str(found.value).startswith(f"{path}, line {line}, key 'engine.{name}': ")


@pytest.mark.parametrize("old", ['"name": "plain"', '"class": "TruncatedFDPA"'])
def test_keys_of_json_stand_once(old: str, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "chip.json"
    path.write_text(JSON.replace(old, f"{old}, {old}"))
    key = old.split('"')[1]
    with pytest.raises(ValueError, match=f"is no JSON: the key '{key}' stands twice"):
        load(path)
