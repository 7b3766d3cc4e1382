"""Models with packed weights: the bits of the weights, their bytes, calibration, and what the
trials of formats leave behind."""

import copy
import itertools
import pickle

import numpy as np
import pytest
import torch
from torch import nn

import numformats as nf
from numformats.torch import AmaxScaling, analyze
from numformats.torch.weights import quantize_model, search_formats, sensitivity, storage

FORMATS = ["e4m3", "e5m2", "e2m1", "fixed<12,8>", "mxfp4", "nvfp4", "bfp<8,block=16>"]


def mlp(seed: int = 0, dtype: torch.dtype = torch.float32) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10)).to(dtype)


class Tied(nn.Module):
    """An embedding whose table is also the last layer's weight."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.head = nn.Embedding(20, 16), nn.Linear(16, 20, bias=False)
        self.head.weight = self.table.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.table(x))


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
def test_weights_have_the_bits_of_quantize(fmt: str, dtype: torch.dtype) -> None:
    model = mlp(dtype=dtype)
    small = quantize_model(model, fmt)
    for at in (0, 2):
        expected = nf.quantize(model[at].weight.detach(), fmt)
        assert torch.equal(small[at].weight, expected)
        assert small[at].weight.dtype == dtype


def test_a_scale_a_channel_is_that_of_its_largest_weight() -> None:
    model = mlp()
    small = quantize_model(model, "e4m3", scaling=AmaxScaling(axis=0))
    weight = model[0].weight.detach().numpy()
    scale = (np.abs(weight).max(1, keepdims=True) / np.float32(448)).astype(np.float32)
    expected = nf.quantize(weight / scale, "e4m3") * scale
    assert np.array_equal(small[0].weight.numpy(), expected)


@pytest.mark.parametrize(
    ("fmt", "bytes_of"),
    [
        ("e4m3", lambda n: n),
        ("e2m1", lambda n: n // 2),
        ("fixed<12,8>", lambda n: n * 3 // 2),
        ("mxfp4", lambda n: n // 2 + n // 32),
        ("nvfp4", lambda n: n // 2 + n // 16 + 4),
    ],
)
def test_bytes_are_those_of_the_layout(fmt: str, bytes_of) -> None:
    found = storage(quantize_model(mlp(), fmt))
    weights = {row.name: row for row in found.rows if row.format == str(nf.parse(fmt))}
    assert {name: row.bytes for name, row in weights.items()} == {
        "0.weight": bytes_of(2048),
        "2.weight": bytes_of(320),
    }
    assert found.bytes == bytes_of(2048) + bytes_of(320) + 42 * 4
    assert found.dense_bytes == (2048 + 320 + 42) * 4


def test_stochastic_weights_differ_from_layer_to_layer_and_repeat() -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
    model[1].load_state_dict(model[0].state_dict())
    first = quantize_model(model, "e2m1", rounding="stochastic", key=3)
    again = quantize_model(model, "e2m1", rounding="stochastic", key=3)
    assert torch.equal(first[0].weight, again[0].weight)
    assert not torch.equal(first[0].weight, first[1].weight)


def test_a_shared_weight_stays_shared_and_counts_once() -> None:
    small = quantize_model(Tied(), {"head": "e4m3"})
    parts = [m.parametrizations["weight"].original0 for m in (small.table, small.head)]
    assert parts[0] is parts[1]
    assert storage(small).bytes == 20 * 16
    assert torch.equal(small.table.weight, small.head.weight)


def test_the_model_given_is_left_alone_unless_inplace() -> None:
    model = mlp()
    before = copy.deepcopy(model.state_dict())
    assert quantize_model(model, "mxfp4") is not model
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert quantize_model(model, "mxfp4", inplace=True) is model
    assert storage(model).bits_per_weight == 4.25


def test_copies_states_and_compiled_graphs_compute_the_same() -> None:
    x = torch.randn(8, 64)
    small = quantize_model(mlp(), "nvfp4", inputs="e4m3", calibration=[x])
    expected = small(x)
    other = quantize_model(mlp(1), "nvfp4", inputs="e4m3", calibration=[2 * x])
    other.load_state_dict(pickle.loads(pickle.dumps(small.state_dict())))
    compiled = torch.compile(small, fullgraph=True, backend="aot_eager")
    for model in (copy.deepcopy(small), other, compiled):
        assert torch.equal(model(x), expected)


@pytest.mark.parametrize(
    ("shape", "fmt", "words"),
    [
        ((64, 32), "e5m2", r"e4m3, shape \(32, 64\), the model reads e5m2, shape \(32, 64\)"),
        ((32, 64), "e4m3", r"e4m3, shape \(32, 64\), the model reads e4m3, shape \(64, 32\)"),
    ],
    ids=["format", "shape"],
)
def test_codes_of_equal_size_that_mean_something_else_are_refused(
    shape: tuple[int, int], fmt: str, words: str
) -> None:
    given = nn.Sequential(quantize_model(nn.Linear(64, 32), "e4m3")).state_dict()
    other = nn.Sequential(quantize_model(nn.Linear(*shape), fmt))
    before = other[0].weight
    for model in (other, copy.deepcopy(other)):
        with pytest.raises(ValueError, match=r"^0\.weight: the state has codes of " + words):
            model.load_state_dict(given)
        bare = {name: held for name, held in given.items() if "_extra_state" not in name}
        with pytest.raises(ValueError, match=r"^0\.weight: .* not 0\.parametrizations\.weight\.0"):
            model.load_state_dict(bare, strict=False)
        assert torch.equal(model[0].weight, before)


@pytest.mark.parametrize("fmt", ["e4m3", "nvfp4"])
def test_ensembles_of_packed_models_are_mapped(fmt: str) -> None:
    scaling, x = AmaxScaling(axis=0), torch.randn(4, 64)
    models = [quantize_model(mlp(seed), fmt, scaling=scaling) for seed in range(3)]

    def call(parameters, buffers):
        return torch.func.functional_call(models[0], (parameters, buffers), (x,))

    found = torch.func.vmap(call)(*torch.func.stack_module_state(models))
    torch.testing.assert_close(found, torch.stack([model(x) for model in models]))


def test_calibration_fixes_the_scale_of_what_enters() -> None:
    batches = [torch.randn(8, 64) for _ in range(3)]
    model = mlp()
    model[2].eval()
    small = quantize_model(model, {"2": "bf16"}, inputs="e4m3", calibration=batches)
    inner = torch.cat([model[1](model[0](x)) for x in batches])
    scale = inner.abs().max() / 448
    assert small.training
    assert not small[2].training
    x = small[1](small[0](9 * batches[0]))
    rounded = nf.quantize((x / scale).detach(), "e4m3") * scale
    assert torch.equal(
        small(9 * batches[0]), nn.functional.linear(rounded, small[2].weight, small[2].bias)
    )
    assert x.max() > rounded.max() == 448 * scale  # it saturates: the scale stays


def test_calibration_fixes_the_scale_of_the_tensor_in_two_level_formats() -> None:
    batches = [torch.randn(8, 64) for _ in range(3)]
    model = mlp()
    small = quantize_model(model, {"0": "bf16"}, inputs="nvfp4", calibration=batches)
    scale = torch.cat(batches).abs().max() / 2688
    for x in (batches[0], 5 * batches[1]):
        rounded = nf.quantize(x, "nvfp4", tensor_scale=float(scale))
        wanted = model[2](model[1](nn.functional.linear(rounded, small[0].weight, small[0].bias)))
        assert torch.equal(small(x), wanted)
    with pytest.raises(ValueError, match=r"mxfp4.* carries scales of its own"):
        quantize_model(model, "bf16", inputs="mxfp4", calibration=batches)


def test_inputs_that_never_enter_are_named() -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    with pytest.warns(UserWarning, match=r"self_attn.out_proj.* not rounded"):
        quantize_model(layer, "e4m3", inputs="e4m3", calibration=[torch.randn(1, 3, 8)])


@pytest.mark.parametrize("fmt", ["e4m3", "nvfp4"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64], ids=str)
def test_the_model_may_change_its_dtype(fmt: str, dtype: torch.dtype) -> None:
    """The scales, about 2^-25, keep their float32 bits, which no other dtype of 16 bits holds."""
    model = mlp()
    with torch.no_grad():
        model[0].weight.mul_(2.0**-14)
    small = quantize_model(model, fmt, scaling=AmaxScaling(axis=0))
    wanted, other = small[0].weight.to(dtype), copy.deepcopy(small).to(dtype)
    assert torch.equal(other[0].weight, wanted)
    assert other(torch.randn(2, 64, dtype=dtype)).dtype == dtype
    assert torch.equal(other.float()[0].weight, small[0].weight)


class Keywords(nn.Module):
    """A layer that is called by keyword, as some models do."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(input=x)


