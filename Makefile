# Everything that is done with this repository. `make` alone lists it.

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
COMMIT  ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)

# Folders of plugins/ that hold a main package.
PLUGINS  := $(sort $(patsubst plugins/%/main.go,%,$(wildcard plugins/*/main.go)))
BINARIES := $(addprefix bin/plugins/datadis-plugin-,$(PLUGINS))

STAMP    := -X main.version=$(VERSION) -X main.commit=$(COMMIT)
GO_BUILD := go build -trimpath -buildvcs=false

.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The go command decides itself what is up to date, so these always run.
.PHONY: build
build: engine plugins ## Build bin/engine and bin/plugins/

.PHONY: engine
engine: tools
	$(GO_BUILD) -ldflags '$(STAMP)' -o bin/engine ./engine

.PHONY: plugins $(BINARIES)
plugins: $(BINARIES)

# A plugin's manifest says what Describe answers, so that listing starts nothing.
# Plugins need no C compiler, and run wherever the engine does.
$(BINARIES): bin/plugins/datadis-plugin-%: tools
	CGO_ENABLED=0 $(GO_BUILD) -o $@ ./plugins/$*
	$@ manifest >$@.json.new && mv $@.json.new $@.json

.PHONY: tools
tools:
	@scripts/need-tools.sh go cc

.PHONY: run
run: build ## Show the whole flow against a simulated Datadis; files in demo/
	scripts/run-demo.sh

.PHONY: demo-projects
demo-projects: build ## The same with users and data in databases (PostgreSQL, and Neo4j)
	scripts/demo-projects.sh

.PHONY: test
test: tools ## Test everything but what test-all adds (needs redis-server; installs it if it may)
	scripts/test.sh

.PHONY: test-all
test-all: tools ## Test with databases and long chaos too
	scripts/test.sh --all

SEED    ?= 1
MINUTES ?= 3

.PHONY: chaos
chaos: tools ## Kill, stop and freeze everything: SEED=1 MINUTES=3; LOGS=folder keeps the logs
	scripts/chaos.sh $(SEED) $(MINUTES) $(LOGS)

TIME ?= 1m

.PHONY: fuzz
fuzz: tools ## Fuzz every decoder of bytes from outside, one after the other: TIME=10m for each
	scripts/fuzz.sh $(TIME)

.PHONY: race
race: tools ## Run the Go tests alone, with the race detector
	go test -race ./...

.PHONY: lint
lint: tools ## Look for mistakes: gofmt, go vet, buf, shell scripts
	scripts/lint.sh

.PHONY: vuln
vuln: tools ## Look for known weaknesses in dependencies; needs the network, and says so without it
	scripts/vuln.sh

.PHONY: generate
generate: tools ## Generate what is generated: Go from proto/, docs from the settings
	go generate ./...
	go test ./engine/internal/settings -run TestDocuments -update
	go test ./engine/internal/metrics -run TestDocument -update
	go test ./engine/internal/reference -run TestTheReference -update

.PHONY: bench
bench: tools ## Run the benchmarks
	go test -run '^$$' -bench . -benchmem ./...

.PHONY: check
check: lint test ## What CI runs

.PHONY: clean
clean: ## Remove what was built and what the demo left
	rm -rf bin demo demo-projects
