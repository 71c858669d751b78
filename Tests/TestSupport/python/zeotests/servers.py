"""The servers that tests ask ZEO's `forker` for, started as processes of a command.

Python 2.7 and 3.6 and later; ZEO 4.3, 5.4 and 6.
"""
from __future__ import print_function

import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

#: The words that start a server; it gets `-C FILE` too.
command = []
#: Whether configurations that say nothing about it ask for msgpack.
message_pack = False

#: What the servers of this process were asked for; the reasons of exclusions come from it.
asked = {'servers': 0, 'foreign': [], 'protocols': []}
#: The log of what went wrong with servers: a test with any of it fails.
complaints = []

_random = random.SystemRandom()
_started = []


class Server(object):
    """A process of the command, serving a configuration at an address."""

    def __init__(self, configuration, keep):
        asked['servers'] += 1
        asked['foreign'] += re.findall(r'^\s*(%import\s+\S+|<zeoclient.*|<clientstorage.*|password-function.*)',
                                       configuration, re.M)
        if asked['foreign']:
            raise ValueError('not for other servers: ' + asked['foreign'][0])
        if message_pack and 'msgpack' not in configuration:
            configuration = re.sub(r'<zeo>', '<zeo>\n  msgpack true', configuration, 1)
        # Some tests write a space after the colon; ZConfig does not mind.
        address = re.search(r'^[ \t]*address[ \t]+(.+)$', configuration, re.M).group(1).replace(' ', '')
        if address.endswith(':0'):
            address = address[:-1] + str(free_port())
            configuration = re.sub(r'^([ \t]*address[ \t]+).+$', r'\g<1>' + address, configuration, 1, re.M)
        self.configuration = configuration
        self.address = parsed(address)
        self.keep = keep
        self.wait_for_greeting = '<ssl>' not in configuration
        number = len(_started)
        _started.append(self)
        path = os.path.join(os.getcwd(), 'zeo-server-%d.conf' % number)
        with open(path, 'w') as file:
            file.write(configuration)
        self.conf = path
        self.folder = os.getcwd()
        descriptor, self.output = tempfile.mkstemp('.output', 'zeo-server-%d' % number, os.environ['ZEOTESTS_FOLDER'])
        environment = dict(os.environ)
        environment.pop('ZEO_MSGPACK', None)
        with open(os.devnull) as nothing:
            self.process = subprocess.Popen(
                command + ['-C', path], stdin=nothing, stdout=descriptor, stderr=descriptor, close_fds=True,
                env=environment)
        os.close(descriptor)
        self._wait_until_it_answers()

    def _wait_until_it_answers(self):
        deadline = time.time() + 60
        while not self._answers():
            if not self.runs():
                raise RuntimeError('the server ended while it started: ' + self.said())
            if time.time() > deadline:
                self.stop()
                raise RuntimeError('the server does not answer: ' + self.said())
            time.sleep(0.02)

    def _answers(self):
        kind = socket.AF_UNIX if not isinstance(self.address, tuple) else \
            socket.AF_INET6 if ':' in self.address[0] else socket.AF_INET
        client = socket.socket(kind, socket.SOCK_STREAM)
        try:
            client.settimeout(10)
            client.connect(self.address)
            # A server with TLS waits for the client to begin.
            return not self.wait_for_greeting or len(client.recv(6)) == 6
        except (OSError, IOError):
            return False
        finally:
            client.close()

    def runs(self):
        """Whether the process has not ended. It may be reaped by the test, so it is not asked."""
        try:
            with open('/proc/%d/stat' % self.process.pid) as file:
                return file.read().rpartition(')')[2].split()[0] not in 'ZX'
        except (OSError, IOError):
            return False

    def said(self):
        with open(self.output) as file:
            return file.read()[-2000:]

    def stop(self, reap=True):
        """Ends it as a service manager would. One that does not end is killed, and complained about."""
        if self.runs():
            os.kill(self.process.pid, signal.SIGTERM)
            deadline = time.time() + 60
            while self.runs():
                if time.time() > deadline:
                    complaints.append('the server did not end within 60 s of SIGTERM')
                    os.kill(self.process.pid, signal.SIGKILL)
                    break
                time.sleep(0.01)
        elif self.process.returncode is None:
            complaints.append('the server ended by itself: ' + self.said())
        if reap:
            self.process.wait()
        if not self.keep:
            self._remove_files()
            self.keep = True

    def _remove_files(self):
        # What FileStorage.cleanup() does.
        for section in re.findall(r'<filestorage.*?</filestorage>', self.configuration, re.S):
            for path in re.findall(r'^\s*path\s+(\S+)', section, re.M):
                for ending in '', '.old', '.tmp', '.lock', '.index', '.pack':
                    try:
                        os.remove(os.path.join(self.folder, path) + ending)
                    except OSError:
                        pass


