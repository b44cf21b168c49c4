# One command each: `make demo` plays the sample suites on the stand-in, `make test` runs the tests.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: setup demo test check lint types schemas clean

setup: $(READY)

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $(READY)

demo: $(READY)
	$(BIN)/evalkit run --via stand-in

test: $(READY)
	$(BIN)/python -m pytest

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

schemas: $(READY)
	mkdir -p .schema
	$(BIN)/evalkit schema suite > .schema/suite.json
	$(BIN)/evalkit schema voice > .schema/voice.json

check: test lint types

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache
