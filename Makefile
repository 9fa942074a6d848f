# Every chore of the project. On a fresh machine: `make run`, `make test`. What needs explaining is in README.md.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test test-slow lint deploy-lint observe-lint observe-test image-test deploy-test upgrade-test secrets-test bench storm drill soak mutants security screenshots lock clean

PYTHON ?= python3
SERVICES ?= embedded
JOBS ?= 3
BIN := .venv/bin

# pip of the environment, or, where Python came without ensurepip, the system's pip working on the environment.
PIP = $$($(BIN)/python -m pip --version >/dev/null 2>&1 && echo $(BIN)/python -m pip || echo $(PYTHON) -m pip --python $(BIN)/python)
INSTALL = $(PIP) install --quiet --disable-pip-version-check --progress-bar off
PROJECT = $(INSTALL) --no-deps --no-build-isolation --editable .

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: .venv/.runtime ## Start everything and open a demo competition (SERVICES=system: servers of this machine)
	@$(BIN)/vote up --with-parent --services $(SERVICES)

test: .venv/.dev ## Run the suite (SERVICES=system: on this machine's PostgreSQL and Redis; ARGS="-k …" for some)
	$(call SUITE,not slow)

test-slow: .venv/.dev ## Run the tests that take longer: browsers without features, stores set back, failover (as `make test`)
	$(call SUITE,slow)

lint: .venv/.dev ## Check style, format, types, the direction of imports, dead and duplicate code
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/vulture
	@$(BIN)/pylint --score=n --disable=all --enable=duplicate-code --min-similarity-lines=12 --ignore-imports=y --ignore-signatures=y vote

deploy-lint: .venv/.dev .venv-lint/.filled ## Check the deploy kit: image, Compose, nginx, workflows, scripts, migrations (ARGS="-k …")
	@$(LINTERS)
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --confcutdir=tests/deploy -q tests/deploy/lint $(ARGS)

observe-lint: .venv/.dev ## Check alerts, their routes and runbooks, with planted faults (ARGS="-k …")
	@$(WATCHERS)
	@$(BIN)/python -m pytest -n $(JOBS) --confcutdir=tests/deploy -q tests/deploy/observe $(ARGS)

observe-test: PROOF_S := 600
observe-test: .venv/.dev ## Ship logs with rsyslog: many at once, the store away, each killed, strangers (ARGS="-k …")
	@tests/deploy/install rsyslog rsyslog-relp rsyslog-gnutls openssl
	$(call PROOF,observe-test,tests/deploy/shipping)

secrets-test: .venv-deploy/.filled .venv-extras/.filled ## Read, rotate and date secrets in OpenBao, moto and a stand-in for Azure
	@DEPLOY_PROGRAMS=$(CURDIR)/.venv-deploy/bin .venv-extras/bin/python -m pytest tests/deploy/secrets $(ARGS)

image-test: .venv/.dev .venv-deploy/.filled ## Build the image, vote through it, restart it under load, push and deploy it (ARGS="-k …")
	@tests/deploy/install $(CONTAINER_PROGRAMS) docker-registry busybox-static
	$(call PROOF,image-test,"tests/deploy/image tests/deploy/ci")

deploy-test: .venv/.dev .venv-deploy/.filled ## Set one host up with Docker Compose over podman, upgrade it, kill each part; nginx, certificates (ARGS="-k …")
	@tests/deploy/install $(CONTAINER_PROGRAMS) nginx-light gettext-base certbot pebble testssl.sh chromium libatomic1
	$(call PROOF,deploy-test,tests/deploy/compose "-n 2 --dist loadfile tests/deploy/nginx")

upgrade-test: PROOF_S := 780
upgrade-test: .venv/.dev ## Upgrade from the release before and back under 200 votes a second, then count (UPGRADE_FROM=ref)
	@tests/deploy/install postgresql-15 redis-server
	$(call PROOF,upgrade-test,tests/deploy/upgrade)

bench: .venv/.dev ## Measure speed side by side with plain servers
	@$(BIN)/python -m bench $(ARGS)

storm: .venv/.dev ## Kill everything while people vote, then count (STORM_VOTES, STORM_KILLS, STORM_SEED)
	@$(BIN)/python -m tests.storm

drill: .venv/.dev ## Destroy the database while people vote, restore it, and count (DRILL_VOTES, DRILL_RATE)
	@SERVICES=$(SERVICES) $(BIN)/python -m tests.drill

soak: .venv/.dev ## Run everything under a steady load and see that nothing grows (SOAK_HOURS=24, SOAK_MINUTES, SOAK_RATE)
	@$(BIN)/python -m tests.soak

mutants: .venv/.dev ## Prove the tests: break the code on purpose and see them fail
	@JOBS=$(JOBS) $(BIN)/python -m tests.faults $(ARGS)

security: .venv/.dev .venv-security/.filled ## Attack the code and the running app (SECURITY_CASES; SECURITY_OFFLINE=1 without advisories)
	@$(BIN)/python -m tests.security $(ARGS)

