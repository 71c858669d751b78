"""A client of ZEO 5 or 6 with an <ssl> section: tlsclient.py PORT WAIT OPTIONS CODE

OPTIONS are the lines of <ssl>, separated by semicolons; empty for no TLS. CODE runs with `storage`, `db` and `root`.
"""
from __future__ import print_function

import logging
import sys

import transaction
import ZODB
from ZODB.config import storageFromString

logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
port, wait, options, code = sys.argv[1:]
ssl = '<ssl>\n%s\n</ssl>' % options.replace(';', '\n') if options else ''
storage = storageFromString(
    """
    %%import ZEO
    <clientstorage>
      server 127.0.0.1:%s
      wait-timeout %s
      %s
    </clientstorage>
    """ % (port, wait, ssl))
db = ZODB.DB(storage)
try:
    connection = db.open()
    root = connection.root()
    exec(code)
finally:
    transaction.abort()
    db.close()
