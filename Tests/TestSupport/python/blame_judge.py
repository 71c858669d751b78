"""blame_judge.py FILE SEED: writes a random history; prints which transaction last changed what.

The root's item "tree" is an OOBTree that grows until its buckets and nodes have split, "thing" a mapping with plain
values, a text of lines under "text", and a list under "list". Every value that is set is a new one. The text keeps at
least two lines: one of a single line is a value like others.
"""
from __future__ import print_function

import binascii
import json
import random
import sys

import transaction
import ZODB
from BTrees.OOBTree import OOBTree
from persistent.mapping import PersistentMapping
from ZODB.FileStorage import FileStorage

path, seed = sys.argv[1:]
pick = random.Random(int(seed))
db = ZODB.DB(FileStorage(path))
connection = db.open()
root = connection.root()
root['tree'] = tree = OOBTree()
root['thing'] = thing = PersistentMapping(text='', list=[])
transaction.commit()

number = 0
keys, entries, lines, items = {}, {}, [], []


def new():
    global number
    number += 1
    return number


def change_tree(size):
    for _ in range(size):
        key = 'key%03d' % pick.randrange(700)
        if key in keys and pick.randrange(4) == 0:
            del tree[key]
            del keys[key]
        else:
            tree[key] = new()
            keys[key] = None


def change_thing():
    name = 'name%d' % pick.randrange(9)
    if name in thing and pick.randrange(4) == 0:
        del thing[name]
        del entries[name]
    else:
        thing[name] = {'a': new()}
        entries[name] = None


def change_sequence(sequence, make, least=0):
    for _ in range(pick.randrange(1, 4)):
        choice = pick.randrange(4)
        if choice == 0 and len(sequence) > least:
            del sequence[pick.randrange(len(sequence))]
        elif choice == 1 and sequence:
            sequence[pick.randrange(len(sequence))] = [make(), None]
        else:
            sequence.insert(pick.randrange(len(sequence) + 1), [make(), None])


for step in range(60):
    # The first steps make the tree large, the later ones change it.
    change_tree(60 if step < 20 else pick.randrange(5))
    if pick.randrange(2):
        change_thing()
    if pick.randrange(3):
        change_sequence(lines, lambda: 'line %d' % new(), least=2)
        thing['text'] = '\n'.join(line for line, _ in lines) + '\n'
    if pick.randrange(3) == 0:
        change_sequence(items, lambda: new())
        thing['list'] = [item for item, _ in items]
    transaction.commit()
    tid = binascii.hexlify(db.storage.lastTransaction()).decode('ascii')
    for record in (keys, entries):
        for key in record:
            record[key] = record[key] or tid
    for record in (lines, items):
        for pair in record:
            pair[1] = pair[1] or tid
db.close()
print(json.dumps({
    'keys': keys, 'entries': entries, 'lines': [list(pair) for pair in lines], 'items': [tid for _, tid in items]}))
