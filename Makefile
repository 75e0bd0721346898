# Targets of Crossmesh. `make help` lists them.

SHELL := /bin/sh
.DEFAULT_GOAL := help
root := $(patsubst %/,%,$(dir $(abspath $(lastword $(MAKEFILE_LIST)))))
bin = $$($(root)/toolchain/venv.sh make)/bin
python = $(bin)/python
export PYTHONPATH := $(root)$(if $(PYTHONPATH),:$(PYTHONPATH))

.PHONY: help
help: ## Show this
	@sed -n 's/^\([a-z][a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | sed 's/\$$\$$/$$/' | expand -t 14

# -- Preparation -------------------------------------------------------------------------------------------------

.PHONY: venv
venv: ## Python environment of the locked packages (instant when it is there)
	@$(root)/toolchain/venv.sh make >/dev/null

.PHONY: toolchain
toolchain: venv ## Pinned programs: from PATH, official releases or source (instant when they are there)
	@$(python) -m toolchain install

.PHONY: env
env: toolchain ## Shell exports that bring the programs; backend and secrets are yours: eval "$$(make -s env)"
	@$(python) -m toolchain env

.PHONY: lock
lock: venv ## Resolve requirements.in and requirements-dev.in into requirements.lock
	@$(python) -m toolchain.lock

# -- The lab ---------------------------------------------------------------------------------------------------------

programs = eval "$$($(python) -m toolchain env)"
environment = $(programs) && eval "$$($(python) -m lab env)"

.PHONY: lab-env
lab-env: toolchain ## The same with the lab's backend and passphrase: eval "$$(make -s lab-env)"
	@$(python) -m toolchain env
	@$(python) -m lab env

.PHONY: up
up: toolchain ## Everything, from nothing to the first answered request
	@$(python) -m lab start --name lab
	@$(environment) && crossmesh secrets init --stack lab
	@$(environment) && crossmesh lock clear --stack lab
	@$(environment) && cd $(root) && pulumi up --stack lab --yes --skip-preview
	@$(environment) && crossmesh summary --stack lab

.PHONY: down
down: venv ## Take the lab away, with the state of its stack
	@$(python) -m lab stop --name lab
	@$(environment) && crossmesh forget --stack lab --machines-are-gone
	@$(python) -m lab forget

# -- Pages ------------------------------------------------------------------------------------------------------------

.PHONY: docs
docs: venv ## Write the pages that are made from code; a unit test says when one is not current
	@cd $(root) && $(python) -m docs

MODULE ?= $(root)/toolchain/modules/$$($(python) -c "import releases; print(releases.release('kubernetes', releases.default('kubernetes')).module)")
.PHONY: configurations
configurations: ## Write what the Kubernetes of a Go module (MODULE=, the default release's) takes as configuration; minutes
	@cd $(MODULE) && version=$$(GOWORK=off go list -m -f '{{.Version}}' k8s.io/kubernetes | sed 's/^v\(.*\)\.[0-9]*$$/\1/') \
		&& GOWORK=off CGO_ENABLED=0 go run $(root)/releases/kubernetes/configurations.go > $(root)/releases/kubernetes/configurations-$$version.json

.PHONY: served
served: ## Write which API versions the Kubernetes of a Go module (MODULE=, the default release's) serves; seconds
	@cd $(MODULE) && version=$$(GOWORK=off go list -m -f '{{.Version}}' k8s.io/kubernetes | sed 's/^v\(.*\)\.[0-9]*$$/\1/') \
		&& GOWORK=off go mod download k8s.io/api k8s.io/kubelet k8s.io/kube-proxy k8s.io/kubernetes \
		&& GOWORK=off CGO_ENABLED=0 go run $(root)/releases/kubernetes/served.go > $(root)/releases/kubernetes/served-$$version.json

# -- Checks ----------------------------------------------------------------------------------------------------------

.PHONY: lint
lint: venv ## Style, types, imports between floors, roles: half a minute
	@$(python) -m ruff check $(root)
	@$(python) -m ruff format --check $(root)
	@cd $(root) && $(python) -m mypy && $(python) -m mypy --explicit-package-bases benchmarks tests/gate tests/lab
	@cd $(root) && $(bin)/lint-imports --no-logo --no-cache
	@cd $(root)/playbooks && PATH="$(bin):$$PATH" ansible-lint --offline -q

.PHONY: unit
unit: venv ## Unit tests: seconds, no root, no network
	@$(python) -m pytest -q -n auto tests/unit tests/property

.PHONY: corpus
corpus: toolchain ## The gate over a corpus of changes, and the examples for CI: minutes, no root, no network
	@$(python) -m toolchain install --further
	@$(programs) && cd $(root) && python -m pytest -q -n 2 --dist loadgroup tests/gate

.PHONY: solution
solution: toolchain ## Tests of the reference solution's service
	@cd $(root)/solution/asset-service && "$$($(python) -m toolchain path go)" test ./...

.PHONY: test
test: toolchain ## Lint, unit tests, the corpus, then one bring-up of its own with every check (root; about half an hour)
	@$(MAKE) --no-print-directory lint unit solution corpus
	@$(programs) && cd $(root) && python -m pytest -q tests/lab --ignore tests/lab/acceptance

.PHONY: acceptance
acceptance: toolchain ## A long matrix, its results in docs/acceptance: make acceptance SUITE=kill9
	@test -n "$(SUITE)" || { echo "make acceptance SUITE=NAME, one of: $$(cd $(root)/tests/lab/acceptance && ls test_*.py | sed 's/test_//; s/[.]py//' | xargs)" >&2; exit 2; }
	@$(programs) && cd $(root) && python -m pytest -q tests/lab/acceptance/test_$(SUITE).py
