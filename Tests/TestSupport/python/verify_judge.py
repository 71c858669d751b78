"""What Python's own tools make of damaged databases: `verify_judge.py WHAT CASES ANSWERS`, a line of JSON for each case.

damage: `fstest` and `fsrefs` of ZODB on a file with some bytes changed; what each said, null where it was content.
trees: a database with one BTree whose states were changed by hand; what `BTrees.check` and `_check` say of it.
"""
import contextlib
import io
import json
import logging
import os
import resource
import sys
import tempfile

logging.disable(logging.CRITICAL)
# A damaged length must not take the machine's memory.
resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
folder = tempfile.mkdtemp()
bases = {}


def changed(case):
    """The same in Swift: `Damage.apply`."""
    data = bases.get(case['base'])
    if data is None:
        with open(case['base'], 'rb') as f:
            data = bases[case['base']] = f.read()
    at, kind = case['at'], case['kind']
    if kind == 'truncate':
        return data[:at]
    data = bytearray(data)
    if kind == 'flip':
        data[at] ^= case['value']
    else:
        end = min(len(data), at + case['value'])
        data[at:end] = bytes(end - at)
    return bytes(data)


def attempt(call, path):
    output = io.StringIO()
    try:
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            call(path)
    except SystemExit as error:
        return 'exit: %s' % error
    except BaseException as error:
        return '%s: %s' % (type(error).__name__, error)
    return output.getvalue() or None


def damage(case):
    from ZODB.scripts import fsrefs, fstest
    path = os.path.join(folder, 'Data.fs')
    with open(path, 'wb') as f:
        f.write(changed(case))
    return {'fstest': attempt(fstest.check, path), 'fsrefs': attempt(fsrefs.main, path)}


def leaves(tree):
    bucket = tree._firstbucket if hasattr(tree, '_firstbucket') else None
    state = tree.__getstate__()
    bucket = state[1]
    found = []
    while bucket is not None:
        found.append(bucket)
        bucket_state = bucket.__getstate__()
        bucket = bucket_state[1] if len(bucket_state) > 1 else None
    return found


def children(tree):
    return tree.__getstate__()[0][::2]


def replace(node, state):
    node.__setstate__(state)
    node._p_changed = True


def spoil(tree, how, is_map):
    """Changes the states of a tree of at least three leaves."""
    import random
    step = 2 if is_map else 1
    chain = leaves(tree)
    middle = chain[1]
    state = middle.__getstate__()
    items, rest = list(state[0]), state[1:]
    if how == 'swap':
        items[0], items[step] = items[step], items[0]
        replace(middle, (tuple(items),) + rest)
    elif how == 'double':
        items[step] = items[0]
        replace(middle, (tuple(items),) + rest)
    elif how == 'below':
        first = chain[0].__getstate__()[0]
        items[0] = first[0]
        replace(middle, (tuple(items),) + rest)
    elif how == 'above':
        last = chain[2].__getstate__()[0]
        items[-step] = last[-step]
        replace(middle, (tuple(items),) + rest)
    elif how == 'unlink':
        replace(middle, (tuple(items),))
    elif how == 'skip':
        replace(chain[0], (chain[0].__getstate__()[0], chain[2]))
    elif how == 'empty':
        replace(middle, ((),) + rest)
    elif how in ('separators', 'first', 'none'):
        data, first = tree.__getstate__()
        data = list(data)
        if how == 'separators':
            data[1], data[3] = data[3], data[1]
        elif how == 'first':
            first = chain[1]
        replace(tree, (tuple(data), first))
    else:
        raise ValueError(how)


def trees(case):
    import importlib

    import BTrees.check
    import transaction
    from ZODB.DB import DB
    from ZODB.FileStorage import FileStorage
    family, kind = case['family'], case['kind']
    module = importlib.import_module('BTrees.%sBTree' % family)
    cls = getattr(module, family + kind)
    is_map = kind == 'BTree'
    db = DB(FileStorage(case['path'], create=True))
    connection = db.open()
    tree = connection.root()['tree'] = cls()
    for number in range(case['count']):
        if family == 'fs':
            key = bytes([number >> 8, number & 255])
        elif family[0] == 'O':
            key = 'key %06d' % number
        else:
            key = number
        if is_map:
            tree[key] = b'value%d' % (number % 10) if family == 'fs' else \
                'v' if family[1] == 'O' else number
        else:
            tree.add(key)
    transaction.commit()
    if case['how'] != 'none':
        spoil(tree, case['how'], is_map)
        transaction.commit()
    connection.close()
    db.close()

    def check(path):
        db = DB(FileStorage(path, read_only=True))
        try:
            tree = db.open().root()['tree']
            tree._check()
            BTrees.check.check(tree)
        finally:
            db.close()
    return {'check': attempt(check, case['path'])}


def main():
    what, cases, answers = sys.argv[1:4]
    with open(cases) as asked, open(answers, 'w') as answered:
        for line in asked:
            json.dump({'damage': damage, 'trees': trees}[what](json.loads(line)), answered)
            answered.write('\n')


main()