@pytest.mark.filterwarnings("error")
def test_inputs_enter_by_keyword_too() -> None:
    x, model = torch.randn(8, 64), Keywords()
    small = quantize_model(model, "e4m3", inputs="e2m1")
    rounded = nf.quantize(x, "e2m1")
    weight = nf.quantize(model.layer.weight.detach(), "e4m3")
    assert torch.equal(small(x), nn.functional.linear(rounded, weight, model.layer.bias))
    fixed = quantize_model(model, "e4m3", inputs="e4m3", calibration=[x])
    scale = x.abs().max() / 448
    rounded = nf.quantize(x / scale, "e4m3") * scale
    assert torch.equal(fixed(x), nn.functional.linear(rounded, weight, model.layer.bias))


def test_masks_are_no_inputs() -> None:
    layer, x = nn.MultiheadAttention(8, 2, batch_first=True), torch.randn(2, 3, 8)
    mask = nn.Transformer.generate_square_subsequent_mask(3)
    small = quantize_model(layer, {"in_proj_weight": "fp32"}, inputs="mxfp8_e4m3")
    rounded = nf.quantize(x, "mxfp8_e4m3")
    wanted = layer(rounded, rounded, rounded, attn_mask=mask)[0]
    torch.testing.assert_close(small(x, x, x, attn_mask=mask)[0], wanted)


