# Trickline's commands. Each installs what it needs into .venv, once for each content of the requirements.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo app test bench install dev lock clean chromium postgres

PYTHON ?= $(shell for p in python3.11 python3; do $$p -c "" 2>/dev/null && echo $$p && break; done)
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip -qq --disable-pip-version-check

# The stamps are named after the files' contents, because a checkout changes times without changing what is needed.
LIGHT_FILES := pyproject.toml constraints.txt requirements-light.txt
FULL_FILES := $(LIGHT_FILES) requirements.txt requirements-dev.txt
checksum = $(firstword $(shell cat $(1) | cksum))
LIGHT := $(VENV)/.light-$(call checksum,$(LIGHT_FILES))
FULL := $(VENV)/.full-$(call checksum,$(FULL_FILES))

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-9s%s\n", $$1, $$2}' Makefile

demo: $(LIGHT) ## draw a sample session, find its tricks and cut the clips
	@$(PY) -m sample_data.demo

app: $(LIGHT) ## open the studio in the browser
	@$(VENV)/bin/streamlit run app.py

test: $(FULL) chromium postgres ## lint, types and tests: what has to pass before a change lands
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	$(PY) -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile

# The studio is tried in a real browser. Playwright's own builds come from a host of their own; Debian's is in its index.
chromium:
	@for name in chromium chromium-browser google-chrome; do command -v $$name >/dev/null && exit; done; \
	echo "Installing Chromium, in which the studio is tried"; \
	apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes chromium >/dev/null \
		|| { echo "Chromium could not be installed: install it by hand (Debian, as root: apt install chromium)." >&2; exit 1; }

# A team's records are tried on a real server, which the tests make and throw away.
postgres:
	@for initdb in /usr/lib/postgresql/*/bin/initdb $$(command -v initdb); do test -x "$$initdb" && exit; done; \
	echo "Installing PostgreSQL, on which the records of a team are tried"; \
	apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends postgresql >/dev/null \
		|| { echo "PostgreSQL could not be installed: install it by hand (Debian, as root: apt install postgresql)." >&2; exit 1; }

bench: $(FULL) chromium ## measure speed and accuracy
	@$(PY) -m tests.bench

install: $(LIGHT) ## install the studio and the trickline command into .venv

dev: $(FULL) ## install everything, PyTorch and the development tools too

# torch and torchvision, and the CUDA libraries that torch's own wheel pins, stay out of the lock: which build is right
# depends on the machine (CPU, driver), and the newest pair that its index offers always fits together.
# setuptools too, because torch bounds it and nothing else here runs it.
lock: $(VENV)/.made ## work out constraints.txt anew from the requirements
	@echo "Resolving the requirements"
	@$(PIP) install --dry-run --ignore-installed --report $(VENV)/resolved.json -r requirements.txt -r requirements-dev.txt
	@echo "# The versions that are installed. Made by make lock from the requirements; do not edit." > $(VENV)/pins.txt
	@$(PY) -c "import json; [print('{name}=={version}'.format_map(p['metadata'])) for p in json.load(open('$(VENV)/resolved.json'))['install']]" \
		| grep -vE '^(torch|torchvision|triton|nvidia-.*|cuda-.*|setuptools)==' | LC_ALL=C sort -f >> $(VENV)/pins.txt
	@mv $(VENV)/pins.txt constraints.txt
	@echo "Wrote constraints.txt"

clean: ## remove .venv, the tools' caches and the drawn sample session
	rm -rf $(VENV) *.egg-info build .pytest_cache .ruff_cache .mypy_cache .hypothesis sample_data/session
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.made:
	@test -n "$(PYTHON)" || { echo "No Python found: Trickline needs Python 3.11 or newer (Debian: apt install python3 python3-venv)." >&2; exit 1; }
	@$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11))" || { echo "$(PYTHON) is older than Python 3.11, which Trickline needs: run make PYTHON=/path/to/a/newer/python." >&2; exit 1; }
	@$(PYTHON) -c "import ensurepip" 2>/dev/null || { echo "$(PYTHON) cannot make a virtual environment with pip in it: install that part first (Debian: apt install python3-venv)." >&2; exit 1; }
	@echo "Making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(LIGHT): $(VENV)/.made
	@echo "Installing Trickline (about a minute)"
	@$(call install,-e .)
	@touch $@

$(FULL): $(VENV)/.made
	@echo "Installing Trickline with PyTorch and the development tools (a few minutes, 7 GB)"
	@$(call install,-r requirements.txt -r requirements-dev.txt -e .)
	@touch $(LIGHT) $@

# opencv-python can open windows and so loads libxcb, libGL and GLib, which a machine without a desktop lacks. Its
# headless twin is the same code without windows. Both fill the folder cv2, so one must go before the other comes.
OPENCV = $(shell sed -n 's/^opencv-python//p' constraints.txt)
define install
rm -f $(VENV)/.light-* $(VENV)/.full-*; \
$(PIP) install -c constraints.txt $(1) || exit 1; \
$(PY) -c "import cv2" 2>/dev/null && exit; \
echo "opencv-python finds no window libraries here: taking opencv-python-headless"; \
$(PIP) uninstall -y opencv-python opencv-python-headless && \
$(PIP) install --no-deps opencv-python-headless$(OPENCV) && \
$(PY) -c "import cv2"
endef
