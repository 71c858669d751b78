"""Copies a healthy Zope 5 site and breaks it, each time in another way: breaksite.py SOURCE FOLDER NAME…

What is broken, and how, is the function of that name below: `-` in NAME is `_` there.
"""
import shutil
import sys

import transaction  # noqa: E402
import ZODB  # noqa: E402
import Zope2  # noqa: E402, F401
from OFS.Folder import Folder  # noqa: E402
from ZODB.FileStorage import FileStorage  # noqa: E402

source, folder = sys.argv[1:3]


class Site:
    def __init__(self, path):
        shutil.copyfile(source, path)
        self.storage = FileStorage(path)
        self.db = ZODB.DB(self.storage)
        self.connection = self.db.open()
        self.app = self.connection.root()['Application']
        self.app.acl_users._doChangeUser('admin', 'adminpw', ['Manager'], [])
        transaction.commit()

    def close(self):
        transaction.abort()
        self.connection.close()
        self.db.close()

    def lose(self, *objects):
        """As if their records had been lost: they are referred to, and not there."""
        transaction.commit()
        oids = [ob._p_oid for ob in objects]
        self.connection.cacheMinimize()
        t = transaction.begin()
        meta = ZODB.Connection.TransactionMetaData(u'', u'lost', {})
        self.storage.tpc_begin(meta)
        for oid in oids:
            data, serial = self.storage.load(oid, '')
            self.storage.deleteObject(oid, serial, meta)
        self.storage.tpc_vote(meta)
        self.storage.tpc_finish(meta)
        t.abort()


def no_manager(site):
    """The only manager is an owner now; nobody can manage anything."""
    site.app.acl_users.getUser('admin').roles = ['Owner']


def no_user(site):
    for name in list(site.app.acl_users.getUserNames()):
        site.app.acl_users._doDelUsers([name])


def lost_hook(site):
    """The session manager's hook is an object of its own, and it is gone."""
    site.lose(site.app.__before_traverse__[(50, 'SessionDataManager')])


def other_user_folder(site):
    """Zope asks another user folder than the one that is shown."""
    from OFS.userfolder import UserFolder
    site.app.__allow_groups__ = UserFolder()


def lost_user_folder(site):
    site.lose(site.app.acl_users)


def lost_user_table(site):
    site.lose(site.app.acl_users.data)


def lost_user(site):
    site.lose(site.app.acl_users.data['bob'])


def _pluggable(site):
    """A PluggableAuthService in the place of the user folder: admin, password adminpw."""
    from Products.PluggableAuthService.interfaces import plugins as kinds
    from Products.PluggableAuthService.plugins.HTTPBasicAuthHelper import HTTPBasicAuthHelper
    from Products.PluggableAuthService.plugins.ZODBRoleManager import ZODBRoleManager
    from Products.PluggableAuthService.plugins.ZODBUserManager import ZODBUserManager
    from Products.PluginRegistry.PluginRegistry import PluginRegistry
    from Products.PluggableAuthService.PluggableAuthService import _PLUGIN_TYPE_INFO, PluggableAuthService
    app = site.app
    app._delObject('acl_users')
    pas = PluggableAuthService()
    registry = PluginRegistry(_PLUGIN_TYPE_INFO)
    registry._setId('plugins')
    pas._setObject('plugins', registry)
    app._setObject('acl_users', pas)
    pas = app.acl_users
    pas._setObject('users', ZODBUserManager('users'))
    pas._setObject('roles', ZODBRoleManager('roles'))
    pas._setObject('basic', HTTPBasicAuthHelper('basic'))
    pas._setObject('more_users', ZODBUserManager('more_users'))
    for kind, names in [
            (kinds.IAuthenticationPlugin, ['users', 'more_users']), (kinds.IUserEnumerationPlugin, ['users']),
            (kinds.IRolesPlugin, ['roles']), (kinds.IExtractionPlugin, ['basic']),
            (kinds.IChallengePlugin, ['basic'])]:
        for name in names:
            pas.plugins.activatePlugin(kind, name)
    pas.users.addUser('admin', 'admin', 'adminpw')
    pas.roles.addRole('Manager') if 'Manager' not in pas.roles._roles else None
    pas.roles.assignRoleToPrincipal('Manager', 'admin')
    pas.users.addUser('bob-id', 'bob', 'bobpw')


def pluggable(site):
    _pluggable(site)


def lost_plugin(site):
    """A plugin that is activated has been taken out by something that did not deactivate it."""
    _pluggable(site)
    pas = site.app.acl_users
    del pas.more_users
    pas._objects = tuple(o for o in pas._objects if o['id'] != 'more_users')


def no_plugin_manager(site):
    _pluggable(site)
    site.app.acl_users.roles._principal_roles['admin'] = ()


def permissions(site):
    """Two ways of shutting everybody out, and a setting that is nobody's business."""
    site.app._View_management_screens_Permission = ()
    site.app._View_Permission = ['Owner']
    site.app._Undo_changes_Permission = ('Manager', 'Owner')


def virtual_hosts(site):
    app = site.app
    app._setObject('shop', Folder('shop'))
    app._setObject('blog', Folder('blog'))
    transaction.savepoint()
    app.virtual_hosting.set_map(
        'shop.example.com/shop\nwww.example.com/intranet\nblog.example.com:8080/blog/VirtualHostRoot/_vh_b\n'
        '*.example.org/shop')
    app._delObject('shop')
    app._delObject('blog')


def lost_object(site):
    """A child of the application, and an attribute that is none."""
    site.app.extra = Folder('extra')
    transaction.commit()
    site.lose(site.app.press, site.app.extra)


def metadata(site):
    app = site.app
    app._objects = app._objects + ({'id': 'ghost', 'meta_type': 'Folder'}, app._objects[0])
    hidden = Folder('hidden')
    hidden.id = 'hidden'
    app.hidden = hidden
    members = app.members
    members._count.set(7)
    index = members._mt_index
    kind = list(index.keys())[0]
    del index[kind][list(index[kind].keys())[0]]
    index[kind]['nobody'] = 1


def locks(site):
    from OFS.LockItem import LockItem
    user = site.app.acl_users.getUser('admin').__of__(site.app.acl_users)
    for index, (name, age, timeout) in enumerate(
            [('index_html', 400.5 * 86400, 2 ** 31), ('standard_error_message', 60, 2 ** 31), ('logo.gif', 7200, 60)]):
        lock = LockItem(user, token='token-%d' % index)
        lock._modifiedtime -= age
        lock._timeout = timeout
        site.app._getOb(name).wl_setLock(lock.getLockToken(), lock)


for name in sys.argv[3:]:
    site = Site('%s/%s.fs' % (folder, name))
    try:
        globals()[name.replace('-', '_')](site)
        transaction.get().note('broken: ' + name)
        transaction.commit()
    finally:
        site.close()
