"""Runs each test in a process of its own, in a folder of its own, for so long and no longer. Python 2.7 and 3.6+."""
import json
import os
import select
import shutil
import signal
import stat
import sys
import tempfile
import time
import unittest

import servers


class Result(object):
    def __init__(self, name, outcome, message='', seconds=0.0, attempts=1, asked=None):
        self.name, self.outcome, self.message = name, outcome, message
        self.seconds, self.attempts = seconds, attempts
        #: What the test asked servers for (see servers.asked); empty when it ended without telling.
        self.asked = asked or {}

    @property
    def failed(self):
        return self.outcome in ('fail', 'error')

    @property
    def is_for_other_servers(self):
        return not self.asked or bool(self.asked['servers'] and not self.asked['foreign'])

    def as_line(self):
        return {'id': self.name, 'outcome': self.outcome, 'message': self.message,
                'seconds': round(self.seconds, 2), 'attempts': self.attempts}


class Run(object):
    """A test that runs, in a child with a process group, so that its servers end with it."""

    def __init__(self, name, test, attempts, attempt=1):
        self.name, self.test, self.attempts, self.attempt = name, test, attempts, attempt
        self.folder = tempfile.mkdtemp(prefix='zeotests-')
        self.began = time.time()
        self.told = b''
        sys.stdout.flush()
        self.pipe, writer = os.pipe()
        self.child = os.fork()
        if self.child == 0:
            try:
                os.close(self.pipe)
                self._be_the_child(writer)
            finally:
                os._exit(3)
        os.close(writer)
        try:
            os.setpgid(self.child, self.child)
        except OSError:
            pass  # it was faster

    def _be_the_child(self, writer):
        os.setpgid(0, 0)
        os.chdir(self.folder)
        os.environ['ZEOTESTS_FOLDER'] = self.folder
        # What a test makes and leaves is in its folder too, and goes with it.
        tempfile.tempdir = self.folder
        nothing = os.open(os.devnull, os.O_RDONLY)
        output = os.open('output', os.O_WRONLY | os.O_CREAT, 0o600)
        os.dup2(nothing, 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        try:
            import faulthandler
        except ImportError:
            pass
        else:
            faulthandler.register(signal.SIGUSR1, all_threads=True)
        os.mkdir('cwd')
        os.chdir('cwd')
        outcome = unittest.TestResult()
        self.test.run(outcome)
        sys.stdout.flush()
        failures = [text for _, text in outcome.failures]
        errors = [text for _, text in outcome.errors] + servers.complaints
        kind = 'fail' if failures else 'error' if errors else 'skip' if outcome.skipped else 'pass'
        message = '\n'.join(failures + errors + [reason for _, reason in outcome.skipped])
        text = json.dumps({'outcome': kind, 'message': message, 'asked': servers.asked}).encode('utf-8')
        while text:
            text = text[os.write(writer, text):]
        os._exit(0)

    def read(self):
        """More of what the child tells; true when that was all."""
        more = os.read(self.pipe, 65536)
        self.told += more
        return not more

    def result(self, timed_out=False):
        seconds = time.time() - self.began
        if timed_out:
            self._signal(signal.SIGUSR1)
            time.sleep(0.5)
        self._signal(signal.SIGKILL)
        os.close(self.pipe)
        os.waitpid(self.child, 0)
        try:
            told = json.loads(self.told.decode('utf-8')) if not timed_out else {}
        except ValueError:
            told = {}
        outcome = told.get('outcome', 'error')
        message = told.get('message', '')
        if timed_out:
            message = 'took more than %d s\n%s' % (seconds, self._output('output'))
        elif not told:
            message = 'ended without a result\n%s' % self._output('output')
        if outcome in ('fail', 'error'):
            message = abridged(message)
            for name in sorted(os.listdir(self.folder)):
                said = self._output(name) if name.endswith('.output') else ''
                if said:
                    message += '\n-- %s\n%s' % (name.partition('.')[0], said)
        shutil.rmtree(self.folder, ignore_errors=True)
        return Result(self.name, outcome, message, seconds, self.attempt, told.get('asked'))

    def _output(self, name):
        with open(os.path.join(self.folder, name), 'rb') as file:
            return file.read().decode('utf-8', 'replace')[-3000:]

    def _signal(self, number):
        try:
            os.killpg(self.child, number)
        except OSError:
            pass


def abridged(text):
    """The first failure of a document is the one that matters; of a traceback it is the end."""
    return text if len(text) <= 4000 else text[:2500] + '\n...\n' + text[-1500:]


def run(tests, jobs, timeout, report):
    """Runs (name, test, attempts), `jobs` at a time, and reports each result."""
    waiting = list(reversed(tests))
    runs = {}
    # A pipe from whoever started us: its end is theirs, and ours.
    lifeline = sys.stdin.fileno() if stat.S_ISFIFO(os.fstat(sys.stdin.fileno()).st_mode) else None
    try:
        while waiting or runs:
            while waiting and len(runs) < jobs:
                begun = Run(*waiting.pop())
                runs[begun.pipe] = begun
            watched = list(runs) + ([] if lifeline is None else [lifeline])
            ready, _, _ = select.select(watched, [], [], 0.5)
            if lifeline in ready and not os.read(lifeline, 4096):
                sys.exit('the input ended')
            for pipe in list(runs):
                over = pipe in ready and runs[pipe].read()
                timed_out = time.time() - runs[pipe].began > timeout
                if over or timed_out:
                    ended = runs.pop(pipe)
                    result = ended.result(timed_out and not over)
                    if result.failed and result.is_for_other_servers and ended.attempt < ended.attempts:
                        waiting.append((ended.name, ended.test, ended.attempts, ended.attempt + 1))
                    else:
                        report(result)
    finally:
        for left in runs.values():
            left.result(True)
