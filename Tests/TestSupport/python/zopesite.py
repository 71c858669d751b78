"""A Zope that ends when its standard input does: python zopesite.py ZOPE_CONF PORT

Nothing is imported from the directory of this file: names such as `site` must stay Python's own.
"""
import os
import sys
import threading

del sys.path[0]

from Zope2.Startup.run import make_wsgi_app  # noqa: E402
from waitress import create_server  # noqa: E402


def watch():
    sys.stdin.read()
    os._exit(0)


threading.Thread(target=watch, daemon=True).start()
# Listening begins when everything is loaded: who can connect is served.
create_server(make_wsgi_app({}, sys.argv[1]), host="127.0.0.1", port=int(sys.argv[2]), threads=2).run()
