"""Conflicts of Length, buckets, sets and trees that hold but one: made at random, resolved by the real classes.

    conflicts.py make SEED COUNT            prints a conflict per line: old, committed and new record, in hexadecimal
    conflicts.py judge SEED COUNT ANSWERS   makes the same again, and compares with the file's lines: a record, or `-`

The last line of a judgement: how many conflicts, how many merged by both, and how many only by Python.
"""
from __future__ import print_function

import binascii
import logging
import random
import sys
from io import BytesIO

import persistent
import BTrees
from BTrees.Length import Length
from ZODB import ConflictResolution
from ZODB._compat import PersistentPickler
from ZODB.POSException import ConflictError

try:
    from zodbpickle import binary
except ImportError:
    binary = bytes

PY2 = sys.version_info[0] == 2
text = type(u"")
FAMILIES = [
    name for name in
    "OO OI OL OU OQ IO II IF IU LO LL LF LQ UO UU UF UI QO QQ QF QL fs".split()
]


class Reference(object):
    """Stands for a persistent object: what its persistent id is to be."""

    def __init__(self, data):
        self.data = data


class Target(object):
    pass


class Maker(object):
    def __init__(self, seed, count):
        self.random = random.Random(seed)
        self.count = count
        self.oids = {}
        self.kept = []

    def conflicts(self):
        for name in FAMILIES:
            try:
                module = __import__("BTrees.%sBTree" % name, fromlist=["x"])
            except ImportError:
                continue
            for kind in ("Bucket", "Set", "BTree", "TreeSet"):
                for _ in range(self.count):
                    yield self.conflict(name, getattr(module, name + kind), kind)
        for _ in range(self.count):
            yield self.length()

    # Records

    def oid(self, number):
        data = b"\0" * 6 + bytearray([number // 128, number % 128])
        return binary(bytes(data)) if self.protocol == 3 else bytes(data)

    def persistent_id(self, value):
        if isinstance(value, Reference):
            return value.data
        if isinstance(value, persistent.Persistent):
            if id(value) not in self.oids:
                self.oids[id(value)] = len(self.oids) + 1000
                self.kept.append(value)
            return (self.oid(self.oids[id(value)]), type(value))
        return None

    def record(self, cls, state):
        output = BytesIO()
        pickler = PersistentPickler(self.persistent_id, output, self.protocol)
        pickler.dump(cls)
        pickler.dump(state)
        return output.getvalue()

    def length(self):
        self.begin()
        old = self.random.choice([0, 5, 300, 70000, -3, 2 ** 31 - 2, -2 ** 31, 2 ** 40])
        changes = [self.random.choice([0, 1, -1, 1000, -70000]) for _ in range(2)]
        if PY2 and self.random.random() < 0.3:
            old = long(old)  # noqa: F821
        states = [old] + [old + change for change in changes]
        return [self.record(Length, state) for state in states], False

    def begin(self):
        self.protocol = self.random.choice([1, 3]) if PY2 else 3
        self.oids.clear()
        del self.kept[:]
        self.odd = False

    # Contents

    def conflict(self, family, cls, kind):
        self.begin()
        isset = "Set" in kind
        keys = self.keys(family)
        self.shared = [[1, u"x"], [u"shared"]]
        old = {}
        for key in keys:
            if self.random.random() < 0.5:
                old[key] = self.value(family)
        if self.random.random() < 0.05:
            old = {}
        sides = [self.change(old, keys, family) for _ in range(2)]
        if self.random.random() < 0.1:
            # Both make the same change.
            sides[1] = dict(sides[0])
        following = self.reference(900) if self.random.random() < 0.3 else None
        records = []
        for content in [old] + sides:
            items = list(content) if isset else content
            if self.random.random() < 0.02 and len(keys) < 20:
                items = list(self.many(family)) if isset else {
                    key: self.value(family) for key in self.many(family)}
            value = cls(items) if isset else cls()
            if not isset:
                for key in items:
                    value[key] = items[key]
            state = value.__getstate__()
            if kind in ("Bucket", "Set") and following is not None:
                next = self.reference(901) if self.random.random() < 0.02 else following
                state = (state[0], next)
            records.append(self.record(cls, state))
        return records, self.odd

    def change(self, old, keys, family):
        new = dict(old)
        for _ in range(self.random.choice([0, 1, 1, 1, 2, 3])):
            key = self.random.choice(keys)
            what = self.random.random()
            if what < 0.35 and key in new:
                del new[key]
            else:
                new[key] = self.value(family)
        if self.random.random() < 0.02:
            new = {}
        return new

    def keys(self, family):
        r = self.random
        size = r.choice([6, 10, 14, 25])
        letter = family[0]
        if family == "fs":
            return [bytes(bytearray([r.randrange(128), n])) for n in range(size)]
        if letter in "IL":
            bound = 2 ** 31 if letter == "I" else 2 ** 63
            return [r.choice([n - 5, n * 1000, bound - 1 - n, -bound + n]) for n in range(size)]
        if letter in "UQ":
            bound = 2 ** 32 if letter == "U" else 2 ** 64
            return [r.choice([n, n * 100000, bound - 1 - n]) for n in range(size)]
        kind = r.choice(["text", "ascii", "integers", "floats", "tuples", "bytes", "none", "strings"])
        if kind == "text":
            return [u"%s\xe9\u20ac" % text(chr(97 + n)) for n in range(size)]
        if kind == "integers":
            return [r.choice([n, 2 ** 40 + n, -n * 7]) for n in range(size)]
        if kind == "floats":
            return [r.choice([n, n + 0.5, float(n)]) for n in range(size)]
        if kind == "tuples":
            return [(text("k%d" % (n % 3)), n, (None, b"x")) for n in range(size)]
        if kind == "bytes":
            return [b"\xff%d" % n if not PY2 else binary("\xff%d" % n) for n in range(size)]
        if kind == "none" and family[0] == "O":
            return [None] + ["k%d" % n for n in range(size)]
        if kind == "strings" and PY2:
            return [r.choice([text, str])("k%d" % n) for n in range(size)]
        return ["k%d" % n for n in range(size)]

    def many(self, family):
        first = self.keys(family)
        if family[0] in "ILUQ":
            return list(range(700))
        if family == "fs":
            return [bytes(bytearray([n // 100, n % 100])) for n in range(600)]
        return ["k%d" % n for n in range(100)] if isinstance(first[0], str) else first

    def value(self, family):
        r = self.random
        letter = family[1]
        if family == "fs":
            return bytes(bytearray(r.randrange(2) for _ in range(6)))
        if letter in "IL":
            return r.choice([0, 1, -1, 2 ** 31 - 1, -2 ** 31])
        if letter in "UQ":
            return r.choice([0, 1, 2 ** 32 - 1])
        if letter == "F":
            return r.choice([0.0, 0.1, -1.5, 3.0, 1e30])
        kind = r.randrange(24)
        if kind == 0:
            return self.shared[r.randrange(2)]
        if kind == 1:
            # Python 2 compares dicts; nobody here does.
            self.odd = True
            return {"a": r.randrange(3)}
        if kind < 4:
            # Compared with another, Python fails; with keys that are numbers Python 2 does not notice.
            self.odd = self.odd or PY2
            return self.reference(r.randrange(3), r.random() < 0.2)
        if kind == 4:
            return (r.randrange(2), (u"t", None, b"b"), self.shared[0])
        if kind == 5:
            return r.choice([1, True, 1.0, 0, False])
        if kind == 6:
            return r.choice([None, 1.5, 2 ** 70])
        return r.choice([u"a", u"b\xe9", u"c"])

    def reference(self, number, weak=False):
        oid = self.oid(number)
        return Reference(["w", (oid,)] if weak else (oid, Target))


class Storage(ConflictResolution.ConflictResolvingStorage):
    def __init__(self, records):
        self.records = records

    def loadSerial(self, oid, serial):
        return self.records[serial]


def resolved(records):
    try:
        return Storage(records).tryToResolveConflict(b"\0" * 8, 1, 0, records[2])
    except ConflictError:
        return None
    except SystemError:
        return None


def loaded(record):
    """The class and the state, in a form that can be compared: types told apart, what is shared numbered."""
    factory = ConflictResolution.PersistentReferenceFactory()
    unpickler = ConflictResolution.PersistentUnpickler(
        ConflictResolution.find_global, factory.persistent_load, BytesIO(record))
    cls, state = unpickler.load(), unpickler.load()
    object = cls()
    if not contains(state, ConflictResolution.PersistentReference):
        object.__setstate__(state)
        assert object.__getstate__() == state
    return canonical(cls, {}), canonical(state, {})


def contains(value, cls):
    if isinstance(value, (tuple, list)):
        return any(contains(item, cls) for item in value)
    return isinstance(value, cls)


def canonical(value, seen):
    if isinstance(value, (list, dict)):
        if id(value) in seen:
            return ("again", seen[id(value)])
        seen[id(value)] = len(seen)
        if isinstance(value, dict):
            return ("dict", sorted((repr(k), canonical(v, seen)) for k, v in value.items()))
        return ("list", [canonical(item, seen) for item in value])
    if isinstance(value, tuple):
        return ("tuple", [canonical(item, seen) for item in value])
    if isinstance(value, ConflictResolution.PersistentReference):
        return ("reference", repr(value.data))
    if PY2 and isinstance(value, (int, long)) and not isinstance(value, bool):  # noqa: F821
        return ("int", repr(int(value)))
    if PY2 and isinstance(value, str):
        return ("str", repr(bytes(value)))
    return (type(value).__name__, repr(value))


def main():
    logging.disable(logging.CRITICAL)
    mode, seed, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    maker = Maker(seed, count)
    if mode == "make":
        for records, _ in maker.conflicts():
            print(" ".join(binascii.hexlify(record).decode() for record in records))
        return
    total = merged = refused = 0
    with open(sys.argv[4]) as answers:
        for (records, odd), line in zip(maker.conflicts(), answers):
            total += 1
            expected = resolved(records)
            answer = None if line.strip() == "-" else binascii.unhexlify(line.strip())
            if expected is not None and answer is None and odd:
                refused += 1
            elif (expected is None) != (answer is None):
                print("conflict %d: Python %r, here %r; from %r" % (total, expected, answer, records))
            elif expected is not None:
                merged += 1
                if loaded(expected) != loaded(answer):
                    print("conflict %d: Python %r, here %r; from %r" % (
                        total, loaded(expected), loaded(answer), records))
        assert not answers.read()
    print(total, merged, refused)


main()
