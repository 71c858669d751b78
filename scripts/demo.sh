#!/bin/sh
# Opens zeoshell on a scratch copy of a small Zope site: look around, nothing can be broken.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
scratch=$root/.build/demo
rm -rf "$scratch"
mkdir -p "$scratch"
cp "$root/sample-data/fs/zope5.fs" "$scratch/Data.fs"
shell=$("${SWIFT:-swift}" build --package-path "$root" -c release --static-swift-stdlib --show-bin-path)/zeoshell

cat <<EOF

A small Zope 5 site, written by Zope itself, as a scratch copy. Try:

    ls                      what is in the root of the site
    cat site/adder          a Python script, with its source
    find / --class '*User'  where the users are
    log                     who changed what, and when
    help                    all commands
    quit

EOF
cd "$scratch"
if [ -t 0 ]; then
    exec "$shell" connect Data.fs
fi
# Without a terminal (a build job): the same, as a script.
exec "$shell" connect Data.fs -c info -c ls -c 'cat site/adder' -c 'log --limit 3'
