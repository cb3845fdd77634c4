# What a person types. `make help` lists the targets.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
RUN    := $(BIN)/peagen-ray

# Processes that share the tests: many wait for servers and nodes, so that two cores keep three busy. 0 is this one alone.
TESTERS ?= 3
SHARED  := --numprocesses $(TESTERS)

.DEFAULT_GOAL := help
.PHONY: help demo test coverage lint bench llm-smoke nightly clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/base: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] not in {(3, 11), (3, 12), (3, 13)} and "peagen-ray needs Python 3.11, 3.12 or 3.13, this is " + sys.version.split()[0] + "; try: make PYTHON=python3.11")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing peagen-ray into $(VENV) (once; a few minutes on a slow line)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/dev: $(VENV)/base
	@echo "installing the tools for tests and lint into $(VENV) (once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(VENV)/base ## evolve two slow functions offline and show what was gained (about two minutes)
	@$(RUN) evolve run --sync --target-file benchmarks/artifacts/bad_sort.py --entry-fn bad_sort --run-timeout 45s --seed 1
	@$(RUN) evolve run --sync --target-file benchmarks/artifacts/slow_shortest.py --entry-fn slow_shortest --output winner_shortest.py --run-timeout 45s --seed 1

test: $(VENV)/dev ## run every test
	@$(BIN)/python -m pytest $(SHARED)

coverage: $(VENV)/dev ## the same, and which lines and branches no test takes (three times as long)
	@$(BIN)/python -m pytest $(SHARED) --cov --cov-report=term

lint: $(VENV)/dev ## format, style, types, layers
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(VENV)/dev ## run the benchmarks; each prints one JSON line
	@for script in $(filter-out benchmarks/nightly.py benchmarks/llm_smoke.py benchmarks/gpu_%,$(wildcard benchmarks/[a-z]*.py)); do echo "# $$script"; $(BIN)/python $$script || exit 1; done

llm-smoke: $(VENV)/base ## have a small language model on this machine's CPU improve bad_sort (1.3 GB once, then ten minutes or so)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[llm]'
	@$(BIN)/python benchmarks/llm_smoke.py

nightly: $(VENV)/dev ## every test at full length, then every benchmark against its baseline (two hours)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,qd]'
	@PEAGEN_NIGHTLY=1 PEAGEN_CHAOS_SEEDS=20 $(BIN)/python -m pytest $(SHARED) --cov --cov-report=term
	@$(BIN)/python benchmarks/nightly.py

clean: ## remove what make made
	rm -rf $(VENV) .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
