"""Says to a server what no client says: probe.py PORT USER PASSWORD

One case after the other, each on a connection of its own; prints what came of them as JSON. The checksums here are made
by Python's hmac. Python 3, nothing but its library.
"""
import hashlib
import hmac
import json
import pickle
import socket
import struct
import sys

port, user, password = int(sys.argv[1]), sys.argv[2], sys.argv[3]


class Name:
    """A class of the server, by name."""

    def __init__(self, *args):
        self.args = args


class Unpickler(pickle.Unpickler):
    def find_class(self, module, name):
        return type(name, (Name,), {'full': module + '.' + name})


class Connection:
    def __init__(self, dialect=b'Z4'):
        import io
        self.io = io
        self.socket = socket.create_connection(('127.0.0.1', port))
        self.socket.settimeout(60)
        self.received = self.sent = None
        self.read()
        self.write(dialect)
        self.number = 0

    def take(self, count):
        data = b''
        while len(data) < count:
            more = self.socket.recv(count - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def read(self):
        size, = struct.unpack('>I', self.take(4))
        code = None
        if size & 0x80000000:
            code = self.take(20)
            size &= 0x7fffffff
        body = self.take(size)
        if (code is not None) != (self.received is not None):
            raise ValueError('a code where none belongs, or none where one does')
        if code is not None:
            self.received.update(body)
            if self.received.digest() != code:
                raise ValueError('wrong code from the server')
        return body

    def write(self, body, with_code=True, code=None):
        if self.sent is None or not with_code:
            self.socket.sendall(struct.pack('>I', len(body)) + body)
        else:
            self.sent.update(body)
            self.socket.sendall(struct.pack('>I', len(body) | 0x80000000) + (code or self.sent.digest()) + body)

    def call(self, name, *args, **options):
        body = pickle.dumps((self.number, 0, name, args), 1)
        self.number += 1
        self.write(body, **options)
        while True:
            number, flags, kind, value = Unpickler(self.io.BytesIO(self.read()), encoding='latin-1').load()
            if kind == '.reply':
                break
        if isinstance(value, tuple) and len(value) > 1 and isinstance(value[0], type):
            return [value[0].full] + [str(arg) for arg in value[1].args]
        if flags == 2:
            return [value[0]] + [str(arg) for arg in value[1]]
        return value

    def challenge(self):
        return self.call('auth_get_challenge')

    def login(self, name=user, secret=password, challenge=None):
        realm, given, nonce = self.challenge()
        h_up = hashlib.sha1(('%s:%s:%s' % (name, realm, secret)).encode()).hexdigest()
        response = hashlib.sha1(('%s:%s' % (h_up, given)).encode()).hexdigest()
        result = self.call('auth_response', (name, challenge or given, response))
        if result is True:
            key = hashlib.sha1(('%s:%s' % (h_up, nonce)).encode()).digest() + h_up[:44].encode()
            self.sent, self.received = hmac.new(key, b'', 'sha1'), hmac.new(key, b'', 'sha1')
        return result


def closes(body):
    try:
        body()
        return False
    except (EOFError, ConnectionError):
        return True


found = {}

one = Connection()
found['protocol'] = one.call('getAuthProtocol')
found['register without login'] = one.call('register', '1', 0)
found['unknown user'] = one.login('nobody')
found['wrong challenge'] = one.login(challenge='0' * 40)
found['wrong password'] = one.login(secret='not it')
found['right password'] = one.login()
found['second login'] = one.challenge()
found['register'] = one.call('register', '1', 0)
found['last transaction'] = one.call('lastTransaction')

found['load before register'] = closes(lambda: Connection().call('lastTransaction'))
found['challenges'] = len({Connection().challenge()[1] for _ in range(5)})

two = Connection()
two.login()
found['no code'] = closes(lambda: two.call('register', '1', 0, with_code=False))
three = Connection()
three.login()
found['wrong code'] = closes(lambda: three.call('register', '1', 0, code=b'\0' * 20))
four = Connection()
four.sent = hmac.new(b'x', b'', 'sha1')
found['code without login'] = closes(lambda: four.call('getAuthProtocol'))
five = Connection()
found['replayed challenge'] = [five.login(secret='not it') for _ in range(2)]
six = Connection()
found['guessing'] = closes(lambda: [six.login(secret='guess %d' % number) for number in range(100)])
seven = Connection(b'Z5')
found['generation 5'] = seven.call('register', '1', 0)
eight = Connection()
found['odd name'] = eight.login('joe\r\n\x1b[31m' * 30)

print(json.dumps(found, default=str))
