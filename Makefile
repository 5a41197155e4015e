# Every target works from a fresh clone: the environment is made from requirements.lock, by hash, the first time and
# whenever the lock changes. Needs nothing but make and Python 3.11 or newer.

PYTHON ?= python3
BIN := .venv/bin
ENV := .venv/.project-installed
PEERS := tests/bench/.venv

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test mutate fuzz bench lint format reference lock clean

help:  ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

demo: $(ENV)  ## policies stopping orders on real data, in a backtest and in a paper run
	$(BIN)/mqk demo

test: $(ENV)  ## the whole test suite
	$(BIN)/pytest -n 2

mutate: $(ENV)  ## every small mistake in the shipped policies, each noticed by a case or proven to be none
	$(BIN)/mqk policy test --mutate --min-coverage 100% policies

fuzz: $(ENV)  ## every backend on a million generated policies and facts; diff on ten thousand pairs of policies; books against market
	$(BIN)/python -m tests.fuzz $(FUZZ)

bench: $(ENV) $(PEERS)/.installed  ## generated guards against hand-written ones and other engines; bars per second
	$(BIN)/python -m tests.bench

lint: $(ENV)  ## style, formatting, types and the floors of the architecture
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict
	$(BIN)/lint-imports
	$(BIN)/mqk policy fmt --check policies

format: $(ENV)  ## rewrite the sources in the house format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/mqk policy fmt policies

reference: $(ENV)  ## write the pages of facts, expressions, kinds and diagnostics anew
	$(BIN)/mqk reference --out schemas/reference

lock: $(ENV)  ## resolve pyproject.toml again into requirements.lock: names, versions, hashes
	$(BIN)/uv pip compile --quiet --all-extras --generate-hashes --no-header --no-annotate --universal --python-version 3.11 \
		--upgrade pyproject.toml -o requirements.lock

clean:  ## stop the database of this checkout, remove what was built and the environment
	if [ -x $(BIN)/mqk ]; then for dir in .mqk .mqk/demo; do $(BIN)/mqk db stop --data-dir $$dir; done; fi
	rm -rf .mqk .venv $(PEERS) build dist tests/editor/node_modules .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --no-deps: the lock is complete, so pip has nothing to resolve. --no-compile: only what is imported gets compiled.
.venv/.lock-installed: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit("mqk needs Python 3.11 or newer, and this is %d.%d: make PYTHON=..." % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --root-user-action ignore --no-compile \
		--no-deps --require-hashes -r requirements.lock
	@touch $@

$(ENV): pyproject.toml .venv/.lock-installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --root-user-action ignore \
		--no-deps --no-build-isolation -e .
	@touch $@

# The peers of the benchmark, whose needs must not mix with ours. Without them it is run all the same.
$(PEERS)/.installed: tests/bench/requirements.lock
	$(PYTHON) -m venv --clear $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --root-user-action ignore --no-compile \
		--no-deps --require-hashes -r $< && touch $@ || echo "the peers of the benchmark could not be installed: they are left out"
