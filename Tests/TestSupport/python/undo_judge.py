"""What undoing really does, as FileStorage has it.

    undo_judge.py make FILE SEED LENGTH KINDS
                                      writes a random history, of objects that can be merged or, with KINDS plain, not;
                                      prints its tids
    undo_judge.py judge FILE SETS     undoes each set of tids (a file with JSON: a list of lists, newest first) on a copy; prints what
                                      became of it: {"ok": true, "data": {oid: hex or null}} or {"ok": false, "oids": [...]}
"""
from __future__ import print_function

import base64
import binascii
import io
import json
import os
import random
import shutil
import sys

from BTrees.Length import Length
from BTrees.OOBTree import OOBTree
from persistent.mapping import PersistentMapping
from ZODB._compat import Unpickler
from ZODB.Connection import TransactionMetaData
from ZODB.FileStorage import FileStorage
from ZODB.FileStorage.fspack import PackError
from ZODB.POSException import MultipleUndoErrors, POSKeyError, UndoError
from ZODB.serialize import ObjectWriter
from ZODB.utils import p64, u64, z64


def text(data):
    return binascii.hexlify(data).decode('ascii')


def undo_id(tid):
    return base64.b64encode(binascii.unhexlify(tid))


def serialize(obj):
    return ObjectWriter().serialize(obj)


def deserialize(data):
    unpickler = Unpickler(io.BytesIO(data))
    obj = unpickler.load()()
    obj.__setstate__(unpickler.load())
    return obj


class History(object):

    def __init__(self, path, seed, kinds):
        self.kinds = [PersistentMapping] if kinds == 'plain' else [PersistentMapping, OOBTree, Length]
        self.random = random.Random(seed)
        self.fs = FileStorage(path)
        self.count = 0
        self.tids = []

    def current(self, oid):
        """The serial that a store has to name, and the object; (serial, None) for a deleted one."""
        try:
            data, serial = self.fs.load(oid)
            return serial, deserialize(data)
        except POSKeyError:
            entries = self.fs.history(oid, 1)
            return entries[0]['tid'], None

    def transaction(self, body):
        t = TransactionMetaData(u'judge', u'transaction %d' % len(self.tids))
        self.fs.tpc_begin(t)
        try:
            body(t)
            self.fs.tpc_vote(t)
        except (UndoError, POSKeyError):
            self.fs.tpc_abort(t)
            return
        self.tids.append(text(self.fs.tpc_finish(t)))

    def fresh(self, number):
        obj = self.kinds[number % len(self.kinds)]()
        self.change(obj)
        return obj

    def change(self, obj):
        pick = self.random.randrange
        if isinstance(obj, Length):
            obj.change(pick(1, 4))
        elif isinstance(obj, OOBTree) and len(obj) > 2 and pick(4) == 0:
            del obj[self.random.choice(list(obj))]
        elif isinstance(obj, OOBTree):
            obj['key%d' % pick(8)] = pick(3)
        else:
            obj['value'] = pick(3)

    def store(self, t):
        chosen = self.random.sample(range(self.count), min(self.count, self.random.randrange(1, 4)))
        for number in chosen:
            serial, obj = self.current(p64(number))
            if obj is None:
                obj = self.fresh(number)
            else:
                self.change(obj)
            self.fs.store(p64(number), serial, serialize(obj), '', t)
        if self.count < 8 and self.random.randrange(3) == 0 or not self.count:
            self.fs.store(p64(self.count), z64, serialize(self.fresh(self.count)), '', t)
            self.count += 1

    def undo(self, t):
        count = self.random.choice([1, 1, 1, 2, 3])
        for tid in sorted(self.random.sample(self.tids[-8:], min(count, len(self.tids[-8:]))), reverse=True):
            self.fs.undo(undo_id(tid), t)

    def delete(self, t):
        oid = p64(self.random.randrange(self.count))
        serial, obj = self.current(oid)
        if obj is not None:
            self.fs.deleteObject(oid, serial, t)

    def make(self, length):
        while len(self.tids) < length:
            choice = self.random.random()
            if choice < 0.62 or len(self.tids) < 3:
                self.transaction(self.store)
            elif choice < 0.88:
                self.transaction(self.undo)
            elif choice < 0.97:
                self.transaction(self.delete)
            elif len(self.tids) > 8:
                from persistent.TimeStamp import TimeStamp
                moment = TimeStamp(binascii.unhexlify(self.tids[-6])).timeTime()
                try:
                    self.fs.pack(moment, lambda data: [], gc=False)
                except (PackError, AssertionError):
                    # FileStorage cannot pack some histories of undone undos.
                    pass
        self.fs.close()
        return self.tids


def judge(path, tids):
    copy = path + '.copy'
    for name in (copy, copy + '.index', copy + '.lock', copy + '.tmp'):
        if os.path.exists(name):
            os.remove(name)
    shutil.copy(path, copy)
    fs = FileStorage(copy)
    t = TransactionMetaData(u'judge', u'undo')
    fs.tpc_begin(t)
    try:
        oids = set()
        for tid in tids:
            oids.update(fs.undo(undo_id(tid), t)[1])
        fs.tpc_vote(t)
        fs.tpc_finish(t)
    except MultipleUndoErrors as error:
        fs.tpc_abort(t)
        return {'ok': False, 'oids': sorted(text(oid) for oid, _ in error._errs), 'tid': tid}
    except UndoError as error:
        fs.tpc_abort(t)
        return {'ok': False, 'error': str(error), 'tid': tid}
    else:
        data = {}
        for oid in oids:
            try:
                data[text(oid)] = text(fs.load(oid)[0])
            except POSKeyError:
                data[text(oid)] = None
        return {'ok': True, 'data': data}
    finally:
        fs.close()


if sys.argv[1] == 'make':
    print(json.dumps(History(sys.argv[2], int(sys.argv[3]), sys.argv[5]).make(int(sys.argv[4]))))
else:
    with open(sys.argv[3]) as sets:
        print(json.dumps([judge(sys.argv[2], tids) for tids in json.load(sets)]))
