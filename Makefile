PYTHON ?= $(shell command -v python3.11 || command -v python3)
export PATH := $(CURDIR)/.venv/bin:$(PATH)
UV = uv==0.13.8

.PHONY: run test lock setup

run: setup    ## train, compare and judge every model
	@python -m lab run

test: setup   ## everything that can be checked here
	@PYTHONPATH=lab pytest

lock: setup   ## lock every Pipfile again
	@python -m lab.lock

setup: .venv/made

.venv/made: Pipfile.lock
	@$(PYTHON) -m venv .venv && .venv/bin/python -m pip install --quiet "$(UV)"
	@.venv/bin/python -m lab.environments --root
	@touch $@