def failing(model: nn.Module, batch: torch.Tensor) -> None:
    model(batch)
    raise KeyboardInterrupt


FAILURES = {
    "no values": lambda m: quantize_model(
        m.append(nn.Linear(10, 4, device="meta")), "e4m3", inplace=True
    ),
    "an axis": lambda m: quantize_model(
        m, {"0.weight": "mxfp4", "2.bias": "block<e2m1,block=4,axis=1>"}, inplace=True
    ),
    "no batch": lambda m: quantize_model(m, "e4m3", inputs="e4m3", calibration=[], inplace=True),
    "calibration": lambda m: quantize_model(
        m, "e4m3", inputs="e4m3", calibration=[torch.ones(1, 64)], call=failing, inplace=True
    ),
}


@pytest.mark.parametrize("name", FAILURES)
@pytest.mark.parametrize("first", [{}, {"0.bias": "e4m3"}], ids=["whole", "packed before"])
def test_a_failure_in_place_leaves_the_model_as_it_was(name: str, first: dict[str, str]) -> None:
    model, x = mlp(), torch.randn(4, 64)
    model = quantize_model(model, first, inplace=True) if first else model
    kept, flags = dict(model.named_parameters()), [p.requires_grad for p in model.parameters()]
    names, wanted = list(model.state_dict()), model(x)
    with pytest.raises((ValueError, KeyboardInterrupt)):
        FAILURES[name](model)
    model = model[:3]
    assert list(model.state_dict()) == names
    assert all(value is kept[key] for key, value in model.named_parameters())
    assert [p.requires_grad for p in model.parameters()] == flags
    assert torch.equal(model(x), wanted)
    assert torch.equal(quantize_model(model, {"2": "e4m3"})[0].weight, model[0].weight)


