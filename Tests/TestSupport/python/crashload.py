"""Commits as fast as it can, and says what was acknowledged: a line for each.

    PYTHON crashload.py write HOST PORT NAME      commits until its input, a pipe, ends or the connection is lost
    PYTHON crashload.py check DATA.FS FILE...     reads what clients said, and finds all of it in the file

A commit sets this client's own key of its own object to the next number, and makes a new object that holds the number
and some bytes made from it; the line is `NAME NUMBER TID OID`. The first line is `ready`; the first client of an empty
database is to be ready before others start. The checker prints a line of JSON: how many transactions
there are, and what is wrong. Python 2.7 and 3.6 and later; ZEO 4 and later.
"""
from __future__ import print_function

import binascii
import hashlib
import json
import os
import sys
import threading

import transaction
import ZODB
from persistent.mapping import PersistentMapping
from ZEO.ClientStorage import ClientStorage


def load(name, number):
    """Bytes that only this number has, more or less of them."""
    seed = hashlib.sha1(('%s %d' % (name, number)).encode('ascii')).hexdigest()
    return seed * (1 + number % 60)


def write(host, port, name):
    def watch():
        sys.stdin.read()
        os._exit(0)

    thread = threading.Thread(target=watch)
    thread.daemon = True
    thread.start()
    storage = ClientStorage((host, int(port)), wait=1, wait_timeout=60)
    connection = ZODB.DB(storage).open()
    root = connection.root()
    while name not in root:
        # Several clients may want to be the first.
        try:
            root[name] = PersistentMapping()
            transaction.commit()
        except ZODB.POSException.ConflictError:
            transaction.begin()
    mine = root[name]
    print('ready')
    sys.stdout.flush()
    number = mine.get('number', 0)
    while True:
        number += 1
        child = PersistentMapping({'number': number, 'load': load(name, number)})
        mine['number'] = number
        mine['child'] = child
        transaction.commit()
        # Nothing is said before the server has acknowledged the commit.
        print(name, number, hexadecimal(mine._p_serial), hexadecimal(child._p_oid))
        sys.stdout.flush()


def hexadecimal(data):
    return binascii.hexlify(data).decode('ascii')


def check(path, files):
    from ZODB.FileStorage import FileStorage
    wrong = []
    storage = FileStorage(path, read_only=True)
    transactions = {}
    for each in storage.iterator():
        transactions[hexadecimal(each.tid)] = set(hexadecimal(record.oid) for record in each if record.data)
    connection = ZODB.DB(storage).open()
    root = connection.root()
    acknowledged = 0
    newest = {}
    for said in files:
        with open(said) as lines:
            for line in lines:
                # A client that was cut off may have said half a line.
                if not line.endswith('\n') or line == 'ready\n':
                    continue
                name, number, tid, oid = line.split()
                acknowledged += 1
                newest[name] = max(newest.get(name, 0), int(number))
                if oid not in transactions.get(tid, ()):
                    wrong.append('%s %s: no record of %s in transaction %s' % (name, number, oid, tid))
                    continue
                child = connection.get(binascii.unhexlify(oid))
                if child['number'] != int(number) or child['load'] != load(name, int(number)):
                    wrong.append('%s %s: %s holds something else' % (name, number, oid))
    for name, number in sorted(newest.items()):
        found = root[name]['number']
        # The one after it may be there: its answer was lost.
        if found not in (number, number + 1):
            wrong.append('%s: acknowledged %d, found %d' % (name, number, found))
        if root[name]['child']['load'] != load(name, found):
            wrong.append('%s: half a transaction, %d' % (name, found))
    connection.close()
    storage.close()
    print(json.dumps({'transactions': len(transactions), 'acknowledged': acknowledged, 'wrong': wrong}))


if sys.argv[1] == 'write':
    write(*sys.argv[2:])
else:
    check(sys.argv[2], sys.argv[3:])
