#!/bin/sh
# Serves a scratch copy of a small Zope site with zeoserver and opens zeoshell on it: look around, nothing can be broken.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
scratch=$root/.build/demo
rm -rf "$scratch"
mkdir -p "$scratch"
cp "$root/sample-data/fs/zope5.fs" "$scratch/Data.fs"
programs=$("${SWIFT:-swift}" build --package-path "$root" -c release --static-swift-stdlib --show-bin-path)
cd "$scratch"

# A socket by its short name: its path may be no longer than 107 bytes, wherever this folder is.
cat > zeo.conf <<EOF
<zeo>
  address ./zeo.sock
  pid-filename zeo.pid
</zeo>
<filestorage 1>
  path Data.fs
</filestorage>
<eventlog>
  <logfile>
    path zeo.log
  </logfile>
</eventlog>
EOF
"$programs/zeoserver" start -C zeo.conf
# Whatever ends this, Ctrl-C and a closed terminal included.
trap '"$programs/zeoserver" stop -C zeo.conf' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

cat <<EOF

A small Zope 5 site, written by Zope itself, as a scratch copy that zeoserver serves. Try:

    ls                      what is in the root of the site
    cat site/adder          a Python script, with its source
    find / --class '*User'  where the users are
    log                     who changed what, and when
    help                    all commands
    quit

EOF
if [ -t 0 ]; then
    "$programs/zeoshell" connect ./zeo.sock
else
    # Without a terminal (a build job): the same, as a script.
    "$programs/zeoshell" connect ./zeo.sock -c info -c ls -c 'cat site/adder' -c 'log --limit 3'
fi
