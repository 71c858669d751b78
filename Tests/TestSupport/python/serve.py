"""A ZEO server that ends when its standard input does: python serve.py CONFIGURATION

The input is a pipe from the test, so that no server outlives it, however the test ends. Python 2 and 3.
"""
import os
import sys
import threading

from ZEO.runzeo import main


def watch():
    sys.stdin.read()
    os._exit(0)


thread = threading.Thread(target=watch)
thread.daemon = True
thread.start()
main(['-C', sys.argv[1]])
