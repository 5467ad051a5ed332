# Every target is what a person could type. PYTHON is the interpreter that makes the environment.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: help demo test test-all check format gpu-check clean

help:
	@echo "make demo       install, then export, measure, search and report on built-in defaults"
	@echo "make test       install with the dev extra, then run the whole test suite"
	@echo "make test-all   the test suite with the slow tests"
	@echo "make check      ruff, mypy --strict and import-linter"
	@echo "make gpu-check  all that needs an NVIDIA GPU, by GPU_PYTHON: .venv's, else PYTHON"
	@echo "make clean      remove the environment and everything generated"

# torch comes first: no other package may choose its build.
.venv/installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) torch
	$(PIP) -e .
	touch $@

.venv/installed-dev: .venv/installed
	$(PIP) -e '.[dev]'
	touch $@

demo: .venv/installed
	$(BIN)/python -m nasprof demo

# Two processes, each a file at a time: what a file measures together stays together.
TWO := -n 2 --dist loadfile

test: .venv/installed-dev
	$(BIN)/python -m pytest $(TWO) -m "not slow and not gpu"

test-all: .venv/installed-dev
	$(BIN)/python -m pytest $(TWO) -m "not gpu"

GPU_PYTHON ?= $(or $(wildcard $(BIN)/python),$(PYTHON))

# On a machine without network: the torch with CUDA that lies there, so no environment is made.
gpu-check:
	$(GPU_PYTHON) benchmarks/gpu_check.py

check: .venv/installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/installed-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf .venv build dist nasprof-demo nasprof-report .mypy_cache .ruff_cache .pytest_cache *.egg-info
