#!/bin/sh
# Makes the Python peers that the interoperability tests talk to: one virtual environment each, with pinned versions.
#
#   sh scripts/peers.sh [DIRECTORY]        (default: .build/peers beside the sources)
#
# A peer that is already there is left alone. A peer that cannot be made does not stop the others: the reason goes to
# DIRECTORY/NAME.missing, and the tests that need this peer are reported as skipped, with that reason. Exit status 0
# even then; a peer made earlier but for other versions is made anew. WITH_ZOPE213=1 adds the one that only the longer
# tests need, which takes minutes to make.
set -u

root=$(cd "$(dirname "$0")/.." && pwd)
peers=${1:-$root/.build/peers}
mkdir -p "$peers" || exit 1
peers=$(cd "$peers" && pwd)
log=$peers/setup.log

# The first of the given interpreters that runs and is of the wanted version: `find_python 3.11 3.12`.
find_python() {
    for version in "$@"; do
        for candidate in "python$version" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$version".*/bin/python; do
            # A pyenv shim exists for versions that are not selected; only a run tells.
            found=$("$candidate" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
            [ "$found" = "$version" ] || continue
            "$candidate" -c 'import sys; print(sys.executable)'
            return 0
        done
    done
    return 1
}

missing() { # NAME REASON
    echo "$2" > "$peers/$1.missing"
    echo "peer $1: missing: $2"
}

is_ready() { # NAME REQUIREMENTS
    [ -x "$peers/$1/bin/python" ] && [ -f "$peers/$1/peer" ] && [ "$(cat "$peers/$1/peer")" = "$2" ]
}

# What a peer must be able to import to be of use.
modules="ZEO, ZODB"
# More options for pip.
options=""

# make_peer NAME REQUIREMENTS VERSION…: the versions of Python that will do, the best first.
make_peer() {
    name=$1 requirements=$2
    shift 2
    if is_ready "$name" "$requirements"; then
        echo "peer $name: ready"
        return
    fi
    rm -rf "${peers:?}/$name" "$peers/$name.missing"
    python=$(find_python "$@") || { missing "$name" "no Python of version $(echo "$*" | sed 's/ / or /g')"; return; }
    # shellcheck disable=SC2086  # one space between words
    echo "peer $name: installing $(echo $requirements | cut -c 1-100) for $python"
    {
        echo "== $name: $requirements ($python)"
        case $python in
            *2.7*)
                # Python 2.7 has no venv; the last virtualenv that still makes such environments runs on Python 3.
                maker=$peers/virtualenv
                if ! [ -x "$maker/bin/virtualenv" ]; then
                    host=$(find_python 3.11 3.10 3.12 3.9 3.8) && "$host" -m venv "$maker" \
                        && "$maker/bin/python" -m pip install -q 'virtualenv==20.21.1' 'setuptools<81'
                fi
                "$maker/bin/virtualenv" -q -p "$python" "$peers/$name"
                ;;
            *) "$python" -m venv "$peers/$name" ;;
        esac
    } >> "$log" 2>&1 || { missing "$name" "cannot make a virtual environment with $python (see $log)"; return; }
    # shellcheck disable=SC2086  # the requirements are several words, and so may the options be
    if "$peers/$name/bin/python" -m pip install -q --disable-pip-version-check $options $requirements >> "$log" 2>&1 \
        && "$peers/$name/bin/python" -c "import $modules" >> "$log" 2>&1; then
        echo "$requirements" > "$peers/$name/peer"
        echo "peer $name: ready"
    else
        rm -rf "${peers:?}/$name"
        missing "$name" "pip cannot install $(echo "$requirements" | cut -c 1-60)… with $python (see $log)"
    fi
}

# The packages on the second lines are what ZODB's and ZEO's own tests need (see Tests/TestSupport/python/zeotests.py).
modules="ZEO, ZODB, ZEO.tests.testZEO"
make_peer zeo6 "ZEO==6.2 ZODB==6.4 BTrees==6.5 msgpack==1.1.0 setuptools==80.9.0 \
    zope.testing==6.1" 3.11 3.12 3.10 3.13
make_peer zeo5 "ZEO==5.4.1 ZODB==5.8.1 msgpack==1.0.8 setuptools==69.5.1 \
    zope.testing==5.0.1 mock==5.1.0" 3.9 3.8 3.10 3.7
make_peer zeo5-py2 "ZEO==5.4.1 ZODB==5.8.1 \
    zope.testing==4.7 mock==3.0.5 random2==1.0.1" 2.7
make_peer zeo4-py2 "ZEO==4.3.1 ZODB==4.4.5 BTrees==4.11.3 persistent==4.9.3 transaction==1.7.0 ZConfig==3.6.1 \
    zope.testing==4.7 mock==3.0.5 random2==1.0.1" 2.7
modules="ZEO, ZODB, BTrees.OOBTree"
make_peer zeo4 "ZEO==4.3.1 ZODB==4.4.5 BTrees==4.11.3 persistent==4.9.3 transaction==1.7.0 ZConfig==3.6.1" 3.6
# ZODB3 is compiled here: these need a C compiler. Newer ZConfigs give their servers names in Unicode, which they refuse.
make_peer zodb310-py2 "ZODB3==3.10.7 transaction==1.7.0 ZConfig==2.9.3 zdaemon==4.4 zc.lockfile==2.0 \
    zope.event==4.6 zope.interface==5.5.2" 2.7
old="ZConfig==2.9.3 zdaemon==4.4 zope.interface==5.5.2 zope.proxy==4.6.1 zope.testing==4.7"
make_peer zodb38-py2 "ZODB3==3.8.6 $old" 2.7
# Made for Python 2.4: on 2.7 it loses its connection when the server answers with an exception. It reads and commits.
make_peer zodb37-py2 "ZODB3==3.7.0 $old" 2.7
modules="ZEO, ZODB, Zope2, Products.PluggableAuthService"
make_peer zope5 "$(grep -v '^#' "$root/scripts/zope5-packages.txt" | tr '\n' ' ')" 3.11 3.12 3.10 3.13
if [ -n "${WITH_ZOPE213:-}" ]; then
    # The list is complete; what its packages ask for besides are tools, and a ZServer that is not for this Zope.
    options="--no-deps"
    make_peer zope213 "$(grep -v '^#' "$root/scripts/zope213-packages.txt" | tr '\n' ' ')" 2.7
fi
exit 0
