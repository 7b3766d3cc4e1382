"""A specification is plain data; what cannot run is refused, and so is a change under a run."""

import json
import math

import pytest
import torch

from samplers import ChainSpec, Precision, run_chain
from samplers.run_folder import keep_spec
from samplers.spec import precision_of
from tests.samplers.chain_cases import halving, spec, two_parts


def linear():
    return torch.nn.Linear(4, 3)


def test_a_specification_is_equal_after_json(tmp_path):
    rules = (("*norm*", None), (3, Precision("e4m3")))
    run = spec(tmp_path, precision=Precision("perchannel<8>", "mxfp4", "low", rules=rules))
    again = ChainSpec(**json.loads(json.dumps(run.to_json())))
    assert again == run
    assert run.model == "tests.samplers.chain_cases:network"
    assert precision_of(run.precision) == Precision("perchannel<8>", "mxfp4", "low", rules=rules)


CHANGES = [
    ({"options": {"lr": 0.2, "weight_decay": 1e-3}}, r"options\.lr=0\.1 \(now 0\.2\)"),
    ({"precision": None}, r"precision\.weight='fixed<8,5>' \(now None\)"),
    ({"seed": 6}, r"seed=5 \(now 6\)"),
    ({"steps": 30}, r"steps=27 \(now 30\)"),
    ({"model": linear}, "network"),
    ({"batch_size": 4}, "batch_size"),
]


@pytest.mark.parametrize("changes, message", CHANGES)
@pytest.mark.parametrize("chain", [0, 1])
def test_another_specification_in_the_folder_is_refused(finished, changes, message, chain):
    with pytest.raises(ValueError, match=message):
        run_chain(spec(finished, chain=chain, **changes))
    assert not (finished / "chain-00001").exists()


def test_a_specification_that_came_meanwhile_is_refused(finished):
    """What a second process finds that began before the first one had written its own."""
    with pytest.raises(ValueError, match="seed=5"):
        keep_spec(spec(finished, seed=6))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    run_chain(spec(folder))
    return folder


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"steps": 0}, "steps=0"),
        ({"thinning": 28, "cycles": None}, "thinning=28 keeps no sample"),
        ({"burn_in": 27}, "burn_in=27"),
        ({"cycles": 28}, "cycles=28"),
        ({"exploration": 0.95}, "no sampling step"),
        ({"options": {}}, "write lr"),
        ({"schedule": halving}, "both set the step size"),
        ({"options": {"lr": 0.1, "seed": 1}}, "fields of the specification"),
        ({"options": {"lr": torch.ones(1)}}, "no plain data"),
        ({"options": {"lr": math.nan}}, "no plain data"),
        ({"model": lambda: None}, "no name that a new process could import"),
        ({"precision": {"weight": "e9m9x"}}, "e9m9x"),
        ({"precision": {"accumulator": "low"}}, "weight is None"),
        ({"precision": Precision("e4m3", rules=((lambda n, t: True, None),))}, "predicate"),
    ],
)
def test_a_specification_that_cannot_run_is_refused(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        spec(tmp_path, **changes)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"model": "no.such:model"}, "no.such:model"),
        ({"optimizer": "SGDX"}, "samplers:SGDX"),
        ({"batch_size": 51}, "batch_size=51, but the data have 50"),
        ({"data": two_parts}, r"\(3, 4\), \(2,\)"),
        ({"data": linear}, "gave a Linear"),
        ({"options": {"lr": -1}}, "lr=-1"),
        ({"options": {"lr": 1, "temprature": 1}}, "temprature"),
    ],
)
def test_what_cannot_be_built_leaves_no_folder(tmp_path, changes, message):
    with pytest.raises((ValueError, TypeError), match=message):
        run_chain(spec(tmp_path / "new", **changes))
    assert not (tmp_path / "new").exists()
