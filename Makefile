# storepulse. `make` alone lists what there is.

# How `make run`, `local-up`, `attacker-up` and `chaos` build; `make test` always uses the dev profile.
PROFILE ?= release
# Which parts `make bench` measures; all without.
ONLY ?=
# Finite run and fault campaign: number of events, seed, events per second. All optional.
EVENTS ?=
SEED ?=
RATE ?=
# What `make init` renews: ca, brokers, clients, attackers, passwords, all (comma-separated).
ROTATE ?=
# Fault campaign: number of faults; a switch that breaks exactness on purpose; seconds of a store outage after the faults;
# further arguments (`storepulse-chaos --help`). All optional.
FAULTS ?=
BROKEN ?=
OUTAGE ?=
ARGS ?=
# Containers: dev (Firebase emulator) or full (a real Firestore) where both could be meant; DELETE_DATA=yes for a `-down`;
# SERVICE and FOLLOW=yes for the logs. All optional.
MODE ?=
DELETE_DATA ?=
SERVICE ?=
FOLLOW ?=
export PROFILE MODE DELETE_DATA FOLLOW

# The service with points where tests make it die or fail. Of the whole workspace, so that dependencies are built once.
FAILPOINTS := --bin storepulse-analytics-failpoints --features storepulse-analytics/failpoints

TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
# Binaries of the dev profile are in `debug`.
BIN := $(TARGET_DIR)/$(if $(filter dev,$(PROFILE)),debug,$(PROFILE))

.DEFAULT_GOAL := help
.PHONY: help init run test bench chaos lint build prerequisites local-up local-status local-down attacker-up \
	compose-up compose-down compose-dev-up compose-dev-down firebase-start firebase-down kafka-up kafka-down services-up \
	services-down monitoring-up monitoring-down attacker-down audit report logs status images test-compose test-k8s test-page \
	web

help: ## This list
	@echo "make <target> [VARIABLE=value …]"
	@echo
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "Start with: make run                        watch a simulated shop in a browser, Ctrl-C stops everything"
	@echo "            make run EVENTS=50000 SEED=1    a finite run, audited to the cent"
	@echo "            make test                       everything proven on this machine"
	@echo "            make chaos                      nothing is lost or counted twice, whatever fails"
	@echo "            make attacker-up                nobody gets in"
	@echo "In containers: make init && make compose-dev-up"

init: build ## Install what is missing, build, make certificates and passwords (ROTATE=ca,passwords,… renews)
	@$(BIN)/storepulse-pki init $(if $(ROTATE),--rotate $(ROTATE))

run: init ## Everything on this machine: cluster, simulator, analytics (EVENTS, SEED, RATE)
	@$(BIN)/storepulse-local run $(if $(EVENTS),--events $(EVENTS)) $(if $(SEED),--seed $(SEED)) $(if $(RATE),--rate $(RATE))

# The emulator keeps all documents in memory, and what they were before: forty scenarios fill the usual 1g.
test: export STOREPULSE_LOCAL_FIRESTORE_HEAP ?= 4g
test: lint web ## Formatting, lints, unit, property and end-to-end tests
	cargo build --workspace --bins --locked
	cargo build --workspace $(FAILPOINTS) --locked
	cargo test --workspace --locked
	cargo test --workspace --lib --features storepulse-analytics/failpoints --locked failpoint

test-page: build-dev ## The dashboard's page: its logic, in a browser, and against the running pipeline (needs Chromium)
	@scripts/web.sh test
	@scripts/web.sh test-browser
	@BIN=$(TARGET_DIR)/debug tests/page/run.sh

# K8S_LAB: a directory with scripts that bring up a throwaway cluster. STRIMZI_MANIFESTS: install/cluster-operator of
# Strimzi's release. See tests/k8s/run.sh.
test-k8s: export STOREPULSE_BIN := $(TARGET_DIR)/debug
test-k8s: ## The manifests and storepulse-deploy on a real cluster (K8S_LAB, STRIMZI_MANIFESTS; ONLY=manifests)
	cargo build --workspace --bins --locked
	@ONLY=$(ONLY) tests/k8s/run.sh

bench: build ## Measure everything, each figure beside its bound, into docs/ (ONLY=drain,… EVENTS: a part, printed)
	@$(BIN)/storepulse-bench $(if $(EVENTS),--events $(EVENTS)) $(if $(ONLY),--only $(ONLY)) \
		$(if $(ONLY)$(EVENTS),,--json docs/benchmarks.json --svg docs/benchmarks.svg --markdown docs/benchmarks.md)

