.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
export DATABASE KAFKA KEEP ROWS RUNBOOK

PYENV_ROOT ?= $(HOME)/.pyenv
PYENV := $(foreach minor,12 11 13,$(lastword $(sort $(wildcard $(PYENV_ROOT)/versions/3.$(minor).*/bin/python))))
FOUND := $(shell for minor in 12 11 13; do for python in $(PYENV) python3.$$minor python3; do \
	$$python -c "import sys; sys.exit(sys.version_info[:2] != (3, $$minor))" 2>/dev/null && echo $$python $$minor && exit; done; done)
PYTHON := $(firstword $(FOUND))
PINS := requirements/py3$(if $(filter 11,$(lastword $(FOUND))),11,12)
empty :=
export TOX_DISCOVER = $(subst $(empty) $(empty),:,$(strip $(PYENV)))

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed-$(notdir $(PINS))
REAL := $(VENV)/.real-$(notdir $(PINS))

.PHONY: help demo demo-admin test test-fast test-long mutants services screenshots benchmark figures instructions dashboards quality format docs matrix \
  upgrade clean

help: ## Print this list
	@sed -nE 's/^([a-z-]+):.*## (.*)$$/  \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|'

demo: $(if $(filter-out sqlite,$(DATABASE)),$(REAL),$(INSTALLED)) ## See events go from one service to another (KAFKA=real; DATABASE=mariadb, postgresql; ROWS="1 4"; KEEP=1)
	@$(BIN)/python -m examples.tour

demo-admin: $(REAL) ## Look at services with trouble in Django's admin, until Ctrl-C (KAFKA=sandbox; DATABASE=mariadb, postgresql)
	@DJANGO_SUPERUSER_PASSWORD=admin $(BIN)/python -m examples.tour --admin

test: $(REAL) ## Run all tests, with a real Kafka, a real registry and real databases where they need them
	$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

test-fast: $(INSTALLED) ## Run the tests that need no real service
	$(BIN)/pytest -m "not real" --ignore=tests/real $(ARGS)

test-long: $(REAL) ## Run the tests under load and long outages, and show their figures (half an hour)
	LONG=1 $(BIN)/pytest -m long -rP --timeout=7200 $(ARGS)

mutants: $(REAL) ## Show which tests catch each of the faults in tests/mutants (ARGS: words of their names, --fast)
	@$(BIN)/python -m tests.mutants $(ARGS)

services: $(INSTALLED) ## Start a real Kafka and a real registry (ARGS=--databases: databases as well), until Ctrl-C
	@$(BIN)/python -m tests.services $(ARGS)

screenshots: $(REAL) ## Take the pictures of docs/images/admin anew, with a real Kafka and a real browser
	@$(BIN)/python -m tests.browser.screenshots docs/images/admin $(ARGS)

benchmark: $(REAL) ## Measure sending and consuming beside the published package, and relays (ARGS: --quick, --suite all, --json FILE)
	@$(BIN)/python -m benchmarks $(ARGS)

figures: $(REAL) ## Measure all suites, three rounds (an hour), and draw what docs/benchmarks.rst shows
	@$(BIN)/python -m benchmarks --suite all --rounds 3 --json docs/figures/figures.json $(ARGS)
	@$(BIN)/python -m benchmarks.plots docs/figures/figures.json docs/figures

instructions: $(INSTALLED) ## Count the instructions of one event, and fail if they grew (ARGS=--record: keep the new value)
	@$(BIN)/python -m tests.services.debian gcc valgrind
	@$(BIN)/python -m benchmarks.instructions $(ARGS)

dashboards: $(INSTALLED) ## Make dashboard and alert rules in docs/operating/ anew (RUNBOOK=address of your copy of the runbook)
	@$(BIN)/python -m docs.monitoring

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

matrix: $(INSTALLED) ## Run the fast tests with the versions that `make test` has not; needs Python 3.11 and 3.13
	$(BIN)/tox run-parallel --parallel-no-spinner $(ARGS)

upgrade: $(INSTALLED) ## Compile requirements/ anew, with the newest versions; needs Python 3.11, 3.12 and 3.13
	$(BIN)/tox run -e py311-upgrade,py312-upgrade,py313-upgrade -- --upgrade

clean: ## Remove all that was made here, the downloads in .services/ too
	rm -rf $(VENV) .tox .services .mypy_cache .ruff_cache .import_linter_cache .pytest_cache .hypothesis \
		.coverage build dist docs/_build *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): $(PINS)/dev.txt setup.py
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed." >&2; exit 1; }
	@test ! -L $(VENV) || { echo "$(VENV) is a link: its target, which others may use, would be emptied." >&2; exit 1; }
	@echo "Installing into $(VENV), with $(PYTHON) …"
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		sudo=$$(test $$(id -u) = 0 || echo sudo); \
		$$sudo apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y -qq python3-venv > /dev/null; }
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install -q --disable-pip-version-check -r $(PINS)/dev.txt
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps -e .
	@touch $@

$(REAL): $(INSTALLED) $(PINS)/real.txt
	@echo "Installing drivers of databases, and servers for a service …"
	@$(BIN)/python -m tests.services.debian gcc libmariadb-dev pkg-config python3-dev
	@$(BIN)/python -m pip install -q --disable-pip-version-check --use-pep517 -r $(PINS)/real.txt
	@touch $@
