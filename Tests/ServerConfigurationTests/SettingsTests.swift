import Foundation
import ServerConfiguration
import TestSupport
import Testing
import ZConfig

@Suite("Server settings")
struct SettingsTests {
    private let instance: Instance

    init() throws { instance = try Instance() }

    private func refusal(_ text: String) throws -> String? {
        do {
            _ = try instance.settings(text)
            return nil
        } catch let error as SettingsError {
            return instance.shown(error)
        }
    }

    @Test("what ZEO 4 had is taken, and what has no effect any more is explained, line by line")
    func oldGeneration() throws {
        let settings = try instance.settings(try Instance.text("zeo-4.conf"))
        #expect(settings.monitorAddress == .internet(host: "localhost", port: 8109))
        #expect(settings.authentication?.realm == "ZEO")
        #expect(settings.authentication?.database == instance.root + "/etc/zeo.passwd")
        #expect(settings.storages.map(\.name) == ["1", "temp", "packed", "small", "demo"])
        #expect(settings.storages[1].storage == .temporary(name: "temporary storage for sessions"))
        #expect(
            settings.storages[2].storage
                == .zlib(
                    compresses: true, isForServer: true,
                    base: .file(FileStorageSettings(path: instance.root + "/var/Packed.fs"))))
        #expect(
            settings.storages[3].storage
                == .zlib(compresses: false, isForServer: false, base: .mapping(name: "Mapping Storage")))
        let warnings = settings.warnings.map(instance.shown)
        #expect(warnings.count == 4)
        let beginnings = [
            "zeo.conf:11: 'drop-cache-rather-verify' has no effect", "zeo.conf:35: 'quota' has no effect",
            "zeo.conf:44: 'formatter' has no effect", "zeo.conf:46: <syslog> is not supported",
        ]
        for (warning, beginning) in zip(warnings, beginnings) { #expect(warning.hasPrefix(beginning)) }
    }

    @Test("what only this server has: several addresses, limits, roles")
    func ownKeys() throws {
        let settings = try instance.settings(try Instance.text("zeoserver.conf"))
        #expect(
            settings.addresses == [
                .internet(host: "", port: 8100), .internet(host: "::1", port: 8101),
                .unixSocket(path: instance.root + "/var/zeo.sock"),
            ])
        #expect(settings.httpAddress == .internet(host: "127.0.0.1", port: 8180))
        var limits = ServerLimits()
        limits.message = 64 << 20
        limits.received = 256 << 20
        limits.messageTimeout = 120
        limits.connections = 500
        limits.outbox = 128 << 20
        limits.idleTimeout = 86400
        limits.handshakeTimeout = 10
        limits.slowCommit = 2.5
        #expect(settings.limits == limits)
        #expect(settings.tls?.passwordFile == instance.root + "/etc/password")
        #expect(settings.tls?.authenticate == .file(instance.root + "/etc/client.pem"))
        #expect(settings.warnings.isEmpty)

        let subject = [
            Role.SubjectAttribute(type: "O", value: "Example"), .init(type: "OU", value: "Web"),
            .init(type: "CN", value: "zope"),
        ]
        let fingerprint = (0..<32).map { UInt8($0 % 16 * 17) }
        let cases: [(ClientIdentity, Permissions)] = [
            (ClientIdentity(address: [10, 1, 2, 3]), [.read, .write, .undo]),
            (
                ClientIdentity(address: Array(repeating: 0, count: 10) + [0xff, 0xff, 10, 1, 9, 9]),
                [.read, .write, .undo]
            ),
            (ClientIdentity(address: [10, 2, 0, 1]), []),
            (ClientIdentity(address: nil), [.read, .write, .undo]),
            (ClientIdentity(address: [10, 2, 0, 1], subject: subject), [.read, .write, .undo]),
            (ClientIdentity(address: [10, 2, 0, 1], subject: [subject[2]]), []),
            (ClientIdentity(address: [10, 2, 0, 1], subject: [], fingerprint: fingerprint), [.read, .pack]),
            (
                ClientIdentity(address: [10, 1, 0, 1], subject: [], fingerprint: fingerprint),
                [.read, .write, .undo, .pack]
            ),
        ]
        for (client, permissions) in cases {
            #expect(settings.permissions(of: client, storage: "main") == permissions, "\(client)")
        }
        let packer = ClientIdentity(address: [10, 2, 0, 1], subject: [], fingerprint: fingerprint)
        #expect(settings.permissions(of: packer, storage: "other") == [])
        var open = settings
        open.roles = nil
        #expect(open.permissions(of: packer, storage: "other") == .all)
    }

    @Test(
        "a wrong file is refused with the line, what is wrong there, and what may have been meant",
        arguments: [
            (
                "<zeo>\n adress 8100\n address 1\n</zeo>\n<mappingstorage/>",
                "zeo.conf:2: 'adress' is no key of <zeo>; did you mean 'address'?"
            ),
            ("<zeo>\n address 1\n zzz 8100\n</zeo>\n<mappingstorage/>", "zeo.conf:3: 'zzz' is no key of <zeo>"),
            (
                "<zeo>\n address 1\n</zeo>\n<filestorag/>",
                "zeo.conf:4: <filestorag> is no section of the configuration; did you mean <filestorage>?"
            ),
            (
                "<zeo>\n address 1\n read-only 1\n</zeo>\n<mappingstorage/>",
                "zeo.conf:3: read-only: expected yes, no, true, false, on or off, found '1'"
            ),
            (
                "<zeo>\n address h:x\n</zeo>",
                "zeo.conf:2: address: expected an address: PORT, HOST:PORT, [IPv6]:PORT or the path of a Unix socket with a '/' in it, found 'h:x'"
            ),
            (
                "<zeo>\n address 1\n msgpack on\n MsgPack on\n</zeo>",
                "zeo.conf:4: 'msgpack' is given a second time; the first is at zeo.conf:3"
            ),
            ("<zeo/>\n<mappingstorage/>", "zeo.conf:1: <zeo> needs the key 'address'"),
            ("<mappingstorage/>", "zeo.conf: the configuration needs a section <zeo>"),
            ("<zeo>\n address 1\n</zeo>", "zeo.conf: the configuration needs a storage such as <filestorage>"),
            (
                "<zeo>\n address 1\n</zeo>\n<zeo>\n address 1\n</zeo>",
                "zeo.conf:4: there is a second <zeo>; the first is at zeo.conf:1"
            ),
            (
                "<zeo>\n address 1\n</zeo>\n<filestorage>\n path @ROOT@/gone/Data.fs\n</filestorage>",
                "zeo.conf:5: path: expected a path in a directory that exists, found '@ROOT@/gone/Data.fs'"
            ),
            (
                "<zeo>\n address 1\n</zeo>\n<mappingstorage/>\n<mappingstorage/>",
                "zeo.conf:5: a second storage without a name; the first is at zeo.conf:4; clients ask for a storage by its name: <filestorage NAME>"
            ),
            (
                "<zeo>\n address 1\n</zeo>\n<mappingstorage/>\n<mappingstorage 1/>",
                "zeo.conf:4: a storage without a name is called '1', and there is another '1'"
            ),
            (
                "<zeo>\n address 1\n</zeo>\n<mappingstorage a/>\n<mappingstorage A/>",
                "zeo.conf:5: a second section is called 'a'; the first is at zeo.conf:4"
            ),
            (
                "<zeo>\n address 1\n</zeo>\n<relstorage x/>",
                "zeo.conf:4: <relstorage> cannot be served: its records are in an SQL database, which the clients can reach without a ZEO server"
            ),
            (
                "<zeo>\n address 1\n</zeo>\n<demostorage>\n<clientstorage x/>\n</demostorage>",
                "zeo.conf:5: <clientstorage> cannot be served: it is a client of another ZEO server; connect the clients to that server itself"
            ),
            (
                "<zeo>\n address 1\n authentication-protocol srp\n</zeo>\n<mappingstorage/>",
                "zeo.conf:3: expected authentication-protocol digest, the only one there is, found 'srp'"
            ),
            (
                "<zeo>\n address 1\n <role x>\n  allow reed\n </role>\n</zeo>\n<mappingstorage/>",
                "zeo.conf:4: allow: expected some of read, write, undo, pack, admin, or all, found 'reed'"
            ),
            (
                "<zeo>\n address 1\n <role x>\n  allow read\n  address 10.0.0.1/8\n </role>\n</zeo>\n<mappingstorage/>",
                "zeo.conf:5: address: expected an address or a range such as 10.0.0.0/8 (without bits behind the prefix), unix, or *, found '10.0.0.1/8'"
            ),
            (
                "<zeo>\n address 1\n</zeo>\n<mappingstorage/>\n<eventlog>\n<logfile>\n path x\n format %(nam)s\n</logfile>\n</eventlog>",
                "zeo.conf:8: format: expected text with fields such as %(asctime)s, %(levelname)s, %(name)s and %(message)s, found '%(nam)s'"
            ),
            ("<zeo>\n address 1\n k(x) 1\n</zeo>", "zeo.conf:3: 'k' is no key of <zeo>"),
            (
                "<zeo>\n address 1\n 9 1\n</zeo>",
                "zeo.conf:3: expected a key of letters, digits, '-', '_' and '.' that starts with a letter, found '9'"
            ),
            (
                "<zeo>\n address $PORT\n</zeo>",
                "zeo.conf:2: 'PORT' is not defined; a %define above would do it, in '$PORT'"
            ),
        ])
    func refusals(text: String, message: String) throws {
        #expect(try refusal(text) == message)
    }

    @Test("the password of a key is taken from a file, and a Python function for it is refused with that advice")
    func passwordFunction() throws {
        let text = """
            <zeo>
              address 1
              <ssl>
                certificate @ROOT@/etc/server.pem
                password-function site.secrets.key
                authenticate @ROOT@/var
              </ssl>
            </zeo>
            <mappingstorage/>
            """
        let refusal = try #require(try refusal(text))
        #expect(refusal.hasPrefix("zeo.conf:5: password-function: site.secrets.key is a function of a Python program"))
        #expect(refusal.contains("'password-file'"))
        let both = text.replacing("    authenticate", with: "    password-file @ROOT@/etc/password\n    authenticate")
        #expect(try instance.settings(both).tls?.authenticate == .directory(instance.root + "/var"))
        let dynamic = both.replacing("authenticate @ROOT@/var", with: "authenticate DYNAMIC")
        let settings = try instance.settings(dynamic)
        #expect(settings.tls?.authenticate == .dynamic)
        #expect(
            settings.warnings.map(instance.shown).first?.hasPrefix("zeo.conf:7: 'authenticate DYNAMIC' leaves") == true)
    }

    @Test(
        "roles that nobody can have, imports that are not known, empty starts: accepted, with a warning",
        arguments: [
            ("<role x>\n allow read\n certificate *\n</role>", "role 'x': no client has a certificate without <ssl>"),
            (
                "<role x>\n allow read\n user joe\n</role>",
                "role 'x': nobody logs in as 'joe' without authentication-protocol"
            ),
            ("<role x>\n allow read\n address *\n storage gone\n</role>", "role 'x': there is no storage 'gone'"),
            ("<role x>\n allow read\n</role>", "nobody has the role 'x': it names no certificate, address or user"),
            ("%import some.package", "%import some.package: sections that this package adds are not known here"),
            (
                "authentication-database x",
                "'authentication-database' has no effect without 'authentication-protocol digest': nobody needs to log in"
            ),
            ("transaction-timeout 0", "'transaction-timeout 0' is no time to wait; there is no timeout"),
            ("address db", "'db' is a host without a port; the system will choose one"),
        ])
    func warnings(lines: String, warning: String) throws {
        let settings = try instance.settings("<zeo>\naddress 1\n\(lines)\n</zeo>\n<mappingstorage/>")
        #expect(settings.warnings.map(\.text) == [warning])
    }

    @Test("the runner is read from a file of its own, too, as ZODB 3.2 has it")
    func runnerAlone() throws {
        let path = try instance.write(try Instance.text("zodb-3.2-zeoctl.conf"))
        let host = ConfigurationHost.system(environment: [:])
        let runner = try #require(try RunnerSettings.read(path: path, host: host))
        #expect(runner.program == ["/usr/local/bin/runzeo.py", "-C", instance.root + "/etc/zeo.conf"])
        #expect(runner.socketName == instance.root + "/etc/zeo.zdsock")
        #expect(runner.log?.files.map(\.destination) == [.file(instance.root + "/log/zeoctl.log")])
        let other = try instance.write(try Instance.text("zodb-3.2.conf"))
        #expect(try RunnerSettings.read(path: other, host: host) == nil)
        let withEnvironment = try instance.write(
            "<runner>\nprogram x y\n</runner>\n<environment>\nTZ UTC\nPath /bin\n</environment>")
        #expect(
            try RunnerSettings.read(path: withEnvironment, host: host)?.environment == ["TZ": "UTC", "Path": "/bin"])
    }

    @Test("blobs of the command line belong to its one file; nonsense on it is refused")
    func options() throws {
        let host = ConfigurationHost.system(environment: [:])
        var options = ServerOptions()
        options.addresses = ["8800", "/run/zeo.sock"]
        options.filenames = ["Data.fs"]
        options.blobDirectory = "blobs"
        options.monitorAddress = "8801"
        let settings = try ServerSettings.parse(options, host: host)
        #expect(settings.addresses.count == 2)
        #expect(settings.monitorAddress == .internet(host: "", port: 8801))
        var file = FileStorageSettings(path: "Data.fs")
        file.blobDirectory = "blobs"
        #expect(settings.storages == [NamedStorage(name: "1", storage: .file(file))])
        options.filenames.append("Other.fs")
        #expect(throws: SettingsError(.usage("a directory for blobs belongs to one file (-f)"), at: nil)) {
            try ServerSettings.parse(options, host: host)
        }
        #expect(throws: SettingsError(.usage("no address to listen at; use -a or -C"), at: nil)) {
            try ServerSettings.parse(ServerOptions(), host: host)
        }
    }

    @Test("no configuration makes the reader trap")
    func hostile() throws {
        let values = [
            "9223372036854775807GB", "-9223372036854775808", "99999999999999999999", "1e999", "nan", "-inf", "\u{0}",
            "%(x", "%",
            "%(levelno)999999999d", ",,,", "=", "CN=", "::/0", "10.0.0.0/999999999999999999999", "~root/x", "[", "[]",
            "",
            "0o777777777777777777777777", "W9", String(repeating: "x", count: 10_000), "\u{301}", "/\u{301}",
            "e\u{301}=\u{1f600}",
        ]
        var random = RandomNumbers(seed: 7)
        var outcomes = [0, 0]
        for name in Instance.names() {
            let lines = try Instance.text(name).split(separator: "\n").map(String.init)
            let settable = lines.indices.filter { lines[$0].contains(/^ *[a-z]/) }
            // One includes all that it says.
            guard !settable.isEmpty else { continue }
            for _ in 0..<60 {
                var changed = lines
                for _ in 0...random.below(2) {
                    let at = settable[random.below(settable.count)]
                    let key = lines[at].split(separator: " ")[0]
                    changed[at] = "\(key) \(values[random.below(values.count)])"
                }
                do {
                    _ = try instance.settings(changed.joined(separator: "\n"))
                    outcomes[0] += 1
                } catch is SettingsError {
                    outcomes[1] += 1
                }
            }
        }
        #expect(outcomes[0] > 20)
        #expect(outcomes[1] > 200)
    }

    @Test(
        "ranges of addresses say exactly which addresses are in them",
        arguments: [
            ("10.0.0.0/8", "10.255.0.1", true), ("10.0.0.0/8", "11.0.0.0", false), ("0.0.0.0/0", "1.2.3.4", true),
            ("192.168.1.128/25", "192.168.1.127", false), ("192.168.1.128/25", "192.168.1.128", true),
            ("127.0.0.1", "127.0.0.1", true), ("127.0.0.1", "127.0.0.2", false),
            ("2001:db8::/33", "2001:db8:7fff::1", true),
            ("2001:db8::/33", "2001:db8:8000::1", false), ("::1", "::1", true), ("127.0.0.1", "::ffff:127.0.0.1", true),
            ("0.0.0.0/0", "::1", false),
        ])
    func ranges(range: String, address: String, isInside: Bool) throws {
        let single = try #require(AddressRange(address))
        #expect(try #require(AddressRange(range)).contains(single.bytes) == isInside)
    }

    @Test(
        "what is no range is none",
        arguments: [
            "", "/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/", "10.1.0.0/8", "10.0.0", "::/129", "x",
        ])
    func noRange(text: String) { #expect(AddressRange(text) == nil) }
}
