import Foundation
import Storages
import TestSupport
import Testing

/// A site's directory with a configuration of the corpus in it.
final class ConfiguredSite {
    static let corpus = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "corpus")

    let root = FileManager.default.temporaryDirectory.appending(path: "site-\(UUID().uuidString)")

    init() throws {
        for name in ["etc", "var/client1", "var/instance", "var/cache", "var/filestorage", "log"] {
            try FileManager.default.createDirectory(at: root.appending(path: name), withIntermediateDirectories: true)
        }
    }

    deinit { try? FileManager.default.removeItem(at: root) }

    /// - Returns: the path of the file, with the site's own directory in it.
    func file(_ name: String) throws -> String {
        try file(name, try String(contentsOf: Self.corpus.appending(path: name), encoding: .utf8))
    }

    func file(_ name: String, _ text: String) throws -> String {
        let url = root.appending(path: "etc/\(name)")
        try text.replacing("@ROOT@", with: root.path).write(to: url, atomically: true, encoding: .utf8)
        return url.path
    }
}

@Suite("Configurations of sites")
struct StorageConfigurationTests {
    private let site: ConfiguredSite

    init() throws { site = try ConfiguredSite() }

    private var root: String { site.root.path }

    /// What a database of a file of the corpus is opened by: `blob-dir=/srv/blobs:31` for each thing it says.
    private func storage(_ name: String, _ database: String? = nil) throws -> ConfiguredStorage {
        try ConfigurationAddress(path: try site.file(name), database: database).resolved { _ in nil }.storage
    }

    private func settings(_ storage: ConfiguredStorage) -> [String: String] {
        Dictionary(uniqueKeysWithValues: storage.settings.map { ($0.name, $0.value) })
    }

    private func failure(_ name: String, _ database: String? = nil, offline: Bool = false) throws -> AddressError {
        let path = try site.file(name)
        return try failure(of: ConfigurationAddress(path: path, database: database, isOffline: offline))
    }

    private func failure(of address: ConfigurationAddress, _ environment: [String: String] = [:]) throws -> AddressError
    {
        do throws(AddressError) {
            let found = try address.resolved { environment[$0] }
            throw AddressError("nothing is wrong", "\(found.storage)", advice: "")
        } catch {
            return error
        }
    }

    @Test("a file of Zope 2.7 leads to its Data.fs; the database for sessions is nothing to open")
    func file() throws {
        let storage = try storage("zope-2.7.conf")
        #expect(storage.place == .file("\(root)/var/Data.fs"))
        #expect(storage.settings.isEmpty)
        let temporary = try failure("zope-2.7.conf", "temporary")
        #expect(temporary.text.hasSuffix("zope-2.7.conf:31"))
        #expect(temporary.problem.contains("in the memory of the process"))
    }

    @Test("blobs around a file are blobs of the file")
    func blobs() throws {
        let storage = try storage("plone-6.conf")
        #expect(storage.place == .file("\(root)/var/filestorage/Data.fs"))
        #expect(settings(storage) == ["blob-dir": "\(root)/var/blobstorage"])
    }

    @Test("a client of a server leads to the server, and not to the cache that the site itself uses")
    func client() throws {
        let storage = try storage("plone-4-client.conf")
        #expect(try storage.address() == StorageAddress(.server(host: "127.0.0.1", port: 8100)))
        #expect(settings(storage) == ["storage": "1", "blob-dir": "\(root)/var/blobstorage"])
        #expect(storage.remarks.count == 1)
        #expect(storage.remarks.first?.contains("\(root)/var/client1/client1-1.zec") == true)
        #expect(storage.readOnlyAt == nil)
    }

