# Two commands for a newcomer: `make demo` and `make test`. Each does its own set-up; python3 and pip suffice.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TOOLS := .tools
ROOMS := estimation flows linkage pseudonymize release schemas synthetic
export UV_PYTHON_DOWNLOADS := never
export DO_NOT_TRACK := 1

.PHONY: demo compiled test bench bench-delivery bench-pseudo bench-estimate bench-load bench-release bench-scale bench-incremental bench-engines fuzz national mutate lint types contracts tests setup clean help

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

# uv lives in a folder of its own: nothing is installed outside this clone, and python needs no venv module.
$(TOOLS)/bin/uv:
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --target $(TOOLS) 'uv>=0.9'

$(VENV)/.ready: uv.lock pyproject.toml | $(TOOLS)/bin/uv
	$(TOOLS)/bin/uv venv --quiet --allow-existing --python $(PYTHON) $(VENV)
	$(TOOLS)/bin/uv sync --quiet --locked --compile-bytecode
	touch $@

setup: $(VENV)/.ready ## install what uv.lock pins, in .venv

# A run is many short processes: compiled once, also where Python is told to write no bytecode.
compiled: setup
	$(BIN)/python -m compileall -q $(ROOMS)

demo: compiled ## link a synthetic Netherlands, from extracts to tables and pages, in ./demo
	$(BIN)/koppel demo --out demo

test: setup contracts lint types tests ## everything CI checks

contracts: setup
	$(TOOLS)/bin/uv lock --check --quiet
	$(BIN)/lint-imports --no-logo

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .

types: setup
	$(BIN)/mypy

# By file: what the tests of a module make once is made by one worker. In order: a file of one long test is not the last.
tests: compiled
	rm -f .coverage .coverage.*
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder --cov --cov-report= --no-cov-on-fail
	$(BIN)/coverage report --skip-covered --format=total

mutate: setup ## which changes to the pseudonymising code no test notices (long; docs/decisions/0021)
	$(BIN)/mutmut run --max-children 2
	$(BIN)/mutmut results

bench: setup ## measure the national run and write docs/performance.md
	$(BIN)/python -m tests.bench

bench-delivery: setup ## make, convert and open a 5 GB delivery; fails above 500 MB of memory (GB=1: smaller)
	$(BIN)/python -m tests.bench.delivery --gb $(or $(GB),5)

bench-pseudo: setup ## measure pseudonymisation and write docs/performance-pseudonymise.md
	$(BIN)/python -m tests.bench.pseudonymise

bench-estimate: setup ## 200 synthetic countries through the whole pipeline (goes on where it was): coverage, bias, CRPS; writes docs/methods.md
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m tests.bench.estimate $(if $(STUDY),--kept $(STUDY)) $(if $(COUNTRIES),--countries $(COUNTRIES))

bench-release: setup ## measure audit, suppression and rounding against the design's bounds (ONLY="6000 age x": some of them)
	$(BIN)/python -m tests.bench.release $(if $(ONLY),"$(ONLY)")

bench-load: compiled ## four suppliers at once, then run after run (SCALE=1, MINUTES=60); writes docs/performance-load.md
	$(BIN)/python -m tests.bench.load $(if $(SCALE),--scale $(SCALE)) $(if $(MINUTES),--minutes $(MINUTES))

bench-scale: setup ## 0.18 to 18 million persons in 1 GB, growth per fourfold, beside Polars and Splink (KEPT=folder goes on); writes docs/performance-scale.md
	$(TOOLS)/bin/uv sync --quiet --locked --group peers
	$(BIN)/python -m tests.bench.scale $(if $(SIZES),--sizes $(SIZES)) $(if $(KEPT),--kept $(KEPT))

bench-incremental: compiled ## a half-year added to a run beside a run from nothing (SCALE=1); writes docs/performance-incremental.md
	$(BIN)/python -m tests.bench.incremental $(if $(SCALE),--scale $(SCALE))

fuzz: setup ## every parser of outside input under a fuzzer that follows coverage (PARSERS="csv xlsx", SECONDS=60 each)
	$(TOOLS)/bin/uv sync --quiet --locked --group fuzz
	for parser in $(or $(PARSERS),agreement csv manifest parquet sealed settings xlsx); do \
	  $(BIN)/python -m tests.fuzz.guided $$parser --seconds $(or $(SECONDS),60); done

national: compiled ## link the whole synthetic country and hold every published figure beside it (koppel reconcile)
	$(BIN)/koppel demo --out bench-out/national --direct --quiet
	KOPPEL_NATIONAL=$(CURDIR)/bench-out/national/koppel.toml $(BIN)/pytest -n 0 tests/flows/test_national.py

bench-engines: setup ## the linked tables by Spark (needs Java) against DuckDB, in an environment of its own
	$(TOOLS)/bin/uv venv --quiet --allow-existing .spark
	$(TOOLS)/bin/uv export --quiet --locked --no-dev --no-emit-project --no-hashes -o .spark/requirements.txt
	$(TOOLS)/bin/uv pip install --quiet --python .spark -r .spark/requirements.txt 'pyspark==4.3.*' 'sqlglot>=30' hypothesis
	.spark/bin/python -m tests.bench.engines

clean: ## remove the environment and everything the demo made
	rm -rf $(VENV) .spark $(TOOLS) demo mutants .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache
