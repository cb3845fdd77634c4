# What a person types. `make help` lists the targets.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
RUN    := $(BIN)/peagen-ray

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench coverage clean

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
	@$(BIN)/python -m pytest --cov --cov-report=term

lint: $(VENV)/dev ## format, style, types, layers
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(VENV)/dev ## run the benchmarks; each prints one JSON line
	@for script in benchmarks/[a-z]*.py; do echo "# $$script"; $(BIN)/python $$script || exit 1; done

clean: ## remove what make made
	rm -rf $(VENV) .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
