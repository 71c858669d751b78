"""Write files as `zodb dump` of zodbtools does: gen_dumps.py FS DIRECTORY NAME... (NAME.hashes: hashes alone).

Needs Python 3 with zodbtools==0.0.0.dev9 and ZODB==5.8.1. Its pygolang compiles with Cython before 3 and setuptools
before 70 only: PIP_CONSTRAINT names a file with `cython<3` and `setuptools<70`. zodburi, which zodbtools opens its
storages with, is not needed here, and wants a Python with gdbm.
"""
import os
import shutil
import sys
import tempfile
import types

sys.modules['zodburi'] = types.ModuleType('zodburi')
from zodbtools.zodbdump import zodbdump  # noqa: E402
from ZODB.FileStorage import FileStorage  # noqa: E402

folder, target = sys.argv[1:3]
for name in sys.argv[3:]:
    source = name[:-len('.hashes')] if name.endswith('.hashes') else name
    scratch = tempfile.mkdtemp()
    copy = os.path.join(scratch, 'Data.fs')
    shutil.copy(os.path.join(folder, source + '.fs'), copy)
    storage = FileStorage(copy, read_only=True)
    with open(os.path.join(target, name + '.zdump'), 'wb') as out:
        zodbdump(storage, None, None, hashonly=name != source, out=out)
    storage.close()
    shutil.rmtree(scratch)