screenshots: .venv/.dev ## Take screenshots of every page, wide, on a phone and dark, into build/screenshots (ARGS="results")
	@$(BIN)/python -m tests.browser.screenshots $(ARGS)

lock: .venv/.dev ## Resolve pyproject.toml and requirements-*.in into the lock files (ARGS="--upgrade" for newer versions)
	@$(LOCK) --extra build --extra embedded --output-file requirements.txt $(ARGS)
	@$(LOCK) --extra build --extra embedded --extra dev --constraint requirements.txt --output-file requirements-dev.txt $(ARGS)
	@$(LOCK) --extra build --extra aws --extra azure --extra vault --constraint requirements.txt --output-file requirements-image.txt $(ARGS)
	@$(LOCK_FILE) tests/security/requirements.in --override tests/security/overrides.txt --output-file tests/security/requirements.txt $(ARGS)
	@$(LOCK_FILE) requirements-lint.in --output-file requirements-lint.txt $(ARGS)
	@$(LOCK_FILE) requirements-deploy.in --output-file requirements-deploy.txt $(ARGS)

clean: ## Remove the environment and caches; data in .vote stays
	@rm -rf .venv .venv-security .venv-lint .venv-deploy .venv-extras build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache test-results
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

LOCK_FILE = $(BIN)/uv pip compile --quiet --python-version 3.11 --generate-hashes --no-header
LOCK = $(LOCK_FILE) pyproject.toml

# --- the environment: made once, filled again only when a lock file changed -------------------------------------------

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; name one with PYTHON=…" if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv .venv >/dev/null 2>&1 || $(PYTHON) -m venv --without-pip --clear .venv
	@$(PIP) --version >/dev/null 2>&1 || { rm -rf .venv; echo "pip is needed: apt-get install python3-venv (or python3-pip)."; exit 1; }

.venv/.runtime: requirements.txt pyproject.toml | $(BIN)/python
	@echo "Installing what vote-app needs (half a minute) …"
	@$(INSTALL) --require-hashes --requirement requirements.txt
	@$(PROJECT)
	@touch $@

.venv/.dev: requirements-dev.txt .venv/.runtime
	@echo "Installing what its tests need …"
	@$(INSTALL) --require-hashes --requirement requirements-dev.txt
	@touch $@

# The attackers of `make security` need versions that may not be ours.
.venv-security/.filled: tests/security/requirements.txt .venv/.dev
	@echo "Installing what attacks (two minutes) …"
	@$(PYTHON) -m venv .venv-security >/dev/null 2>&1 || $(PYTHON) -m venv --without-pip --clear .venv-security
	@$(subst $(BIN),.venv-security/bin,$(INSTALL)) --no-deps --require-hashes --requirement tests/security/requirements.txt
	@touch $@

# So do the checkers of `make deploy-lint`, and the programs of the tests of the deploy kit.
.venv-lint/.filled .venv-deploy/.filled: .venv-%/.filled: requirements-%.txt .venv/.dev
	@echo "Installing what $* needs (a minute) …"
	@$(PYTHON) -m venv .venv-$* >/dev/null 2>&1 || $(PYTHON) -m venv --without-pip --clear .venv-$*
	@$(subst $(BIN),.venv-$*/bin,$(INSTALL)) --no-deps --require-hashes --requirement requirements-$*.txt
	@touch $@

# What the image holds, with the tests: the clients of secret managers are no dependency of a laptop.
.venv-extras/.filled: requirements-dev.txt requirements-image.txt pyproject.toml .venv/.dev
	@echo "Installing the image's extras and the tests (a minute) …"
	@$(PYTHON) -m venv .venv-extras >/dev/null 2>&1 || $(PYTHON) -m venv --without-pip --clear .venv-extras
	@$(subst $(BIN),.venv-extras/bin,$(INSTALL)) --require-hashes --requirement requirements-dev.txt
	@$(subst $(BIN),.venv-extras/bin,$(INSTALL)) --require-hashes --requirement requirements-image.txt
	@$(subst $(BIN),.venv-extras/bin,$(PROJECT))
	@touch $@

# --- the suite, whole but for the marker given ---------------------------------------------------------------------------

define SUITE
@$(NEEDED)
@set -- -m "$(1)"; $(FOUND_BROWSER) || { \
  echo "make $@: the browser suite is deselected: it needs chromium and libatomic1 (as root on Debian they are installed)."; \
  set -- -m "$(1) and not browser"; }; \
$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder --services=$(SERVICES) --ignore=tests/deploy "$$@" $(ARGS)
endef

# --- proofs in containers: bounded; a whole one (without ARGS) leaves a record in build/records ------------------

CONTAINER_PROGRAMS := buildah podman runc netavark aardvark-dns catatonit iptables mmdebstrap postgresql-15 redis-server
PROOF_S := 1500

