# SPDX-License-Identifier: Apache-2.0

GO         ?= go
NODE_IMAGE ?= auto
KUBERNETES ?= 1.36
# CNI=cilium is TOPOLOGY=cilium; a topology of kind-configs says which CNI it has.
CNI        ?= flannel
TOPOLOGY   ?= $(if $(filter flannel,$(CNI)),default,$(CNI))
# Further arguments for the suites or scenarios, e.g. ARGS='-areas dns,service -strict'.
ARGS       ?=

CLUSTER = $(GO) run ./framework/cmd/cluster
UP_OF   = $(CLUSTER) up -node-image $(NODE_IMAGE) -kubernetes $(KUBERNETES) -topology
UP      = $(UP_OF) $(TOPOLOGY)

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@awk -F':.*## ' '/^[a-z%-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: conformance
conformance: ## check the cluster of KUBECONFIG, or a kind cluster made here, and print the verdict
	@kubeconfig='$(KUBECONFIG)'; \
	[ -n "$$kubeconfig" ] || kubeconfig=$$($(UP)) || exit 1; \
	$(GO) test ./suites -v -count=1 -timeout 30m -kubeconfig "$$kubeconfig" $(ARGS)

.PHONY: test
test: lint unit fuzz topologies suites foreign gated examined gated-too ## unit tests, the suites on healthy kind clusters, upgrades gated, scenarios

.PHONY: lint
lint: ## gofmt, go vet, go mod tidy
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$unformatted" ] || { echo "not gofmt'ed: $$unformatted"; exit 1; }
	$(GO) vet ./...
	$(GO) mod tidy -diff

.PHONY: unit
unit: ## unit tests; they need no cluster
	$(GO) test ./framework/... ./fixtures/... ./kind-configs/...

# How much each parser is fuzzed. A number of inputs: given a duration, go test may
# fail at its end with "context deadline exceeded" (go.dev/issue/75804).
FUZZTIME ?= 10000x

.PHONY: fuzz
fuzz: ## each fuzz test for FUZZTIME
	@for dir in $$(git grep -l '^func Fuzz' -- '*_test.go' | xargs -n 1 dirname | sort -u); do \
		for name in $$(git grep -ho '^func Fuzz[A-Za-z0-9]*' -- "$$dir/*_test.go" | cut -d' ' -f2); do \
			$(GO) test "./$$dir" -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) -timeout 5m || exit 1; \
		done; \
	done

SUITES = $(GO) test ./suites/... -v -p 1 -count=1 -timeout 30m -kubeconfig "$$kubeconfig" $(ARGS)

.PHONY: suites
suites: ## the suites on a kind cluster made here, whatever KUBECONFIG says
	@kubeconfig=$$($(UP)) && $(SUITES)

.PHONY: foreign
foreign: ## what asks nodes, on a kind cluster made here as on one of somebody else's: a kubeconfig, no containers
	@kubeconfig=$$($(UP)) || exit 1; \
	CNIPROOF_LIVE_KUBECONFIG="$$kubeconfig" $(GO) test ./framework/session -run TestLive -v -count=1 && \
	DOCKER_HOST=unix:///nonexistent $(GO) test ./suites -v -count=1 -timeout 30m -kubeconfig "$$kubeconfig" -areas node,cni,sandbox $(ARGS)

# Clusters other than the default one that the suites must pass on.
TOPOLOGIES ?= dual-stack ipv6

.PHONY: topologies
topologies: ## the suites on a kind cluster of each of TOPOLOGIES, made and removed one after another
	@for topology in $(TOPOLOGIES); do \
		kubeconfig=$$($(UP_OF) $$topology) && $(SUITES) && $(CLUSTER) down -topology $$topology || exit 1; \
	done

# UPGRADE is a shell command; UPGRADE_TIMEOUT bounds it.
UPGRADE_TIMEOUT ?= 1h

.PHONY: gate
gate: ## run UPGRADE='command' between two runs, with traffic watched, on the cluster of KUBECONFIG or one made here
	@[ -n '$(subst ','"'"',$(value UPGRADE))' ] || { echo "pass UPGRADE='command'"; exit 1; }; \
	kubeconfig='$(KUBECONFIG)'; \
	[ -n "$$kubeconfig" ] || kubeconfig=$$($(UP)) || exit 1; \
	KUBECONFIG="$$kubeconfig" $(GO) test ./suites -v -count=1 -timeout 0 -kubeconfig "$$kubeconfig" -upgrade-timeout $(UPGRADE_TIMEOUT) -upgrade-command '$(subst ','"'"',$(value UPGRADE))' $(ARGS)

# GATES chooses among the upgrades of scenarios/gate_test.go, e.g. GATES=connections_cut;
# QUIET is how long nothing is done and no gap may be seen.
GATES ?=
QUIET ?= 1m

ACCURACY = kubeconfig=$$($(UP)) && CNIPROOF_LIVE_KUBECONFIG="$$kubeconfig" CNIPROOF_LIVE_QUIET=$(QUIET) $(GO) test ./framework/monitor -run TestLive -v -count=1 -timeout 60m

.PHONY: accuracy
accuracy: ## how exactly monitors measure gaps, and that they tell of none where none is, on a kind cluster made here
	@$(ACCURACY)

.PHONY: gate-exam
gate-exam: ## accuracy of the monitors, and good and bad upgrades gated, on a kind cluster made here
	@failed=0; { $(ACCURACY); } || failed=1; \
	NODE_IMAGE=$(NODE_IMAGE) $(GO) test ./scenarios -run 'TestGate/$(GATES)' -v -count=1 -timeout 90m -gate-exam -gate-topology $(TOPOLOGY) || failed=1; \
	exit $$failed

