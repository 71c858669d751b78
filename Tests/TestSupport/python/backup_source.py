"""A Data.fs that Python works on, told what to do in lines; an answer for each.

    open PATH SEED BLOBS   begins, or goes on, with a file; BLOBS is a directory, or - for none
    commit N               so many transactions, some of them undos
    pack                   packs to now
    digest PATH [TID]      what is in a file, up to a transaction: records, last tid, hash of everything
    current PATH BLOBS     what its index says is current, each object loaded, and each blob's file; BLOBS or -
    tids PATH              the tids of its transactions
    close
"""
import hashlib
import random
import sys

import transaction
import ZODB
from persistent.mapping import PersistentMapping
from ZODB.FileStorage import FileStorage
from ZODB.blob import Blob
from ZODB.POSException import POSKeyError


class Source:
    db = None

    def open(self, path, seed, blobs):
        self.random = random.Random(int(seed))
        self.has_blobs = blobs != '-'
        storage = FileStorage(path, blob_dir=blobs) if self.has_blobs else FileStorage(path)
        self.db = ZODB.DB(storage)
        self.number = 0
        return 'opened'

    def commit(self, count):
        connection = self.db.open()
        root = connection.root()
        for _ in range(int(count)):
            self.number += 1
            for _ in range(self.random.randint(1, 3)):
                key = 'k%d' % self.random.randint(0, 9)
                kind = self.random.random()
                if kind < 0.15 and key in root:
                    del root[key]
                elif self.has_blobs and kind < 0.4:
                    root['b' + key] = root.get('b' + key) or Blob()
                    with root['b' + key].open('w') as file:
                        file.write(b'%d' % self.number * self.random.randint(0, 4000))
                elif key in root:
                    root[key]['v'] = 'x' * self.random.randint(0, 2000)
                else:
                    root[key] = PersistentMapping()
            transaction.get().note(u'number %d' % self.number)
            transaction.commit()
            if self.random.random() < 0.2:
                try:
                    self.db.undo(self.random.choice(self.db.undoLog(0, 3))['id'])
                    transaction.commit()
                except Exception:
                    transaction.abort()
        connection.close()
        return 'committed'

    def pack(self):
        self.db.pack()
        return 'packed'

    def close(self):
        if self.db is not None:
            self.db.close()
            self.db = None
        return 'closed'

    def digest(self, path, tid=None):
        storage = FileStorage(path, read_only=True)
        digest = hashlib.sha256()
        count, last = 0, b'\0' * 8
        for txn in storage.iterator(None, bytes.fromhex(tid) if tid else None):
            last = txn.tid
            digest.update(txn.tid + txn.status.encode() + txn.user + b'/' + txn.description + b'/')
            digest.update(repr(txn.extension).encode())
            for record in txn:
                digest.update(record.oid + record.tid + (record.data or b'-') + (record.data_txn or b'-'))
                count += 1
        storage.close()
        return '%d %s %s' % (count, last.hex(), digest.hexdigest())

    def current(self, path, blobs):
        kwargs = {} if blobs == '-' else {'blob_dir': blobs}
        storage = FileStorage(path, read_only=True, **kwargs)
        digest, count = hashlib.sha256(), 0
        for oid in sorted(storage._index.keys()):
            try:
                data, tid = storage.load(oid)
            except POSKeyError:
                continue
            digest.update(oid + tid + data)
            count += 1
            if kwargs and b'ZODB.blob' in data[:40]:
                with open(storage.loadBlob(oid, tid), 'rb') as file:
                    digest.update(file.read())
        storage.close()
        return '%d %s' % (count, digest.hexdigest())

    def tids(self, path):
        storage = FileStorage(path, read_only=True)
        tids = [txn.tid.hex() + ':' + txn.status for txn in storage.iterator()]
        storage.close()
        return ' '.join(tids)


source = Source()
for line in sys.stdin:
    words = line.split()
    print(getattr(source, words[0])(*words[1:]), flush=True)
source.close()
