#!/bin/sh
# Installs what is needed and this machine lacks: the headers of libedit (line editing) and zlib (compressed records),
# and the `openssl` command. All are small system packages; nothing else is touched. Quick when they are there.
set -eu

missing=""
[ -f /usr/include/histedit.h ] || [ -f /usr/local/include/histedit.h ] || missing="$missing libedit-dev"
[ -f /usr/include/zlib.h ] || [ -f /usr/local/include/zlib.h ] || missing="$missing zlib1g-dev"
# Not for the build: `zeoserver certs` and the tests of TLS make certificates with it.
command -v openssl > /dev/null 2>&1 || missing="$missing openssl"
# For the longer tests alone: several Zopes behind one address.
[ -z "${WITH_HAPROXY:-}" ] || [ -x /usr/sbin/haproxy ] || missing="$missing haproxy"

if ! command -v swift > /dev/null 2>&1; then
    echo "zeoshell is built with Swift 6.3 or newer, and there is no 'swift' in the PATH." >&2
    echo "Install it from https://www.swift.org/install/linux/ and try again." >&2
    exit 1
fi

[ -n "$missing" ] || exit 0

if ! command -v apt-get > /dev/null 2>&1; then
    echo "These packages are needed and this system has no apt-get:$missing" >&2
    echo "Install what they are called here (libedit and zlib, with their headers, and openssl) and try again." >&2
    exit 1
fi

echo "Installing$missing with apt: headers that the build needs, or the command that makes certificates."
sudo=""
[ "$(id -u)" = 0 ] || sudo="sudo"
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086  # several words, and nothing at all for root
$sudo apt-get install -y -qq $missing > /dev/null 2>&1 || {
    $sudo apt-get update -qq
    $sudo apt-get install -y -qq $missing
}
