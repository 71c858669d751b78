"""What real Zope makes of the databases in a zope.conf.

    python zopeconf_judge.py databases CASES ANSWERS

CASES holds a line of JSON for each configuration, its path. It is read with the schema of the Zope that is installed, up to
the point where storages would be opened. The answer is {"databases": [...]}, or {"error": text}.

Works in Python 2.7 and 3.
"""
from __future__ import print_function
import io
import json
import os
import re
import sys

import ZConfig
import Zope2.Startup

try:
    import ZEO.zconfig
    # Certificates are named, not read.
    ZEO.zconfig.client_ssl = lambda section: section
except ImportError:
    pass


def schema():
    folder = os.path.dirname(Zope2.Startup.__file__)
    for name in ["wsgischema.xml", "zopeschema.xml"]:
        path = os.path.join(folder, name)
        if os.path.exists(path):
            with io.open(path, encoding="utf-8") as file:
                text = file.read()
            # A package for the storage of sessions, which a Zope may lack that has none.
            if is_missing("tempstorage"):
                text = re.sub(u'<import package="tempstorage"[^>]*>', u"", text)
            return ZConfig.loadSchemaFile(io.StringIO(text), "file://" + path)


def is_missing(name):
    try:
        __import__(name)
    except ImportError:
        return True
    return False


def address(server):
    value = server.address
    return value if not isinstance(value, tuple) else "%s:%s" % (
        "[%s]" % value[0] if ":" in value[0] else value[0], value[1])


def storage(opener, answer):
    config = opener.config
    get = lambda name: getattr(config, name, None)
    if get("server"):
        answer["servers"] = [address(server) for server in config.server]
        answer["storage"] = config.storage
        for key in ["username", "password", "realm", "wait_timeout"]:
            if get(key):
                answer[key] = str(get(key))
        for key in ["read_only", "read_only_fallback"]:
            answer[key] = bool(get(key))
        if get("shared_blob_dir") and get("blob_dir"):
            answer["blob_dir"] = config.blob_dir
        if get("ssl"):
            for key in ["certificate", "key", "authenticate", "server_hostname", "check_hostname"]:
                answer["ssl_" + key] = str(getattr(config.ssl, key))
    elif get("path"):
        answer["path"] = config.path
        answer["read_only"] = bool(config.read_only)
        if get("blob_dir"):
            answer["blob_dir"] = config.blob_dir
    elif get("factories") is not None:
        answer["demo"] = sorted(factory.name or "" for factory in config.factories)
        if len(config.factories) == 1:
            storage(config.factories[0], answer)
    elif get("base") is not None:
        storage(config.base, answer)
        if get("blob_dir"):
            answer["blob_dir"] = config.blob_dir
    else:
        answer["kind"] = type(opener).__name__
    return answer


def databases(path, schema):
    config, _ = ZConfig.loadConfig(schema, path)
    return [
        storage(database.config.storage, {
            "name": database.name,
            "mounts": [mount.split(":")[0] for mount in database.config.mount_points]})
        for database in config.databases]


def main(what, cases, answers):
    assert what == "databases"
    loaded = schema()
    with io.open(cases, encoding="utf-8") as asked, io.open(answers, "w", encoding="utf-8") as answered:
        for line in asked:
            try:
                answer = {"databases": databases(json.loads(line), loaded)}
            except Exception as error:
                answer = {"error": "%s: %s" % (type(error).__name__, error)}
            text = json.dumps(answer)
            answered.write((text if not isinstance(text, bytes) else text.decode("ascii")) + u"\n")


main(*sys.argv[1:])
