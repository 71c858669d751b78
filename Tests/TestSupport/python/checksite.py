"""Looks at a Zope 5 site as Zope sees it and lists what is wrong, as JSON: checksite.py FILE…

{"FILE": {"problems": […], "changed": [oids that the last transaction wrote], "admin": may admin/adminpw manage?}}
"""
import json
import sys

import transaction
import Zope2  # noqa: F401
import ZODB
from BTrees.check import check
from ZODB.FileStorage import FileStorage
from ZODB.utils import u64


def look(app, problems):
    for name in app.objectIds():
        try:
            app._getOb(name)._p_activate()
        except Exception as error:
            problems.append('child %s: %r' % (name, error))
    if sorted(app.objectIds()) != sorted(set(app.objectIds())):
        problems.append('children are listed twice')
    for name, value in app.__dict__.items():
        try:
            if getattr(value, '_p_oid', None):
                value._p_activate()
        except Exception as error:
            problems.append('attribute %s: %r' % (name, error))
    for key, hook in app.__before_traverse__.items():
        try:
            getattr(hook, '_p_activate', int)()
        except Exception as error:
            problems.append('hook %r: %r' % (key, error))
        if hook not in app.__before_publishing_traverse__._list:
            problems.append('hook %r is not in the list' % (key,))
    if len(app.__before_traverse__) != len(app.__before_publishing_traverse__._list):
        problems.append('hooks in the list alone')
    members = app.members
    check(members._tree)
    check(members._mt_index)
    old, new = members._fixCount()
    if old != new:
        problems.append('counter %d, %d children' % (old, new))
    indexed = [name for ids in members._mt_index.values() for name in ids]
    if sorted(indexed) != sorted(members._tree):
        problems.append('index of kinds: %r' % (set(indexed) ^ set(members._tree)))
    if app.__allow_groups__.aq_base is not app.acl_users.aq_base:
        problems.append('two user folders')
    users = app.acl_users
    if hasattr(users, 'plugins'):
        for kind in users.plugins.listPluginTypeInfo():
            try:
                users.plugins.listPlugins(kind['interface'])
            except Exception as error:
                problems.append('plugins %s: %r' % (kind['id'], error))
    else:
        for name in users.getUserNames():
            try:
                users.getUser(name).getRoles()
            except Exception as error:
                problems.append('user %s: %r' % (name, error))
    for host, ports in app.virtual_hosting.__dict__.get('fixed_map', {}).items():
        for port, path in ports.items():
            names = [step for step in reversed(path) if step != '/']
            if names[:1] != ['VirtualHostRoot'] and app.unrestrictedTraverse(names[:1], None) is None:
                problems.append('host %s: %r' % (host, path))
    for name in ('index_html', 'standard_error_message', 'logo.gif'):
        if app._getOb(name).wl_isLocked():
            problems.append('%s is locked' % name)
    for name in app.__dict__:
        if name.endswith('_Permission') and 'Manager' not in app.__dict__[name]:
            problems.append('%s %r' % (name, app.__dict__[name]))


def may_manage(app, name, password):
    users = app.acl_users
    if hasattr(users, 'plugins'):
        found = [user_id for kind, plugin in users.plugins.listPlugins(authentication())
                 for user_id in [plugin.authenticateCredentials({'login': name, 'password': password})] if user_id]
        user = users.getUserById(found[0][0]) if found else None
    else:
        user = users.getUser(name)
        if user is not None and not user.authenticate(password, None):
            user = None
    return user is not None and 'Manager' in user.getRoles()


def authentication():
    from Products.PluggableAuthService.interfaces.plugins import IAuthenticationPlugin
    return IAuthenticationPlugin


result = {}
for path in sys.argv[1:]:
    storage = FileStorage(path, read_only=True)
    db = ZODB.DB(storage)
    connection = db.open()
    problems = []
    app = connection.root()['Application']
    try:
        look(app, problems)
    except Exception as error:
        problems.append(repr(error))
    try:
        manages = may_manage(app, 'admin', 'adminpw')
    except Exception as error:
        manages = False
    changed = []
    for last in storage.iterator(storage.lastTransaction()):
        changed = [u64(record.oid) for record in last]
    result[path] = {'problems': problems, 'changed': changed, 'admin': manages}
    transaction.abort()
    connection.close()
    db.close()
print(json.dumps(result))
