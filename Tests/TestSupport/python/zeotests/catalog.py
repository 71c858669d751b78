"""The tests of the installed ZEO that may start a server. Python 2.7 and 3.6 and later."""
import collections
import importlib
import unittest

#: Modules of ZEO.tests; what they hold besides is found not to start servers when the list is made.
MODULES = ['testZEO', 'testConnection', 'testConfig', 'testssl', 'test_client_side_conflict_resolution', 'test_sync']

#: Classes that ZEO's own suite leaves out to save time.
LEFT_OUT = ['FileStorageTests', 'FileStorageHexTests', 'FileStorageClientHexTests', 'DemoStorageTests']


def collect():
    """A mapping from name to test, in the order in which ZEO runs them. A name says module, class and method or document."""
    tests = collections.OrderedDict()
    for name in MODULES:
        try:
            module = importlib.import_module('ZEO.tests.' + name)
        except ImportError:
            continue  # not in this version
        suite = module.test_suite() if hasattr(module, 'test_suite') else \
            unittest.defaultTestLoader.loadTestsFromModule(module)
        for test in _flat(suite):
            _add(tests, test)
        known = set(test.__class__.__name__ for test in tests.values())
        for left_out in LEFT_OUT:
            if hasattr(module, left_out) and left_out not in known:
                for prefix in 'check', 'test':
                    loader = unittest.TestLoader()
                    loader.testMethodPrefix = prefix
                    for test in _flat(loader.loadTestsFromTestCase(getattr(module, left_out))):
                        _add(tests, test)
    return tests


def _flat(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            for inner in _flat(test):
                yield inner
        else:
            yield test


def _add(tests, test):
    name = test.id()
    if name.startswith('ZEO.tests.'):
        name = name[len('ZEO.tests.'):]
    name = name.replace(' ', '_')
    # The same documents are run for several kinds of storage.
    unique, number = name, 1
    while unique in tests:
        number += 1
        unique = '%s#%d' % (name, number)
    tests[unique] = test
