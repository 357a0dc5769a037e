# `make demo` and `make test` set up .venv on first use; everything comes from the package index.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test check setup clean

setup: .venv/installed

.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

demo: setup
	$(BIN)/cema run quickstart --out results/demo --force

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: check
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal

clean:
	rm -rf .venv build *.egg-info
