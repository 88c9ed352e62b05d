.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
export DATABASE KAFKA KEEP ROWS
export CUSTOM_COMPILE_COMMAND = make upgrade

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
REAL := $(VENV)/.real
PYTHON = $(shell for python in python3.11 python3; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)

.PHONY: help demo test test-fast test-long mutants services benchmark quality format docs matrix upgrade clean

help: ## Print this list
	@sed -nE 's/^([a-z-]+):.*## (.*)$$/  \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|'

demo: $(if $(filter-out sqlite,$(DATABASE)),$(REAL),$(INSTALLED)) ## See events go from one service to another (KAFKA=real; DATABASE=mariadb, postgresql; ROWS="1 4"; KEEP=1)
	@$(BIN)/python -m examples.tour

test: $(REAL) ## Run all tests, with a real Kafka, a real registry and real databases where they need them
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

test-fast: $(INSTALLED) ## Run the tests that need no real service
	$(BIN)/pytest -m "not real" --ignore=tests/real $(ARGS)

test-long: $(REAL) ## Run the tests under load and long outages, and show their figures (half an hour)
	LONG=1 $(BIN)/pytest -m long -rP --timeout=7200 $(ARGS)

mutants: $(REAL) ## Show which tests catch each of the faults in tests/mutants (ARGS: words of their names, --fast)
	@$(BIN)/python -m tests.mutants $(ARGS)

services: $(INSTALLED) ## Start a real Kafka and a real registry (ARGS=--databases: databases as well), until Ctrl-C
	@$(BIN)/python -m tests.services $(ARGS)

benchmark: $(REAL) ## Measure sending and consuming beside the published package, and relays (ARGS=--quick: only whether it runs)
	@$(BIN)/python -m benchmarks $(ARGS)

quality: $(INSTALLED) ## Check style, types and the direction of imports
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: $(INSTALLED) ## Let ruff format and mend what it can
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

docs: $(INSTALLED) ## Build the documentation into docs/_build/html
	$(BIN)/sphinx-build -q -W --keep-going -b html docs docs/_build/html

matrix: $(INSTALLED) ## Run the fast tests with the Django and openedx-events that `make test` has not
	$(BIN)/tox run-parallel --parallel-no-spinner $(ARGS)

upgrade: $(INSTALLED) ## Compile requirements/*.txt anew, with the newest versions
	for name in base test quality docs interop dev real; do \
		$(BIN)/pip-compile --upgrade --output-file requirements/$$name.txt requirements/$$name.in; done
	{ echo "# interop.txt without what tox varies. Made by: make upgrade"; \
		grep -E '^[a-z]' requirements/interop.txt | grep -vE '^(django|openedx-events)=='; } > requirements/matrix.txt

clean: ## Remove all that was made here, the downloads in .services/ too
	rm -rf $(VENV) .tox .services .mypy_cache .ruff_cache .import_linter_cache .pytest_cache .hypothesis \
		.coverage build dist docs/_build *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): requirements/dev.txt setup.py
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed." >&2; exit 1; }
	@test ! -L $(VENV) || { echo "$(VENV) is a link: its target, which others may use, would be emptied." >&2; exit 1; }
	@echo "Installing into $(VENV) …"
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		sudo=$$(test $$(id -u) = 0 || echo sudo); \
		$$sudo apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y -qq python3-venv > /dev/null; }
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install -q --disable-pip-version-check -r requirements/dev.txt
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps -e .
	@touch $@

$(REAL): $(INSTALLED) requirements/real.txt
	@echo "Installing drivers of databases, and servers for a service …"
	@$(BIN)/python -m tests.services.debian gcc libmariadb-dev pkg-config python3-dev
	@$(BIN)/python -m pip install -q --disable-pip-version-check -r requirements/real.txt
	@touch $@
