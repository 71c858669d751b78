"""Whether a Data.fs holds what its managers were told: python zopejudge.py DATA_FS < JSON of zopeload.py

Prints what is missing, a line each, and `read N objects` when every record of the file could be read.
"""
import json
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
print("read %d objects" % count)
