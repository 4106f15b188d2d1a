# Everything is set up under .venv by the first target that needs it; nothing is installed outside this folder.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# empty: the first Python found that is new enough
PYTHON ?=
VENV := .venv
READY := $(VENV)/.ready
# whole files to a worker, because what a file's tests share is made once a worker; in the order of tests/conftest.py
PYTEST_OPTIONS ?= -q -n auto --dist loadfile --no-loadscope-reorder --ignore=tests/cluster
# Snakemake keeps a cache of its own, which stays in this folder too. PYTHONPATH, as environment modules set it, would lead to
# another Python's packages; PYTHONDONTWRITEBYTECODE, as some containers set it, would have each process compile all code anew.
RUN := env -u PYTHONPATH -u PYTHONHOME -u PYTHONDONTWRITEBYTECODE PATH="$(CURDIR)/$(VENV)/bin:$$PATH" XDG_CACHE_HOME="$(CURDIR)/.snakemake/cache" OMP_WAIT_POLICY=PASSIVE

# tests that neither run Snakemake nor a browser nor take long; a file of slow ones is not even imported
FAST := -m "not slow and not workflow and not browser and not cluster" --ignore=tests/unit/test_statistics_oracles.py tests/unit tests/golden

.PHONY: help demo demo-web review run check test test-cluster fuzz benchmark benchmark-paired lint docs setup slurm-profile lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(READY) ## run the workflow on the demo cohort and say where the report is
	@$(RUN) python scripts/quiet_snakemake.py --profile profiles/local
	@echo "Report: $(CURDIR)/results/demo/report.html"
	@echo "Table:  $(CURDIR)/results/demo/lstv_uncertainty_metrics.csv"

run: $(READY) ## run the workflow: CONFIG=config/mine.yaml (PROFILE=profiles/slurm, OPTIONS="-n" for a plan)
	@if [ -z "$(CONFIG)" ]; then echo "Error: name your settings: make run CONFIG=config/mine.yaml" >&2; exit 2; fi
	@$(RUN) python scripts/quiet_snakemake.py --profile $(or $(PROFILE),profiles/local) --configfile $(CONFIG) $(OPTIONS)

demo-web: $(READY) ## open the demo in the browser: give a phantom, see what the network says; APP="--port 9000" passes options
	@$(RUN) python scripts/review_app.py --config config/config.yaml --phantoms $(APP)

review: $(READY) ## look at a cohort's results in the browser, and read them: COHORT=demo (CONFIG=config/mine.yaml to analyse single studies too)
	@$(RUN) python scripts/review_app.py --results results/$(or $(COHORT),demo) $(if $(CONFIG),--config $(CONFIG)) $(APP)

check: lint ## lint, and the fast tests: what to run before a commit
	@$(RUN) python -m pytest $(PYTEST_OPTIONS) $(FAST)

test: $(READY) ## run all tests but those of the cluster
	@$(RUN) python -m pytest $(PYTEST_OPTIONS)

test-cluster: $(READY) ## run the tests on a one-node SLURM with Apptainer (root, Debian)
	@$(RUN) python -m pytest -m cluster tests/cluster -v -s --durations=5

benchmark: $(READY) ## measure where a cohort's time goes; BENCHMARK="--count 300" passes options
	@$(RUN) python tests/benchmarks/stages.py $(BENCHMARK)

benchmark-paired: $(READY) ## compare the workflow with a plain loop on the same studies; BENCHMARK="..." passes options
	@$(RUN) python tests/benchmarks/paired.py $(BENCHMARK)

fuzz: $(READY) ## mutate configurations, sheets, ids, heatmap files, DICOM (ROUNDS=3000 of each, SEED= to repeat one)
	@$(RUN) python tests/fuzz/fuzz.py --rounds $(or $(ROUNDS),3000) $(if $(SEED),--seed $(SEED))
	@$(RUN) python tests/fuzz/fuzz_dicom.py --studies $(or $(ROUNDS),3000) $(if $(SEED),--seed $(SEED))

lint: $(READY) ## check format, style and types of workflow and code
	@$(RUN) ruff check . && $(RUN) ruff format --check . && $(RUN) mypy && $(RUN) snakefmt --check workflow && $(RUN) snakemake --lint
	@$(RUN) PYTHONPATH=scripts lint-imports --no-cache --no-logo

docs: $(READY) ## write the generated parts of the docs, draw the rule graph (needs Graphviz) and the demo's pictures
	@$(RUN) python scripts/metrics_schema.py
	@$(RUN) python scripts/method_docs.py
	@$(RUN) python scripts/rule_graph.py
	@$(RUN) python tests/support/fault_table.py
	@$(RUN) python scripts/quiet_snakemake.py --profile profiles/local
	@$(RUN) python scripts/reading_figures.py

setup: $(READY) ## install the pinned packages into .venv

$(READY): envs/workflow.lock.txt envs/torch.txt envs/setup.sh
	@bash envs/setup.sh "$(PYTHON)" "$(VENV)"

slurm-profile: $(READY) ## fill in profiles/slurm with what SLURM tells of this site (on a login node)
	@$(RUN) python scripts/fill_slurm_profile.py

lock: ## renew the pinned lock from the direct dependencies
	@bash envs/lock.sh "$(or $(PYTHON),python3)" workflow
	@bash envs/lock.sh "$(or $(PYTHON),python3)" image

clean: ## remove the results and the environment
	rm -rf $(VENV) results/* .snakemake
