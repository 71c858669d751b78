"""A ZODB client of whatever generation is installed, driven by lines of JSON.

    PYTHON generations.py HOST PORT [BLOB_DIRECTORY]

Reads a command a line, {"do": "set", "key": "a", "value": 1}, and answers each with a line: {"ok": VALUE}, or
{"error": "module.Class", "message": "..."} when it raised. Ends with its input. Python 2.7 and 3.6 and later; ZODB3 3.7
to ZODB 6.

All generations read what any of them writes: records are written in pickle protocol 1, hold ASCII text and numbers, and
only "prepare", which a client on Python 2 is to be asked for, writes references.
"""
from __future__ import print_function

import binascii
import json
import logging
import os
import sys
import time

import transaction
import ZODB
import ZODB.serialize
from BTrees.Length import Length
from BTrees.OOBTree import OOBTree
from persistent.mapping import PersistentMapping
from ZEO.ClientStorage import ClientStorage

protocol = getattr(ZODB.serialize, '_protocol', 1)
ZODB.serialize._protocol = 1
# Only what goes to standard output is an answer.
logging.basicConfig(level=logging.CRITICAL)
sys.stdout, answers = sys.stderr, sys.stdout


def hexadecimal(data):
    return binascii.hexlify(data).decode('ascii')


def binary(text):
    return binascii.unhexlify(text.encode('ascii'))


def native(value):
    """Text as the interpreter's own `str`, which all others read."""
    return value if isinstance(value, int) else str(value)