def free_port():
    """A port that nobody listens at, of those that the system gives to no client by itself."""
    while True:
        port = _random.randrange(20000, 32000)
        probe = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            probe.bind(('', port))
            return port
        except (OSError, IOError):
            pass
        finally:
            probe.close()


def parsed(address):
    """The address of a configuration as clients take it."""
    if '/' in address:
        return address
    host, _, port = address.rpartition(':')
    return host.strip('[]') or 'localhost', int(port)


def storages(storage_conf, path, blob_dir):
    if not storage_conf:
        storage_conf = '<filestorage>\npath %s\n</filestorage>' % path
    if blob_dir:
        storage_conf = '<blobstorage>\nblob-dir %s\n%s\n</blobstorage>' % (blob_dir, storage_conf)
    return storage_conf


def take_over():
    """From now on, servers of ZEO's tests are processes of the command."""
    try:
        from ZEO import _forker
    except ImportError:
        _take_over_zeo4()
    else:
        _take_over_zeo5(_forker)


def _take_over_zeo5(original):
    def start_zeo_server(storage_conf=None, zeo_conf=None, port=None, keep=False, path='Data.fs', protocol=None,
                         blob_dir=None, suicide=True, debug=False, threaded=False, start_timeout=33, name=None,
                         log=None, show_config=False):
        if protocol:
            asked['protocols'].append(repr(protocol))
        if zeo_conf is None or isinstance(zeo_conf, dict):
            address = ('127.0.0.1', port or 0) if port is None or isinstance(port, int) else port
            configuration = original.ZEOConfig(address, log=log)
            configuration.__dict__.update(zeo_conf or {})
            zeo_conf = configuration
        text = '%s\n\n%s' % (zeo_conf, storages(storage_conf, path, blob_dir))
        if show_config:
            print(text)
        server = Server(text, keep)

        def stop(stop_timeout=99):
            server.stop()

        return server.address, stop

    original.start_zeo_server = start_zeo_server
    # The module that tests import has taken the original's names.
    from ZEO.tests import forker
    forker.start_zeo_server = start_zeo_server


def _take_over_zeo4():
    from ZEO.tests import forker
    running = {}

    def start_zeo_server(storage_conf=None, zeo_conf=None, port=None, keep=False, path='Data.fs', protocol=None,
                         blob_dir=None, suicide=True, debug=False):
        if protocol:
            asked['protocols'].append(repr(protocol))
        address = ('localhost', port) if isinstance(port, int) else port
        admin = ('localhost', port + 1) if isinstance(port, int) else port + '-test'
        if zeo_conf is None or isinstance(zeo_conf, dict):
            configuration = forker.ZEOConfig(address)
            configuration.__dict__.update(zeo_conf or {})
            zeo_conf = configuration
        text = '%s\n\n%s' % (zeo_conf, storages(storage_conf, path, None if storage_conf else blob_dir))
        server = Server(text, keep)
        running[admin] = server
        # The test removes the file and reaps the process.
        return address, admin, server.process.pid, server.conf

    def shutdown_zeo_server(admin):
        running[admin].stop(reap=False)

    forker.start_zeo_server = start_zeo_server
    forker.shutdown_zeo_server = shutdown_zeo_server
