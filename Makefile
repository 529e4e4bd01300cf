# Thin names for scripts/; every one sets up what it needs.

.PHONY: help run watch test check fuzz bench release clean services services-down

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Build and start Muelle on http://127.0.0.1:3000, records in ./data
	@scripts/run

watch: ## The same, rebuilt and reloaded on every change of a file
	@scripts/run watch

test: ## Everything: lints, unit, integration and browser tests on real services
	@scripts/test

check: ## The fast part of it: format, lints for both sides, unit tests
	@scripts/check

fuzz: ## Longer than in `make test`: requests made from the API's description, as admin and viewer
	@scripts/fuzz

bench: ## Measure the promises of docs/promises.md, or some of them: make bench S1 N2
	@scripts/bench $(filter S% N%,$(MAKECMDGOALS))

# Names of promises are words for `bench`, and nothing that could be made.
S% N%:
	@:

release: ## One optimised binary and its site folder, compressed, in dist/
	@scripts/release

services: ## Start the tests' engine, registries and PostgreSQL and keep them; prints the environment
	@scripts/services up

services-down: ## Stop them and remove their data
	@scripts/services down

clean: ## Remove what was built, never ./data
	@rm -rf target dist end2end/node_modules end2end/test-results
