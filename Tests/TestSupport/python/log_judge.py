"""What Python's logging makes of records: `log_judge.py WHAT CASES ANSWERS`, a line of JSON for each case.

lines: the text of a record by a format and a date format.
rotation: the files that a rotating handler leaves, name -> contents.
"""
import json
import logging
import logging.handlers
import os
import sys
import tempfile
import time


def lines(case):
    record = logging.makeLogRecord({
        'name': case['name'], 'levelno': case['level'], 'levelname': logging.getLevelName(case['level']),
        'msg': case['message'], 'pathname': case['path'], 'filename': os.path.basename(case['path']),
        'module': os.path.splitext(os.path.basename(case['path']))[0], 'lineno': case['line'],
        'funcName': case['function'], 'created': case['time'], 'msecs': (case['time'] - int(case['time'])) * 1000,
        'relativeCreated': (case['time'] - case['start']) * 1000,
        'process': case['process'], 'thread': case['thread'], 'threadName': 'Thread-%s' % case['thread'],
        'processName': 'zeoserver', 'taskName': None})
    return {'text': logging.Formatter(case['format'], case['dateFormat']).format(record)}


def rotation(case):
    folder = tempfile.mkdtemp()
    path = os.path.join(folder, 'zeo.log')
    open(path, 'w').close()
    os.utime(path, (case['start'], case['start']))
    real = time.time
    now = [case['start']]
    time.time = lambda: now[0]
    try:
        if case.get('when'):
            handler = logging.handlers.TimedRotatingFileHandler(
                path, when=case['when'], interval=case['interval'], backupCount=case['oldFiles'])
        else:
            handler = logging.handlers.RotatingFileHandler(
                path, maxBytes=case['limit'], backupCount=case['oldFiles'])
        handler.setFormatter(logging.Formatter('%(message)s'))
        for moment, text in zip(case['times'], case['texts']):
            now[0] = moment
            handler.emit(logging.makeLogRecord({'msg': text, 'created': moment}))
        handler.close()
    finally:
        time.time = real
    return {name: open(os.path.join(folder, name)).read() for name in sorted(os.listdir(folder))}


what, cases, answers = sys.argv[1:]
with open(cases) as source, open(answers, 'w') as target:
    for line in source:
        target.write(json.dumps({'lines': lines, 'rotation': rotation}[what](json.loads(line))) + '\n')