def test_scales_of_packed_weights_are_no_weights() -> None:
    small = quantize_model(mlp(), {"0": "e4m3"}, scaling=AmaxScaling(axis=0))
    both = quantize_model(small, "e2m1")
    assert torch.equal(both[0].weight, small[0].weight)
    assert torch.equal(both[2].weight, nf.quantize(small[2].weight.detach(), "e2m1"))
    assert [row.name for row in sensitivity(small, "e2m1", lambda m: 0.0).rows] == ["2.weight"]
    seen = analyze(small, [torch.randn(2, 64)], "e2m1")
    assert {module for module, _ in seen.observations} == {"2"}


def test_two_names_of_one_parameter_in_a_module_stay_one() -> None:
    model = nn.Module()
    model.first = nn.Parameter(torch.randn(4, 32))
    model.second = model.first
    small = quantize_model(model, "mxfp4")
    assert torch.equal(small.second, nf.quantize(model.first.detach(), "mxfp4"))
    assert torch.equal(small.first, small.second)
    assert storage(small).bytes == 4 * (16 + 1)


def test_analysis_sees_what_enters_by_keyword() -> None:
    found = analyze(Keywords(), [torch.randn(3, 64)], "e4m3")
    assert [row["elements"] for row in found.rows()] == [640, 3 * 64]


def distance(model: nn.Module, exact: dict[str, torch.Tensor]) -> float:
    return sum(
        float((value.double() - exact[name].double()).abs().sum())
        for name, value in model.named_parameters()
    )


def test_sensitivity_rounds_one_layer_at_a_time() -> None:
    model = mlp()
    exact = {name: value.detach().clone() for name, value in model.named_parameters()}
    found = sensitivity(model, ["e4m3", "mxfp4"], lambda m: distance(m, exact))
    assert found.base == 0
    for row in found.rows:
        weight = exact[row.name]
        assert row.increase == pytest.approx(noise(weight, row.format), rel=1e-12)
        expected = nf.error(weight, row.format)
        assert row.sqnr == pytest.approx(expected.sqnr)
        assert row.max_relative == pytest.approx(expected.max_relative)
    assert [(r.name, r.format) for r in found.rows] == [
        (n, f) for f in ("e4m3", "mxfp4") for n in ("0.weight", "2.weight")
    ]


def test_weights_come_back_when_the_loss_fails() -> None:
    model = mlp()
    before = model[0].weight.detach().clone()

    def loss(m: nn.Module) -> float:
        if not torch.equal(m[0].weight, before):  # type: ignore[index, arg-type]
            raise RuntimeError("no loss")
        return 0.0

    with pytest.raises(RuntimeError, match="no loss"):
        sensitivity(model, "e2m1", loss)
    assert torch.equal(model[0].weight, before)


def noise(x: torch.Tensor, fmt: str | None) -> float:
    return 0.0 if fmt is None else float((nf.quantize(x, fmt) - x).double().abs().sum())


CANDIDATES = ["bf16", "e4m3", "e2m1"]


