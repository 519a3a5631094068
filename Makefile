# Every verb a person or CI types. `make help` lists them.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

CARGO ?= cargo
# One set of features and packages for every verb, so that dependencies are compiled once.
ALL := --workspace --all-features --locked
TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
# What the stack's own Compose file says, so that tests and users run the same; and a server that speaks ACME, for the tests.
PEBBLE := ghcr.io/letsencrypt/pebble:2.10.1@sha256:ddf230642b1a584f519f32e347de1b05a6e4c1f6c35c1863b33effeab5f78199
export TESTBED_IMAGES = $(shell compose/images | tr '\n' ' ')pebble=$(PEBBLE)
# Inside the testbed's network namespaces there is no way out, and nothing to fetch.
OFFLINE := env CARGO_NET_OFFLINE=true
LEVEL := testbed/level
# The campaigns play the workloads' controllers themselves; those of garbage and namespaces are Kubernetes' own.
CAMPAIGN = TESTBED_WATCH_CACHE=no TESTBED_CONTROLLERS=garbage-collector-controller,namespace-controller,serviceaccount-controller,persistentvolumeclaim-protection-controller \
	testbed/with control-plane -- $(OFFLINE) $(CARGO) test $(ALL) --test campaign --

# How long `make campaign` may take, and what chooses its samples.
MINUTES := 60
SEED := 1

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-20s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## The API on 127.0.0.1:5000, on a file and in memory: no service is needed
	@BIND_ADDRESS="$${BIND_ADDRESS:-127.0.0.1}" $(CARGO) run --locked --package api -- serve

up: ## The whole stack with Docker Compose
	docker compose up --build --wait

ca: ## The certificate of the stack's own authority, to tpstack-ca.crt
	@docker compose cp traefik:/secrets/ca.crt tpstack-ca.crt

down: ## Stops the stack; its data stays
	docker compose down

# What the exercise is told to do.
DO := list

lab: ## A fault to find in the running stack: make lab DO="break" (then check, hint, fix; compose/lab.d)
	@compose/lab $(DO)

# ---- tests -------------------------------------------------------------------------------------------------------

test: ## Every level of tests, from a bare machine; ends with a table
	@$(LEVEL) --begin
	# What takes long to get is got beside the compilation.
	testbed/prefetch --owner $$PPID service control-plane compose cluster
	failed=
	$(MAKE) --no-print-directory compile || exit 1
	for level in unit service control-plane compose cluster; do
		$(MAKE) --no-print-directory "test-$$level" || failed=yes
	done
	$(LEVEL) --table
	test -z "$$failed"

compile: test-binaries binaries ## Compiles everything that the tests need

test-binaries:
	@$(CARGO) build $(ALL) --tests

binaries: ## Static binaries for the images, in target/image/out
	@target=$$(testbed/static-target)
	export "CC_$${target//-/_}=musl-gcc"
	$(CARGO) build --workspace --all-features --locked --bins --target "$$target"
	mkdir -p target/image/out
	for binary in api tpstack; do
		cp --update "$(TARGET_DIR)/$$target/debug/$$binary" target/image/out/
		strip target/image/out/$$binary
	done

test-unit: ## Rules, builders, snapshots: needs nothing
	@$(LEVEL) unit $(CARGO) test $(ALL) --lib --bins --test it

test-service: ## The API on real Postgres and Redis
	@TESTBED_HAPROXY=$$(testbed/tools path haproxy)
	TESTBED_CHROMIUM=$$(testbed/tools path chromium)
	TESTBED_SCHEMATHESIS=$$(testbed/tools path schemathesis)
	export TESTBED_HAPROXY TESTBED_CHROMIUM TESTBED_SCHEMATHESIS
	$(LEVEL) service testbed/with postgres redis -- $(OFFLINE) $(CARGO) test $(ALL) --test service

test-control-plane: ## The operator on a real API server: its binary, then its core under every fault
	@$(LEVEL) control-plane $(MAKE) --no-print-directory --keep-going control-plane-binary control-plane-campaign

control-plane-binary:
	@# `rights` looks at what `control_plane` has asked of the same server.
	tests='$(CARGO) test $(ALL) --test control_plane && $(CARGO) test $(ALL) --test rights'
	TESTBED_HELM=$$(testbed/tools path helm)
	export TESTBED_HELM
	# They wait for the server most of the time: more at once than there are cores.
	RUST_TEST_THREADS=$${RUST_TEST_THREADS:-5} testbed/with control-plane -- $(OFFLINE) bash -c "$$tests"

control-plane-campaign:
	@$(CAMPAIGN) transitions reference crash answer drift undo mend sensitivity

