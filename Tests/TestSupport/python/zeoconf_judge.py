"""What real ZEO makes of server configurations.

    python zeoconf_judge.py settings CASES ANSWERS
    python zeoconf_judge.py formats CASES ANSWERS

CASES holds a line of JSON for each configuration: {"arguments": [...], "env": {name: value}}. It is read as runzeo reads
it, with the schema of the ZEO that is installed, up to the point where storages would be opened; log files are not
opened either. The answer is {"settings": {...}}, or {"error": text}.

`formats`: {"format": text} is used for a log record that has the fields of `FIELDS`; the answer is {"text": text}, or
{"error": text}.

Works in Python 2.7 and 3.
"""
from __future__ import print_function
import io
import json
import os
import sys

from ZConfig.components.logger.formatter import ctrl_char_insert
from ZEO.runzeo import ZEOOptions

FIELDS = {"name": "ZEO.server", "levelname": "INFO", "levelno": 20, "message": "caf\u00e9 100%", "asctime": "now",
          "process": 4711, "lineno": -7, "created": 1700000000.125, "msecs": 125.75, "relativeCreated": 0.5,
          "thread": 140000000000000}


class Refused(Exception):
    pass


class Options(ZEOOptions):
    def usage(self, msg):
        raise Refused(str(msg))

    def load_logconf(self, sectname):
        pass

    def load_schema(self):
        # Once for all cases: reading it takes longer than reading them.
        ZEOOptions.load_schema(self)
        Options.schema = self.schema


def address(value):
    return [value] if not isinstance(value, tuple) else list(value)


def storage(opener):
    kind = opener.config.getSectionType() if hasattr(opener.config, "getSectionType") else "filestorage"
    config = opener.config
    answer = {"type": kind, "name": opener.name}
    keys = {
        "filestorage": ["path", "blob_dir", "create", "read_only", "quota", "pack_gc", "pack_keep_old"],
        "blobstorage": ["blob_dir"],
        "mappingstorage": ["name"],
        "demostorage": ["name"],
    }[kind]
    for key in keys:
        answer["key " + key] = getattr(config, key, None)
    if kind == "blobstorage":
        answer["base"] = storage(config.base)
    if kind == "demostorage":
        answer["bases"] = [storage(f) for f in config.factories]
    return answer


def log(factory):
    if factory is None:
        return None
    files = []
    for handler in factory.handler_factories:
        s = handler.section
        if s.getSectionType() != "logfile":
            continue
        files.append({"path": s.path, "level": s.level, "format": s.format, "dateformat": s.dateformat,
                      "old_files": s.old_files, "max_size": s.max_size, "when": s.when.upper(),
                      "interval": s.interval, "delay": s.delay})
    return {"level": factory.level, "files": files}


def runner(section):
    if section is None:
        return None
    answer = {}
    for key in ["program", "socket_name", "daemon", "directory", "backoff_limit", "forever", "exit_codes",
                "start_test_program", "start_timeout", "stop_timeout", "user", "umask", "hang_around",
                "default_to_interactive", "logfile", "transcript", "prompt"]:
        answer[key] = getattr(section, key)
    answer["eventlog"] = log(section.eventlog)
    return answer


def judge(case):
    before = dict(os.environ)
    os.environ.pop("ZEO_MSGPACK", None)
    os.environ.pop("INSTANCE_HOME", None)
    for name, value in case["env"].items():
        os.environ[str(name)] = str(value)
    try:
        options = Options()
        options.realize([str(a) for a in case["arguments"]], progname="runzeo")
        msgpack = options.msgpack if isinstance(options.msgpack, bool) else bool(os.environ.get("ZEO_MSGPACK"))
        root = options.configroot
        return {"settings": {
            "address": address(options.address), "read_only": bool(options.read_only),
            "invalidation_queue_size": options.invalidation_queue_size, "invalidation_age": options.invalidation_age,
            "transaction_timeout": options.transaction_timeout, "pid_file": options.pid_file, "msgpack": msgpack,
            "client_conflict_resolution": bool(options.client_conflict_resolution), "ssl": options.ssl is not None,
            "storages": [storage(s) for s in options.storages],
            "log": log(root.eventlog if root else None), "runner": runner(root.runner if root else None)}}
    except Refused as e:
        return {"error": str(e)}
    except Exception as e:  # a certificate that is none, a schema with a bug
        return {"error": "%s: %s" % (type(e).__name__, e)}
    finally:
        os.environ.clear()
        os.environ.update(before)


def judge_format(case):
    try:
        return {"text": ctrl_char_insert(case["format"]) % FIELDS}
    except Exception as e:
        return {"error": str(e)}


def main(what, cases, answers):
    with io.open(cases, encoding="utf-8") as f, io.open(answers, "w", encoding="utf-8") as out:
        for line in f:
            case = json.loads(line)
            answer = json.dumps(judge(case) if what == "settings" else judge_format(case), ensure_ascii=True)
            out.write((answer if sys.version_info[0] > 2 else answer.decode("ascii")) + u"\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
