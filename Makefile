# Everything happens in .venv; nothing outside this folder and pip's cache is touched.
PYTHON ?= python3
VENV   ?= .venv
# Where a default torch would bring CUDA libraries (several GB), ask for the CPU build:
#   make demo TORCH_INDEX=https://download.pytorch.org/whl/cpu
TORCH_INDEX ?=
TORCH_FLAGS  = $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX),)
SEED ?= 0
OUT  ?= runs/quickstart$(if $(filter-out 0,$(SEED)),-seed$(SEED),)
BIN   = $(VENV)/bin
PIP   = $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test test-medium test-all lint docs chaos bench clean

demo: $(VENV)/.installed
	$(BIN)/echochamber study quickstart seeds=[$(SEED)] --out $(OUT)

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest

test-medium: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -m "medium and not slow and not gpu and not browser"

test-all: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -m "not gpu"
	ECHOCHAMBER_CHECK_EVERY_CALL=1 $(BIN)/python -m pytest tests/data  # with the types of texts' generators

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check echochamber tests benchmarks examples
	$(BIN)/ruff format --check echochamber tests benchmarks examples
	$(BIN)/mypy
	$(BIN)/lint-imports

# Writes build/site; any warning ends it.
docs: $(VENV)/.installed-docs
	$(BIN)/python benchmarks/docs_site.py

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; this is " + sys.version.split()[0] + ". Set PYTHON=python3.12, for example.")'
	$(PYTHON) -m venv $(VENV)

# torch first and alone, so that the choice of index concerns nothing else.
$(VENV)/.torch: $(VENV)/bin/python constraints.txt
	$(PIP) $(TORCH_FLAGS) torch
	@touch $@

$(VENV)/.installed: $(VENV)/.torch pyproject.toml
	$(PIP) --editable .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(PIP) --editable '.[dev]'
	@touch $@

$(VENV)/.installed-docs: $(VENV)/.installed
	$(PIP) --editable '.[docs]'
	@touch $@

# Random faults for ten minutes; see benchmarks/chaos.py.
chaos: $(VENV)/.installed-dev
	$(BIN)/python benchmarks/chaos.py --seconds 600

bench: $(VENV)/.installed-dev
	$(BIN)/echochamber bench --out runs/bench

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
