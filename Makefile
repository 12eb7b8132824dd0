# Every target does its own set-up: a fresh machine needs only Python 3.10+, make and a package index.
PYTHON ?= python3
VENV   := .venv
PEER   := .venv-peer
BENCH  := .venv-bench
PY     := $(VENV)/bin/python
PIP    := $(PY) -m pip --disable-pip-version-check --quiet

.PHONY: demo test pure coverage lint type bench docs clean ready peer nginx

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# What running the package needs. The stamp makes a second run work without the package index.
$(VENV)/.run: pyproject.toml | $(VENV)/bin/python
	$(PIP) install --upgrade 'pip>=25.1'
	$(PIP) install -e '.[local,cli]'
	@touch $@

# What testing and checking it needs besides.
$(VENV)/.dev: $(VENV)/.run
	$(PIP) install --group test --group lint -e '.[all]'
	@touch $@

# The 2.0.0 package in an environment of its own: a peer to run against, never part of ours.
$(PEER)/.ready: Makefile | $(VENV)/bin/python
	$(PYTHON) -m venv $(PEER)
	$(PEER)/bin/python -m pip --disable-pip-version-check --quiet install 'aistore[etl]==2.0.0' webdataset
	@touch $@

# The 2.0.0 package's datasets need torch. Exact: this release comes as a CPU build.
$(PEER)/.torch: $(PEER)/.ready
	$(PEER)/bin/python -m pip --disable-pip-version-check --quiet install \
	    'aistore[pytorch]==2.0.0' 'torch==2.13.0'
	@touch $@

# Other packages that do the same work, for the benchmarks to compare with.
$(BENCH)/.ready: | $(VENV)/bin/python
	$(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python -m pip --disable-pip-version-check --quiet install \
	    requests urllib3 httpx aiohttp pycurl obstore boto3 s3fs matplotlib
	@touch $@

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

test: $(VENV)/.dev $(PEER)/.ready
	$(PY) -m pytest

# Every line and branch of the modules without I/O; which these are, tests/pure.toml says.
PURE_TESTS := $(addprefix tests/unit/,authn batch bck dataset dsort models multiobj obj transport) $(wildcard tests/unit/test_*.py)
pure: $(VENV)/.dev
	$(PY) -m coverage run --rcfile=tests/pure.toml -m pytest -q $(PURE_TESTS)
	$(PY) -m coverage report --rcfile=tests/pure.toml

# Lines and branches of the SDK that all tests run, child processes included: at least 95%.
coverage: $(VENV)/.dev $(PEER)/.ready
	$(PY) -m coverage erase
	$(PY) -m coverage run -m pytest
	$(PY) -m coverage combine --quiet
	$(PY) -m coverage report --include='aistore/sdk/*' --fail-under=95

lint: $(VENV)/.dev
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

type: $(VENV)/.dev
	$(PY) -m mypy

bench: $(VENV)/.dev $(PEER)/.torch $(BENCH)/.ready nginx
	$(PY) -m benchmarks --report docs/performance.md $(BENCHFLAGS)

docs: $(VENV)/.dev
	$(PY) -m pytest tests/integration/test_docs.py

clean:
	rm -rf $(VENV) $(PEER) $(BENCH) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .coverage*