# $(1): name of the record; $(2): what to run, one after the other. With ARGS a folder may have none of the tests (code 5).
define PROOF
@figures=$$(mktemp); began=$$(date +%s); code=0; \
for tests in $(2); do \
  DEPLOY_FIGURES=$$figures timeout --foreground --signal=INT --kill-after=120 $(PROOF_S) \
    $(BIN)/python -m pytest -q --durations=5 --services=system $$tests $(ARGS) || { last=$$?; [ "$(if $(ARGS),5)" = $$last ] || code=$$last; }; \
done; \
$(if $(ARGS),rm -f $$figures; exit $$code;) \
$(BIN)/python -m tests.deploy.record $(1) $$figures $$code $$(($$(date +%s) - began)) || code=$$?; \
rm -f $$figures; exit $$code
endef

# --- programs of the suite that pip does not bring ---------------------------------------------------------------------

FOUND_BROWSER = { command -v chromium && $(PYTHON) -c 'import ctypes; ctypes.CDLL("libatomic.so.1")'; } >/dev/null 2>&1
FOUND_STRACE = command -v strace >/dev/null 2>&1
FOUND_POOLER = PATH="$$PATH:/usr/sbin" command -v pgbouncer >/dev/null 2>&1
FOUND_PROMTOOL = command -v promtool >/dev/null 2>&1
FOUND_PGBACKREST = { [ $(SERVICES) != system ] || command -v pgbackrest; } >/dev/null 2>&1
FOUND_SERVERS = { [ $(SERVICES) != system ] || { ls /usr/lib/postgresql/*/bin/postgres && command -v redis-server; }; } >/dev/null 2>&1

# The checkers of `make deploy-lint` that no wheel brings. As root on Debian they are installed, and nginx is not started.
FOUND_LINTERS = PATH="$$PATH:/usr/sbin"; { command -v nginx && command -v shellcheck && command -v envsubst; } >/dev/null 2>&1
define LINTERS
$(FOUND_LINTERS) && exit 0; \
if [ "$$(id -u)" = 0 ] && [ -e /etc/debian_version ]; then \
  echo "Installing shellcheck, nginx and envsubst …"; \
  policy=/usr/sbin/policy-rc.d; \
  [ -e $$policy ] || { trap 'rm -f '$$policy EXIT INT TERM; printf '#!/bin/sh\nexit 101\n' >$$policy; chmod 755 $$policy; }; \
  { apt-get update -q; DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends shellcheck nginx-light gettext-base; } >/dev/null; \
fi; \
$(FOUND_LINTERS) || { echo "make deploy-lint: apt-get install shellcheck nginx-light gettext-base"; exit 1; }
endef

# The checkers of `make observe-lint`. Nothing of them is started; upstream's own archives call the second one alertmanager.
FOUND_WATCHERS = { command -v promtool && command -v amtool && { command -v prometheus-alertmanager || command -v alertmanager; }; } >/dev/null 2>&1
WATCHERS = $(FOUND_WATCHERS) || tests/deploy/install prometheus prometheus-alertmanager

# As root on Debian: install what is missing. Packages of servers would start them and make a cluster; ours are started
# from the programs, so both are prevented (policy-rc.d: https://people.debian.org/~hmh/invokerc.d-policyrc.d-specification.txt).
define NEEDED
$(FOUND_BROWSER) && $(FOUND_SERVERS) && $(FOUND_STRACE) && $(FOUND_POOLER) && $(FOUND_PROMTOOL) && $(FOUND_PGBACKREST) && exit 0; \
if [ "$$(id -u)" = 0 ] && [ -e /etc/debian_version ] && command -v apt-get >/dev/null; then \
  export DEBIAN_FRONTEND=noninteractive; \
  get() { apt-get install -y --no-install-recommends "$$@" >/dev/null || echo "make test: $$* could not be installed."; }; \
  echo "Installing programs the suite needs …"; \
  apt-get update -q >/dev/null || echo "make test: apt-get update failed; trying what is known."; \
  $(FOUND_BROWSER) || get chromium libatomic1; \
  $(FOUND_STRACE) || get strace; \
  policy=/usr/sbin/policy-rc.d; \
  [ -e $$policy ] || { trap 'rm -f '$$policy EXIT INT TERM; printf '#!/bin/sh\nexit 101\n' >$$policy; chmod 755 $$policy; }; \
  $(FOUND_POOLER) || get pgbouncer; \
  $(FOUND_PROMTOOL) || get prometheus; \
  $(FOUND_SERVERS) || { \
    get postgresql-common; \
    sed -i 's/^#* *create_main_cluster *=.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf; \
    get postgresql-15 redis-server; }; \
  $(FOUND_PGBACKREST) || get pgbackrest; \
fi; \
$(FOUND_SERVERS) || { echo "make test SERVICES=system: postgresql-15 or redis-server is missing (apt-get install them)."; exit 1; }
endef
