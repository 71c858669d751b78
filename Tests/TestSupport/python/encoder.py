"""Judge an encoder: what Python's own picklers write for the values that they read in its pickles.

    python encoder.py CASES

CASES has lines of JSON: {"protocol": 0 to 5, "pickle": base64, "label": ...}. Each pickle is read and pickled again by the
pickler that ZODB of this Python uses, with `fast` set, so that nothing is memoized; frames are left out. The bytes must
be the same. Sets and the dicts of Python 2 come in an order of their own: there the same bytes in another order will do.

Protocol 0 is text, in which every pickler has its own spelling of the same number: with "twin", the same value at
protocol 1, it is enough that Python reads the same in both.
"""
from __future__ import print_function
import base64
import binascii
import io
import json
import pickle
import pickletools
import sys

PY2 = sys.version_info[0] == 2


class Ref(object):
    def __init__(self, pid):
        self.pid = pid


class Made(object):
    pass


def persistent_id(value):
    return value.pid if isinstance(value, Ref) else None


def load(data, protocol):
    if PY2:
        if protocol < 3:
            import cPickle
            import cStringIO
            u = cPickle.Unpickler(cStringIO.StringIO(data))
        else:
            import zodbpickle.fastpickle
            u = zodbpickle.fastpickle.Unpickler(io.BytesIO(data))
        u.persistent_load = Ref
        return u.load()
    import zodbpickle.fastpickle
    base = zodbpickle.fastpickle.Unpickler if protocol < 4 else pickle.Unpickler

    class Unpickler(base):
        def persistent_load(self, pid):
            return Ref(pid)
    return Unpickler(io.BytesIO(data)).load()


def dump(value, protocol):
    if PY2:
        if protocol < 3:
            import cPickle
            import cStringIO
            file = cStringIO.StringIO()
            p = cPickle.Pickler(file, protocol)
        else:
            import zodbpickle.fastpickle
            file = io.BytesIO()
            p = zodbpickle.fastpickle.Pickler(file, protocol)
        p.persistent_id = persistent_id
        p.fast = 1
        p.dump(value)
        return file.getvalue()
    import zodbpickle.fastpickle
    base = zodbpickle.fastpickle.Pickler if protocol < 4 else pickle.Pickler

    class Pickler(base):
        def persistent_id(self, value):
            return persistent_id(value)
    file = io.BytesIO()
    p = Pickler(file, protocol)
    p.fast = True
    p.dump(value)
    data = file.getvalue()
    if protocol < 4:
        return data
    frames = [at for opcode, _, at in pickletools.genops(data) if opcode.name == 'FRAME']
    for at in reversed(frames):
        data = data[:at] + data[at + 9:]
    return data


def is_ordered(value):
    if isinstance(value, (set, frozenset)):
        return len(value) < 2 and all(is_ordered(x) for x in value)
    if isinstance(value, dict):
        return (not PY2 or len(value) < 2) and all(is_ordered(x) for pair in value.items() for x in pair)
    if isinstance(value, (list, tuple)):
        return all(is_ordered(x) for x in value)
    if isinstance(value, Ref):
        return is_ordered(value.pid)
    return True


count = failures = exact = 0
with open(sys.argv[1]) as lines:
    for line in lines:
        case = json.loads(line)
        data = base64.b64decode(case['pickle'])
        count += 1
        try:
            value = load(data, case['protocol'])
            if 'twin' in case:
                twin = load(base64.b64decode(case['twin']), 1)
                if repr(value) != repr(twin):
                    raise ValueError('reads %r, not %r' % (value, twin))
                continue
            again = dump(value, case['protocol'])
            ordered = is_ordered(value)
            exact += ordered
            same = data == again if ordered else sorted(data) == sorted(again)
            message = None if same else 'Python writes %s' % binascii.hexlify(again).decode()[-300:]
        except Exception as error:
            message = '%s: %s' % (type(error).__name__, error)
        if message:
            failures += 1
            if failures < 12:
                print('%s protocol %d: %s\n  of %s' % (
                    case['label'], case['protocol'], message, binascii.hexlify(data).decode()[-300:]))
print('%d cases, %d of them to the byte, %d failures' % (count, exact, failures))
sys.exit(1 if failures else 0)
