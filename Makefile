# From a fresh Debian or Ubuntu: `make demo` and `make test` install what they need, then do their job.
# PYTHON=python3.12 chooses the interpreter; PROFILE=name uses that AiiDA profile of yours instead of one in here.

PYTHON ?= python3
BIN := .venv/bin

ifdef PROFILE
export AIIDA_FOUNDRY_PROFILE := $(PROFILE)
else
export AIIDA_PATH := $(CURDIR)
endif
export OMP_NUM_THREADS ?= 1
export PATH := $(CURDIR)/$(BIN):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help packages setup demo test test-stack check docs lock clean

help:
	@echo 'make demo    GW gaps and excitons of silicon, from a CIF file to figures (demo-output/)'
	@echo 'make test    the checks and the whole test suite, with the real engines'
	@echo 'make test-stack  campaigns on PostgreSQL, RabbitMQ and Slurm over SSH, of packages that it installs'
	@echo 'make check   ruff, mypy, import-linter and the documentation, warnings as errors'
	@echo 'make docs    the documentation (docs/build/html)'
	@echo 'make setup   only what the others need: system packages and .venv'
	@echo 'make lock    requirements.lock from pyproject.toml (UPGRADE=1 takes newer versions)'
	@echo 'make clean   remove what was built; the AiiDA profile in .aiida stays'

packages:
	@scripts/install-packages $(PYTHON)

setup: packages .venv/.installed

.venv/.uv: requirements.lock | packages
	@echo '== Python environment: creating .venv'
	@$(PYTHON) -m venv .venv
	@sed -n '/^uv==/,/# via/p' requirements.lock > .venv/uv.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .venv/uv.txt
	@touch $@

.venv/.installed: .venv/.uv requirements.lock pyproject.toml
	@echo '== Python environment: installing requirements.lock into .venv'
	@$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup
	@scripts/demo

test: check
	@echo '== pytest'
	@$(BIN)/pytest -n logical --dist loadfile --no-loadscope-reorder

test-stack: setup
	@scripts/test-stack

check: setup docs
	@echo '== ruff, mypy, import-linter'
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

docs: setup
	@echo '== documentation'
	@$(BIN)/sphinx-build -q -n -W --keep-going docs/source docs/build/html

lock: setup
	@$(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.10 --generate-hashes \
		--no-header --no-emit-index-url --extra docs --extra tests --group dev $(if $(UPGRADE),--upgrade) \
		--output-file requirements.lock

clean:
	rm -rf .venv build dist docs/build demo-output .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