@pytest.mark.parametrize("budget", [0.0, 0.5, 5.0, 60.0, 1e6])
def test_search_stays_within_the_budget_and_leaves_nothing_to_narrow(budget: float) -> None:
    """Against all combinations of 3 layers and 4 choices, measured one by one."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(16, 8), nn.Linear(8, 8), nn.Linear(8, 64))
    exact = {name: value.detach().clone() for name, value in model.named_parameters()}
    names = ["0.weight", "1.weight", "2.weight"]
    bits = {None: 32, "bf16": 16, "e4m3": 8, "e2m1": 4}
    cost = {
        (name, fmt): 0.0
        if fmt is None
        else float((nf.quantize(exact[name], fmt) - exact[name]).double().abs().sum())
        for name in names
        for fmt in bits
    }
    found = search_formats(model, CANDIDATES, lambda m: distance(m, exact), budget=budget)
    assert found.loss <= budget
    chosen = [found.formats.get(name) for name in names]
    texts = [None if fmt is None else str(fmt) for fmt in chosen]
    assert found.loss == pytest.approx(sum(cost[pair] for pair in zip(names, texts, strict=True)))
    size = {name: exact[name].numel() for name in names}
    total = sum(size[n] * bits[f] for n, f in zip(names, texts, strict=True))
    assert (found.bits, found.dense_bits) == (total, 32 * sum(size.values()))
    for at, other in itertools.product(range(3), bits):
        if bits[other] < bits[texts[at]]:
            tried = [*texts[:at], other, *texts[at + 1 :]]
            assert sum(cost[pair] for pair in zip(names, tried, strict=True)) > budget
    if budget == 1e6:
        assert texts == ["e2m1"] * 3


def test_a_budget_of_nothing_keeps_formats_that_lose_nothing() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    with torch.no_grad():
        model[0].weight.copy_(torch.eye(4))
    exact = {name: value.detach().clone() for name, value in model.named_parameters()}
    found = search_formats(model, ["e4m3", "e2m1"], lambda m: distance(m, exact), budget=0)
    assert {name: str(fmt) for name, fmt in found.formats.items()} == {"0.weight": "e2m1"}


def test_search_counts_the_bits_of_scales() -> None:
    """Linear 64 -> 32 and 32 -> 10: bytes of codes, and a float32 scale for each of 42 outputs."""
    scaling = AmaxScaling(axis=0)
    found = search_formats(mlp(), ["e4m3"], lambda m: 0.0, budget=1, scaling=scaling)
    assert found.bits == 8 * (2048 + 320) + 32 * 42
    rows = storage(quantize_model(mlp(), found.formats, scaling=scaling)).rows
    assert found.bits == 8 * sum(row.bytes for row in rows if row.format == "e4m3")


def test_search_leaves_what_a_mapping_leaves() -> None:
    among = {"*": "e4m3", "2": None}
    found = search_formats(mlp(), ["e4m3"], lambda m: 0.0, budget=1, among=among)
    assert list(found.formats) == ["0.weight"]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda m: quantize_model(m, {"fc": "e4m3"}), "'fc' matches no parameter; closest"),
        (
            lambda m: quantize_model(nn.Sequential(m, nn.BatchNorm1d(4)), {"Batch*": "e4m3"}),
            "one dimension; name the parameters: '1.weight', '1.bias'",
        ),
        (
            lambda m: quantize_model(nn.Linear(2, 2, device="meta"), "e4m3"),
            "has no values; load it first",
        ),
        (lambda m: quantize_model(m, "e4m4"), "e4m"),
        (lambda m: quantize_model(m, {1: "e4m3"}), "write a pattern"),
        (lambda m: quantize_model(m, "e4m3", rounding="stochastic"), "key=0"),
        (lambda m: quantize_model(m, "e4m3", calibration=[]), "inputs='e4m3'"),
        (lambda m: quantize_model(m, "e4m3", inputs="e4m3", calibration=[]), "no batch"),
        (lambda m: quantize_model(m, "e4m3", scaling=AmaxScaling(history=2)), "leave history out"),
        (
            lambda m: quantize_model(
                m, "e4m3", inputs="e4m3", input_scaling=AmaxScaling(axis=1), calibration=[1]
            ),
            "axis and history out",
        ),
        (
            lambda m: quantize_model(m, "e4m3", inputs="mxfp4", calibration=[1]),
            "leave calibration out",
        ),
        (lambda m: sensitivity(m, [], lambda m: 0.0), "at least one"),
        (lambda m: sensitivity(m, "e4m3", abs, rounding="stochastic"), "deterministic mode"),
        (
            lambda m: search_formats(m, ["e4m3"], abs, budget=1, rounding="stochastic"),
            "deterministic mode",
        ),
        (lambda m: search_formats(m, ["e4m3"], abs, budget=1, among=nf.E4M3), "write a pattern"),
        (lambda m: sensitivity(m, "e4m3", lambda m: float("nan")), "finite loss"),
        (lambda m: search_formats(m, ["e4m3"], lambda m: 0.0, budget=-1), "budget=-1"),
        (lambda m: search_formats(m, [], lambda m: 0.0, budget=1), "at least one"),
        (lambda m: quantize_model(nn.ReLU(), "e4m3"), "no floating-point parameter"),
    ],
)
def test_bad_input_is_refused_with_the_remedy(call, words: str) -> None:
    model = mlp()
    before = model[0].weight.detach().clone()
    with pytest.raises((TypeError, ValueError), match=words.replace("(", r"\(")):
        call(model)
    assert torch.equal(model[0].weight, before)


@pytest.mark.parametrize(
    "call",
    [
        lambda m: quantize_model(m, "e4m3"),
        lambda m: quantize_model(m, {"1": "e4m3"}, inplace=True),
        lambda m: quantize_model(m, {"1.weight": "e4m3"}),
        lambda m: sensitivity(m, "e4m3", lambda m: 0.0),
        lambda m: search_formats(m, ["e4m3"], lambda m: 0.0, budget=1),
        lambda m: analyze(m, [torch.ones(2, 3)], "e4m3"),
    ],
)
def test_layers_without_a_shape_are_named(call) -> None:
    model = nn.Sequential(nn.Linear(3, 5), nn.LazyLinear(4))
    with pytest.raises(ValueError, match=r"'1.weight' of a LazyLinear .* run the model on a batch"):
        call(model)
    assert quantize_model(model, {"0": "e4m3"})[0].weight.shape
    model(torch.ones(2, 3))
    assert torch.equal(
        quantize_model(model, "e4m3")[1].weight, nf.quantize(model[1].weight.detach(), "e4m3")
    )


def test_errors_name_the_weight() -> None:
    model = mlp()
    with pytest.raises(ValueError, match=r"^'0\.bias': scaling has axis=1, x has 1 dim"):
        quantize_model(model, {"*": "e4m3", "0.bias": "e4m3"}, scaling=AmaxScaling(axis=1))
    with torch.no_grad():
        model[2].weight[3, 4] = torch.nan
    with pytest.raises(ValueError, match=r"^'2\.weight': x holds NaN .* fixed<8,4> has no code"):
        quantize_model(model, "fixed<8,4>")


def test_one_parameter_with_two_formats_is_refused() -> None:
    with pytest.raises(ValueError, match="one parameter has two formats"):
        quantize_model(Tied(), {"head": "e4m3", "table": "e5m2"})


@pytest.mark.parametrize("wishes", [{"*": "e4m3", "table": None}, {"*": "e4m3", "head": None}])
def test_one_parameter_that_is_to_be_left_and_not_is_refused(wishes) -> None:
    with pytest.raises(ValueError, match=r"one parameter has two formats .*weight': None"):
        quantize_model(Tied(), wishes)
    with pytest.raises(ValueError, match=r"one parameter has two formats .*weight': None"):
        search_formats(Tied(), ["e4m3"], lambda m: 0.0, budget=1, among=wishes)
    left = quantize_model(Tied(), {"*": "e4m3", "table": None, "head": None})
    assert isinstance(left.head.weight, nn.Parameter)


def test_inputs_that_are_rounded_already_are_refused() -> None:
    small, x = quantize_model(mlp(), {"0.weight": "e4m3"}, inputs="e2m1"), torch.randn(4, 64)
    wanted = small(x)
    with pytest.raises(ValueError, match=r"'0' has an input_quantizer"):
        quantize_model(small, {"0.bias": "e4m3"}, inputs="e5m2", inplace=True)
    assert torch.equal(small(x), wanted)
    both = quantize_model(small, {"2": "e4m3"}, inputs="e5m2")
    assert [str(both[at].input_quantizer.ways[0].fmt) for at in (0, 2)] == ["e2m1", "e5m2"]