# Which upgrades make test gates before the scenarios, a good one and a bad one: another
# pair each day, so that each of them has its turn in six, and so has the monitors'
# accuracy. The others follow the scenarios. None is begun that has no time left.
GATE_TURN ?= $(shell echo $$(( $$(date +%s) / 86400 )))
GATE_TURN := $(GATE_TURN)

gated gated-too: TOPOLOGY = two-node
TURN = NODE_IMAGE=$(NODE_IMAGE) $(GO) test ./scenarios -run TestGate -v -count=1 -timeout 60m -gate-exam -gate-topology $(TOPOLOGY) -gate-turn $(GATE_TURN)

.PHONY: gated
gated: ## the two upgrades whose turn it is, on a kind cluster made here
	$(LEFT); $(TURN) -gate-for $${left}s
	[ $$(( $(GATE_TURN) % 6 )) != 0 ] || { $(ACCURACY); }

.PHONY: gated-too
gated-too: ## the other upgrades that can be gated within TEST_MINUTES of make's own begin
	$(LEFT); $(TURN) -gate-others -gate-for $${left}s

# How often soak runs the suites.
COUNT ?= 20

.PHONY: soak
soak: ## the suites COUNT times in a row, in random order, on the cluster of KUBECONFIG or one made here
	@kubeconfig='$(KUBECONFIG)'; \
	[ -n "$$kubeconfig" ] || kubeconfig=$$($(UP)) || exit 1; \
	work=$$(mktemp -d) && trap 'rm -rf "$$work"' EXIT; \
	$(GO) test -c -o "$$work/suites.test" ./suites && cd suites || exit 1; \
	passed=0; for run in $$(seq $(COUNT)); do \
		if "$$work/suites.test" -test.timeout 10m -kubeconfig "$$kubeconfig" -ginkgo.randomize-all $(ARGS) >"$$work/log" 2>&1; \
		then passed=$$((passed + 1)); else cat "$$work/log"; fi; \
		echo "soak: $$passed of $$run passed: $$(grep -E '^(SUCCESS|PARTIAL|FAILURE)' "$$work/log")"; \
	done; [ $$passed = $(COUNT) ]

.PHONY: bench
bench: ## a healthy run against its floor, one DaemonSet rolled out and deleted
	@kubeconfig='$(KUBECONFIG)'; \
	[ -n "$$kubeconfig" ] || kubeconfig=$$($(UP)) || exit 1; \
	$(GO) test ./suites -run '^$$' -bench . -benchtime 5x -timeout 30m -kubeconfig "$$kubeconfig" $(ARGS)

# On how many kind clusters scenarios are examined side by side: one for every two
# cores, two where these are fast. A scenario that does not hold is tried TRIES times;
# the scoreboard tells of every try.
CLUSTERS ?= 1
TRIES    ?= 2

EXAM = $(GO) test ./scenarios -run TestScenarios -v -p 1 -count=1 -timeout 90m -node-image $(NODE_IMAGE) -kubernetes $(KUBERNETES) -clusters $(CLUSTERS) -tries $(TRIES)

.PHONY: scenarios
scenarios: ## every scenario on kind clusters made here, without waiting for what should not break
	$(EXAM) -quick $(ARGS)

# make test begins no scenario that would not be done so long after its own begin, and
# tells which it left out: a machine as fast as it takes runs them all, and the upgrades
# of gated-too.
TEST_MINUTES ?= 56
BEGAN        := $(shell date +%s)
LEFT          = left=$$(( $(BEGAN) + 60 * $(TEST_MINUTES) - $$(date +%s) )); [ $$left -gt 0 ] || left=1

.PHONY: examined
examined: ## the scenarios that can be done within TEST_MINUTES of make's own begin
	$(LEFT); $(EXAM) -quick -for $${left}s $(ARGS)

.PHONY: scoreboard
scoreboard: ## every scenario with a look at every check; scoreboard.md and scoreboard.json in the run's directory
	$(EXAM) $(ARGS)

scenario-%: ## one scenario, step by step, e.g. make scenario-cni_config_removed
	$(GO) test ./scenarios -v -count=1 -timeout 30m -node-image $(NODE_IMAGE) -kubernetes $(KUBERNETES) -scenario $* $(ARGS)

.PHONY: scenarios-list
scenarios-list: ## name, cause and what breaks of every scenario
	@$(GO) test ./scenarios -run TestScenarios -count=1 -v -list-scenarios | sed '/^\(=== \|--- \|PASS\|ok\)/d'

.PHONY: cluster-up
cluster-up: ## make the kind cluster and print its kubeconfig's path
	@$(UP)

.PHONY: cluster-down
cluster-down: ## remove every kind cluster made here
	@$(CLUSTER) down -all

.PHONY: engine-down
engine-down: ## stop the Docker engine if it was started here
	@$(GO) run ./framework/cmd/engine down

.PHONY: node-image
node-image: ## build the kind node image here, without asking a registry
	@$(GO) run ./framework/cmd/node-image -mode build -kubernetes $(KUBERNETES)

.PHONY: probe-image
probe-image: ## build the probe's image; PUSH=registry/name:tag publishes it
	@$(GO) run ./framework/cmd/probe-image $(if $(PUSH),-push $(PUSH))

.PHONY: clean
clean: ## remove reports; built images stay under the cache directory
	rm -rf _artifacts
