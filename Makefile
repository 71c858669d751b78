.PHONY: build test peers

build:
	swift build

# Everything: unit tests and live ones against Python peers, which it makes first.
test: peers
	swift test

# Python ZEO servers and clients of pinned versions, in virtual environments; quick when they are there. What cannot
# be made is noted, and the tests that need it are reported as skipped.
peers:
	@sh scripts/peers.sh
