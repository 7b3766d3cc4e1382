"""Analysis of a model's tensors: against ``nf.error`` of each tensor whole, Python's own exponents,
and gradients computed apart."""

import math
import sys

import pytest
import torch
from torch import nn

import numformats as nf
from numformats.torch import AmaxScaling
from numformats.torch.analysis import Analysis, Binades, analyze, plot_binades, plot_layers

FORMATS = ["e4m3", "fixed<8,6>", "mxfp4"]


def model_and_batches() -> tuple[nn.Sequential, list[tuple[torch.Tensor, torch.Tensor]]]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    return model, [(3 * torch.randn(8, 64), torch.randint(0, 10, (8,))) for _ in range(3)]


def loss(model: nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    return nn.functional.cross_entropy(model(batch[0]), batch[1])


def tensors_apart(model: nn.Sequential, batches) -> dict[tuple[str, str], torch.Tensor]:
    """What each role saw, computed layer by layer and joined over the batches."""
    seen: dict[tuple[str, str], list[torch.Tensor]] = {}
    for x, y in batches:
        first = model[0](x)
        middle = model[1](first)
        last = model[2](middle)
        values = [first, last, model[0].weight, model[2].weight]
        found = torch.autograd.grad(nn.functional.cross_entropy(last, y), values)
        for at, value in (
            (("0", "activations"), x), (("2", "activations"), middle.detach()),
            (("0", "errors"), found[0]), (("2", "errors"), found[1]),
            (("0", "gradients"), found[2]), (("2", "gradients"), found[3]),
        ):  # fmt: skip
            seen.setdefault(at, []).append(value)
    whole = {at: torch.cat(values) for at, values in seen.items()}
    return {
        ("0", "weights"): model[0].weight.detach(),
        ("2", "weights"): model[2].weight.detach(),
    } | whole


def test_every_role_of_every_layer_has_the_error_of_its_tensors() -> None:
    model, batches = model_and_batches()
    found = analyze(model, batches, FORMATS, loss=loss)
    whole = tensors_apart(model, batches)
    assert set(found.observations) == set(whole)
    for row in found.rows():
        x = whole[row["module"], row["role"]]
        expected = nf.error(x, row["format"])
        assert row["elements"] == x.numel()
        assert row["sqnr"] == pytest.approx(expected.sqnr, rel=1e-9)
        for name in ("max_relative", "flushed", "non_finite"):
            assert row[name] == pytest.approx(getattr(expected, name), rel=1e-12)
        exponents = [math.frexp(v)[1] - 1 for v in x.abs().flatten().tolist() if v]
        assert (row["low_exponent"], row["high_exponent"]) == (min(exponents), max(exponents))


def test_saturated_counts_what_rounds_beyond_the_range() -> None:
    model = nn.Sequential(nn.Linear(4, 1))
    x = torch.tensor([[448.0, 464.0, 464.5, -1e6]])  # half a gap beyond 448 is 464
    found = analyze(model, [x], "e4m3")["0", "activations"]
    assert next(found.rows())["saturated"] == 0.5


def test_scaling_is_that_of_the_rounding() -> None:
    model, batches = model_and_batches()
    found = analyze(model, batches, "e4m3", scaling=AmaxScaling(axis=0))
    weight = model[0].weight.detach()
    scale = weight.abs().amax(1, keepdim=True) / 448
    noise = nf.quantize(weight / scale, "e4m3") * scale - weight
    row = next(found["0", "weights"].rows())
    sqnr = 10 * math.log10(float((weight.double() ** 2).sum() / (noise.double() ** 2).sum()))
    assert row["sqnr"] == pytest.approx(sqnr, rel=1e-9)
    assert row["saturated"] == 0


def test_nothing_of_the_model_changes() -> None:
    model, batches = model_and_batches()
    model[0].weight.grad = torch.ones_like(model[0].weight)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    analyze(model, batches, FORMATS, loss=loss)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.equal(model[0].weight.grad, torch.ones_like(model[0].weight))
    assert model[2].weight.grad is None
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_nothing_finite_has_no_sqnr() -> None:
    model, _ = model_and_batches()
    for x in (torch.full((2, 64), math.nan), torch.zeros(0, 64)):
        found = analyze(model, [x], FORMATS)
        for row in found.rows():
            assert math.isnan(row["sqnr"]) == (row["role"] == "activations")
    assert "non-finite" in str(found)


def test_errors_of_frozen_weights_are_seen() -> None:
    model, batches = model_and_batches()
    for layer in (model[0], model[2]):
        layer.weight.requires_grad_(False)
    found, whole = analyze(model, batches, "e4m3", loss=loss), model_and_batches()
    wanted = analyze(*whole, "e4m3", loss=loss)
    assert found["0", "errors"].binades.counts == wanted["0", "errors"].binades.counts
    assert found["0", "gradients"].binades.elements == 0


def test_binades_are_those_of_python_floats() -> None:
    values = [0.0, -0.0, 1.0, 1.999, 2.0, -3.5, 2.0**-1074, 1e308, math.inf, -math.nan]
    found = Binades()
    found.add(torch.tensor(values[:5], dtype=torch.float64))
    found.add(torch.tensor(values[5:], dtype=torch.float64).reshape(5, 1))
    finite = [v for v in values if v and math.isfinite(v)]
    expected = [math.frexp(v)[1] - 1 for v in finite]
    assert sorted(found.counts.elements()) == sorted(expected)
    assert (found.zeros, found.non_finite, found.elements) == (2, 2, 10)
    assert found.amax == 1e308
    assert sum(found.shares().values()) == pytest.approx(0.6)


def test_pictures_show_the_counts_and_every_format() -> None:
    model, batches = model_and_batches()
    found = analyze(model, batches, FORMATS, loss=loss)
    axes = plot_binades(found["2", "errors"]).axes[0]
    heights = [bar.get_height() for bar in axes.patches]
    assert heights == list(found["2", "errors"].binades.shares().values())
    assert [text.get_text() for text in axes.texts] == FORMATS
    table = plot_layers(found, "activations").axes[0]
    assert [t.get_text() for t in table.get_xticklabels()] == FORMATS
    assert len(table.texts) == 2 * len(FORMATS)


def test_the_frame_has_the_rows() -> None:
    pytest.importorskip("pandas", reason="pandas is not installed")
    model, batches = model_and_batches()
    found = analyze(model, batches, FORMATS)
    frame = found.frame()
    assert frame.to_dict("records") == found.rows()
    assert str(found).count("\n") == len(frame)


def test_a_frame_without_pandas_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"pip install pandas, or take rows\(\)"):
        Analysis({}).frame()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda m: analyze(m, [], "e4m3"), "batches is empty"),
        (lambda m: analyze(m, [torch.ones(1, 64)], "e4m4"), "e4m"),
        (lambda m: analyze(m, [], "e4m3", rounding="stochastic"), "deterministic"),
        (lambda m: analyze(nn.ReLU(), [torch.ones(2)], "e4m3"), "ReLU has no weights"),
        (
            lambda m: analyze(m.requires_grad_(False), model_and_batches()[1], "e4m3", loss=loss),
            r"requires_grad_\(True\)",
        ),
        (lambda m: analyze(m, [torch.ones(1, 64)], "e4m3")["1", "weights"], r"\('0', 'weights'\)"),
        (lambda m: plot_layers(analyze(m, [torch.ones(1, 64)], "e4m3"), "errors"), "write one of"),
    ],
)
def test_bad_input_is_refused_with_the_remedy(call, words: str) -> None:
    with pytest.raises((TypeError, ValueError, KeyError), match=words):
        call(model_and_batches()[0])
