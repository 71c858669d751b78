"""Runs ZODB's and ZEO's own tests, those of the packages installed here, against the server of a command.

    PYTHON zeotests --server 'COMMAND' [options]

COMMAND is started as `COMMAND -C zeo.conf` for each server that a test asks for and must listen at the address in that
file, with the test's folder as its working directory. Prints one JSON object a line for each test,

    {"id": "...", "outcome": "pass" | "fail" | "error" | "skip", "message": "...", "seconds": 0.1, "attempts": 1}

and in the last line {"totals": {"pass": 100, ...}}. Exit status: 0 when no test failed, 1 otherwise, 2 for wrong usage.
Ends, with everything it started, when its standard input is a pipe and that ends. Python 2.7 and 3.6 and later.
"""
from __future__ import print_function

import argparse
import json
import os
import re
import shlex
import sys


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--server', metavar='COMMAND', help='starts the server; gets "-C zeo.conf"')
    parser.add_argument('--msgpack', action='store_true', help='the configurations say "msgpack true"')
    parser.add_argument('--list', metavar='FILE', help='run what this file says passes with Python\'s own server')
    parser.add_argument('--write-list', metavar='FILE', help='write that file, from what passes and what does not')
    parser.add_argument('--match', metavar='REGEX', action='append', default=[], help='only tests whose name matches')
    parser.add_argument('--except', metavar='REGEX', action='append', default=[], dest='omit', help='and not these')
    parser.add_argument('--jobs', type=int, default=2, help='tests at a time (default 2)')
    parser.add_argument('--timeout', type=float, default=300, help='seconds a test may take (default 300)')
    parser.add_argument('--attempts', type=int, default=1, help='times a failing test is run (default 1)')
    parser.add_argument('--names', action='store_true', help='print the names of the tests, run none')
    chosen = parser.parse_args()
    if not chosen.server and not chosen.names:
        parser.error('--server is needed')
    return chosen


def main():
    options = arguments()
    if options.msgpack:
        # ZEO's own switch, read when its tests are imported.
        os.environ['ZEO_MSGPACK'] = '1'
    else:
        os.environ.pop('ZEO_MSGPACK', None)

    import servers
    servers.command = shlex.split(options.server or '')
    servers.message_pack = options.msgpack
    servers.take_over()

    import catalog
    import lists
    import running

    tests = catalog.collect()
    names = list(tests)
    attempts = dict.fromkeys(names, options.attempts)
    unknown = []
    if options.list:
        listed = lists.read(options.list)
        unknown = [name for name in listed.names if name not in tests]
        names = [name for name in listed.names if name in tests]
        for name in listed.unsteady:
            attempts[name] = max(options.attempts, 3)

    def wanted(name):
        return (not options.match or any(re.search(pattern, name) for pattern in options.match)) \
            and not any(re.search(pattern, name) for pattern in options.omit)

    names = [name for name in names if wanted(name)]
    if options.names:
        print('\n'.join(names))
        return 0

    results = []

    def report(result):
        results.append(result)
        print(json.dumps(result.as_line()))
        sys.stdout.flush()

    for name in unknown:
        if wanted(name):
            report(running.Result(name, 'error', 'no such test in the packages installed here'))
    running.run([(name, tests[name], attempts[name]) for name in names], options.jobs, options.timeout, report)
    totals = {}
    for result in results:
        totals[result.outcome] = totals.get(result.outcome, 0) + 1
    print(json.dumps({'totals': totals}))
    if options.write_list:
        lists.write(options.write_list, results)
    return 1 if totals.get('fail') or totals.get('error') else 0


if __name__ == '__main__':
    sys.exit(main())
