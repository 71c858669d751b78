"""A Zope 2.13 that ends when its standard input does: python2.7 zopesite213.py ZOPE_CONF

It has a server of its own, which the configuration names. Nothing is imported from the directory of this file: names
such as `site` must stay Python's own.
"""
import os
import sys
import threading

del sys.path[0]

if os.getuid() == 0:
    # It refuses root, whom a container or a build machine may run everything as.
    os.getuid = lambda: 1000


def watch():
    sys.stdin.read()
    os._exit(0)


watcher = threading.Thread(target=watch)
watcher.daemon = True
watcher.start()

sys.argv[1:] = ["-C", sys.argv[1]]
from Zope2.Startup.run import run  # noqa: E402

run()
