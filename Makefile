# Every target makes the virtual environment it needs and says what it runs.
PYTHON ?= python3
PORT   ?= 8000
JOBS   ?= 3
BIN    := .venv/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench generate promqltest screenshots clean

help: ## say what can be made
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 22

.venv/created:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "OpsConsole needs Python 3.11 or newer: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv .venv
	$(PIP) install --quiet --upgrade 'pip>=25.1'
	@touch $@

# --no-compile: byte code is written when a module is first imported; compiling all of it first would only be waited for.
.venv/demo: .venv/created pyproject.toml exporters/pyproject.toml opsconsole/web/package-lock.json
	@echo "Installing OpsConsole and the demo into .venv (about 1 GB with the embedded ClickHouse and PostgreSQL) …"
	$(PIP) install --no-compile --progress-bar on --editable './exporters[django,celery]' --editable '.[demo]' | grep -vE '^(Requirement already|  )' || true
	@$(BIN)/python -c 'import opsconsole, opsconsole_exporters, demo_app'
	@touch $@

# Everything is named again, so that one resolution holds for all: OpenTelemetry's packages demand each other's exact release.
.venv/dev: .venv/demo
	$(PIP) install --no-compile --quiet --group dev --editable './exporters[django,celery]' --editable '.[demo]'
	@touch $@

demo: .venv/demo ## the whole product on real, embedded parts; ends in a link (PORT=8000)
	@exec $(BIN)/python -m demo_app up --port $(PORT) --data-dir .opsconsole

# Most of the time tests wait for servers, so there are more processes than cores.
test: .venv/dev ## every test; what a missing program would be needed for is skipped with a reason (JOBS=3)
	$(BIN)/python -m pytest --numprocesses $(JOBS) --no-loadscope-reorder $(ARGS)

lint: .venv/dev ## format, lint, types, layers, security, generated files
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml opsconsole signals alerts dashboards exporters/src demo_app
	$(BIN)/djade --check --target-version 5.2 $$(git ls-files 'opsconsole/**/*.html' 'demo_app/**/*.html')
	$(BIN)/opsconsole generate --check

bench: .venv/dev ## the benchmarks, beside real peers; results in bench/
	@for name in idle exposition promql tick instrumentation; do echo "== $$name"; $(BIN)/python -m bench.$$name || exit 1; done

generate: .venv/demo ## write the Grafana boards, Prometheus rules and rule tests anew
	$(BIN)/opsconsole generate

promqltest: .venv/demo ## run PromQL test scripts: make promqltest DIR=folder
	$(BIN)/python -m opsconsole.promql.script $(DIR)

screenshots: .venv/dev ## the pictures in docs/, from a running demo
	$(BIN)/python -m bench.screenshots

clean: ## remove the virtual environment and all state
	rm -rf .venv .opsconsole .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
