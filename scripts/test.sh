#!/bin/sh
# Runs the tests that are built, and says once more at the end which of them failed: thousands of lines go before, and who
# reads the end of a log finds nothing else. Arguments go to `swift test`. Exit status: that of the tests.
set -u

log=.build/tests.log
status=.build/tests.status
mkdir -p .build
echo 1 > "$status"
{
    "${SWIFT:-swift}" test --skip-build "$@"
    echo $? > "$status"
} 2>&1 | tee "$log"

if [ "$(cat "$status")" != 0 ]; then
    echo
    echo "What failed:"
    # The lines that follow an issue belong to it: what was expected, and what was found.
    grep -A 5 'recorded an issue\|^✘\|rror: ' "$log" | grep -v '^◇\|^✔\|^--$' | cut -c 1-600 | tail -n 150
    exit "$(cat "$status")"
fi
