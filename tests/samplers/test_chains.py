"""Several chains at once give what each gives alone, however the work was shared or cut short."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import filelock
import pytest

from samplers import SampleStore, run_chain, run_chains
from samplers.chains import run_local
from samplers.run_folder import load_checkpoint
from samplers.sample_index import chain_folder
from tests.conftest import ROOT
from tests.samplers import chain_cases as cases
from tests.samplers.chain_cases import spec


def chains(folder, count=3, **changes):
    return [spec(folder, chain=chain, **changes) for chain in range(count)]


def contents(folder):
    return [(e.chain, e.step, e.sha256) for e in SampleStore(folder).entries]


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    folder = tmp_path_factory.mktemp("alone")
    for one in chains(folder):
        run_chain(one)
    return folder


def test_one_specification_stands_for_itself_and_others_are_refused(tmp_path, alone):
    assert run_chains(spec(tmp_path), progress=False) == [tmp_path]
    assert contents(tmp_path) == contents(alone)[: len(contents(tmp_path))] != []
    with pytest.raises(TypeError, match=r"5 is of type int; write ChainSpecs"):
        run_chains([spec(tmp_path), 5])


def test_the_bar_counts_the_steps_of_all_chains(tmp_path, alone, capfd):
    run_chain(chains(tmp_path)[1])
    told = []

    def engine(specs, workers, progress):
        def both(number, done):
            told.append((number, done))
            progress(number, done)

        return run_local(specs, workers, both)

    assert run_chains(chains(tmp_path), engine, processes=1) == [tmp_path] * 3
    assert contents(tmp_path) == contents(alone)
    assert told == [
        *((0, done) for done in range(28)),
        (1, 27),  # finished before
        *((2, done) for done in range(28)),
    ]
    assert "3 chain(s): 100%" in capfd.readouterr().err
    run_chains(chains(tmp_path), processes=1, progress=False)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("processes", [1, 2])
def test_a_chain_that_fails_is_named_and_the_others_finish(tmp_path, alone, processes, capfd):
    specs = [*chains(tmp_path / "good"), spec(tmp_path / "bad", data="tests.samplers:nothing")]
    with pytest.raises(ValueError, match="nothing") as error:
        run_chains(specs[::-1], processes=processes)
    assert any("chain 0 of" in note and "bad" in note for note in error.value.__notes__)
    assert contents(tmp_path / "good") == contents(alone)
    assert "81/108" in capfd.readouterr().err


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="kills a process")
def test_a_process_that_dies_takes_its_own_chain_alone(tmp_path, alone):
    """Two of five die, one after the other on either side of the chains that finish."""
    first, last = (spec(tmp_path / part, data=cases.Killing) for part in ("first", "last"))
    with pytest.raises(RuntimeError, match=r"middle of the chain \(signal 9, Killed\)") as error:
        run_chains([first, *chains(tmp_path / "good"), last], processes=2, progress=False)
    assert contents(tmp_path / "good") == contents(alone)
    own, other = error.value.__notes__
    assert own == f"chain 0 of {first.folder!r}"
    assert other.startswith(f"chain 0 of {last.folder!r} failed too: RuntimeError: its process")


def test_every_exception_comes_back_from_its_process(tmp_path, alone):
    """As an object of its own, whose cause is the traceback there."""
    kinds = (cases.odd, cases.unpicklable, cases.leaving, cases.odd)
    bad = [spec(tmp_path / "bad", data=kind, chain=chain) for chain, kind in enumerate(kinds)]
    seen = {}

    def engine(*arguments):
        seen.update(run_local(*arguments))
        return seen

    with pytest.raises(RuntimeError, match="OddError: odd 1 2"):
        run_chains([*bad, *chains(tmp_path / "good")], engine, processes=2, progress=False)
    assert contents(tmp_path / "good") == contents(alone)
    texts = [
        "OddError: odd 1 2",
        "ValueError: holds a function",
        "SystemExit: 3",
        "OddError: odd 1 2",
    ]
    assert [str(seen[n]).removeprefix("tests.samplers.chain_cases.") for n in range(4)] == texts
    for number, kind in enumerate(kinds):
        assert f"in {kind.__name__}" in str(seen[number].__cause__)
        assert seen[number].__notes__[0] == f"chain {number} of {bad[number].folder!r}"


PARENT = """
import sys
from samplers import run_chains
from tests.samplers.test_chains import LONG, chains
if __name__ == "__main__":
    run_chains(chains(sys.argv[1], 2, **LONG), processes=2)
"""
LONG = {"steps": 400, "checkpoint_every": 20, "thinning": 50}


def test_processes_end_with_the_one_that_started_them(tmp_path):
    """SIGKILL of the parent: its workers let go of their chains, which then go on elsewhere."""
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    folder = tmp_path / "run"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, script, folder], cwd=ROOT, env=environment) as parent:
        deadline = time.monotonic() + 120
        while len(list(folder.glob("chain-*/checkpoint.pt"))) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        parent.send_signal(signal.SIGKILL)
    done = []
    for one in chains(folder, 2, **LONG):
        with filelock.FileLock(chain_folder(folder, one.chain) / "lock", timeout=60):
            done.append(load_checkpoint(one)["done"])
    assert min(done) < LONG["steps"]  # else the orphans have gone on to the end
    for chain in (0, 1):
        run_chain(spec(folder, chain=chain, **LONG))
    for chain in (0, 1):
        run_chain(spec(tmp_path / "whole", chain=chain, **LONG))
    assert contents(folder) == contents(tmp_path / "whole")


def test_bad_requests_are_refused(tmp_path):
    with pytest.raises(ValueError, match="at least one"):
        run_chains([])
    one = spec(tmp_path)
    with pytest.raises(ValueError, match="came twice"):
        run_chains([one, replace(one, seed=3)])
    with pytest.raises(ValueError, match="came twice"):
        run_chains([one, replace(one, folder=str(tmp_path / "b" / ".."))])
    with pytest.raises(ValueError, match=r"'rays'.*'local'"):
        run_chains([one], "rays")
    for processes in (0, -1, 1.5):
        with pytest.raises(ValueError, match=f"processes={processes}"):
            run_chains([one], processes=processes)
    assert not list(tmp_path.iterdir())
