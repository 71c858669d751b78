SWIFT ?= swift

.PHONY: demo test build release setup peers lint clean

# Builds what is needed and opens zeoshell on a scratch copy of a small Zope site.
demo: release
	@SWIFT="$(SWIFT)" sh scripts/demo.sh

# Everything: unit, conformance, pseudo-terminal and live tests against Python peers, which it makes first.
test: build peers
	$(SWIFT) build --build-tests
	$(SWIFT) test --skip-build

build: setup
	$(SWIFT) build

# One binary that needs no Swift on the machine it is copied to, and starts in half the time.
release: setup
	$(SWIFT) build -c release --static-swift-stdlib --product zeoshell

# System packages that the build needs and this machine lacks.
setup:
	@sh scripts/setup.sh

# Python ZEO servers and clients of pinned versions, in virtual environments; quick when they are there. What cannot
# be made is noted, and the tests that need it are reported as skipped.
peers:
	@sh scripts/peers.sh

lint:
	$(SWIFT) format lint -r Sources Tests Package.swift

clean:
	rm -rf .build
