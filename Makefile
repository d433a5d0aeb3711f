# Two commands are enough: `make run` and `make test`. Each makes its environment first (.venv, pinned and hashed).

PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	command -v $$name >/dev/null 2>&1 && $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 \
	&& { echo $$name; break; }; done)
VENV := .venv
RUN := $(VENV)/bin/python

# How many test processes; more arguments for pytest: make test ARGS="-k live".
WORKERS ?= 3
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help run test lint fmt bench drills attacks advisories screenshots docs openapi vendor messages requirements environment environment-dev clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

environment:
	@test -n "$(PYTHON)" || { echo "Parlance needs Python 3.11 or newer: install it (or name it: make run PYTHON=/path/to/python)." >&2; exit 1; }
	@$(PYTHON) scripts/environment.py base documents embedded

environment-dev:
	@test -n "$(PYTHON)" || { echo "Parlance needs Python 3.11 or newer: install it (or name it: make test PYTHON=/path/to/python)." >&2; exit 1; }
	@$(PYTHON) scripts/environment.py base documents embedded dev

run: environment ## start everything and print the address
	@exec $(RUN) manage.py up

test: environment-dev ## all tests: real PostgreSQL, Redis, processes and browser
	@# In the order of the folders: by number of tests, files with few slow ones would come last and leave workers idle.
	$(RUN) -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

lint: environment-dev ## style, types, borders, migrations, templates, OpenAPI, secrets, advisories
	$(RUN) scripts/lint.py

fmt: environment-dev ## put the code into shape
	$(RUN) -m ruff check --fix --quiet . || true
	$(RUN) -m ruff format .
	@if [ -d templates ]; then $(RUN) -m djlint templates --reformat --quiet || true; fi

bench: environment-dev ## measure speed, rewrite docs/results/speed.md
	$(RUN) -m benchmarks

drills: environment-dev ## the faults with their real time-outs, rewrite docs/results/drills.md
	PARLANCE_DRILLS=long $(RUN) -m pytest tests/faults $(ARGS)

attacks: environment-dev ## the attacks, rewrite docs/results/attacks.md
	PARLANCE_ATTACKS=long $(RUN) -m pytest tests/attacks $$($(RUN) -c "from tests.attacks.catalogue import elsewhere; print(*elsewhere())") $(ARGS)

advisories: environment-dev ## ask about known vulnerabilities of all pins (needs the network)
	@$(PYTHON) scripts/environment.py base documents embedded dev audit
	$(RUN) scripts/advisories.py ask

screenshots: environment-dev ## pictures of every page
	$(RUN) -m tests.browser.screenshots

openapi: environment-dev ## rewrite docs/openapi.yaml
	$(RUN) manage.py spectacular --fail-on-warn --validate --file docs/openapi.yaml

docs: openapi ## rewrite what is generated in docs/
	@for command in $$(ls apps/*/management/commands/docs_*.py 2>/dev/null | xargs -rn1 basename | sed 's/\.py$$//'); do \
		$(RUN) manage.py $$command || exit 1; done

vendor: ## bring third-party files to static/vendor (needs Node)
	npm ci --ignore-scripts=false && npm run vendor

messages: environment-dev ## collect the strings to translate and compile the translations (needs gettext)
	DATABASE_URL=postgres:///none $(RUN) manage.py makemessages -l de --no-location --no-wrap -i node_modules -i tests -i .venv -i benchmarks -i clients
	DATABASE_URL=postgres:///none $(RUN) manage.py compilemessages -i node_modules -i .venv

requirements: ## compile requirements/*.txt from requirements/*.in (needs uv)
	@for group in base documents embedded dev audit; do \
		uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
			--custom-compile-command 'make requirements' requirements/$$group.in -o requirements/$$group.txt || exit 1; done

clean: ## remove the environment and caches; never the data in var/
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
