"""The file that says which tests pass with Python's own server, and why the others are left out.

One line a test: `run NAME`, `unsteady NAME` (did not pass at the first attempt), `exclude NAME: reason`. UTF-8.
Python 2.7 and 3.6 and later.
"""
from __future__ import unicode_literals

import io
import re
import sys

#: Pairs of a pattern for names, and why a server that is not Python's cannot pass, though Python's own does.
RULES = [
    (r'(FileStorage|Blob)\w*Tests\.(check|test)(Resolve|UndoConflictResolution|UndoMultipleConflictResolution\w*)$',
     'the server would have to run the conflict resolution of a class of the tests (PCounter)'),
    (r'TransactionExtensionFromIterator$', 'its message has Python\'s server call a builtin (dict), which ours refuses'),
    (r'TimeoutTests\.checkTimeout$', 'reads the words of Python\'s log'),
    (r'client_labels$', 'reads the words of Python\'s log'),
    (r'extension_methods_not_lost', 'calls a method that only Python\'s FileStorage has'),
]

#: The same, of ZEO 4 and ZODB 4 only.
OLD_RULES = [
    (r'test_ruok$', 'ruok, whose asker is unknown, answers as ZEO 5 and later do: without verifying_clients'),
    (r'secure_blob_directory#2$', 'blob directories follow the umask, as with ZODB 5 and later'),
]

#: The same, of tests that Python's own server fails too, where the failure does not tell why.
CAUSES = [
    (r'^blob_transaction_txt', 'fails as root: expects to be refused when it writes to a committed blob'),
    (r'MonitorTests', 'ZEO 4.3 accepts connections to its monitor address and answers none'),
    (r'^dynamic_server_ports_test|^test_sync', 'looks into a server in its own process'),
]


class Listed(object):
    def __init__(self):
        self.names, self.unsteady, self.excluded = [], [], {}


def read(path):
    listed = Listed()
    with io.open(path, encoding='utf-8') as file:
        for line in file:
            kind, _, rest = line.strip().partition(' ')
            if kind in ('run', 'unsteady'):
                listed.names.append(rest)
                if kind == 'unsteady':
                    listed.unsteady.append(rest)
            elif kind == 'exclude':
                name, _, reason = rest.partition(': ')
                listed.excluded[name] = reason
            elif kind and kind != '#':
                raise ValueError('%s: unknown line: %s' % (path, line))
    return listed


def write(path, results):
    import ZEO, ZODB  # noqa: E401
    import pkg_resources
    versions = ', '.join('%s %s' % (name, pkg_resources.get_distribution(name).version) for name in ('ZEO', 'ZODB'))
    with io.open(path, 'w', encoding='utf-8') as file:
        file.write('# The tests of %s on Python %d.%d that Python\'s own server passes, started by its command.\n'
                   '# Written by zeotests --write-list.\n' % ((versions,) + sys.version_info[:2]))
        for result in sorted(results, key=lambda result: result.name):
            reason = exclusion(result)
            if reason:
                file.write('exclude %s: %s\n' % (result.name, reason))
            elif result.attempts > 1:
                file.write('unsteady %s\n' % result.name)
            else:
                file.write('run %s\n' % result.name)


def is_old():
    import pkg_resources
    return pkg_resources.get_distribution('ZEO').version < '5'


def exclusion(result):
    """Why the test is not for other servers, or None."""
    asked = result.asked
    if result.outcome == 'skip':
        return 'skipped: ' + _line(result.message)
    if asked and not asked['servers']:
        return 'starts no server: it tests Python\'s own classes in its own process'
    if asked and asked['protocols']:
        return 'asks Python\'s server to announce protocol %s only' % ', '.join(asked['protocols'])
    if asked and asked['foreign']:
        return 'the configuration names Python code or another server: ' + ' '.join(asked['foreign'][0].split())
    for pattern, reason in RULES + (OLD_RULES if is_old() else []):
        if re.search(pattern, result.name):
            return reason
    if result.failed:
        for pattern, reason in CAUSES:
            if re.search(pattern, result.name):
                return reason
        return 'fails with Python\'s own server: ' + _line(result.message)
    return None


def _line(message):
    lines = [line.strip() for line in message.partition('\n-- ')[0].splitlines() if line.strip()]
    return lines[-1][:160] if lines else 'no message'