# The emulator keeps all documents in memory, and what they were before: 4 KB for each event.
chaos: export STOREPULSE_LOCAL_FIRESTORE_HEAP ?= 4g
chaos: build ## Faults of every kind while events stream, then the audit (FAULTS, EVENTS, SEED, RATE, BROKEN, OUTAGE)
	cargo build --workspace $(FAILPOINTS) --locked --profile $(PROFILE)
	@$(BIN)/storepulse-chaos $(if $(SEED),--seed $(SEED)) $(if $(FAULTS),--faults $(FAULTS)) \
		$(if $(EVENTS),--events $(EVENTS)) $(if $(RATE),--rate $(RATE)) $(if $(BROKEN),--broken $(BROKEN)) \
		$(if $(OUTAGE),--store-outage $(OUTAGE)) $(ARGS)

lint: prerequisites ## Formatting, lints, and the rules on dependencies (where cargo-deny is installed)
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo clippy --workspace $(FAILPOINTS) --locked -- -D warnings
	@if command -v cargo-deny >/dev/null; then \
		echo "cargo deny --offline --locked check licenses bans sources"; \
		cargo deny --offline --locked check licenses bans sources; \
	else echo "lint: cargo-deny is not installed, so licences and sources are not checked (cargo install cargo-deny)"; fi

build: prerequisites web ## Build every service (PROFILE=release or dev)
	cargo build --workspace --bins --locked --profile $(PROFILE)

web: prerequisites ## Build the dashboard's page (where its sources have changed), which the dashboard then carries
	@scripts/web.sh build

local-up: build ## Bring up the secured Kafka cluster and the Firestore emulator, proven ready
	@$(BIN)/storepulse-local up

local-status: build ## How each part of the local cluster is
	@$(BIN)/storepulse-local status

local-down: build ## Stop the local cluster and remove its data
	@$(BIN)/storepulse-local down

attacker-up: ## Try to break into the cluster: that in containers where one runs, else the local one (or a temporary one)
	@if stack=$$(scripts/compose.sh running); then \
		echo "attacking the cluster in containers ($$stack)"; \
		MODE=$$stack scripts/compose.sh attack $(ARGS); \
	else \
		$(MAKE) --no-print-directory build && $(BIN)/storepulse-local attack; \
	fi

attacker-down: ## Stop attackers that were interrupted
	@scripts/compose.sh down attackers

compose-dev-up: ## In containers: Kafka, Firebase emulator, Kafka UI, simulator, analytics, dashboard
	@scripts/compose.sh up dev

compose-dev-down: ## Stop them (DELETE_DATA=yes: and delete topics and documents)
	@MODE=dev scripts/compose.sh down

compose-up: ## In containers, with a real Firestore (secret/serviceAccountKey.json)
	@scripts/compose.sh up full

compose-down: ## Stop them (DELETE_DATA=yes: and delete the topics)
	@MODE=full scripts/compose.sh down

firebase-start: ## In containers, one by one: the Firebase emulator …
	@scripts/compose.sh firebase-up

firebase-down: ## … stop it
	@scripts/compose.sh down firebase

kafka-up: ## … Kafka with topics, users, permissions, and Kafka UI
	@scripts/compose.sh kafka-up

kafka-down: ## … stop it
	@scripts/compose.sh down kafka

services-up: ## … simulator, analytics and dashboard
	@scripts/compose.sh services-up

services-down: ## … stop them
	@scripts/compose.sh down services

monitoring-up: ## … Prometheus and Grafana with a dashboard
	@scripts/compose.sh monitoring-up

monitoring-down: ## … stop them
	@scripts/compose.sh down monitoring

audit: ## In containers: compute every document anew from the topics, and compare
	@scripts/compose.sh audit $(ARGS)

report: ## In containers: the shop's numbers of today
	@scripts/compose.sh report $(ARGS)

status: ## In containers: how each is
	@scripts/compose.sh status

logs: ## In containers: the last lines of each (SERVICE=analytics, FOLLOW=yes)
	@scripts/compose.sh logs $(SERVICE)

images: ## Build the images (or fetch them, with STOREPULSE_REGISTRY)
	@scripts/compose.sh images

test-compose: build-dev ## The containers, brought up and mistreated (needs Docker, Compose, debootstrap)
	@BIN=$(TARGET_DIR)/debug tests/compose/run.sh

.PHONY: build-dev
build-dev: prerequisites web
	cargo build --workspace --bins --locked

prerequisites:
	@scripts/install-prerequisites.sh
