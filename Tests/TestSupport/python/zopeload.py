"""Visitors and managers of Zope sites, all at work: python zopeload.py SECONDS MANAGERS VISITORS PORT...

Each manager has a folder of its own, adds folders to it through the management interface, changes their titles, and
looks at them; visitors look at the site. Each says who it is (X-Visitor), so that a balancer can keep it with one Zope,
as cookies do: what one Zope has written another sees a moment later. What was not answered well is looked at again: a
request that was cut off may have been carried out. Prints one JSON object: requests, errors, and the titles of the folders that were acknowledged.
"""
import base64
import http.client
import json
import sys
import threading
import time
import urllib.parse

seconds, managers, visitors = float(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
ports = [int(port) for port in sys.argv[4:]]
token = base64.b64encode(b"admin:admin").decode()
end = time.time() + seconds
lock = threading.Lock()
result = {"requests": 0, "cut": 0, "errors": [], "titles": {}}


who = threading.local()


def ask(port, path, form=None):
    """The status and body of an answer; None when the connection was cut."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    headers = {"Authorization": "Basic " + token, "X-Visitor": who.name}
    try:
        if form is None:
            connection.request("GET", path, headers=headers)
        else:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            connection.request("POST", path, urllib.parse.urlencode(form), headers)
        answer = connection.getresponse()
        body = answer.read()
        with lock:
            result["requests"] += 1
        return answer.status, body
    except (OSError, http.client.HTTPException):
        with lock:
            result["cut"] += 1
        return None
    finally:
        connection.close()


def insist(port, path, form=None, is_done=None):
    """Asks until there is an answer; with `is_done`, whether it was carried out all the same is looked at first."""
    for attempt in range(600):
        answer = ask(port, path, form)
        if answer is not None and answer[0] not in (502, 503, 504):
            return answer
        time.sleep(0.1)
        if is_done is not None and is_done():
            return 200, b""
    return 0, b"no answer after many attempts"


def fail(what, answer):
    with lock:
        if len(result["errors"]) < 20:
            result["errors"].append("%s: %s %s" % (what, answer[0], answer[1][:300].decode("utf-8", "replace")))


def manage(number):
    who.name = "manager%d" % number
    home = "/load-%d" % number

    def exists(path):
        return lambda: insist(ports[number % len(ports)], path + "/title_or_id")[0] == 200

    def add(where, name, title, port):
        path = where.rstrip("/") + "/" + name
        answer = insist(
            port, where + "/manage_addProduct/OFSP/manage_addFolder", {"id": name, "title": title}, exists(path))
        if answer[0] not in (200, 302):
            fail("add " + path, answer)
            return False
        return True

    if not add("", home[1:], "home", ports[number % len(ports)]):
        return
    count = 0
    while time.time() < end:
        port = ports[(number + count) % len(ports)]
        name, title = "f%d" % count, "title %d of %d" % (count, number)
        count += 1
        path = home + "/" + name
        if not add(home, name, "", port):
            continue
        answer = insist(port, path + "/manage_editProperties", {"title": title})
        if answer[0] not in (200, 302):
            fail("edit " + path, answer)
            continue
        with lock:
            result["titles"][path] = title
        answer = insist(port, path + "/title_or_id")
        if answer != (200, title.encode()):
            fail("what %s was changed to" % path, answer)
        if count % 10 == 0:
            answer = insist(port, home + "/manage_main")
            if answer[0] != 200:
                fail("look at " + home, answer)


def visit(number):
    who.name = "visitor%d" % number
    while time.time() < end:
        for port in ports:
            answer = insist(port, "/")
            if answer[0] != 200:
                fail("visit", answer)


threads = [threading.Thread(target=manage, args=(number,)) for number in range(managers)]
threads += [threading.Thread(target=visit, args=(number,)) for number in range(visitors)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
json.dump(result, sys.stdout)
