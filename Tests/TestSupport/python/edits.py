"""Judge edited pickles.

    python3 edits.py graphs CASES DIGESTS     (any Python 3)
    python  edits.py real CASES DIGESTS       (the Python that the records belong to)

CASES has a line of JSON for each edited record:

    {"old": base64, "new": base64, "roots": 1 or 2, "ops": [...], "references": [hex, ...] or null}

`graphs` reads old and new with Python's own unpickler, written in Python, in which every value is an object with an
identity: numbers and strings too. It makes the edit on the old graph and compares it with the new one, shared objects
included: the identities must correspond one to one. `DIGESTS` gets what it read, one line for each case.

`real` reads the new record with the C unpickler that the database would use, with a stand-in for every class, and
compares what it gets with those lines. References are compared with those that ZODB's own `referencesf` finds.

An operation names a value by its path from the root, a list of [part, index]:
part i are items, e entries (keys and values in turn), m what a call is made with, s states, p a persistent id.

    ["replace", path, value]   ["remove", path, count]   ["insert", path, [value, ...]]
    ["build", path, value]     a further state            ["name", old, new]  every global with this name

A value: ["int", "5"], ["long", "5"], ["float", hex of 8 bytes], ["text", hex of UTF-8], ["bytes", hex], ["str2", hex],
["bytearray", hex], ["none"], ["bool", true], ["global", module, name], ["tuple", [...]], ["list", [...]], ["set", ...],
["frozenset", ...], ["dict", [k, v, ...]], ["persid", value], ["call", callable, args, items, entries, states].
"""
from __future__ import print_function
import base64
import binascii
import io
import json
import struct
import sys

PY2 = sys.version_info[0] == 2
if PY2:
    text_type, int_types = unicode, (int, long)  # noqa
else:
    text_type, int_types = str, (int,)
sys.setrecursionlimit(20000)


def hexed(b):
    return binascii.hexlify(b).decode('ascii')


# The graph: Python's own unpickler, every value an object.

class W(object):
    """A value. `parts` has its children."""
    __slots__ = 'kind', 'data', 'parts'

    def __init__(self, kind, data=None, **parts):
        self.kind, self.data, self.parts = kind, data, parts


class StateError(Exception):
    pass


def graph_unpickler():
    import pickle

    class Unpickler(pickle._Unpickler):
        dispatch = dict(pickle._Unpickler.dispatch)

        def find_class(self, module, name):
            return W('global', (module, name))

        def _decode_string(self, value):
            return Native(value)

    class Native(bytes):
        pass

    D = Unpickler.dispatch

    def wrapped(original, longs=False):
        def load(self):
            original(self)
            self.stack[-1] = leaf(self.stack[-1], longs)
        return load

    def leaf(v, longs):
        if v is None:
            return W('none')
        if v is True or v is False:
            return W('bool', v)
        if isinstance(v, int):
            return W('long' if longs else 'int', str(v))
        if isinstance(v, float):
            return W('float', hexed(struct.pack('>d', v)))
        if isinstance(v, str):
            return W('text', hexed(v.encode('utf-8', 'surrogatepass')))
        if isinstance(v, Native):
            return W('str2', hexed(v))
        if isinstance(v, bytearray):
            return W('bytearray', hexed(v))
        if isinstance(v, bytes):
            return W('bytes', hexed(v))
        return v

    for code in 'N\x88\x89IJKMFGSTUVXBC\x8c\x8d\x8e\x96':
        D[ord(code)] = wrapped(D[ord(code)])
    for code in 'L\x8a\x8b':
        D[ord(code)] = wrapped(D[ord(code)], longs=True)

    def maker(kind, count, part='i'):
        def load(self):
            if count is None:
                items = self.pop_mark()
            else:
                items = [self.stack.pop() for _ in range(count)][::-1]
            self.append(W(kind, None, **{part: items}))
        return load

    D[ord(')')] = D[ord(']')] = D[ord('}')] = None
    D[ord(')')] = maker('tuple', 0)
    D[0x85], D[0x86], D[0x87] = maker('tuple', 1), maker('tuple', 2), maker('tuple', 3)
    D[ord('t')] = maker('tuple', None)
    D[ord(']')], D[ord('l')] = maker('list', 0), maker('list', None)
    D[ord('}')], D[ord('d')] = maker('dict', 0, 'e'), maker('dict', None, 'e')
    D[0x8f], D[0x91] = maker('set', 0), maker('frozenset', None)
    D[ord('Q')] = maker('persid', 1, 'p')

    def call(self, count):
        made = [self.stack.pop() for _ in range(count)][::-1]
        if made[1].kind != 'tuple':
            raise StateError('arguments are %s' % made[1].kind)
        if made[0].kind not in ('global', 'call', 'persid'):
            raise StateError('callable is %s' % made[0].kind)
        self.append(W('call', None, m=made, i=[], e=[], s=[]))

    def load_obj(self):
        made = self.pop_mark()
        self.append(W('call', 'old', m=made, i=[], e=[], s=[]))

    def load_inst(self):
        module = self.readline()[:-1].decode('ascii')
        name = self.readline()[:-1].decode('ascii')
        arguments = self.pop_mark()
        self.append(W('call', 'old', m=[W('global', (module, name))] + arguments, i=[], e=[], s=[]))

    def load_persid(self):
        self.append(W('persid', None, p=[W('str2', hexed(self.readline()[:-1]))]))

    D[ord('R')] = D[0x81] = lambda self: call(self, 2)
    D[0x92] = lambda self: call(self, 3)
    D[ord('o')], D[ord('i')], D[ord('P')] = load_obj, load_inst, load_persid

    def stack_global(self):
        name, module = self.stack.pop(), self.stack.pop()
        if name.kind != 'text' or module.kind != 'text':
            raise StateError('STACK_GLOBAL of %s, %s' % (module.kind, name.kind))
        self.append(W('global', (binascii.unhexlify(module.data).decode(), binascii.unhexlify(name.data).decode())))

    D[0x93] = stack_global

    def adder(part, count):
        def load(self):
            if count is None:
                items = self.pop_mark()
            else:
                items = [self.stack.pop() for _ in range(count)][::-1]
            self.stack[-1].parts[part].extend(items)
        return load

    D[ord('a')], D[ord('e')], D[0x90] = adder('i', 1), adder('i', None), adder('i', None)
    D[ord('s')], D[ord('u')] = adder('e', 2), adder('e', None)

    def build(self):
        state = self.stack.pop()
        target = self.stack[-1]
        if target.kind != 'call':
            raise StateError('BUILD on %s' % target.kind)
        target.parts['s'].append(state)

    D[ord('b')] = build

    def load(data, roots):
        file = io.BytesIO(data)
        u = Unpickler(file)
        values = []
        for _ in range(roots):
            memo = getattr(u, 'memo', None)
            values.append(load_again(u, memo))
        return values

    def load_again(u, memo):
        """One more pickle with the memo of those before: `load` would begin with an empty one."""
        unframer = pickle._Unframer(u._file_read, u._file_readline)
        u._unframer = unframer
        u.read, u.readinto, u.readline = unframer.read, unframer.readinto, unframer.readline
        u.metastack, u.stack = [], []
        u.append = u.stack.append
        u.proto = 0
        if memo is None:
            u.memo = {}
        try:
            while True:
                u.dispatch[u.read(1)[0]](u)
        except pickle._Stop as stop:
            if u.stack or u.metastack:
                raise StateError('STOP with more on the stack')
            return stop.value

    return load


# The edit, on the graph.

def made(v):
    kind = v[0]
    if kind == 'none':
        return W('none')
    if kind == 'global':
        return W('global', (v[1], v[2]))
    if kind in ('tuple', 'list', 'set', 'frozenset'):
        return W(kind, None, i=[made(x) for x in v[1]])
    if kind == 'dict':
        return W('dict', None, e=[made(x) for x in v[1]])
    if kind == 'persid':
        return W('persid', None, p=[made(v[1])])
    if kind == 'call':
        parts = [[made(x) for x in part] for part in v[1:]]
        return W('call', None, m=parts[0], i=parts[1], e=parts[2], s=parts[3])
    return W(kind, v[1])


def at(roots, path):
    value = roots[path[0][1]]
    for part, index in path[1:]:
        value = value.parts[part][index]
    return value


def apply_all(roots, ops):
    """Finds all places first: they are those of the old graph."""
    found = []
    for op in ops:
        if op[0] == 'name':
            found.append((op, None, None))
        elif op[0] == 'build':
            found.append((op, at(roots, op[1]), None))
        elif len(op[1]) == 1:
            found.append((op, roots, op[1][0][1]))
        else:
            part, index = op[1][-1]
            found.append((op, at(roots, op[1][:-1]).parts[part], index))
    # New values may have the name that the old ones lose. Replacing moves nothing; what does comes after it.
    for op, place, index in found:
        if op[0] == 'name':
            for value in everything(roots):
                if value.kind == 'global' and value.data == tuple(op[1]):
                    value.data = tuple(op[2])
    for op, place, index in found:
        if op[0] == 'replace':
            place[index] = made(op[2])
    for op, place, index in found:
        if op[0] == 'replace':
            pass
        elif op[0] == 'remove':
            del place[index:index + op[2]]
        elif op[0] == 'insert':
            place[index:index] = [made(v) for v in op[2]]
        elif op[0] == 'build':
            place.parts['s'].append(made(op[2]))


def everything(roots):
    seen, stack = set(), list(roots)
    while stack:
        value = stack.pop()
        if id(value) not in seen:
            seen.add(id(value))
            yield value
            for part in value.parts.values():
                stack.extend(part)


def difference(left, right):
    """The first place where two graphs differ; identities must correspond one to one."""
    there, back = {}, {}
    stack = [(a, b, 'root %d' % i) for i, (a, b) in enumerate(zip(left, right))]
    while stack:
        a, b, place = stack.pop()
        if there.get(id(a), b) is not b or back.get(id(b), a) is not a:
            return '%s: shared otherwise (%s)' % (place, a.kind)
        if id(a) in there:
            continue
        there[id(a)], back[id(b)] = b, a
        # Whether an integer is a long is Python 2's; a new one may be either by its size.
        kinds = [k.replace('long', 'int') for k in (a.kind, b.kind)]
        if kinds[0] != kinds[1] or (a.kind != 'call' and a.data != b.data):
            return '%s: %s %r is not %s %r' % (place, b.kind, b.data, a.kind, a.data)
        for part in sorted(set(a.parts) | set(b.parts)):
            x, y = a.parts.get(part, []), b.parts.get(part, [])
            if len(x) != len(y):
                return '%s.%s: %d, not %d' % (place, part, len(y), len(x))
            stack.extend((p, q, '%s.%s%d' % (place, part, i)) for i, (p, q) in enumerate(zip(x, y)))
    return None


# What the C unpickler read, and the graph, in the same words.

class Digest(object):
    """Text for a graph: containers and instances have numbers in the order in which they are met."""

    def __init__(self, look):
        self.look, self.numbers, self.keep = look, {}, []

    def text(self, value):
        kind, data, children = self.look(value)
        if children is None:
            return '%s:%s' % (kind, data)
        if kind != 'tuple' or children[0][1]:
            if id(value) in self.numbers:
                return '*%d' % self.numbers[id(value)]
            self.numbers[id(value)] = len(self.numbers)
            self.keep.append(value)
        out = []
        for part, items in children:
            if part == 'e':
                pairs = {}
                for k, v in zip(items[::2], items[1::2]):
                    pairs[Digest(self.look).text(k)] = (k, v)
                items = [x for key in sorted(pairs) for x in pairs[key]]
            elif kind in ('set', 'frozenset'):
                items = sorted(items, key=Digest(self.look).text)
            if items:
                out.append(part + '[' + ' '.join([self.text(x) for x in items]) + ']')
        return kind + '(' + ' '.join(out) + ')'


def look_graph(w):
    if w.kind == 'global':
        return 'global', '.'.join(w.data), None
    if w.kind == 'call':
        parts = dict(w.parts)
        if w.data == 'old':
            parts['m'] = [parts['m'][0], W('tuple', None, i=parts['m'][1:])]
        function = parts['m'][0]
        arguments = parts['m'][1].parts['i']
        return 'call', None, [('m', [function] + arguments)] + [(p, parts[p]) for p in 'ies']
    if w.parts:
        return w.kind, None, sorted(w.parts.items())
    if w.kind == 'long':
        return 'int', w.data, None
    return w.kind, w.data, None


class Stub(object):
    """Stands in for any class: notes what is done to it."""
    __safe_for_unpickling__ = True

    def __new__(cls, *args, **keywords):
        self = object.__new__(cls)
        self.__dict__.update(made=args, keywords=keywords, items=[], entries=[], states=[])
        return self

    def __init__(self, *args, **keywords):
        pass

    def append(self, item):
        self.items.append(item)

    def add(self, item):
        self.items.append(item)

    def extend(self, items):
        self.items.extend(items)

    def __setitem__(self, key, value):
        self.entries.extend([key, value])

    def __setstate__(self, state):
        self.states.append(state)


class Meta(type):
    pass


class Persistent(object):
    def __init__(self, pid):
        self.pid = pid


CLASSES = {}


