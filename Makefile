# SignalDesk in two commands: `make up` and `make test`. Everything lands in .venv; nothing else is touched.

VENV    := .venv
BIN     := $(VENV)/bin
READY   := $(VENV)/.ready
WORKERS ?= 2
ARGS    ?=
SOAK    ?= 25

MAKEFLAGS += --no-print-directory --no-builtin-rules
SHELL     := /bin/sh
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# What Python has compiled is kept, also where the environment says otherwise: every process would do it anew.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.SILENT:
.PHONY: up test check lint format soak bench notebooks clean help
.DELETE_ON_ERROR:

up: $(READY)  ## Start everything and serve http://localhost:5006 (ARGS="--demo" for a lively example)
	$(BIN)/signaldesk up $(ARGS)

test: $(READY)  ## Run all tests: style, types, the import contract and everything else (ARGS="-k rules")
	$(BIN)/python -m compileall -q signaldesk apps tests/support
	$(BIN)/python -m pytest -q -n $(WORKERS) --dist worksteal $(ARGS)

check: test  ## The same as `make test`: all that CI runs

lint: $(READY)  ## Only style, types and the import contract
	$(BIN)/ruff check --quiet
	$(BIN)/ruff format --check --quiet
	$(BIN)/mypy --no-error-summary
	said=$$($(BIN)/lint-imports --no-logo) || { echo "$$said"; exit 1; }
	echo "Style, types and the import contract are in order."

format: $(READY)  ## Bring the code into the project's style
	$(BIN)/ruff check --quiet --fix
	$(BIN)/ruff format --quiet

LONG := tests/faults tests/integration/test_flights.py tests/integration/engine/test_oracle.py \
	tests/integration/engine/test_alert_life.py tests/integration/web/test_bad_input.py tests/unit
soak: $(READY)  ## Break things for longer than `make test` does (SOAK=25 times as long)
	SIGNALDESK_TEST_SOAK=$(SOAK) $(BIN)/python -m pytest -q $(LONG) $(ARGS)

bench: $(READY)  ## Measure what docs/benchmarks.md promises (ARGS="--help" says what there is)
	$(BIN)/python -m tests.bench $(ARGS)

notebooks: $(READY)  ## Run the notebooks and write their outputs (ARGS="02" for some)
	$(BIN)/python -m tests.notebooks $(ARGS)

clean:  ## Remove .venv and everything that can be made again; data is kept
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -not -path './node_modules/*' -prune -exec rm -rf {} +

help:  ## Show this
	awk -F ':.*  ## ' '/^[a-z]+:.*  ## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	echo "  PYTHON=…       the Python that .venv is made with (3.11 or newer)"

# .venv is made once, and brought up to date whenever pyproject.toml has changed.
$(READY): pyproject.toml
	PYTHON="$(PYTHON)" .ci/setup $(VENV)
	touch $@
