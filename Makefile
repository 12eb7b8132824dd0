# Every target does its own set-up: a fresh machine needs only Python 3.10+, make and a package index.
# What is installed comes from requirements/*.txt (`make lock` makes them again); `uv` installs it where it can be
# had, else pip does (PLAIN_PIP=1 forces that).
PYTHON ?= python3
UV_VERSION := 0.13.9
VENV   := .venv
LINT   := .venv-lint
PEER   := .venv-peer
BENCH  := .venv-bench
LATEST := .venv-latest
LOWEST := .venv-lowest
PY     := $(VENV)/bin/python

# $(call install,FOLDER,ARGUMENTS): install packages into an environment.
install = if [ -x $(1)/bin/uv ]; then $(1)/bin/uv pip install --quiet --python $(1)/bin/python $(2); \
          else $(1)/bin/python -m pip install --disable-pip-version-check --quiet $(2); fi
# The package itself, editable: what it needs is there already.
package = $(call install,$(1),--no-deps --no-build-isolation -e .)

.PHONY: demo test test-full test-latest test-lowest pure coverage lint type bench docs lock clean ready peer nginx

ENVIRONMENTS := $(VENV) $(LINT) $(PEER) $(BENCH) $(LATEST) $(LOWEST)
$(addsuffix /bin/python,$(ENVIRONMENTS)):
	$(PYTHON) -m venv $(@:/bin/python=)
	@[ -n "$(PLAIN_PIP)" ] || $@ -m pip install --disable-pip-version-check --quiet --only-binary :all: \
	    uv==$(UV_VERSION) || echo "uv is not to be had here: pip installs"

# Running the package.
$(VENV)/.run: requirements/run.txt pyproject.toml | $(VENV)/bin/python
	$(call install,$(VENV),-r requirements/run.txt)
	$(call package,$(VENV))
	@touch $@

# Testing it and checking its types.
$(VENV)/.dev: requirements/test.txt pyproject.toml $(VENV)/.run
	$(call install,$(VENV),-r requirements/test.txt)
	@touch $@

$(LINT)/.ready: requirements/lint.txt | $(LINT)/bin/python
	$(call install,$(LINT),-r $<)
	@touch $@

# The 2.0.0 package in an environment of its own: a peer to run against, never part of ours.
$(PEER)/.ready: requirements/peer.txt | $(PEER)/bin/python
	$(call install,$(PEER),-r $<)
	@touch $@

# The 2.0.0 package's datasets need torch.
$(PEER)/.torch: requirements/peer-torch.txt $(PEER)/.ready
	$(call install,$(PEER),-r $<)
	@touch $@

# Other packages that do the same work, for the benchmarks to compare with.
$(BENCH)/.ready: requirements/bench.txt | $(BENCH)/bin/python
	$(call install,$(BENCH),-r $<)
	@touch $@

# The newest and the lowest versions that pyproject.toml allows.  Lowest: on Python 3.10 (PYTHON=python3.10).
$(LATEST)/.ready: pyproject.toml | $(LATEST)/bin/python
	$(LATEST)/bin/python -m pip install --disable-pip-version-check --quiet --upgrade pip
	$(call install,$(LATEST),--upgrade --group test --group build '.[all]')
	$(call package,$(LATEST))
	@touch $@

$(LOWEST)/.ready: requirements/lowest.txt pyproject.toml | $(LOWEST)/bin/python
	$(call install,$(LOWEST),-r $<)
	$(call package,$(LOWEST))
	@touch $@

# Lock files for Python 3.10 to 3.13, all platforms; lowest.txt is for Python 3.10 on this platform.
COMPILE = $(PY) -m uv pip compile --quiet --upgrade --no-config --custom-compile-command 'make lock'
UNIVERSAL = $(COMPILE) --universal --python-version 3.10
lock: | $(VENV)/bin/python
	@$(PY) -m uv --version >/dev/null || { echo "make lock needs uv"; exit 1; }
	$(UNIVERSAL) pyproject.toml --extra all --group test --group type --group build -o requirements/test.txt
	$(UNIVERSAL) pyproject.toml --extra local --extra cli --group build -c requirements/test.txt -o requirements/run.txt
	$(UNIVERSAL) --group lint -o requirements/lint.txt
	$(UNIVERSAL) --group peer -o requirements/peer.txt
	$(UNIVERSAL) --group peer --group peer-torch -c requirements/peer.txt -o requirements/peer-torch.txt
	$(UNIVERSAL) --group bench -o requirements/bench.txt
	$(COMPILE) pyproject.toml --only-binary :all: --extra all --group test --group build \
	    --resolution lowest-direct --python-version 3.10 -o requirements/lowest.txt

# nginx serves the benchmarks' objects; only root can install it.
nginx:
	@command -v nginx >/dev/null || test -x /usr/sbin/nginx || { \
	    if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	        (apt-get install -y -q nginx-light || { apt-get update -q && apt-get install -y -q nginx-light; }) >/dev/null; \
	    else \
	        echo "nginx is not installed and this is not root: only aistore.local is measured"; \
	    fi; }

ready: $(VENV)/.dev

peer: $(PEER)/.ready

demo: $(VENV)/.run
	$(PY) examples/quickstart.py

# All tests but those marked `full`, a process for each core (JOBS=1: one after the other).
JOBS ?= auto
PYTEST = -m pytest -q -n $(JOBS) --dist loadgroup --durations=25 --durations-min=5
test: $(VENV)/.dev $(PEER)/.ready
	$(PY) $(PYTEST)

# Those too: hours.
test-full: $(VENV)/.dev $(PEER)/.ready
	$(PY) $(PYTEST) -m ''

test-latest: $(LATEST)/.ready $(PEER)/.ready
	$(LATEST)/bin/python $(PYTEST)

test-lowest: $(LOWEST)/.ready $(PEER)/.ready
	$(LOWEST)/bin/python $(PYTEST)

# Every line and branch of the modules without I/O; which these are, tests/pure.toml says.
PURE_TESTS := $(addprefix tests/unit/,authn batch bck dataset dsort models multiobj obj transport wire) $(wildcard tests/unit/test_*.py)
pure: $(VENV)/.dev
	$(PY) -m coverage run --rcfile=tests/pure.toml -m pytest -q $(PURE_TESTS)
	$(PY) -m coverage report --rcfile=tests/pure.toml

# Lines and branches of the SDK that all tests run, child processes included: at least 95%.
coverage: $(VENV)/.dev $(PEER)/.ready
	$(PY) -m coverage erase
	$(PY) -m coverage run -m pytest
	$(PY) -m coverage combine --quiet
	$(PY) -m coverage report --include='aistore/sdk/*' --fail-under=95

lint: $(LINT)/.ready
	$(LINT)/bin/ruff check .
	$(LINT)/bin/ruff format --check .

type: $(VENV)/.dev
	$(PY) -m mypy

bench: $(VENV)/.dev $(PEER)/.torch $(BENCH)/.ready nginx
	$(PY) -m benchmarks --report docs/performance.md $(BENCHFLAGS)

docs: $(VENV)/.dev
	$(PY) -m pytest tests/integration/test_docs.py

clean:
	rm -rf $(ENVIRONMENTS) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .coverage*
