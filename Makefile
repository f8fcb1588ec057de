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

# The service with points where tests make it die or fail. Of the whole workspace, so that dependencies are built once.
FAILPOINTS := --bin storepulse-analytics-failpoints --features storepulse-analytics/failpoints

TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
# Binaries of the dev profile are in `debug`.
BIN := $(TARGET_DIR)/$(if $(filter dev,$(PROFILE)),debug,$(PROFILE))

.DEFAULT_GOAL := help
.PHONY: help init run test bench chaos lint build prerequisites local-up local-status local-down attacker-up

help: ## This list
	@echo "make <target> [VARIABLE=value …]"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "Start with: make run                        watch a simulated shop, Ctrl-C stops everything"
	@echo "            make run EVENTS=50000 SEED=1    a finite run, audited to the cent"
	@echo "            make test                       everything proven on this machine"
	@echo "            make chaos                      nothing is lost or counted twice, whatever fails"
	@echo "            make attacker-up                nobody gets in"

init: build ## Install what is missing, build, make certificates and passwords (ROTATE=ca,passwords,… renews)
	@$(BIN)/storepulse-pki init $(if $(ROTATE),--rotate $(ROTATE))

run: init ## Everything on this machine: cluster, simulator, analytics (EVENTS, SEED, RATE)
	@$(BIN)/storepulse-local run $(if $(EVENTS),--events $(EVENTS)) $(if $(SEED),--seed $(SEED)) $(if $(RATE),--rate $(RATE))

# The emulator keeps all documents in memory, and what they were before: forty scenarios fill the usual 1g.
test: export STOREPULSE_LOCAL_FIRESTORE_HEAP ?= 4g
test: lint ## Formatting, lints, unit, property and end-to-end tests
	cargo build --workspace --bins --locked
	cargo build --workspace $(FAILPOINTS) --locked
	cargo test --workspace --locked
	cargo test --workspace --lib --features storepulse-analytics/failpoints --locked failpoint

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

build: prerequisites ## Build every service (PROFILE=release or dev)
	cargo build --workspace --bins --locked --profile $(PROFILE)

local-up: build ## Bring up the secured Kafka cluster and the Firestore emulator, proven ready
	@$(BIN)/storepulse-local up

local-status: build ## How each part of the local cluster is
	@$(BIN)/storepulse-local status

local-down: build ## Stop the local cluster and remove its data
	@$(BIN)/storepulse-local down

attacker-up: build ## Try to break into the cluster (a temporary one where none runs)
	@$(BIN)/storepulse-local attack

prerequisites:
	@scripts/install-prerequisites.sh
