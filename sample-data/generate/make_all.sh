#!/bin/sh
# Rebuild every sample.  Needs one virtual environment per generation:
#   ZODB38    Python 2.7   ZODB3==3.8.6
#   ZODB310   Python 2.7   ZODB3==3.10.7 transaction==1.1.1
#   ZODB5P27  Python 2.7   ZODB==5.8.0 ZEO==5.3.0
#   ZODB6     Python 3.11  ZODB==6.4 ZEO==6.2 BTrees==6.5 zc.zlibstorage==1.2.0
#   ZOPE213   Python 2.7   the requirements.txt inside the Zope2-2.13.30 sdist,
#                          Products.PluggableAuthService==1.10.0
#                          Products.PluginRegistry==1.3
#                          Products.GenericSetup==1.7.7
#   ZOPE5     Python 3.11  Zope==5.11 ZODB==6.2 Products.BTreeFolder2
#                          Products.ZCatalog Products.PythonScripts
#                          Products.PluggableAuthService zope.annotation
#                          Products.Sessions Products.SiteErrorLog
#   ZODBTOOLS Python 3.11  zodbtools==0.0.0.dev9 ZODB==5.8.1 (see gen_dumps.py)
# Each variable names the environment's python.   sh make_all.sh OUTDIR
set -e
here=$(cd "$(dirname "$0")" && pwd)
out=$1
export PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$here"
mkdir -p "$out"; out=$(cd "$out" && pwd); cd "$out"
mkdir -p fs tails index expected
clean() { find . -name '*.lock' -delete; find . -name '*.fs.tmp' -delete; }

for e in "$ZODB38:py27-zodb38" "$ZODB310:py27-zodb310" \
         "$ZODB5P27:py27-zodb5" "$ZODB6:py3-zodb6"; do
    py=${e%:*}; n=${e##*:}
    "$py" "$here/gen_basic.py" "fs/$n.fs"
done
"$ZODB38" "$here/gen_versions.py" fs/py27-zodb38-versions.fs
for e in "$ZODB310:py27-zodb310" "$ZODB5P27:py27-zodb5" "$ZODB6:py3-zodb6"; do
    py=${e%:*}; n=${e##*:}
    "$py" "$here/gen_refs.py" "fs/$n-refs.fs" > "expected/$n-refs.references.json"
done
for e in "$ZODB38:py27-zodb38" "$ZODB6:py3-zodb6"; do
    py=${e%:*}; n=${e##*:}
    "$py" "$here/gen_btrees.py" "fs/$n-btrees.fs" > "expected/$n-btrees.btrees.json"
done
"$ZODB6" "$here/gen_undo_pack.py" undo > expected/undo.json 2> /dev/null
mv undo/undo*.fs undo/deep-btree.fs fs/
mv undo/*.fs tails/
rmdir undo
"$ZODB6" "$here/gen_zlib.py" fs/zlib.fs
"$ZOPE213" "$here/gen_zope.py" work-zope213 fs/zope213.fs > expected/zope213.site.json
"$ZOPE5" "$here/gen_zope.py" work-zope5 fs/zope5.fs > expected/zope5.site.json
rm -rf work-zope213 work-zope5
"$ZODB38" "$here/gen_index.py" index zodb38
"$ZODB310" "$here/gen_index.py" index zodb310
"$ZODB6" "$here/gen_index.py" index zodb6
rm -f fs/*.index
"$ZODB6" "$here/gen_blobs.py" blobs > expected/blobs.json 2> /dev/null
mkdir -p zeocache
for e in "$ZODB38:zodb38" "$ZODB6:zeo6"; do
    py=${e%:*}; n=${e##*:}
    "$py" "$here/gen_zeocache.py" "zeocache/$n.zec"
    "$py" "$here/gen_zeocache.py" "zeocache/$n-wrap.zec" wrap
done
rm -f zeocache/*.lock
"$ZODB6" "$here/gen_zeocache_old.py" zeocache/two-file
clean

for f in fs/*.fs; do
    n=$(basename "$f" .fs)
    case $n in
        py27-zodb38*) py=$ZODB38;;
        py27-zodb310*|zope213) py=$ZODB310;;
        py27-zodb5*) py=$ZODB5P27;;
        *) py=$ZODB6;;
    esac
    case $n in          # large and regular: the other files say enough
        *btree*) ;;
        *) "$py" "$here/fsfacts.py" "$f" > "expected/$n.fs.json";;
    esac
    case $n in
        deep-btree) ;;
        *) "$ZODB6" "$here/statefacts.py" "$f" > "expected/$n.state.json";;
    esac
done
clean
"$ZODB6" "$here/fileset_facts.py" .
mkdir -p expected/dumps
"$ZODBTOOLS" "$here/gen_dumps.py" fs expected/dumps py3-zodb6 py3-zodb6-refs undo undo-packed-nogc zlib zope5.hashes
