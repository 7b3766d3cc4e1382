"""A specification is plain data; what cannot run is refused, and so is a change under a run."""

import json
import math
import threading
from itertools import product

import numpy as np
import pytest
import torch

from samplers import ChainSpec, Precision, SampleStore, run_chain, run_folder
from samplers.run_folder import keep_spec
from samplers.spec import precision_of
from tests.samplers.chain_cases import arrays, halving, spec, two_parts
from tests.samplers.test_chain import plain_samples


def linear():
    return torch.nn.Linear(4, 3)


def test_a_specification_is_equal_after_json(tmp_path):
    rules = (("*norm*", None), (3, Precision("e4m3")))
    run = spec(tmp_path, precision=Precision("perchannel<8>", "mxfp4", "low", rules=rules))
    again = ChainSpec(**json.loads(json.dumps(run.to_json())))
    assert again == run
    assert run.model == "tests.samplers.chain_cases:network"
    assert precision_of(run.precision) == Precision("perchannel<8>", "mxfp4", "low", rules=rules)


def test_one_precision_makes_one_specification(tmp_path):
    """However it is written: a run from a file goes on from Python."""
    rules = (("*norm*", None), (0, Precision("bf16")))
    whole = spec(tmp_path, precision=Precision("e4m3", accumulator="low", rules=rules))
    short = {"weight": " E4M3 ", "accumulator": "low", "rules": [["*norm*", None]]}
    short["rules"].append([0, {"weight": torch.bfloat16}])
    assert spec(tmp_path, precision=short) == whole


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


def test_of_two_that_begin_at_once_one_is_refused(tmp_path, monkeypatch):
    """The second one comes while the first one, which found an empty folder, writes."""
    one, other = spec(tmp_path / "run"), spec(tmp_path / "run", seed=6)
    SampleStore(one.folder).prepare()
    refused = []

    def begin_other():
        try:
            keep_spec(other)
        except ValueError as error:
            refused.append(str(error))

    second = threading.Thread(target=begin_other)
    real = run_folder.replace_json

    def write(path, content):
        if not second.ident:
            second.start()
            second.join(0.2)
        real(path, content)

    monkeypatch.setattr(run_folder, "replace_json", write)
    keep_spec(one)
    second.join()
    assert len(refused) == 1
    assert "seed=5 (now 6)" in refused[0]


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
        ({"model": lambda: None}, "model=.*no name that a new process could import"),
        ({"precision": {"weight": "e9m9x"}}, "e9m9x"),
        ({"precision": {"accumulator": "low"}}, "weight is None"),
        ({"precision": "e4m3"}, "precision='e4m3'; write a mapping"),
        ({"precision": {"rules": [["*", "e4m3"]]}}, "precision='e4m3'; write a mapping"),
        ({"precision": {"rules": ["*"]}}, "write a list of pairs"),
        ({"options": None}, "options=None; write a mapping"),
        ({"model_options": None}, "model_options=None; write a mapping"),
        ({"replacement": "false"}, "replacement='false' is of type str; write True or False"),
        ({"replacement": 1}, "replacement=1 is of type int; write True or False"),
        ({"exploration": "0.5"}, "exploration='0.5'"),
        ({"exploration": True}, "exploration=True"),
        ({"device": "gpu"}, "device='gpu'"),
        ({"device": None}, "device=None"),
        ({"optimizer": torch.optim.SGD}, "write its name"),
        ({"seed": -1}, "seed=-1; write at least 0"),
        ({"seed": 1 << 64}, "seed=18446744073709551616"),
        ({"chain": -1}, "chain=-1; write at least 0"),
        ({"cycles": 0}, "cycles=0; write at least 1"),
        ({"precision": Precision("e4m3", rules=((lambda n, t: True, None),))}, "predicate"),
    ],
)
def test_a_specification_that_cannot_run_is_refused(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        spec(tmp_path, **changes)


WHOLE = [
    "steps", "batch_size", "burn_in", "thinning", "cycles", "checkpoint_every", "seed", "chain",
    "threads",
]  # fmt: skip


@pytest.mark.parametrize("name", WHOLE)
def test_numbers_are_whole_and_become_those_of_python(tmp_path, name):
    for value in (1.5, 2.0, True, "2", math.nan, np.float32(2), np.True_):
        with pytest.raises(ValueError, match=rf"{name}=.* write an int, for example {name}=int"):
            spec(tmp_path, **{name: value})
    same = spec(tmp_path, **{"steps": 40, name: np.int64(8)})
    assert type(getattr(same, name)) is int
    assert ChainSpec(**json.loads(json.dumps(same.to_json()))) == same


def test_a_folder_is_a_path():
    with pytest.raises(ValueError, match="folder=None; write a path"):
        spec(None)


def test_a_specification_in_cycles_that_keeps_no_sample_is_refused(tmp_path):
    """Exactly those without a kept step, after the definition of the kept steps."""
    shares = (0.0, 0.3, 0.5, 0.7)
    refused = 0
    for steps, cycles, thinning, share in product((5, 7, 11), (2, 3, 4), (1, 2, 4, 9), shares):
        for burn_in in range(steps):
            wanted = {"burn_in": burn_in, "thinning": thinning, "cycles": cycles}
            wanted |= {"steps": steps, "exploration": share}
            try:
                spec(tmp_path, **wanted)
            except ValueError as error:
                refused += "keep no sample" in str(error)
                assert not plain_samples(**wanted)
            else:
                assert plain_samples(**wanted)
    assert refused > 50


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"model": "no.such:model"}, "no.such:model"),
        ({"optimizer": "SGDX"}, "samplers:SGDX"),
        ({"batch_size": 51}, "batch_size=51, but the data have 50"),
        ({"data": two_parts}, r"\(3, 4\), \(2,\)"),
        ({"data": arrays}, r"two tensors.*torch\.from_numpy"),
        ({"data": linear}, "gave a Linear"),
        ({"options": {"lr": -1}}, "lr=-1"),
        ({"device": "cuda:77"}, "device='cuda:77' cannot be used here"),
        ({"options": {"lr": 1, "temprature": 1}}, "temprature"),
    ],
)
def test_what_cannot_be_built_leaves_no_folder(tmp_path, changes, message):
    with pytest.raises((ValueError, TypeError), match=message):
        run_chain(spec(tmp_path / "new", **changes))
    assert not (tmp_path / "new").exists()
