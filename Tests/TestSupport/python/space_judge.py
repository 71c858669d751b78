"""What ZODB's own analyze, and a census of its own, find in a Data.fs: space_judge.py FILE, JSON to standard output.

The census knows nothing of positions and indexes: it lists all records with ZODB's iterator, and follows each undo from
transaction to transaction.
"""
import json
import sys

from ZODB.FileStorage import FileStorage
from ZODB.scripts import analyze
from ZODB.TimeStamp import TimeStamp
from ZODB.utils import get_pickle_metadata


def text(data):
    try:
        return data.decode('utf-8')
    except UnicodeDecodeError:
        return data.decode('latin-1')


def class_of(data):
    return '.'.join(get_pickle_metadata(data))


def census(path):
    storage = FileStorage(path, read_only=True)
    records = []
    for txn in storage.iterator():
        user, day = text(txn.user), str(TimeStamp(txn.tid))[:10]
        for record in txn:
            records.append((record.oid, txn.tid, record.data, record.data_txn, user, day))
    storage.close()
    newest, by_tid = {}, {}
    for record in records:
        newest[record[0]] = record
        by_tid[record[:2]] = record
    needed = set()
    for oid, tid, data, back, user, day in newest.values():
        if data is None:
            continue
        while back is not None:
            tid, back = back, by_tid[oid, back][3]
        needed.add((oid, tid))
    result = {'class': {}, 'user': {}, 'day': {}}
    for record in records:
        oid, tid, data, back, user, day = record
        name = '(deletions)' if data is None else class_of(data)
        for what, key in (('class', name), ('user', user), ('day', day)):
            line = result[what].setdefault(
                key, {'objects': 0, 'current_bytes': 0, 'old_revisions': 0, 'history_bytes': 0})
            is_current = newest[oid] is record and data is not None
            line['objects' if is_current else 'old_revisions'] += 1
            if data is not None and back is None:
                line['current_bytes' if (oid, tid) in needed else 'history_bytes'] += len(data)
    return result


def totals(path):
    report = analyze.analyze(path)
    return {
        'objects': report.COIDS, 'current_bytes': report.CBYTES, 'old_revisions': report.FOIDS,
        'history_bytes': report.FBYTES, 'records': report.OIDS, 'bytes': report.DBYTES,
        'classes': dict((name, [count, report.TYPESIZE[name]]) for name, count in report.TYPEMAP.items()),
    }


json.dump({'census': census(sys.argv[1]), 'analyze': totals(sys.argv[1])}, sys.stdout)
