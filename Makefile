# One command each: `make demo` plays the sample suites on the stand-in, `make test` runs the tests.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: setup demo test clients agreement check lint types schemas faults bench shape gate-simulation gate-end-to-end clean

setup: $(READY)

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $(READY)

demo: $(READY)
	$(BIN)/evalkit run --via stand-in

test: $(READY)
	$(BIN)/python -m pytest -n auto

# Other people's programs: clients of the API, unmodified, against the stand-in (older SDKs, TypeScript, llm,
# pydantic-ai), and actionlint over the workflows that `init --ci` writes. The first time they are installed into
# pytest's cache (about a minute); tests whose program can't be had are skipped.
clients: $(READY)
	$(BIN)/python -m pytest -m clients

# Every fault in 30 % of all requests of 200 trials, and fifty kills: prints what became of them. Five to ten minutes.
faults: $(READY)
	FAULT_TRIALS=200 FAULT_KILLS=50 $(BIN)/python -m pytest tests/faults -s

# What a reply costs the client beside the SDK's helper, what scoring stored replies again costs, how a run keeps a
# rate limit, and whether 500 customers of the README's endpoint are all answered. About five minutes.
bench: $(READY)
	$(BIN)/python -m tests.bench.engine_cost
	$(BIN)/python -m tests.bench.rescore
	$(BIN)/python -m tests.bench.rate_limits
	$(BIN)/python -m tests.bench.endpoint

# The shape of the code in figures: files, lines, import lines, private functions used once.
shape: $(READY)
	$(BIN)/python -m tests.bench.shape

# Needs the folder with the recorded verdicts of other checkers: EVALKIT_AGREEMENT_DATA=DIR make agreement
agreement: $(READY)
	$(BIN)/python -m pytest tests/agreement

# The gate against made-up suites, 1,000 decisions a cell, beside its goals. Under ten minutes on two cores.
gate-simulation: $(READY)
	$(BIN)/python -m tests.simulation.gate_simulation

# The gate on the sample project: 200 runs of the live version and 50 of each weaker one, against baselines of their own.
# About half an hour on two cores.
gate-end-to-end: $(READY)
	$(BIN)/python -m tests.bench.gate_end_to_end

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

schemas: $(READY)
	mkdir -p .schema
	$(BIN)/evalkit schema suite > .schema/suite.json
	$(BIN)/evalkit schema voice > .schema/voice.json
	$(BIN)/evalkit schema stand-in > .schema/stand-in.json
	$(BIN)/evalkit schema reference > docs/reference.md

check: test lint types

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache
