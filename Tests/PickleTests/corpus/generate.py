#!/usr/bin/env python3
"""Make the pickle corpus: the same values by every pickler there is, and what Python reads in them.

    python3 generate.py PYTHON2 ZODBPICKLE3 ZODBPICKLE2 > corpus.jsonl

PYTHON2 is a Python 2.7; ZODBPICKLE3 and ZODBPICKLE2 are a Python 3 and a Python 2.7 with zodbpickle installed. The
reading is done here, by Python's own unpickler with every call and every class replaced by a note of its name
(sample-data/generate/statefacts.py), never by our parser.
"""
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, '..', '..', '..', 'sample-data', 'generate'))

PICKLE = r'''
from __future__ import print_function
import binascii, collections, datetime, decimal, json, sys
PY2 = sys.version_info[0] == 2
unicode_ = type(u'')

class New(object):
    def __init__(self): self.x = 1; self.y = [self]
class Slots(object):
    __slots__ = 'a', 'b'
    def __getstate__(self): return None, {'a': self.a}
    def __setstate__(self, s): self.a = s[1]['a']
class Args(object):
    def __new__(cls, *args, **kw): return object.__new__(cls)
    def __getnewargs__(self): return 1, u'two'
class KwArgs(Args):
    def __getnewargs_ex__(self): return (1,), {'k': 2}
class MyList(list): pass
class MyDict(dict): pass
if PY2:
    class Old: 
        def __init__(self): self.x = 1
    class OldArgs:
        def __getinitargs__(self): return (1, 2)

def values():
    yield 'none', None
    yield 'bools', [True, False]
    yield 'ints', [0, 1, -1, 255, 256, 65535, 65536, 2**31 - 1, -2**31, 2**31, 2**63, -2**63, 10**30, -10**30]
    if PY2:
        yield 'longs', [long(0), long(1), long(-1), long(255), long(-256), long(2) ** 100]
    yield 'floats', [0.0, -0.0, 1.5, 1e300, -1e-300, 3.141592653589793, float('inf'), float('-inf')]
    yield 'text', [u'', u'a', u'caf\xe9', u'\u20ac', u'\U0001f600', u'a\nb\\c\'d"', u'x' * 300, u'\\u0041']
    yield 'native', ['', 'abc', 'it\'s "q"', 'a\\b\n', 'x' * 300]
    yield 'bytes', [b'', b'abc', b'\x00\xff\n\'"\\', b'z' * 300]
    if not PY2:
        yield 'bytearray', bytearray(b'abc\xff')
    yield 'tuples', ((), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), ((),))
    yield 'lists', [[], [1], [[2]], list(range(1100))]
    yield 'dicts', {u'a': {}, u'b': {1: 2}}
    yield 'bigdict', collections.OrderedDict((i, i) for i in range(1100)) if PY2 else {i: i for i in range(1100)}
    yield 'set', [set([1]), frozenset([2]), set()]
    shared = [1]
    yield 'shared', [shared, shared, (shared, shared)]
    cycle = []; cycle.append(cycle); yield 'cycle', cycle
    t = ([],); t[0].append(t); yield 'tuple cycle', t
    d = {}; d[u'self'] = d; yield 'dict cycle', d
    yield 'dates', [datetime.datetime(2026, 2, 3, 4, 5, 6, 7), datetime.date(1999, 12, 31), datetime.timedelta(1, 2, 3),
                    datetime.time(1, 2, 3)]
    yield 'decimal', decimal.Decimal('1.50')
    yield 'ordered', collections.OrderedDict([(u'b', 1), (u'a', 2)])
    yield 'complex', complex(1, 2)
    yield 'new', New()
    s = Slots(); s.a = 5; yield 'slots', s
    yield 'newargs', Args()
    if not PY2: yield 'newargs_ex', KwArgs()
    yield 'mylist', MyList([1, 2])
    yield 'mydict', MyDict(a=1)
    if PY2:
        yield 'old', Old()
        yield 'oldargs', OldArgs()
    yield 'global', [New, len, collections.OrderedDict]
    yield 'many', [u'w%d' % (i % 300) for i in range(500)]
    deep = []
    for i in range(150): deep = [deep]
    yield 'deep', deep

modules = sys.argv[1].split(',')
for name in modules:
    m = __import__(name, fromlist=['x'])
    top = m.HIGHEST_PROTOCOL
    for protocol in range(top + 1):
        for title, value in values():
            if sys.version_info[0] == 3 and name == 'zodbpickle.pickle' and protocol not in (0, 1, 2, 3): continue
            makers = [m.dumps] + ([m._dumps] if hasattr(m, '_dumps') else [])
            for i, dumps in enumerate(makers):
                try:
                    raw = dumps(value, protocol)
                except Exception as e:
                    print('skipped', name, protocol, title, repr(e), file=sys.stderr)
                    continue
                print(json.dumps(['%s%s%d p%d %s' % (name, '/python' if i else '/', sys.version_info[0], protocol, title),
                                  binascii.hexlify(raw).decode('ascii')]))
    if name == 'zodbpickle.pickle':
        import zodbpickle
        raw = m.dumps([zodbpickle.binary(b'\x00\xffbin')], 3)
        print(json.dumps(['zodbpickle.binary %d' % sys.version_info[0], binascii.hexlify(raw).decode('ascii')]))
'''


def main(python2, zodb3, zodb2):
    import io
    import statefacts

    class Reader(statefacts.Unpickler):
        def load_newobj_ex(self):
            kwargs, args, cls = self.stack.pop(), self.stack.pop(), self.stack.pop()
            made = statefacts.Made('new', cls, args)
            self.append(made)

    Reader.dispatch = dict(statefacts.Unpickler.dispatch)
    Reader.dispatch[0x92] = Reader.load_newobj_ex
    seen = set()
    for python, modules in ((sys.executable, 'pickle'), (python2, 'pickle,cPickle'), (zodb3, 'zodbpickle.pickle'),
                            (zodb2, 'zodbpickle.pickle')):
        out = subprocess.run([python, '-c', PICKLE, modules], check=True, stdout=subprocess.PIPE).stdout
        for line in out.decode().splitlines():
            name, text = json.loads(line)
            if text in seen:
                continue
            seen.add(text)
            value = Reader(io.BytesIO(bytes.fromhex(text)), encoding='bytes').load()
            if isinstance(value, (set, frozenset, bytearray)) or 'set' in name or 'bytearray' in name:
                canonical = None          # built by opcodes of protocol 4 and 5; compared in tests of their own
            else:
                canonical = statefacts.canon(value)
            print(json.dumps([name, text, canonical]))


main(*sys.argv[1:])
