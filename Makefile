# What the lab is locked for, and the first Python here that is it: macOS and newer Linux have others.
VERSION = $(shell sed -n 's|^python_version = "\(.*\)"|\1|p' Pipfile)
IS_IT = -c 'import sys; sys.exit("$(VERSION)" != "{}.{}".format(*sys.version_info))' 2>/dev/null
PYTHON ?= $(shell for found in python$(VERSION) python3 "$$(uv python find $(VERSION) 2>/dev/null)"; do \
	"$$found" $(IS_IT) && echo "$$found" && break; done)
export PATH := $(CURDIR)/.venv/bin:$(PATH)
# Images of Docker often set it: Python would then compile DVC again at each start, which takes longer than all else.
unexport PYTHONDONTWRITEBYTECODE
VENV = $$(mkdir -p .venv && cd .venv && pwd -P)
UV = $(shell sed -n 's|^uv = "\(.*\)"|uv\1|p' Pipfile)
PORT ?= 5000

# More than there are cores, since many wait for services. A file's tests stay together: its fixtures are made once.
# The longest come before the last, so that no worker is left alone with one.
WORKERS = --numprocesses 4 --dist loadfile --no-loadscope-reorder

.PHONY: run test test-all ui site lock setup repository FORCE hooks sandbox sandbox-down

run: repository setup    ## train, compare and judge every model
	@.venv/bin/python -m lab run

test: repository setup   ## what is yours: lab, lib and goals, and the pipeline as a whole
	@PYTHONPATH=lab pytest $(WORKERS)

test-all: repository setup   ## labkit and runtimes too; with NIGHTLY=1, also what takes long
	@PYTHONPATH=lab pytest $(WORKERS) $(if $(NIGHTLY),--nightly) labkit runtimes lab lib goals

ui: setup     ## every run in MLflow, in the browser
	@python -m lab ui --port $(PORT)

site: repository setup   ## the experiments of all branches as pages, in the browser
	@.venv/bin/python -m lab site --open

sandbox: setup  ## S3, MLflow, a Git origin and a runner, here (S3_PORT=, MLFLOW_PORT=)
	@.venv/bin/python -m runtimes.sandbox up

sandbox-down:  ## end them
	@if python -c "import psutil, typer" 2>/dev/null; then python -m runtimes.sandbox down; \
	elif test -e .lab/sandbox; then echo "error: the lab's environment is missing: \`make setup\` first" >&2; exit 1; \
	else echo "no sandbox was running"; fi

lock: setup   ## lock every Pipfile again; with UPGRADE=1, at the newest versions that fit together
	@.venv/bin/python -m labkit.launch.locks $(if $(UPGRADE),--upgrade)

setup: .venv/made

repository:
	@git rev-parse --git-dir >/dev/null 2>&1 || { echo "error: no Git repository, which DVC needs: clone the lab instead of" \
		"downloading it, or \`git init && git add --all && git commit --message Begin\` here" >&2; exit 1; }

# A copy of the lock that .venv was made from. On a runner .venv is a link, and what it leads to outlives the checkout;
# scripts in it name the place they are in, so it is made by that name. Made anew, too, when its interpreter is gone.
.venv/made: Pipfile.lock $(shell test -x .venv/bin/python || echo FORCE)
	@test -x .venv/bin/python || $(or $(PYTHON),false) $(IS_IT) || { echo "error: the lab needs Python $(VERSION), which is not" \
		"here: install it, by \`uv python install $(VERSION)\` for one, or name it: make setup PYTHON=/path/to/python" >&2; exit 1; }
	@cmp -s Pipfile.lock $@ || echo "installing into .venv what Pipfile.lock lists; the first time, this takes minutes"
	@test -x .venv/bin/python || $(PYTHON) -m venv --clear "$(VENV)"
	@cmp -s Pipfile.lock $@ || "$(VENV)/bin/python" -m pip install --quiet "$(UV)"
	@cmp -s Pipfile.lock $@ || .venv/bin/python -m labkit.launch.environments --root
	-@test "$$CI" || ! git rev-parse --git-dir >/dev/null 2>&1 || $(MAKE) --no-print-directory hooks
	@cp Pipfile.lock $@

# What Git calls in this clone; the page of DVC's plots; and where DVC keeps its notes: they are pickles, and in its
# own place, /var/tmp/dvc, anyone may write them.
hooks:
	@mkdir -p .lab && chmod 700 .lab
	@.venv/bin/python -m dvc config --local core.site_cache_dir "$(CURDIR)/.lab/dvc"
	@.venv/bin/python -m labkit.publish.merge_driver --install
	@.venv/bin/python -m labkit.report.offline_plots
	@.venv/bin/pre-commit install >/dev/null
