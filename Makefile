# make help lists what there is. Everything is installed below .venv; nothing outside this folder is touched.

HOST ?= 127.0.0.1
PORT ?= 8080
OHIF_PORT ?= 3000
DATA_DIR ?= .data
PEER_URL ?=
AUTHORIZER ?= Users
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)

VENV := $(CURDIR)/.venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
LOCK := $(UV) pip compile --quiet --no-header --no-annotate --python-version 3.11 --universal
export PATH := $(BIN):$(PATH)
export PYTHONPATH := $(CURDIR)/layers/dicomweb:$(CURDIR)
export SAM_CLI_TELEMETRY := 0

.DEFAULT_GOAL := help
.PHONY: help setup run ohif housekeeping test check security format build deploy bench bench-search contact-sheet lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "  .venv/bin/dicomweb --help: the command line client, after make setup"
	@echo "  variables: HOST=$(HOST) PORT=$(PORT) OHIF_PORT=$(OHIF_PORT) DATA_DIR=$(DATA_DIR) PEER_URL=$(PEER_URL) PYTHON=$(PYTHON)"

setup: $(VENV)/ready ## install everything into .venv

$(VENV)/ready: local/requirements/dev.txt local/requirements/ministack.txt local/make_venv.sh
	@PYTHON="$(PYTHON)" bash local/make_venv.sh "$(VENV)"

run: setup ## serve http://127.0.0.1:$PORT/dicom-web, data in $DATA_DIR
	@HOST="$(HOST)" PORT="$(PORT)" DATA_DIR="$(DATA_DIR)" exec "$(BIN)/python" -m local.run

ohif: setup ## the OHIF viewer at http://127.0.0.1:$OHIF_PORT, for the server of `make run`
	@PORT="$(PORT)" OHIF_PORT="$(OHIF_PORT)" exec "$(BIN)/python" -m local.ohif

housekeeping: setup ## TASK=reindex, compact, reconcile (what a crash left), rebuild-index (a lost index)
	@TASK="$(TASK)" DATA_DIR="$(DATA_DIR)" "$(BIN)/python" -m local.housekeeping

test: setup ## every test
	@"$(BIN)/python" -m pytest

check: setup ## format, lint, types, import contracts, template, Dockerfile
	@"$(BIN)/ruff" format --check .
	@"$(BIN)/ruff" check .
	@"$(BIN)/mypy"
	@"$(BIN)/lint-imports" --config pyproject.toml
	@"$(BIN)/sam" validate --lint --template template.yaml
	@if [ -x "$(BIN)/hadolint" ]; then "$(BIN)/hadolint" Dockerfile; fi

security: setup ## what checkov finds in the template; what is meant is in .checkov.yaml
	@"$(UV)" tool run --quiet checkov==3.3.30 --config-file .checkov.yaml

format: setup ## rewrite the code in the house's form
	@"$(BIN)/ruff" format .
	@"$(BIN)/ruff" check --fix .

build: setup ## build the functions and layers for this Python into .aws-sam
	@"$(BIN)/python" -m local.stack build

deploy: setup ## build for Python 3.13 and deploy to AWS (your AWS credentials); DEPLOY_PARAMETERS="Name=value …"; AUTHORIZER=AWS_IAM
	@"$(BIN)/sam" build --config-env prod
	@sed -i 's/DefaultAuthorizer: Users$$/DefaultAuthorizer: $(AUTHORIZER)/' .aws-sam/build/template.yaml
	@"$(BIN)/sam" deploy --config-env prod $(if $(DEPLOY_PARAMETERS),--parameter-overrides $(DEPLOY_PARAMETERS))

bench: setup ## time, AWS calls, CPU per operation; PEER_URL= another server's too; LARGE=2 memory with 2 GB
	@PEER_URL="$(PEER_URL)" "$(BIN)/python" -m local.bench

bench-search: setup ## what a page costs on each path of the index, up to 100,000 studies
	@"$(BIN)/python" -m local.bench_search

contact-sheet: setup ## every image of the corpus as it is rendered, on contact-sheet.png
	@"$(BIN)/python" -m local.contact_sheet

lock: setup ## resolve the pinned versions anew
	@$(LOCK) local/requirements/dev.in -o local/requirements/dev.txt
	@$(LOCK) layers/dependencies/requirements.in -c local/requirements/dev.txt -o layers/dependencies/requirements.txt
	@$(LOCK) layers/imaging/requirements.in -c local/requirements/dev.txt -o layers/imaging/requirements.txt
	@$(LOCK) container/requirements.in -c local/requirements/dev.txt -o container/requirements.txt
	@$(LOCK) local/requirements/ministack.in -o local/requirements/ministack.txt

clean: ## remove what was built and installed; data stay
	rm -rf .aws-sam .venv .pytest_cache .mypy_cache .ruff_cache