class Client(object):
    def __init__(self, host, port, blobs=None):
        options = {'blob_dir': blobs} if blobs else {}
        self.storage = ClientStorage((host, int(port)), storage='1', wait=1, wait_timeout=60, **options)
        self.db = ZODB.DB(self.storage)
        self.connection = self.db.open()

    @property
    def root(self):
        return self.connection.root()

    def versions(self):
        return {'python': '%d.%d' % sys.version_info[:2], 'zodb': getattr(ZODB, '__version__', None)}

    def features(self):
        """What this generation has."""
        return {
            'blobs': bool(getattr(self.storage, 'blob_dir', None)),
            'iterator': hasattr(self.storage, 'iterator'),
            'undo': bool(self.storage.supportsUndo()),
        }

    # Objects

    def prepare(self, blob=False):
        """The objects that all clients then change, and one that has no way to merge changes: name to oid."""
        made = {'values': OOBTree(), 'length': Length(), 'plain': PersistentMapping()}
        if blob:
            from ZODB.blob import Blob
            made['blob'] = Blob()
            file = made['blob'].open('w')
            file.write(b'empty')
            file.close()
        for name in made:
            self.root[name] = made[name]
        # References of Python 3 need its own protocol.
        ZODB.serialize._protocol = protocol
        transaction.commit()
        ZODB.serialize._protocol = 1
        return dict((name, hexadecimal(made[name]._p_oid)) for name in made)

    def begin(self):
        """A new transaction, that sees what was committed and invalidated so far."""
        transaction.abort()
        transaction.begin()
        self.connection.sync()

    def wait_for_connection(self, seconds=60):
        """Until calls are answered again."""
        deadline = time.time() + seconds
        while True:
            try:
                self.begin()
                # Not answered by the cache.
                return self.storage.undoInfo(0, -1) and None
            except Exception:
                if time.time() > deadline:
                    raise
                time.sleep(0.1)

    def get(self, key):
        return self.root['values'].get(native(key))

    def put(self, key, value):
        """Sets and does not commit."""
        self.root['values'][native(key)] = native(value)

    def commit(self, note=None):
        if note:
            transaction.get().note(u'' + note if sys.version_info[0] > 2 else native(note))
        try:
            transaction.commit()
        except Exception:
            transaction.abort()
            raise
        return hexadecimal(self.storage.lastTransaction())

    def set(self, key, value, note=None):
        self.begin()
        self.put(key, value)
        return self.commit(note)

    def add(self, number):
        """Adds to the `Length`, without a new transaction: what others added meanwhile is merged by the server."""
        self.root['length'].change(number)
        return self.commit()

    def length(self):
        return self.root['length']()

    def wait(self, key, value, seconds=60):
        """Until the key has the value, which an invalidation lets this client see; how many looks it took."""
        return self._wait(lambda: self.get(key) == native(value), lambda: self.get(key), seconds)

    def wait_for_length(self, value, seconds=60):
        return self._wait(lambda: self.length() == value, self.length, seconds)

    def _wait(self, done, found, seconds):
        deadline = time.time() + seconds
        looks = 1
        self.begin()
        while not done():
            if time.time() > deadline:
                raise AssertionError('still %r' % (found(),))
            time.sleep(0.01)
            looks += 1
            self.begin()
        return looks

    # Records

    def load(self, oid):
        data, serial = self._load(binary(oid))
        return {'data': hexadecimal(data), 'serial': hexadecimal(serial)}

    def _load(self, oid):
        if hasattr(self.storage, 'loadBefore'):
            data, serial, _ = self.storage.loadBefore(oid, b'\x7f' + b'\xff' * 7)
            return data, serial
        return self.storage.load(oid, '')

    def store(self, oid, serial, data):
        """A transaction of one record, based on a serial; the server decides whether that is a conflict."""
        if sys.version_info[0] > 2 or hasattr(ZODB.DB, 'new_oid'):
            meta = transaction.Transaction()
        else:
            meta = transaction.get()
        try:
            from ZODB.Connection import TransactionMetaData
        except ImportError:
            pass
        else:
            meta = TransactionMetaData()
        self.storage.tpc_begin(meta)
        try:
            self.storage.store(binary(oid), binary(serial), binary(data), '', meta)
            self.storage.tpc_vote(meta)
            self.storage.tpc_finish(meta)
        except Exception:
            self.storage.tpc_abort(meta)
            raise
        return hexadecimal(self.storage.lastTransaction())

    def last(self):
        return hexadecimal(self.storage.lastTransaction())

    # The past

    def log(self, count=5):
        """What the server says of the newest transactions, the newest first."""
        return [{'description': self._text(entry['description'])} for entry in self.storage.undoInfo(0, -count)]

    def undo_last(self):
        self.begin()
        newest = self.storage.undoInfo(0, -1)[0]
        self.db.undo(newest['id'])
        return self.commit()

    def history(self, oid, count=100):
        """The tids of an object's revisions, the newest first."""
        oid = binary(oid)
        try:
            entries = self.storage.history(oid, size=count)
        except TypeError:  # ZODB 3.8 and older
            entries = self.storage.history(oid, '', count)
        return [hexadecimal(entry.get('tid', entry.get('serial'))) for entry in entries]

    def iterate(self):
        """Every transaction: its tid, and the oids of its records."""
        return [{'tid': hexadecimal(each.tid), 'oids': [hexadecimal(record.oid) for record in each]}
                for each in self.storage.iterator()]

    def pack(self):
        self.db.pack(time.time())

    @staticmethod
    def _text(value):
        return value if not isinstance(value, bytes) else value.decode('utf-8')

    # Blobs

    def blob_put(self, text):
        self.begin()
        file = self.root['blob'].open('w')
        file.write(text.encode('ascii'))
        file.close()
        return self.commit()

    def blob_get(self):
        file = self.root['blob'].open('r')
        try:
            return file.read().decode('ascii')
        finally:
            file.close()

    def blob_wait(self, text, seconds=60):
        return self._wait(lambda: self.blob_get() == text, self.blob_get, seconds)

    def close(self):
        transaction.abort()
        self.connection.close()
        self.db.close()


def described(error):
    kind = type(error)
    answer = {'error': '%s.%s' % (kind.__module__, kind.__name__), 'message': str(error)}
    kinds = [each.__name__ for each in kind.__mro__]
    answer['kinds'] = kinds[:kinds.index('Exception')] if 'Exception' in kinds else kinds
    for name in 'oid', 'serials':
        value = getattr(error, name, None)
        if isinstance(value, bytes):
            answer[name] = hexadecimal(value)
        elif value:
            answer[name] = [hexadecimal(serial) for serial in value]
    return answer


def main():
    client = None
    while True:
        line = sys.stdin.readline()
        if not line:
            os._exit(0)  # whatever the client's threads do
        try:
            command = json.loads(line)
            if client is None:
                client = Client(*sys.argv[1:])
            arguments = dict((str(key), value) for key, value in command.items() if key != 'do')
            answer = {'ok': getattr(client, command['do'])(**arguments)}
        except Exception as error:
            answer = described(error)
        answers.write(json.dumps(answer) + '\n')
        answers.flush()


main()
