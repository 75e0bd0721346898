# Targets of Crossmesh. `make help` lists them.

SHELL := /bin/sh
.DEFAULT_GOAL := help
root := $(patsubst %/,%,$(dir $(abspath $(lastword $(MAKEFILE_LIST)))))
python = $$($(root)/toolchain/venv.sh make)/bin/python
export PYTHONPATH := $(root)

.PHONY: help
help: ## Show this
	@sed -n 's/^\([a-z][a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

# -- Preparation -------------------------------------------------------------------------------------------------

.PHONY: venv
venv: ## Python environment of the locked packages (instant when it is there)
	@$(root)/toolchain/venv.sh make >/dev/null

.PHONY: toolchain
toolchain: venv ## Pinned programs: from PATH, official releases or source (instant when they are there)
	@$(python) -m toolchain install

.PHONY: env
env: toolchain ## Print shell exports: eval "$$(make -s env)"
	@$(python) -m toolchain env

.PHONY: lock
lock: venv ## Resolve requirements.in into requirements.lock
	@$(python) -m toolchain.lock

# -- The lab ---------------------------------------------------------------------------------------------------------
# up, down

# -- Checks ----------------------------------------------------------------------------------------------------------

.PHONY: lint
lint: venv ## Style and types
	@$(python) -m ruff check $(root)
	@$(python) -m ruff format --check $(root)
	@$(python) -m mypy

.PHONY: unit
unit: venv ## Unit tests: seconds, no root, no network
	@$(python) -m pytest -q -n auto tests/unit

# test, acceptance
