"""A client that logs in, as ZODB3 3.8 to ZEO 4.3 do: login.py PORT USER PASSWORD REALM WAIT

With WAIT 1 it waits until it is let in; with 0 it tries once.

Commits over one connection, and sees over another what was committed: small records and one of a megabyte. Prints "ok".
"""
from __future__ import print_function

import logging
import os
import sys
import time
import traceback

import transaction
import ZODB
import ZODB.serialize
from persistent.mapping import PersistentMapping
from ZEO.ClientStorage import ClientStorage

# So that the next client, on another Python, can read it.
ZODB.serialize._protocol = 1
logging.basicConfig(level=logging.INFO, stream=sys.stderr)

port, user, password, realm, wait = sys.argv[1:]


def connect():
    options = {}
    if user:
        options = {'username': user, 'password': password, 'realm': realm}
    return ZODB.DB(ClientStorage(('127.0.0.1', int(port)), wait=int(wait), wait_timeout=60, **options))


try:
    first, second = connect(), connect()
    writer, reader = first.open(), second.open()
    root = writer.root()
    for number in range(5):
        root['value'] = number
        root['large'] = PersistentMapping()
        root['large']['data'] = 'x' * 1000000
        transaction.commit()
        deadline = time.time() + 60
        while True:
            transaction.abort()
            reader.sync()
            if reader.root().get('value') == number:
                break
            assert time.time() < deadline, 'the other connection was not told'
            time.sleep(0.01)
        assert len(reader.root()['large']['data']) == 1000000
    print('ok')
    sys.stdout.flush()
    os._exit(0)
except Exception:
    traceback.print_exc()
    # The threads of some of these clients go on for ever.
    os._exit(1)
