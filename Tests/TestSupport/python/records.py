"""Make records of random graphs: shared values, cycles, recursive tuples, references, instances.

    python records.py SEED COUNT

Prints a line of JSON for each: {"data": base64, "roots": 2, "label": ...}. Every pickler of this Python takes part, in
every protocol that it has; class and state by one pickler, as ZODB does it, or by two.
"""
from __future__ import print_function
import base64
import io
import json
import pickle
import random
import sys

PY2 = sys.version_info[0] == 2
seed, count = sys.argv[1:]
rng = random.Random(int(seed))


class New(object):
    def __init__(self):
        self.x = 1


class Args(object):
    def __new__(cls, *args):
        return object.__new__(cls)

    def __getnewargs__(self):
        return getattr(self, 'args', (1, u'two'))


class MyList(list):
    pass


class MyDict(dict):
    pass


class Reduced(object):
    def __reduce__(self):
        return Reduced, (), self.__dict__


class Class(object):
    pass


class Old:
    pass


class Ref(object):
    def __init__(self, pid):
        self.pid = pid


NAMES = ['title', 'id', 'x', 'y', 'name', '__parent__', 'data', u'text', u'\xe9t\xe9', 'a' * 300]


class Maker(object):
    def __init__(self):
        self.made = []
        self.hashable = []

    def leaf(self):
        kind = rng.randrange(12)
        if kind < 3:
            return rng.choice(NAMES)
        if kind == 3:
            return rng.choice([0, 1, 255, 256, 65535, 65536, -1, 2 ** 31, -2 ** 31, 2 ** 40, 2 ** 70])
        if kind == 4:
            return rng.choice([0.0, -0.0, 1.5, 1e300])
        if kind == 5:
            return rng.choice([None, True, False])
        if kind == 6:
            return rng.choice([b'', b'\x00\xff', b'bytes', b'z' * 300])
        if kind == 7:
            return u'%c%d' % (rng.randrange(97, 123), rng.randrange(1000))
        if kind == 8:
            return rng.choice([Class, New])
        if kind == 9:
            return Ref(rng.choice([(oid(), Class), oid(), ['w', (oid(),)], (oid(), New)]))
        return ''.join([rng.choice('abcdefgh') for _ in range(rng.randrange(1, 9))])

    def key(self):
        if self.hashable and rng.random() < .3:
            return rng.choice(self.hashable)
        value = rng.choice([self.leaf(), (self.leaf(), self.leaf()), rng.randrange(100)])
        try:
            hash(value)
        except TypeError:
            value = 1
        if isinstance(value, (tuple, Ref)) and any(isinstance(x, Ref) for x in [value]):
            value = 2
        self.hashable.append(value)
        return value

    def value(self, depth):
        if self.made and rng.random() < .3:
            return rng.choice(self.made)
        if depth <= 0 or rng.random() < .3:
            value = self.leaf()
            if rng.random() < .5:
                self.made.append(value)
            return value
        kind = rng.randrange(11)
        if kind < 3:
            value = []
            self.made.append(value)
            value.extend([self.value(depth - 1) for _ in range(rng.randrange(5))])
        elif kind < 5:
            value = {}
            self.made.append(value)
            self.fill(value, depth)
        elif kind < 7:
            value = tuple([self.value(depth - 1) for _ in range(rng.randrange(5))])
            self.made.append(value)
        elif kind == 7:
            inner = []
            value = (inner, self.value(depth - 1))
            inner.append(value)
            self.made.extend([value, inner])
        elif kind == 8:
            value = rng.choice([New, Reduced, Old])()
            self.made.append(value)
            for _ in range(rng.randrange(4)):
                setattr(value, rng.choice(['x', 'y', 'z', 'me']), self.value(depth - 1))
        elif kind == 9:
            value = MyList()
            self.made.append(value)
            value.extend([self.value(depth - 1) for _ in range(rng.randrange(4))])
            if rng.random() < .5:
                value.attr = self.value(depth - 1)
        else:
            value = rng.choice([MyDict, dict])()
            self.made.append(value)
            self.fill(value, depth)
            if rng.random() < .3:
                value = set([rng.randrange(50) for _ in range(rng.randrange(4))])
        return value

    def fill(self, value, depth):
        for _ in range(rng.randrange(6)):
            value[self.key()] = self.value(depth - 1)


def oid():
    raw = b'\0' * 7 + (b'\x01', b'\x02', b'\x03', b'\x41')[rng.randrange(4)]
    if not PY2 or BINARY is None:
        return raw
    return BINARY(raw) if rng.random() < .7 else raw


def persistent_id(value):
    return value.pid if isinstance(value, Ref) else None


def picklers():
    if PY2:
        import cPickle
        import zodbpickle
        import zodbpickle.fastpickle
        import zodbpickle.slowpickle
        for protocol in (0, 1, 2):
            yield 'cPickle', cPickle.Pickler, protocol, None
            yield 'pickle', pickle.Pickler, protocol, None
        yield 'zodbpickle', zodbpickle.fastpickle.Pickler, 3, zodbpickle.binary
        yield 'zodbpickle, slow', zodbpickle.slowpickle.Pickler, 3, zodbpickle.binary
    else:
        import zodbpickle.fastpickle
        import zodbpickle.slowpickle
        for protocol in (1, 2, 3):
            yield 'zodbpickle', zodbpickle.fastpickle.Pickler, protocol, None
        yield 'zodbpickle, slow', zodbpickle.slowpickle.Pickler, 3, None
        for protocol in range(1, 6):
            yield 'pickle', pickle.Pickler, protocol, None
        yield 'pickle, slow', pickle._Pickler, 4, None


def new_pickler(base, file, protocol):
    if PY2 and type(base) is not type and not isinstance(base, type(Old)):
        result = base(file, protocol)
        result.persistent_id = persistent_id
        return result
    try:
        class Pickler(base):
            def persistent_id(self, value):
                return persistent_id(value)
        return Pickler(file, protocol)
    except TypeError:
        result = base(file, protocol)
        result.persistent_id = persistent_id
        return result


ALL = list(picklers())
BINARY = None
made = 0
while made < int(count):
    name, base, protocol, BINARY = rng.choice(ALL)
    maker = Maker()
    state = {}
    maker.made.append(state)
    for _ in range(rng.randrange(2, 8)):
        state[rng.choice(NAMES)] = maker.value(rng.randrange(1, 5))
    if rng.random() < .1:
        state = maker.value(3)
    file = io.BytesIO()
    try:
        first = new_pickler(base, file, protocol)
        first.dump(rng.choice([Class, (Class, (1, u'x')), (('__main__', 'Class'), None)]))
        # Two picklers whose numbers are implicit would make what Python itself cannot read.
        second = first if protocol > 3 or rng.random() < .7 else new_pickler(base, file, protocol)
        second.dump(state)
    except Exception as error:
        # What this pickler cannot pickle: recursion through a reduced object, a reference at protocol 0.
        if isinstance(error, RuntimeError) or 'ickl' in type(error).__name__ or 'ersistent' in str(error):
            continue
        raise
    made += 1
    print(json.dumps({
        'data': base64.b64encode(file.getvalue()).decode('ascii'), 'roots': 2, 'py2': PY2,
        'label': '%s %d%s' % (name, protocol, '' if first is second else ', two picklers')}))
