# Stillmotion: the everyday commands. None of them needs an AWS account but `make deploy`.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV := .venv
READY := $(VENV)/.installed
# SAM builds Python 3.13 functions with the `python3.13` that it finds on PATH.
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export SAM_CLI_TELEMETRY := 0

# What `make run` takes. Given on the command line or in the environment, they reach it through the environment.
IMAGE ?=
LAST_IMAGE ?=
PROMPT ?=
MODEL ?=
DURATION ?=
# A model list for the simulator of `make run` and `make local`; without one it offers the recorded list.
CATALOGUE ?=
export IMAGE LAST_IMAGE PROMPT MODEL DURATION CATALOGUE

# More for the underlying tool: make test ARGS="-k webhook", make deploy ARGS="--guided".
ARGS ?=

.PHONY: help
help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# pyenv reads .python-version upwards from the working directory and its shims refuse to run where that version is
# missing; from / they run whatever Python the machine has.
$(READY): requirements-dev.txt local/bootstrap.py cli/pyproject.toml
	@cd / && $$(command -v python3 || command -v python3.13 || echo python3) "$(CURDIR)/local/bootstrap.py"

# cfn-lint of its own environment: SAM CLI pins an older one than checks today's AWS.
CFN_LINT := .venv-cfn-lint
$(CFN_LINT)/.installed: requirements-cfn-lint.txt $(READY)
	@python -m venv --clear $(CFN_LINT)
	@$(CFN_LINT)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-cfn-lint.txt
	@touch $@

# And checkov.
CHECKOV := .venv-checkov
$(CHECKOV)/.installed: requirements-checkov.txt $(READY)
	@python -m venv --clear $(CHECKOV)
	@$(CHECKOV)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-checkov.txt
	@touch $@

# The documentation site, of its own environment too.
DOCS := .venv-docs
$(DOCS)/.installed: requirements-docs.txt $(READY)
	@python -m venv --clear $(DOCS)
	@$(DOCS)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-docs.txt
	@touch $@

# And pip-audit.
AUDIT := .venv-audit
$(AUDIT)/.installed: requirements-audit.txt $(READY)
	@python -m venv --clear $(AUDIT)
	@$(AUDIT)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-audit.txt
	@touch $@

.PHONY: setup
setup: $(READY) node ## Make .venv with Python 3.13 and everything the other commands need
	@echo "$(VENV) is ready."

# The packages of the examples in TypeScript, as their lock files say.
NODE := $(patsubst %/package-lock.json,%/node_modules/.package-lock.json,$(wildcard examples/*/package-lock.json scripts/*/package-lock.json))
%/node_modules/.package-lock.json: %/package-lock.json
	@command -v npm > /dev/null || { echo "The examples in TypeScript need Node.js 20 with npm: install it first." >&2; exit 1; }
	@cd $* && npm ci --silent && touch node_modules/.package-lock.json

.PHONY: node
node: $(NODE) ## Install what the examples in TypeScript need; needs Node.js 20 with npm

.PHONY: run
run: $(READY) ## Turn a picture into a clip on a local cloud: IMAGE= LAST_IMAGE= PROMPT= MODEL= DURATION= CATALOGUE=
	@exec python -m local.run

.PHONY: console
console: $(READY) ## Open the page of the local cloud, which is started where none is running
	@python -m local.serve start
	@exec stillmotion console $(ARGS)

.PHONY: local
local: $(READY) ## Start the local cloud and leave it running: CATALOGUE=
	@exec python -m local.serve start

.PHONY: local-stop
local-stop: $(READY) ## End the local cloud
	@exec python -m local.serve stop

# Tests of the deployed stack share one cloud, so they stay together on one worker, which waits for it half of the time.
# The browser tests need a Chromium: it is found, or installed, before they begin.
.PHONY: test
test: $(READY) node ## Run all tests: unit, integration, faults, security, end to end, browser
	@python -m scripts.chromium > /dev/null
	@python -m pytest -n 3 --dist loadgroup $(ARGS)

.PHONY: check
check: $(READY) node ## The quick loop: style, types, import contracts, unit tests but the slow ones
	@ruff check .
	@ruff format --check .
	@mypy
	@python -m scripts.contracts
	@python -m pytest -n 3 -m "not slow" tests/unit $(ARGS)

.PHONY: coverage
coverage: $(READY) node ## Which lines and branches the unit and integration tests reach; fails below the floor
	@python -m pytest -n 3 --cov --cov-report=term tests/unit tests/integration $(ARGS)

.PHONY: faults
faults: $(READY) ## Break everything once, and print what it cost: double payments, lost videos, stuck jobs
	@FAULT_CROWDS=4 python -m pytest -n 3 tests/faults $(ARGS)

