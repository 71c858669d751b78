"""Packs by the real FileStorage, to be compared with ours byte for byte.

    packs.py random DIRECTORY SEED COUNT    makes histories at random, and packs each at several times
    packs.py files DIRECTORY PATH...        packs copies of these files

Every case is a line: the file before, the time packed to, whether with garbage collection (1 or 0), what became of it (`packed`,
`same`, or the name of an exception), and the file after; the names without blanks, the time in seconds since 1970.
"""
from __future__ import print_function

import os
import random
import shutil
import struct
import sys
import time
from io import BytesIO

from ZODB.FileStorage import FileStorage
from ZODB.POSException import ConflictError, POSError, UndoError
from ZODB.serialize import referencesf
from ZODB.utils import p64, u64, z64

try:
    from ZODB.Connection import TransactionMetaData
except ImportError:
    from transaction import Transaction as TransactionMetaData
try:
    from ZODB.TimeStamp import TimeStamp
except ImportError:
    from persistent.TimeStamp import TimeStamp
from base64 import b64encode

# Minutes apart: a time between two of them is exact.
START = 1500000000 // 60 * 60


def stamp(t):
    return TimeStamp(*(time.gmtime(t)[:5] + (t % 60,))).raw()


def short(data):
    kind = b"C" if str is not bytes else b"U"
    return kind + struct.pack("<B", len(data)) + data


def record(references, value):
    """A mapping {value: [references]}: protocol 3 of Python 3, or 1 of Python 2."""
    head = b"\x80\x03" if str is not bytes else b""
    one = head + b"cpersistent.mapping\nPersistentMapping\nq\x01."
    state = head + b"}q\x02X\x04\x00\x00\x00dataq\x03}q\x04X" + struct.pack("<I", len(value)) + value + b"q\x05]q\x06("
    for reference in references:
        if reference % 5 == 4:
            state += b"]q\x07" + short(p64(reference)) + b"aQ"  # weak
        elif reference % 3:
            state += short(p64(reference)) + b"cpersistent.mapping\nPersistentMapping\n\x86Q" if str is not bytes else (
                b"(" + short(p64(reference)) + b"cpersistent.mapping\nPersistentMapping\ntQ")
        else:
            state += short(p64(reference)) + b"Q"
    return one + state + b"ess."


class History(object):
    def __init__(self, path, chance):
        self.path = path
        self.chance = chance
        self.fs = FileStorage(path, create=True)
        self.number = 0
        self.known = [0]
        self.highest = 0
        self.tids = []

    def transaction(self, body):
        self.number += 1
        description = u"\u00e4" * self.chance.choice([0, 0, 1, 40])
        t = TransactionMetaData(u"user %d" % self.number, description)
        tid = stamp(START + 60 * self.number)
        self.fs.tpc_begin(t, tid)
        try:
            body(t)
            self.fs.tpc_vote(t)
        except (ConflictError, UndoError, POSError, KeyError):
            self.fs.tpc_abort(t)
            return
        self.fs.tpc_finish(t)
        self.tids.append(tid)

    def serial(self, oid):
        try:
            return self.fs.getTid(p64(oid))
        except KeyError:
            return z64

    def store(self, t, oid, references):
        if not references and self.chance.random() < 0.1:
            data = record([], b"Q" * self.chance.randrange(3))
        else:
            data = record(references, b"%d" % self.chance.randrange(1000) if str is bytes else str(
                self.chance.randrange(1000)).encode() + b"x" * self.chance.choice([0, 3, 500]))
        try:
            serial = self.serial(oid)
            self.fs.store(p64(oid), serial, data, "", t)
        except ConflictError:
            # A deleted object: its serial is the deletion's, which getTid does not tell.
            tid = self.fs.history(p64(oid))[0]["tid"]
            self.fs.store(p64(oid), tid, data, "", t)

    def references(self):
        count = self.chance.choice([0, 1, 1, 2, 4])
        return [self.chance.choice(self.known) for _ in range(count)]

    def change(self, t):
        chance = self.chance
        for _ in range(chance.choice([1, 1, 2, 3])):
            if chance.random() < 0.4:
                # A new object, and one that refers to it.
                self.highest += chance.choice([1, 1, 1, 1, 2000])
                new = self.highest
                parent = chance.choice(self.known)
                self.store(t, new, self.references())
                self.store(t, parent, self.references() + [new])
                self.known.append(new)
            else:
                self.store(t, chance.choice(self.known), self.references())

    def undo(self, t):
        tid = self.chance.choice(self.tids[-8:])
        self.fs.undo(b64encode(tid), t)

    def delete(self, t):
        oid = self.chance.choice(self.known[1:] or self.known)
        if oid:
            self.fs.deleteObject(p64(oid), self.serial(oid), t)

    def run(self, steps):
        self.transaction(lambda t: self.store(t, 0, []))
        for _ in range(steps):
            kind = self.chance.random()
            if kind < 0.25 and self.tids:
                self.transaction(self.undo)
            elif kind < 0.25 + self.deletions:
                self.transaction(self.delete)
            elif kind < 0.36:
                self.transaction(lambda t: None)
            else:
                self.transaction(self.change)
            if self.chance.random() < 0.03:
                self.pack_now()
        self.fs.close()
        for ending in ".index", ".lock", ".tmp", ".old":
            if os.path.exists(self.path + ending):
                os.remove(self.path + ending)

    def pack_now(self):
        try:
            self.fs.pack(START + 60 * self.chance.randrange(self.number + 1) + 30, referencesf,
                         self.chance.random() < 0.5)
        except (KeyError, POSError, AssertionError, UnboundLocalError):
            pass


def content(path):
    with open(path, "rb") as f:
        return f.read()


def pack(source, target, t, gc):
    shutil.copy(source, target)
    fs = FileStorage(target)
    try:
        fs.pack(t, referencesf, gc)
        outcome = "packed"
    except Exception as error:
        outcome = type(error).__name__
    fs.close()
    for ending in ".index", ".lock", ".tmp", ".old", ".pack":
        if os.path.exists(target + ending):
            os.remove(target + ending)
    if outcome == "packed" and content(source) == content(target):
        outcome = "same"
    print(source, repr(t), int(gc), outcome, target)


def at_random(directory, seed, count):
    chance = random.Random(seed)
    for number in range(count):
        path = os.path.join(directory, "%d.fs" % number)
        history = History(path, chance)
        history.deletions = chance.choice([0, 0, 0.05])
        history.run(chance.choice([5, 15, 40]))
        times = [START + 60 * chance.randrange(history.number + 2) + 30 for _ in range(3)]
        for t in times + [START + 60 * history.number + 30]:
            for gc in True, False:
                pack(path, "%s-%d-%d" % (path, t, gc), t, gc)


def files(directory, paths):
    for path in paths:
        source = os.path.join(directory, os.path.basename(path))
        shutil.copy(path, source)
        fs = FileStorage(source, read_only=True)
        times = [TimeStamp(txn.tid).timeTime() for txn in fs.iterator()]
        fs.close()
        chosen = sorted(set([times[0] - 5, times[0] + 0.5, times[len(times) // 2] + 0.5, times[-1] + 5]))
        for t in chosen:
            for gc in True, False:
                pack(source, "%s-%r-%d" % (source, t, gc), t, gc)


def main():
    if sys.argv[1] == "random":
        at_random(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    else:
        files(sys.argv[2], sys.argv[3:])


main()
