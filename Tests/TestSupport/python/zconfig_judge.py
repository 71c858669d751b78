"""What real ZConfig makes of configuration texts and of values.

    python zconfig_judge.py texts  CASES ANSWERS
    python zconfig_judge.py values CASES ANSWERS

Both files hold a line of JSON for each case.

texts:  {"files": {path: text}, "main": path, "env": {name: value}} is loaded with a schema that knows the section types
        `a` and `b`, in each other to any depth, with any keys. The answer is {"tree": T} where T is
        {"keys": {key: [value, ...]}, "sections": [[type, name, T], ...]}, or {"error": text, "line": number or null}.
values: {"type": name, "text": text}; the answer is {"value": V} or {"error": text}. Whole numbers are written in
        decimal, floats as the hexadecimal of their 8 bytes.

Works in Python 2.7 and 3.
"""
from __future__ import print_function
import binascii
import io
import json
import os
import shutil
import struct
import sys
import tempfile

import ZConfig
import ZConfig.datatypes
import ZConfig.loader
from ZConfig.components.logger.datatypes import logging_level
from zdaemon import zdoptions

SCHEMA = u"""
<schema keytype="null">
  <abstracttype name="any"/>
  <sectiontype name="a" implements="any" keytype="null">
    <multikey name="+" attribute="keys" datatype="null"/>
    <multisection type="any" name="*" attribute="sections"/>
  </sectiontype>
  <sectiontype name="b" implements="any" keytype="null">
    <multikey name="+" attribute="keys" datatype="null"/>
    <multisection type="any" name="*" attribute="sections"/>
  </sectiontype>
  <multikey name="+" attribute="keys" datatype="null"/>
  <multisection type="any" name="*" attribute="sections"/>
</schema>
"""


class Loader(ZConfig.loader.ConfigLoader):
    """Without the search for a package that `%import` names: which packages there are is not the question."""

    def importSchemaComponent(self, pkgname):
        pass


def tree(section):
    return {"keys": section.keys,
            "sections": [[s.getSectionType(), s.getSectionName(), tree(s)] for s in section.sections]}


def judge_text(schema, case):
    directory = os.path.realpath(tempfile.mkdtemp())
    before = dict(os.environ)
    try:
        for path, text in case["files"].items():
            path = os.path.join(directory, path)
            if not os.path.isdir(os.path.dirname(path)):
                os.makedirs(os.path.dirname(path))
            with io.open(path, "w", encoding="utf-8", newline="") as f:
                f.write(text)
        for name, value in case["env"].items():
            os.environ[str(name)] = str(value)
        config, _ = Loader(schema).loadURL(os.path.join(directory, case["main"]))
        return {"tree": tree(config)}
    except ZConfig.ConfigurationError as e:
        line = getattr(e, "lineno", None)
        return {"error": "%s: %s" % (type(e).__name__, getattr(e, "message", "")),
                "line": line if line and line > 0 else None}
    except Exception as e:  # a file that is none, an include that never ends
        return {"error": type(e).__name__, "line": None}
    finally:
        os.environ.clear()
        os.environ.update(before)
        shutil.rmtree(directory)


def plain(value):
    if isinstance(value, bool):
        return value
    if isinstance(value, float):
        return binascii.hexlify(struct.pack(">d", value)).decode("ascii")
    if isinstance(value, ZConfig.datatypes.SocketAddress):
        address = value.address
        return plain(address if isinstance(address, tuple) else [address])
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if value is None or isinstance(value, type(u"")) or isinstance(value, str):
        return value
    return "%d" % value


def judge_value(case):
    others = {"log-level": logging_level, "octal": zdoptions.octal_type, "integers": zdoptions.list_of_ints,
              "parent-directory": zdoptions.existing_parent_directory,
              "parent-dirpath": zdoptions.existing_parent_dirpath,
              "tilde": os.path.expanduser}
    convert = others.get(case["type"]) or ZConfig.datatypes.Registry().get(case["type"])
    try:
        return {"value": plain(convert(case["text"]))}
    except Exception as e:
        return {"error": str(e)}


def main(what, cases, answers):
    schema = ZConfig.loadSchemaFile(io.StringIO(SCHEMA))
    with io.open(cases, encoding="utf-8") as f, io.open(answers, "w", encoding="utf-8") as out:
        for line in f:
            case = json.loads(line)
            answer = judge_text(schema, case) if what == "texts" else judge_value(case)
            out.write(json.dumps(answer, ensure_ascii=True) + u"\n" if sys.version_info[0] > 2
                      else json.dumps(answer, ensure_ascii=True).decode("ascii") + u"\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