.PHONY: security
security: $(READY) ## Try what strangers try, and print what gave way: addresses, slow servers, secrets, privileges, routes
	@python -m pytest -n 3 tests/security $(ARGS)

.PHONY: game-day
game-day: $(READY) ## Fire every alarm on a local cloud and follow its section of the runbook: ARGS=Sweep for some
	@python -m scripts.game_day $(ARGS)

.PHONY: mutants
mutants: $(READY) ## Break the code on purpose, and fail unless the fault suite notices every time
	@python -m scripts.mutants $(ARGS)

.PHONY: lint
lint: $(READY) $(CFN_LINT)/.installed $(CHECKOV)/.installed docs node ## Check style, types, import contracts, generated files and the template; changes nothing
	@ruff check .
	@ruff format --check .
	@mypy
	@python -m scripts.contracts
	@python -m scripts.lock --check
	@python -m scripts.openapi --check
	@cd scripts/openapi_lint && npm run --silent lint > /dev/null 2>&1 || npm run --silent lint
	@python -m scripts.api_changes --check
	@python -m scripts.schemas --check
	@python -m scripts.lifecycle --check
	@python -m scripts.cli_copies --check
	@python -m scripts.reference --check
	@python -m scripts.deployer --check
	@python -m local.validate
	@$(CFN_LINT)/bin/cfn-lint --template template.yaml docs/deployer.yaml $(wildcard observability/*.yaml) $(wildcard examples/*/template.yaml) --regions us-east-1 eu-central-1 us-gov-west-1 cn-north-1
	@$(CHECKOV)/bin/checkov --config-file .checkov.yaml

.PHONY: bench
bench: $(READY) ## Measure speed, memory and start-up against baselines: ARGS="transfer --json"
	@python -m benchmarks $(ARGS)

.PHONY: fmt
fmt: $(READY) ## Put the code into the project's format
	@ruff check --fix .
	@ruff format .

.PHONY: openapi
openapi: $(READY) ## Write the API's OpenAPI document from the code
	@python -m scripts.openapi

.PHONY: schemas
schemas: $(READY) ## Write the JSON Schemas of the events from the code
	@python -m scripts.schemas

.PHONY: cli-copies
cli-copies: $(READY) ## Write the modules that the terminal shares with the stack into its package
	@python -m scripts.cli_copies

.PHONY: lifecycle
lifecycle: $(READY) ## Write the diagram of the states in docs/architecture.md from the table
	@python -m scripts.lifecycle

.PHONY: screenshots
screenshots: $(READY) ## Take the pictures of the console in docs/images anew
	@python -m scripts.screenshots

.PHONY: gallery
gallery: $(READY) ## Make docs/gallery.md and the animated picture of README.md anew, with the simulator's encoder
	@python -m scripts.gallery

.PHONY: reference
reference: $(READY) ## Write docs/reference/ from the code
	@python -m scripts.reference

.PHONY: deployer
deployer: $(READY) ## Write the deployer's permissions, docs/deployer.yaml, from the template
	@python -m scripts.deployer

.PHONY: docs-files
docs-files: openapi schemas lifecycle reference deployer ## Write every generated document anew

.PHONY: docs
docs: $(DOCS)/.installed ## Build the documentation site into out/site; fails on a broken link
	@NO_MKDOCS_2_WARNING=true $(DOCS)/bin/mkdocs build --strict --quiet

.PHONY: release
release: $(READY) ## Build a release into out/release: ARGS=--twice builds it twice and compares every byte
	@python -m scripts.release $(ARGS)

.PHONY: audit
audit: $(AUDIT)/.installed ## Ask for known vulnerabilities of every locked package; needs the network
	@python -m scripts.audit $(AUDIT)/bin/pip-audit

.PHONY: build
build: $(READY) ## Build the functions and the layer for AWS
	@sam build

.PHONY: deploy
deploy: build ## Build and deploy to AWS with your credentials: ARGS="--guided" the first time
	@sam deploy $(ARGS)

.PHONY: redrive
redrive: $(READY) ## Send undelivered events of a stack on AWS again: ARGS="--stack-name stillmotion"
	@python -m scripts.redrive $(ARGS)

.PHONY: lock
lock: $(READY) ## Resolve requirements-dev.in into requirements-dev.txt: ARGS=--upgrade takes the newest versions
	@python -m scripts.lock $(ARGS)

.PHONY: clean
clean: ## Remove what the commands made, also .venv; clips in out/ stay
	@if [ -f .local/stack.json ] && [ -x $(VENV)/bin/python ]; then python -m local.serve stop; fi
	@rm -rf .aws-sam .local .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage $(VENV) $(CFN_LINT) $(DOCS) $(AUDIT)
	@rm -rf examples/*/node_modules examples/*/dist examples/typescript/src/api.d.ts examples/cdk/cdk.out
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