campaign: ## Every campaign, and all of it, for an hour at most: the same again goes on from there, on the same code
	@code=$$(git rev-parse --short=12 HEAD:operator)
	git diff --quiet HEAD -- operator || code+=-$$(git diff HEAD -- operator | sha256sum | head -c 8)
	$(CAMPAIGN) --large --minutes '$(MINUTES)' --seed '$(SEED)' --progress "$(CURDIR)/target/campaign/$$code-$(SEED).tsv"

campaign-replay: ## One case again, as a failure prints it: make campaign-replay SEED=1 CASE=...
	@$(CAMPAIGN) --seed '$(SEED)' --replay '$(CASE)'

test-compose: binaries ## The Compose stack on a real Docker engine
	@$(LEVEL) compose testbed/with docker images -- $(OFFLINE) $(CARGO) test $(ALL) --test compose

# No more than it runs: each one is loaded into the engine.
test-cluster: TESTBED_IMAGES = $(shell compose/images postgres redis traefik | tr '\n' ' ')
test-cluster: binaries ## The chart, the images and the operator on a real kind cluster
	@$(LEVEL) cluster testbed/with docker images kind -- $(OFFLINE) $(CARGO) test $(ALL) --test e2e

e2e: test-cluster ## The long cluster suite; the same as test-cluster so far

bench-api: ## The API's cost beside an Express peer and a floor: a table, a plot, the promises (bench/README.md)
	@bench/api/run

# ---- what is generated, and checks -------------------------------------------------------------------------------

generate: ## Writes what is generated: the CRD, its copy in the chart, install.yaml, the table of fields
	@mkdir -p target
	# With the features of every other verb: dependencies are compiled once.
	$(CARGO) build --quiet $(ALL) --bin tpstack
	"$(TARGET_DIR)/debug/tpstack" crd >target/tpstacks.yaml
	mkdir -p manifests/crd
	cp target/tpstacks.yaml manifests/crd/tpstacks.yaml
	cp target/tpstacks.yaml charts/tpstack/files/tpstacks.yaml
	helm=$$(testbed/tools path helm)
	charts/render "$$helm" >target/install.yaml
	cp target/install.yaml manifests/install.yaml
	UPDATE_DOCS=1 $(CARGO) test --quiet $(ALL) --test it fields::the_table >target/fields.log || { cat target/fields.log; exit 1; }

fresh: ## Fails if what is generated is not what is committed
	@before=$$(sha256sum manifests/crd/tpstacks.yaml charts/tpstack/files/tpstacks.yaml manifests/install.yaml docs/fields.md)
	$(MAKE) --no-print-directory generate
	if ! sha256sum --check --quiet <<<"$$before"; then
		echo "generated files were not up to date; they are now: look at git diff and commit" >&2
		exit 1
	fi

lint: ## Format, clippy, dependencies, shell scripts, charts, generated files
	@testbed/prefetch --owner $$PPID lint
	$(CARGO) fmt --all --check
	$(CARGO) clippy $(ALL) --all-targets -- -D warnings
	# One crypto provider: ring. A second one would come in by a dependency's default feature.
	if $(CARGO) tree --locked --workspace --target all --edges normal,build --invert aws-lc-rs 2>/dev/null | grep .; then
		echo "aws-lc-rs must not be in the tree: ring is the one crypto provider" >&2
		exit 1
	fi
	# Everything in the lock file, for every platform: cargo-deny looks at all of it. Advisories are checked on GitHub.
	$(CARGO) fetch --quiet --locked
	"$$(testbed/tools path cargo-deny)" --offline --all-features check --hide-inclusion-graph bans licenses sources
	scripts=$$(git ls-files -z | xargs -0 grep -lIE '^#!/(usr/bin/env bash|bin/bash|bin/sh)')
	"$$(testbed/tools path shellcheck)" --external-sources --source-path=SCRIPTDIR $$scripts
	helm=$$(testbed/tools path helm)
	"$$helm" lint --strict --quiet charts/tpstack
	for values in charts/tpstack/ci/*-values.yaml; do
		"$$helm" lint --strict --quiet --values "$$values" charts/tpstack
	done
	$(MAKE) --no-print-directory fresh
	echo "lint: clean"

images: ## Our images, tagged tpstack/api and tpstack/tpstack with the version
	@version=$$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
	for target in api tpstack; do docker build --target "$$target" --tag "tpstack/$$target:$$version" .; done

.PHONY: help run up ca down lab test compile test-binaries binaries test-unit test-service test-control-plane control-plane-binary \
	control-plane-campaign campaign campaign-replay test-compose \
	test-cluster e2e bench-api generate fresh lint images