    @Test("several servers, a login and a fallback are taken, each with its line")
    func login() throws {
        let storage = try storage("several.conf", "SITE")
        #expect(storage.place == .servers(["db1.example.org:8100", "db2.example.org:8100"]))
        #expect(
            settings(storage) == [
                "storage": "site", "username": "zope", "password": "se$cret", "realm": "zeo",
                "read-only-fallback": "yes",
            ])
        let user = try #require(storage.settings.first { $0.name == "username" })
        #expect(user.place == "\(root)/etc/several.conf:12")
    }

    @Test("a socket, a read-only client, and a cache of blobs that is the client's own")
    func socket() throws {
        let storage = try storage("several.conf", "catalog")
        #expect(try storage.address().location == .path("\(root)/var/zeo.sock"))
        #expect(storage.readOnlyAt == "\(root)/etc/several.conf:24")
        #expect(settings(storage) == ["storage": "catalog"])
    }

    @Test("a demo storage is an overlay over its base, unless its changes are in a file")
    func demo() throws {
        let storage = try storage("several.conf", "trial")
        #expect(storage.place == .file("\(root)/var/Trial.fs"))
        #expect(settings(storage) == ["blob-dir": "\(root)/var/trialblobs", "overlay": "yes"])
        #expect(try failure("several.conf", "layered").problem.contains("one over the other"))
    }

    @Test("TLS is taken as the client has it")
    func tls() throws {
        let storage = try storage("tls-zope-5.conf")
        #expect(storage.place == .servers(["zeo1.example.org:8100", "[2001:db8::2]:8100"]))
        #expect(
            settings(storage) == [
                "storage": "main", "timeout": "5", "tls": "yes", "cert": "\(root)/etc/zope.pem",
                "key": "\(root)/etc/zope.key", "ca": "\(root)/etc/authorities.pem", "server-name": "zeo.example.org",
                "no-check-hostname": "yes",
            ])
        #expect(storage.remarks.contains { $0.contains("site.secrets.passphrase") })
        #expect(storage.remarks.contains { $0.contains("\(root)/var/zope.zec") })
    }

    @Test("compression is looked through; storages of SQL databases and of strangers are refused by name")
    func others() throws {
        #expect(try storage("zlib-relstorage.conf", "archive").address().description == "localhost:8100")
        let main = try failure("zlib-relstorage.conf")
        #expect(main.text.hasSuffix("zlib-relstorage.conf:8"))
        #expect(main.problem.contains("<relstorage>"))
        #expect(main.advice.contains("zodbconvert"))
        #expect(try failure("zlib-relstorage.conf", "mirror").problem.contains("<mirrorstorage>"))
    }

    @Test("of several databases the one at / is taken, or the one that is named; a wrong name is told the right ones")
    func choice() throws {
        #expect(settings(try storage("several.conf"))["storage"] == "site")
        #expect(try storage("zodb-only.conf").address().description == "localhost:9991")
        #expect(try storage("zodb-only.conf", "other").place == .file("\(root)/var/Other.fs"))
        let wrong = try failure("several.conf", "main")
        #expect(wrong.problem == "no database named 'main' in it")
        #expect(
            wrong.advice
                == "there are: site (/), catalog (/site/catalog, /old/catalog), trial (/trial), layered (/layered)")
        let path = try site.file(
            "two.conf", "<filestorage a>\npath /a\n</filestorage>\n<filestorage b>\npath /b\n</filestorage>\n")
        #expect(try failure(of: ConfigurationAddress(path: path)).advice == "choose one with --db NAME: a, b")
    }

    @Test("a zeo.conf leads to its server, a storage by name, or offline to the files")
    func server() throws {
        let one = try storage("zeo.conf")
        #expect(try one.address() == StorageAddress(.server(host: "localhost", port: 8100)))
        #expect(settings(one) == ["storage": "1"])
        #expect(one.remarks.contains { $0.contains("login (digest)") })
        #expect(settings(try storage("zeo.conf", "catalog")) == ["storage": "catalog"])
        let path = try site.file("zeo.conf")
        let offline = try ConfigurationAddress(path: path, isOffline: true).resolved { _ in nil }.storage
        #expect(offline.place == .file("\(root)/var/Data.fs"))
        #expect(settings(offline) == ["blob-dir": "\(root)/var/blobs"])
        let catalog = try ConfigurationAddress(path: path, database: "catalog", isOffline: true).resolved { _ in nil }
        #expect(catalog.storage.readOnlyAt == "\(root)/etc/zeo.conf:20")
        #expect(try failure("zope-2.7.conf", offline: true).problem.contains("--offline"))
    }

    @Test(
        "where a server listens is where it is connected to",
        arguments: [
            ("8100", "localhost:8100"), (":8100", "localhost:8100"), ("0.0.0.0:8100", "localhost:8100"),
            ("[::]:8100", "localhost:8100"), ("DB1:8100", "db1:8100"), ("[2001:DB8::1]:8100", "[2001:db8::1]:8100"),
            ("/run/zeo.sock", "/run/zeo.sock"),
        ])
    func listening(address: String, reached: String) throws {
        let path = try site.file(
            "a.conf", "<zeo>\naddress \(address)\n</zeo>\n<filestorage>\npath /a\n</filestorage>\n")
        #expect(try ConfigurationAddress(path: path).resolved { _ in nil }.storage.place == .servers([reached]))
    }

    @Test("the environment is asked, and what is not set is told with its line and a way out")
    func environment() throws {
        let path = try site.file(
            "e.conf",
            "instancehome $(SITE)\n<zodb_db>\n<filestorage>\npath $(SITE)/Data.fs\n</filestorage>\n</zodb_db>\n")
        let address = ConfigurationAddress(path: path)
        #expect(try address.resolved { ["SITE": "/srv"][$0] }.storage.place == .file("/srv/Data.fs"))
        let error = try failure(of: address)
        #expect(error.text == "\(path):1")
        #expect(error.advice.contains("SITE=…"))
    }

    @Test(
        "what is wrong is told with its line",
        arguments: [
            ("<zodb_db main>\n<filestorage>\n</filestorage>\n</zodb_db>\n", ":2", "no 'path'"),
            ("<zodb_db main>\n</zodb_db>\n", ":1", "no storage"),
            ("<zodb_db main>\n<zeoclient>\n</zeoclient>\n</zodb_db>\n", ":2", "no 'server'"),
            ("<zodb_db>\n<zeoclient>\nserver db1\n</zeoclient>\n</zodb_db>\n", ":3", "no port"),
            ("<zodb_db>\n<zeoclient>\nserver db1:99999\n</zeoclient>\n</zodb_db>\n", ":3", "server"),
            ("<zodb_db>\n<zeoclient>\nserver a:1\nread-only 1\n</zeoclient>\n</zodb_db>\n", ":4", "yes, no"),
            ("<zodb_db>\n<blobstorage>\nblob-dir /b\n</blobstorage>\n</zodb_db>\n", ":2", "no storage in it"),
            ("<zodb_db>\n<filestorage>\npath $NOWHERE\n</filestorage>\n</zodb_db>\n", ":3", "not defined"),
            ("<zodb_db>\n<filestorage>\npath /a\n</zodb_db>\n", ":4", "expected </filestorage>"),
            ("instancehome /srv\n", ".conf", "no database"),
            ("", ".conf", "no database"),
            ("<zeo>\naddress db1\n</zeo>\n<filestorage>\npath /a\n</filestorage>\n", ":2", "no port"),
            ("%include wrong.conf\n", ":1", "leads back"),
            // To ZConfig a key like others.
            ("\u{0}", ".conf", "no database"),
        ])
    func wrong(text: String, place: String, problem: String) throws {
        let path = try site.file("wrong.conf", text)
        let error = try failure(of: ConfigurationAddress(path: path))
        #expect(error.text.hasSuffix(place), "\(error)")
        #expect(problem.isEmpty || error.problem.contains(problem), "\(error)")
    }

    @Test("no file, a directory: said with the path")
    func unreadable() throws {
        #expect(try failure(of: ConfigurationAddress(path: "\(root)/none.conf")).text == "\(root)/none.conf")
        #expect(try failure(of: ConfigurationAddress(path: "\(root)/etc")).problem.contains("directory"))
    }

    @Test(
        "an address of a configuration is read as it is written",
        arguments: [
            ("zconfig:///srv/zope.conf#main", "/srv/zope.conf", "main"),
            ("zconfig:etc/zope.conf", "etc/zope.conf", nil),
            ("zconfig:///srv/a%20b%23.conf#x", "/srv/a b#.conf", "x"),
        ])
    func uri(text: String, path: String, database: String?) throws {
        let address = try #require(try ConfigurationAddress(parsing: text))
        #expect(address == ConfigurationAddress(path: path, database: database))
        #expect(try ConfigurationAddress(parsing: address.text) == address)
    }

    @Test(
        "no path, an unknown key, a lone percent sign are refused",
        arguments: ["zconfig://", "zconfig:/a?b=c", "zconfig:/a%"])
    func wrongURI(text: String) {
        #expect(throws: AddressError.self) { try ConfigurationAddress(parsing: text) }
    }

    @Test("a demo address is its base, the changes in memory")
    func demoAddress() throws {
        #expect(try DemoAddress(parsing: "demo:(zconfig:///a.conf#(x))/(memory://)#y")?.base == "zconfig:///a.conf#(x)")
        #expect(try DemoAddress(parsing: "file:///a") == nil)
        for text in ["demo:(a", "demo:(a)", "demo:(a)/(file:///b)", "demo:a/b", "demo:"] {
            #expect(throws: AddressError.self) { try DemoAddress(parsing: text) }
        }
    }

    @Test("a zeo address says what options say")
    func options() throws {
        let address = try StorageAddress(
            parsing:
                "zeo://db1:8100?storage=a&username=zope&server_name=b&tls=1&read_only_fallback=true&read_only=1&wait=0")
        #expect(address.storageName == "a")
        #expect(address.isReadOnly)
        #expect(
            address.settings.map { "\($0.name)=\($0.value)" } == [
                "username=zope", "server-name=b", "tls=yes", "read-only-fallback=yes",
            ])
        #expect(try StorageAddress(parsing: "file:///a.fs?demostorage").settings.map(\.name) == ["overlay"])
        for text in ["zeo://db1:8100?password=x", "zeo://a:1?tls=maybe", "memory://", "zeo://a:1?nonsense=1"] {
            #expect(throws: AddressError.self) { try StorageAddress(parsing: text) }
        }
        let told = #expect(throws: AddressError.self) { try StorageAddress(parsing: "zeo://db1:8100?password=secret") }
        #expect(told?.description.contains("secret") == false)
    }
}
