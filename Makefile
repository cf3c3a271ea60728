.DEFAULT_GOAL := help
.PHONY: help install run test restarts cluster fuzz fuzz-terms fuzz-bytes fuzz-api alerts fight crash-points churn mutants receiver-down seat-map chaos prove lint-api judge-plans screenshots test-careful check format onsale simulate model bench bench-postgres benchmarks clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Tests start hundreds of processes; without bytecode files each compiles the whole package.
unexport PYTHONDONTWRITEBYTECODE

help: ## list all targets
	@grep -E '^[a-z%-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-18s%s\n", $$1, $$2}'

$(VENV)/.runs: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.tests: $(VENV)/.runs
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

$(VENV)/.lint: $(VENV)/.tests
	$(BIN)/python -m pip install --quiet --editable '.[lint]'
	@touch $@

$(VENV)/.bench: $(VENV)/.tests
	$(BIN)/python -m pip install --quiet --editable '.[bench]'
	@touch $@

install: $(VENV)/.tests ## install everything for development into .venv

run: $(VENV)/.runs ## the whole system on http://127.0.0.1:3000 (PORT), Ctrl-C stops it
	@LOG_FORMAT=$${LOG_FORMAT:-console} exec $(BIN)/seating up

test: $(VENV)/.tests ## the whole test suite
	$(BIN)/pytest -n 2 --durations 20

restarts: $(VENV)/.tests ## five reloads and a rolling restart behind nginx, under 256 buyers and 200 viewers
	SEATING_BUYERS=256 SEATING_VIEWERS=200 SEATING_RELOADS=5 $(BIN)/pytest --timeout 900 tests/server/test_restarts.py

cluster: $(VENV)/.tests ## a sale on a Redis Cluster: 40 moves of its slot, and 5 killed primaries (MOVES, KILLS)
	SEATING_CLUSTER_MOVES=$(or $(MOVES),40) SEATING_CLUSTER_KILLS=$(or $(KILLS),5) SEATING_BUYERS=16 \
		$(BIN)/pytest -rP --timeout 1800 tests/cluster

fuzz: $(VENV)/.tests ## 2,000 random sales, halls, histories, breakers, caches, limits against plain models (RUNS)
	SEATING_FUZZ_RUNS=$(or $(RUNS),2000) $(BIN)/pytest tests/books/test_fuzz.py tests/books/test_rebuild.py \
		tests/offers/test_random_sales.py tests/inventory/test_best_available.py tests/breaker/test_state_chart.py \
		tests/caching/test_lru_cache.py tests/limits/test_rate_limits.py

fuzz-terms: $(VENV)/.tests ## 2,000 random histories of both stores failing under a sale, and deaths at each step (RUNS)
	SEATING_TERMS_RUNS=$(or $(RUNS),2000) $(BIN)/pytest tests/terms/test_protocol.py tests/terms/test_killed.py

fuzz-bytes: $(VENV)/.tests ## 1,000,000 raw requests, many malformed, through both parsers of the web server (RUNS)
	SEATING_FUZZ_BYTES=$(or $(RUNS),1000000) $(BIN)/pytest --timeout 3600 tests/server/test_fuzz_bytes.py

fuzz-api: $(VENV)/.tests ## 20,000 requests to all routes, generated from the OpenAPI document (REQUESTS)
	SEATING_FUZZ_REQUESTS=$(or $(REQUESTS),20000) $(BIN)/pytest -rP tests/web/test_fuzz_api.py

alerts: $(VENV)/.tests ## every alert fires for real, one by one, and ends
	SEATING_EVERY_ALERT=1 $(BIN)/pytest tests/monitoring/test_alerts.py

fight: $(VENV)/.tests ## 2,000 buyers hold the same good seats, and pay or walk away (BUYERS)
	SEATING_FIGHT_BUYERS=$(or $(BUYERS),2000) $(BIN)/pytest tests/sale/test_fight.py

crash-points: $(VENV)/.tests ## a crash at every call that leaves a process, in every way, over both databases
	SEATING_CRASH_POINTS=1 $(BIN)/pytest tests/proof/test_crash_points.py

