"""Both commands: help with examples, completion, refusals in one line."""

from __future__ import annotations

import pytest
import typer.main
from typer.testing import CliRunner

import numformats.cli
import samplers.cli

APPS = {"numformats": numformats.cli.app, "samplers": samplers.cli.app}
COMMANDS = [(n, name) for n, app in APPS.items() for name in typer.main.get_command(app).commands]


def run(app, *arguments, env=None):
    return CliRunner().invoke(
        APPS[app], list(arguments), prog_name=app, env={"COLUMNS": "160", **(env or {})}
    )


@pytest.mark.parametrize("app, command", COMMANDS)
def test_help_has_an_example(app, command):
    done = run(app, command, "--help")
    assert done.exit_code == 0
    assert f"{app} {command}" in done.stdout.partition("Example")[2]


@pytest.mark.parametrize("app", APPS)
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_offered(app, shell):
    variable = f"_{app.upper()}_COMPLETE"
    assert variable in run(app, env={variable: f"source_{shell}"}).stdout


@pytest.mark.parametrize(
    "words, wanted", [("samplers ", "report"), ("samplers compare --simulation e", "exact")]
)
def test_completion_knows_commands_and_values(words, wanted):
    env = {"_SAMPLERS_COMPLETE": "complete_bash", "COMP_WORDS": words}
    done = run("samplers", env={**env, "COMP_CWORD": str(words.count(" "))})
    assert wanted in done.stdout.split()


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["bogus"], ["bogus", "--help"]),
        (["--bogus"], ["--bogus", "--help"]),
        (["compare", "--bogus"], ["--bogus", "samplers compare --help"]),
        (["compare", "--steps"], ["--steps", "samplers --help"]),
        (["compare", "--steps", "a"], ["--steps", "integer", "samplers compare --help"]),
        (["report"], ["argument", "samplers report --help"]),
    ],
)
def test_what_is_no_command_line_is_refused_in_one_line(arguments, words):
    done = run("samplers", *arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    (line,) = done.stderr.strip().splitlines()
    for word in words:
        assert word in line


def test_a_missing_argument_is_named():
    """In capitals or not, by Typer's release."""
    assert "missing argument 'folder';" in run("samplers", "report").stderr.lower()


def test_numformats_refuses_alike():
    done = run("numformats", "show")
    assert (done.exit_code, done.stdout) == (2, "")
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("app", APPS)
def test_without_arguments_it_shows_its_help(app):
    assert "Usage" in run(app).output