def stub(module, name):
    key = module, name
    if key not in CLASSES:
        CLASSES[key] = type(str('Stub'), (Stub,), {'global_name': '%s.%s' % key})
    return CLASSES[key]


def look_object(v):
    t = type(v)
    if v is None:
        return 'none', None, None
    if t is bool:
        return 'bool', v, None
    if t in int_types:
        return 'int', str(v), None
    if t is float:
        return 'float', hexed(struct.pack('>d', v)), None
    if t is text_type:
        return 'text', hexed(v.encode('utf-8') if PY2 else v.encode('utf-8', 'surrogatepass')), None
    if t is bytes:
        return ('str2' if PY2 else 'bytes'), hexed(v), None
    if t is bytearray:
        return 'bytearray', hexed(bytes(v)), None
    if isinstance(v, bytes):
        return 'bytes', hexed(v), None
    if t is tuple or t is list:
        return t.__name__, None, [('i', v)]
    if t is set or t is frozenset:
        return t.__name__, None, [('i', list(v))]
    if t is dict:
        return 'dict', None, [('e', [x for pair in v.items() for x in pair])]
    if isinstance(v, type):
        return 'global', v.global_name, None
    if t is Persistent:
        return 'persid', None, [('p', [v.pid])]
    return 'call', None, [
        ('m', [t] + list(v.made) + ([v.keywords] if v.keywords else [])), ('i', v.items), ('e', v.entries),
        ('s', v.states)]


def real_unpickler():
    """The one that ZODB of this Python uses; cPickle for what has no protocol 3."""
    if PY2:
        import cPickle
        import zodbpickle.fastpickle
        zodb = zodbpickle.fastpickle.Unpickler

        def load(data, roots):
            values = []
            for make in [zodb] + ([] if b'\x80\x03' in data else [cPickle.Unpickler]):
                u = make(io.BytesIO(data)) if make is zodb else make(FileLike(data))
                u.find_global, u.persistent_load = stub, Persistent
                values.append([u.load() for _ in range(roots)])
            return values
    else:
        import pickle
        import zodbpickle.fastpickle

        def load(data, roots):
            values = []
            base = pickle.Unpickler if data[:1] == b'\x80' and data[1] > 3 else zodbpickle.fastpickle.Unpickler

            class Unpickler(base):
                def find_class(self, module, name):
                    return stub(module, name)

                def persistent_load(self, pid):
                    return Persistent(pid)

            u = Unpickler(io.BytesIO(data))
            values.append([u.load() for _ in range(roots)])
            return values
    return load


def FileLike(data):
    import cStringIO
    return cStringIO.StringIO(data)


def main():
    mode, cases, digests = sys.argv[1:]
    count = failures = 0

    def fail(case, message):
        print('case %d (%s): %s' % (number, case.get('label', ''), message))
        print('  old', hexed(base64.b64decode(case['old']))[:2400])
        print('  new', hexed(base64.b64decode(case['new']))[:2400])
        print('  ops', json.dumps(case['ops'])[:1500])

    load = graph_unpickler() if mode == 'graphs' else real_unpickler()
    out = open(digests, 'w' if mode == 'graphs' else 'r')
    with open(cases) as lines:
        for number, line in enumerate(lines):
            case = json.loads(line)
            old, new = base64.b64decode(case['old']), base64.b64decode(case['new'])
            count += 1
            message = None
            expected = None if mode == 'graphs' else out.readline().rstrip('\n')
            try:
                if mode == 'graphs':
                    before, after = load(old, case['roots']), load(new, case['roots'])
                    apply_all(before, case['ops'])
                    message = difference(before, after)
                    digest = Digest(look_graph)
                    out.write(json.dumps([digest.text(x) for x in after]) + '\n')
                else:
                    for values in load(new, case['roots']):
                        digest = Digest(look_object)
                        found = [digest.text(x) for x in values]
                        if found != json.loads(expected):
                            message = 'C unpickler: %s\n  graph %s' % (json.dumps(found)[:2000], expected[:2000])
                    references = case.get('references')
                    if message is None and references is not None:
                        from ZODB.serialize import referencesf
                        found = [hexed(x) for x in referencesf(new)]
                        if found != references:
                            message = 'references %s, not %s' % (found, references)
            except Exception as error:
                message = '%s: %s' % (type(error).__name__, error)
                if mode == 'graphs':
                    out.write('null\n')
            if message:
                failures += 1
                if failures <= 3:
                    fail(case, message)
    print('%d cases, %d failures' % (count, failures))
    sys.exit(1 if failures else 0)


main()
