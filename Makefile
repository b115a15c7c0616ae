# Everything a developer does. Needs make, git, and Python 3.11 or newer with pip; the rest goes into .venv.
# A second run of a target does not install again: the files in .venv/stamps tell what is there.

SHELL := /bin/sh
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV := .venv
PYTHON_RUN := $(VENV)/bin/python
PIP := scripts/pip $(VENV)
WORKERS ?= 2
# A test, a folder, or any of pytest's options: make test TESTS='tests/core -k ledger'
TESTS ?= tests
PACKAGES := core triggers campaigns templates channels wallet scheduler tidings

RUNTIME := $(VENV)/stamps/runtime
DEVELOPMENT := $(VENV)/stamps/development

.PHONY: help setup demo test faults mutants lint format types contracts wheel bench bench-list bench-tools bench-accept bench-page ci lock clean

help: ## Say what there is to make
	@echo 'Tidings: what there is to make'
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(DEVELOPMENT) ## Install what running and developing need, into .venv
	@echo 'Ready: $(VENV)/bin/tidings --help'

demo: $(RUNTIME) ## See it work: a shop, its customers, its messages, on this machine alone
	@$(VENV)/bin/tidings demo

test: $(DEVELOPMENT) ## Run the tests, on SQLite and PostgreSQL (TESTS='tests/core -k ledger', WORKERS=2)
	@PYTHONDONTWRITEBYTECODE= $(PYTHON_RUN) -m pytest -n $(WORKERS) --dist worksteal $(TESTS)

faults: $(DEVELOPMENT) ## Break everything on purpose, then audit every promise (MINUTES=10 SEED=... SCENE=killed)
	@$(PYTHON_RUN) -m tests.faults.long --minutes $(or $(MINUTES),10) $(if $(SEED),--seed $(SEED)) $(if $(SCENE),--scene $(SCENE))

mutants: $(DEVELOPMENT) ## Change triggers and gates one thing at a time, and see whether a test notices (FILES=...)
	@scripts/mutants $(FILES)

lint: $(DEVELOPMENT) ## Check style (ruff)
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check --quiet . || { echo 'Some files are not formatted; run: make format'; exit 1; }

format: $(DEVELOPMENT) ## Format the code, and mend what can be mended
	@$(VENV)/bin/ruff check --quiet --fix-only .
	@$(VENV)/bin/ruff format .

types: $(DEVELOPMENT) ## Check types (mypy --strict)
	@$(VENV)/bin/mypy

contracts: $(DEVELOPMENT) ## Check that imports only go down, and vendors stay behind their doors
	@$(VENV)/bin/lint-imports --no-logo

wheel: $(RUNTIME) ## Build the wheel, install it into an environment of its own, and use it there
	@scripts/wheel

bench: $(DEVELOPMENT) ## Measure everything; bench-NAME measures one (QUICK=1: a trial run)
	@$(PYTHON_RUN) -m benchmarks $(if $(QUICK),--quick)

bench-list: $(DEVELOPMENT) ## Say what can be measured, and how long each takes
	@$(PYTHON_RUN) -m benchmarks --list

bench-tools: $(DEVELOPMENT) ## Install the programs of others that benchmarks are held against
	@$(PYTHON_RUN) -m benchmarks --tools

bench-accept: $(DEVELOPMENT) ## Make the last run the reference that later ones are compared with
	@$(PYTHON_RUN) -m benchmarks --accept

bench-page: $(DEVELOPMENT) ## Write the figures of the reference into docs/performance.md, and the pictures
	@$(PYTHON_RUN) -m benchmarks --page

bench-%: $(DEVELOPMENT)
	@$(PYTHON_RUN) -m benchmarks $* $(if $(QUICK),--quick)

ci: ## Everything that is checked before a change is taken
	@.ci/run

lock: $(DEVELOPMENT) ## Resolve the dependencies anew and lock them
	@$(PIP) install -qq 'uv>=0.9'
	@PATH="$(VENV)/bin:$$PATH" scripts/lock

clean: ## Remove what was built and installed
	@rm -rf $(VENV) build dist .demo .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find $(PACKAGES) tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# Every file is checked against its hash in the lock; the build backend too, so nothing is fetched unseen.
$(RUNTIME): requirements.lock requirements-build.lock pyproject.toml
	@echo 'Installing into $(VENV) (about a minute, once) …'
	@$(PIP) install -qq --require-hashes -r requirements.lock -r requirements-build.lock
	@$(PIP) install -qq --no-deps --no-build-isolation --editable .
	@mkdir -p $(@D) && touch $@

$(DEVELOPMENT): requirements-dev.lock $(RUNTIME)
	@$(PIP) install -qq --require-hashes -r requirements-dev.lock
	@mkdir -p $(@D) && touch $@
