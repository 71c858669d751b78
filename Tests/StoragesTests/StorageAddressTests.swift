import Storages
import Testing

@Suite("Storage addresses")
struct StorageAddressTests {
    private func parse(_ text: String, existing: Set<String> = []) throws -> StorageAddress {
        try StorageAddress(parsing: text) { existing.contains($0) }
    }

    @Test(
        "name servers by host and port",
        arguments: [
            ("db1:8800", "db1", 8800), ("127.0.0.1:9991", "127.0.0.1", 9991), ("[::1]:8800", "::1", 8800),
            ("[fe80::1%eth0]:1", "fe80::1%eth0", 1), ("db1.example.org:65535", "db1.example.org", 65535),
        ])
    func servers(text: String, host: String, port: Int) throws {
        let address = try parse(text)
        #expect(address == StorageAddress(.server(host: host, port: port)))
        #expect(address.description == text)
        #expect(address.shortName == text)
    }

    @Test("name several servers of one database, told apart by commas")
    func lists() throws {
        let two = try parse("db1:8800,db2:8800")
        let servers: [StorageAddress.Location] = [.server(host: "db1", port: 8800), .server(host: "db2", port: 8800)]
        #expect(two == StorageAddress(.servers(servers)))
        #expect(two.description == "db1:8800,db2:8800")
        #expect(two.shortName == "db1:8800,…")
        #expect(two.location.members == servers)
        #expect(two.dataFile == nil)
        let mixed = try parse("[::1]:8800, /run/zeo.sock")
        #expect(mixed.location == .servers([.server(host: "::1", port: 8800), .socket("/run/zeo.sock")]))
        #expect(mixed.description == "[::1]:8800,/run/zeo.sock")
        #expect(
            try parse("zeo://a:1,b:2?storage=main")
                == StorageAddress(
                    .servers([.server(host: "a", port: 1), .server(host: "b", port: 2)]), storageName: "main"))
    }

    @Test("may have a comma in a path", arguments: ["/srv/a,b/Data.fs", "./a,b", "a,b.fs"])
    func commas(text: String) throws {
        #expect(try parse(text).location == .path(text))
        #expect(try parse("/run/a,/run/b", existing: ["/run/a,/run/b"]).location == .path("/run/a,/run/b"))
    }

    @Test(
        "that are lists with something else in them are refused",
        arguments: ["a:1,", ",a:1", "a:1,Data.fs", "a:1,b", "a:1,a:1", "a:1,b:x", "a:1,[::1]", "a:1,/srv/Data.fs"])
    func wrongLists(text: String) {
        #expect(throws: AddressError.self) { try parse(text) }
    }

    @Test("name files and sockets by path", arguments: ["/srv/Data.fs", "Data.fs", "./x", "var/zeo.sock", "../a b/c"])
    func paths(text: String) throws {
        #expect(try parse(text).location == .path(text))
    }

    @Test("may be a word when a file of that name exists, port or no port")
    func existing() throws {
        #expect(try parse("backup", existing: ["backup"]).location == .path("backup"))
        #expect(try parse("x:old", existing: ["x:old"]).location == .path("x:old"))
        #expect(try parse("x:1", existing: ["x:1"]).location == .server(host: "x", port: 1))
    }

    @Test("name a repository of backups, and a moment of it")
    func backups() throws {
        #expect(try parse("repozo:/backup/site") == StorageAddress(.backup("/backup/site")))
        let then = try parse("repozo:/backup/site@2026-10-01T10:00")
        #expect(then.location == .backup("/backup/site"))
        #expect(then.moment == "2026-10-01T10:00")
        #expect(then.description == "repozo:/backup/site@2026-10-01T10:00")
        #expect(then.shortName == "site@2026-10-01T10:00")
        #expect(throws: AddressError.self) { try parse("repozo:") }
        // A directory may have the mark in its name.
        let split = BackupPlace.split("site@home") { $0 == "site@home" }
        #expect(split.directory == "site@home" && split.moment == nil)
    }

    @Test("are called in the prompt by their last part")
    func shortNames() throws {
        #expect(try parse("/srv/var/Data.fs").shortName == "Data.fs")
        #expect(try parse("file:///srv/a%20b.fs").shortName == "a b.fs")
    }

    @Test("take zodburi's zeo:// form, with its port by default")
    func zeoURIs() throws {
        #expect(
            try parse("zeo://localhost:9001?storage=main&wait_timeout=5")
                == StorageAddress(.server(host: "localhost", port: 9001), storageName: "main", timeout: 5))
        #expect(try parse("zeo://db1").location == .server(host: "db1", port: 9991))
        #expect(try parse("zeo://[::1]").location == .server(host: "::1", port: 9991))
        #expect(try parse("zeo://[::1]:1234/").location == .server(host: "::1", port: 1234))
        #expect(
            try parse("zeo:///run/zeo.sock?storage=a%20b")
                == StorageAddress(.socket("/run/zeo.sock"), storageName: "a b"))
        #expect(try parse("zeo://h:1?cache_size=20MB&database_name=x&wait=1").storageName == nil)
    }

    @Test("take zodburi's file:// form")
    func fileURIs() throws {
        #expect(
            try parse("file:///srv/Data.fs?blobstorage_dir=/srv/blobs&connection_pool_size=7")
                == StorageAddress(.file("/srv/Data.fs"), blobDirectory: "/srv/blobs"))
        #expect(try parse("file://Data.fs").location == .file("Data.fs"))
        #expect(try parse("file:x/100%25.fs#main").location == .file("x/100%.fs"))
    }

    @Test(
        "that are none are refused with what is wrong and what to write",
        arguments: [
            ("", "empty", "HOST:PORT"), ("localhost", "neither", "localhost:8800"),
            ("db1:", "not a port", "1 to 65535"),
            ("db1:99999", "not a port", "1 to 65535"), ("db1:0", "not a port", "1 to"),
            (":8800", "no host", "localhost:8800"), (":", "no host", "localhost:PORT"),
            ("::1:8800", "needs brackets", "[::1]:8800"), ("[::1]", "no port", "[::1]:8800"),
            ("[::1:8800", "not closed", "["),
            ("[db1]:1", "not an IPv6 address", "["), ("zeo://db1:9001?storge=1", "unknown key 'storge'", "storage"),
            ("file:///x.fs?blob_dir=/y", "unknown key 'blob_dir'", "blobstorage_dir"),
            ("file://", "no path", "file:///"),
            ("zeo://db1/main", "'/main'", "?storage=NAME"), ("postgresql://x/y", "'postgresql'", "zeo://"),
            ("zeo://h:1?wait_timeout=soon", "not a time", "seconds"), ("file:///%zz", "'%'", "%25"),
            ("a\u{1b}b", "control", "path"),
            ("db 1:8800", "not a host name", "HOST:PORT"),
        ])
    func nonsense(text: String, problem: String, advice: String) {
        #expect {
            try parse(text)
        } throws: { error in
            guard let error = error as? AddressError else { return false }
            return error.problem.contains(problem) && error.advice.contains(advice)
        }
    }
}
