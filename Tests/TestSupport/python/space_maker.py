"""Makes a Data.fs of many changes, undos, deletions and new classes: space_maker.py FILE SEED."""
import random
import sys

import transaction
from persistent.mapping import PersistentMapping
from persistent.list import PersistentList
from ZODB import DB
from ZODB.Connection import TransactionMetaData
from ZODB.FileStorage import FileStorage
from ZODB.POSException import POSError

path, seed = sys.argv[1], int(sys.argv[2])
chance = random.Random(seed)
print('seed %d' % seed)
storage = FileStorage(path, create=True)
db = DB(storage)
connection = db.open()
root = connection.root()


def commit(user):
    current = transaction.get()
    current.setUser(user)
    transaction.commit()


def change(step):
    kind = chance.random()
    user = chance.choice(['anna', 'bob', 'm\xfcller', 'site/sub zoe'])
    if kind < 0.3 or len(root) < 5:
        root['k%d' % step] = chance.choice([PersistentMapping, PersistentList])()
        commit(user)
    elif kind < 0.75:
        thing = root[chance.choice(sorted(root))]
        if isinstance(thing, PersistentList):
            thing.append('x' * chance.randrange(200))
        else:
            thing['a'] = 'y' * chance.randrange(2000)
        commit(user)
    elif kind < 0.9:
        log = db.undoLog(0, 8)
        if log:
            db.undo(chance.choice(log)['id'])
            commit(user)
    else:
        oids = [thing._p_oid for key, thing in sorted(root.items()) if thing._p_oid is not None]
        oid = chance.choice(oids)
        meta = TransactionMetaData(user, 'delete')
        storage.tpc_begin(meta)
        try:
            storage.deleteObject(oid, storage.load(oid)[1], meta)
        except POSError:
            storage.tpc_abort(meta)
            return
        storage.tpc_vote(meta)
        storage.tpc_finish(meta)
        for key in [key for key, thing in root.items() if thing._p_oid == oid]:
            del root[key]
        commit(user)

for step in range(120):
    try:
        change(step)
    except (POSError, KeyError):
        # An undo that is refused, an object that an undo or a deletion took away.
        transaction.abort()
    connection.sync()
db.close()