churn: $(VENV)/.tests ## 60,000 holds taken and given back, which leave nothing behind (HOLDS)
	SEATING_CHURN_HOLDS=$(or $(HOLDS),60000) $(BIN)/pytest tests/inventory/test_churn.py

mutants: $(VENV)/.tests ## the product without each of its guards in turn, which a short run must catch
	SEATING_MUTANTS=1 $(BIN)/pytest -rP --timeout 900 tests/proof/test_mutants.py

receiver-down: $(VENV)/.tests ## webhooks to receivers that fail, one of which is down for a minute (SECONDS)
	SEATING_RECEIVER_DOWN_S=$(or $(SECONDS),60) $(BIN)/pytest --timeout 900 tests/webhooks/test_delivery.py -k every_way

seat-map: $(VENV)/.tests ## the seat map's speed in Chromium beside 500 other feeds
	SEATING_FEEDS=500 $(BIN)/pytest -s --timeout 600 tests/seat_map/test_speed.py

chaos: $(VENV)/.tests ## break everything under a sale for 5 minutes, then check every promise (MINUTES, SEED, DATABASE, REDIS, CLOCK)
	@$(BIN)/python -m tests.proof.chaos --minutes $(or $(MINUTES),5) $(if $(SEED),--seed $(SEED)) \
		--database $(or $(DATABASE),sqlite) --redis $(or $(REDIS),single) --clock $(or $(CLOCK),steady)

prove: $(VENV)/.tests ## the whole proof, an hour, and docs/reliability.md of what it found (MINUTES, SEED)
	@$(BIN)/python -m tests.proof.prove --minutes $(or $(MINUTES),60) $(if $(SEED),--seed $(SEED))

lint-api: $(VENV)/.lint ## lint the OpenAPI document with Redocly; downloads it once
	$(BIN)/python -m tests.web.openapi_file $(VENV)/openapi.json
	PATH=$(CURDIR)/$(BIN):$$PATH $(BIN)/npx --yes @redocly/cli@2.77.0 lint --config tests/web/redocly.yaml $(VENV)/openapi.json

judge-plans: $(VENV)/.tests ## draw seating-plan files into .plans, and judge where parties sit in them (PLANS='FILE…')
	$(BIN)/python -m tests.plans.judging .plans $(PLANS)

screenshots: $(VENV)/.tests ## the pictures in docs/images, of real pages in Chromium (ARGS='phone desktop')
	$(BIN)/python -m tests.seat_map.screenshots $(ARGS)

test-careful: $(VENV)/.tests ## test the web server without httptools
	PYTHONPATH=$(CURDIR)/tests/without_httptools $(BIN)/pytest -n 2 tests/server tests/web tests/live tests/launcher \
		tests/crashes/test_kill.py

check: $(VENV)/.tests ## format, lint, types, floors
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.tests ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

onsale: $(VENV)/.runs ## 1,000 buyers at once against a running system (ARGS='--buyers 200')
	@exec $(BIN)/seating onsale $(ARGS)

simulate: $(VENV)/.bench ## a sale of 14 million visitors on three fleets; writes docs/scale.md
	$(BIN)/python -m bench.simulate

model: $(VENV)/.tests ## compare what seating size reckons with a run; the machine must do nothing else
	SEATING_MODEL_CPU=1 $(BIN)/pytest tests/cli/test_size.py -k cpu_time

bench: $(VENV)/.bench ## what a request costs, needs wrk (ARGS='SECONDS ROUNDS')
	$(BIN)/python -m bench.cost $(ARGS)
	$(BIN)/python -m bench.page

bench-postgres: $(VENV)/.bench ## Postgres with 10,000,000 purchases beside one with 10,000 (PURCHASES), 20 GB in /tmp
	$(BIN)/python -m bench.postgres $(PURCHASES)
	$(BIN)/python -m bench.page

bench-%: $(VENV)/.bench ## other figures: calls ceiling filling profile growth keeping footprint durability limits partner onsale cluster live (node)
	$(BIN)/python -m bench.$* $(ARGS)
	$(BIN)/python -m bench.page

benchmarks: $(VENV)/.tests ## docs/benchmarks.md, docs/scale.md and seating/cli/costs.json of the figures in docs/figures
	$(BIN)/python -m bench.page

clean: ## remove what make made, but no data
	rm -rf $(VENV) *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
