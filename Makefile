# Every target needs nothing but a Python of 3.11 or newer: `make run PYTHON=python3.12` names one.
PYTHON ?= python3
BOOTSTRAP = $(PYTHON) infra/local/bootstrap.py

.DEFAULT_GOAL := help
.PHONY: help run account logs test check lock soak bench package smoke clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run:  ## start the registry on http://localhost:5000 (CLOUDBERTH_PORT, CLOUDBERTH_DATA: see docs/settings.md)
	@$(BOOTSTRAP) run

account:  ## make users and robots, grant rights, as in ARGUMENTS="user carol PASSWORD"
	@$(BOOTSTRAP) account $(ARGUMENTS)

logs:  ## follow the access log of the running stack: a line for each request and job
	@$(BOOTSTRAP) logs

test:  ## run the tests; ARGUMENTS goes to pytest, as in ARGUMENTS="-k tags -x"
	@$(BOOTSTRAP) test $(ARGUMENTS)

check:  ## all that CI runs: format, lint, types, import walls, dead code, spelling, tests
	@$(BOOTSTRAP) check $(ARGUMENTS)

lock:  ## write the requirement files anew from requirements/*.in; ARGUMENTS=--upgrade takes newer versions
	@$(BOOTSTRAP) lock $(ARGUMENTS)

soak:  ## what takes longer than a check may: gigabytes, a cut relay, Terraform applied, a restore, the API fuzzed, life and death at random
	@$(BOOTSTRAP) soak $(ARGUMENTS)
	@$(BOOTSTRAP) relay-soak
	@$(BOOTSTRAP) mirrors --gb 2
	@$(BOOTSTRAP) applied
	@CLOUDBERTH_SOAK=1 $(BOOTSTRAP) test tests/infra/test_restore.py
	@CLOUDBERTH_FUZZ=200 $(BOOTSTRAP) test --dist load tests/api/test_fuzz.py
	@CLOUDBERTH_SOAK=1 $(BOOTSTRAP) test --timeout 20000 tests/flows/test_life_and_death.py

bench:  ## measure this stack beside another registry
	@$(BOOTSTRAP) bench $(ARGUMENTS)

package:  ## the zip that Lambda runs and what Terraform reads of it, in infra/terraform/build; ARGUMENTS="--arch x86_64"
	@$(BOOTSTRAP) package $(ARGUMENTS)

smoke:  ## the first checks against a deployment, as in smoke URL=https://registry.example.com CLOUDBERTH_PASSWORD=...
	@$(BOOTSTRAP) smoke $(URL) $(ARGUMENTS)

clean:  ## remove .venv and all caches; the data in .local stay
	@if pgrep -f '^$(CURDIR)/[.]venv/bin/python' > /dev/null; then \
	    echo "A stack or its tests run from $(CURDIR)/.venv: stop them first." >&2; exit 1; \
	fi
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
