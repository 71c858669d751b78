"""Whether a Data.fs holds what its managers were told: python zopejudge.py DATA_FS < JSON of zopeload.py

Prints what is missing and what ZODB's own checks (fstest, fsrefs) complain of, a line each, and `read N objects` when
every record of the file could be read. Python 2.7 and 3.
"""
from __future__ import print_function

import json
import subprocess
import sys

import ZODB.FileStorage
from ZODB.utils import p64

import OFS.Application  # noqa: F401  the classes of a site
import OFS.Folder  # noqa: F401

storage = ZODB.FileStorage.FileStorage(sys.argv[1], read_only=True)
database = ZODB.DB(storage)
connection = database.open()
site = connection.root()["Application"]
for path, title in json.load(sys.stdin)["titles"].items():
    place = site
    for name in path.strip("/").split("/"):
        place = getattr(place, name, None)
    if getattr(place, "title", None) != title:
        print("%s is %r, not %r" % (path, getattr(place, "title", None), title))
count = 0
following = None
while True:
    oid, tid, data, following = storage.record_iternext(following)
    connection.get(oid)._p_activate()
    count += 1
    if following is None:
        break
for transaction in storage.iterator():
    for record in transaction:
        pass
storage.close()
for script in "fstest", "fsrefs":
    # Silent when all is well.
    command = [sys.executable, "-m", "ZODB.scripts." + script, sys.argv[1]]
    check = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said = check.communicate()[0].decode("utf-8", "replace").strip()
    if said or check.returncode:
        print("%s ends with %s: %s" % (script, check.returncode, said[:2000]))
print("read %d objects" % count)
