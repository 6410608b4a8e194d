# Weft. "make" alone lists the targets.

SHELL := /bin/bash
BUF := go run github.com/bufbuild/buf/cmd/buf@v1.70.0
STATICCHECK := go run honnef.co/go/tools/cmd/staticcheck@v0.8.2
# Binaries tell what they were built from, also where the go tool cannot ask git: in a checkout of somebody else.
VERSION ?= $(shell git -c safe.directory='*' describe --always --dirty 2>/dev/null)
LDFLAGS := -X github.com/weft-sdn/weft/cmd/internal/program.stamped=$(VERSION)
VCS := $(shell git status >/dev/null 2>&1 || echo -buildvcs=false)

# Packages whose tests build whole clouds: they run after the others, one at a time, and without the race detector in
# the traffic's way.
CLOUD := ./test/lab/... ./test/e2e/...

.PHONY: help build lint race check test bench demo demo-down generate clean bootstrap

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

build: ## build weft, weft-controller and weft-nsagent into bin/
	go build $(VCS) -ldflags "$(LDFLAGS)" -o bin/ ./cmd/...

check: lint race ## what must be clean before a change lands: lint, and tests with the race detector (root)

lint: ## gofmt, vet, staticcheck, buf lint, stale generated files, import floors
	@bad=$$(git ls-files -z --cached --others --exclude-standard '*.go' | xargs -0 gofmt -l); \
	if [ -n "$$bad" ]; then echo "gofmt would change:"; echo "$$bad"; exit 1; fi
	go vet ./...
	$(STATICCHECK) ./...
	$(BUF) lint
	scripts/check-generated.sh
	go test -count=1 ./test/house

race: bootstrap
	go test -race -timeout 15m $$(go list ./... | grep -v -e '/ofapps$$' -e /test/lab -e /test/e2e -e /test/bench)

# The tables of ofapps are pure functions, and are compared with a switch for minutes: nothing races there.
test: race ## all tests; end-to-end as root, on virtual hosts
	go vet ./...
	go test -timeout 15m ./ofapps
	go test -count=1 -p 1 -timeout 18m $(CLOUD)

bench: bootstrap ## benchmarks, as ratios against a reference in the same run
	go test -count=1 -timeout 60m -run '^$$' -bench . ./openflow ./test/bench/...

CHECK ?= brief

demo: ## three virtual hosts, a controller, VMs; checks that they talk (all with CHECK=all); stays up
	@scripts/bootstrap.sh
	@$(MAKE) --no-print-directory build
	@bin/weft demo up --check=$(CHECK)

demo-down: ## end what "make demo" started; nothing remains
	@bin/weft demo down

generate: ## rewrite generated files: protocols, OpenAPI, documents
	$(BUF) generate
	go generate ./...

clean: ## remove what was built
	rm -rf bin

bootstrap:
	@scripts/bootstrap.sh test
