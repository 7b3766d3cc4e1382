# Every target sets up what it needs in .venv; a fresh machine needs Python >= 3.11 and nothing else.
.DEFAULT_GOAL := help
SHELL := /bin/bash

IS_NEW_ENOUGH := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	$$p -c '$(IS_NEW_ENOUGH)' 2>/dev/null && command -v $$p && break; done)
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
INSTALL := PIP_CONSTRAINT=constraints.txt $(PIP) install --quiet
PACKAGES := numformats samplers
WORKERS ?= 2

.PHONY: help setup demo test sampler-tests lint format docs mutants bench bench-engines bench-simulate evidence floors gpu-check wheel clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 12

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "no Python >= 3.11 with venv found: write make PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed-demo: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) -e '.[demo]'
	@touch $@

$(VENV)/.installed-all: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) -e '.[demo,test,test-cuda,test-engines,test-browser,lint,docs]'
	@touch $@ $(VENV)/.installed-demo

setup: $(VENV)/.installed-all  ## make .venv with everything for work on the project

demo: $(VENV)/.installed-demo  ## run the main job, samplers compare, into demo/
	$(BIN)/samplers compare --out demo $(ARGS)

test: setup  ## run the tests
	$(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal $(ARGS)

sampler-tests: setup  ## run the laws of the samplers alone: closed forms, exact chains, resume, predictions
	$(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal -m law --durations 10 $(ARGS)

FLOORS ?= tests/torch tests/commands tests/samplers/test_*.py tests/test_formats.py tests/test_langevin.py
floors:  ## tests with the oldest releases that pyproject.toml asks for (fetches a torch of several GB)
	$(PYTHON) -m venv $(VENV)-floors
	$(VENV)-floors/bin/python -m pip install --quiet uv
	VIRTUAL_ENV=$(VENV)-floors $(VENV)-floors/bin/uv pip install --quiet --resolution lowest-direct -e '.[torch,report,test]'
	$(VENV)-floors/bin/python -m pytest -q -n $(WORKERS) $(FLOORS) $(ARGS)

lint: setup  ## ruff, mypy --strict and the import layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict $(PACKAGES)
	$(BIN)/lint-imports

docs: setup  ## build the site, strictly, into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

mutants: setup  ## inject faults into the samplers and print the share that the tests catch
	$(BIN)/python -m tests.mutants $(ARGS)

format: setup  ## let ruff rewrite what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup  ## measure rounding beside a plain copy, Langevin steps, matrix products
	$(BIN)/python -m benchmarks.rounding $(ARGS)
	$(BIN)/python -m benchmarks.langevin
	$(BIN)/python -m benchmarks.samplers
	$(BIN)/python -m benchmarks.engines
	$(BIN)/python -m benchmarks.simulate

bench-engines: setup  ## measure matrix products on simulated units
	$(BIN)/python -m benchmarks.engines $(ARGS)

evidence: setup  ## compare every matrix unit with MMA-Sim's instructions, at length
	$(BIN)/python -m tests.engines.evidence $(ARGS)

bench-simulate: setup  ## measure training steps under simulate()
	$(BIN)/python -m benchmarks.simulate $(ARGS)

$(VENV)/.installed-gpu: $(VENV)/.installed-all
	$(INSTALL) -e '.[cuda13]'
	@touch $@

# WITH=python3: with the packages of that Python, without installing anything
gpu-check: $(if $(WITH),,$(VENV)/.installed-gpu)  ## on a machine with a GPU: the same bits on both backends, then their speed, into gpu-check/
	$(or $(WITH),$(BIN)/python) -m benchmarks.gpu_check --out gpu-check $(ARGS)

$(VENV)/.installed-package: pyproject.toml constraints.txt | $(BIN)/python
	$(INSTALL) -e '.[package]'
	@touch $@

wheel: $(VENV)/.installed-package  ## build the sdist, and from it the wheel, into dist/, and check both
	rm -rf dist
	PIP_CONSTRAINT=$(CURDIR)/constraints.txt $(BIN)/python -m build --outdir dist . > /dev/null
	$(BIN)/python -m twine check --strict dist/*

clean:  ## remove everything that a target made
	rm -rf $(VENV) $(VENV)-floors demo dist site gpu-check .pytest_cache .hypothesis .mypy_cache .ruff_cache .import_linter_cache
