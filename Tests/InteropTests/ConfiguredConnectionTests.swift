import Foundation
import TestSupport
import Testing

@Suite("What is configured arrives in the connection", .serialized, .needsOpenSSL)
struct ConfiguredConnectionTests {
    /// Certificates, a key with the pass phrase `geheim`, a database, and a home with configuration files.
    private final class Place {
        let certificates: CertificateFolder
        let server: ZEOServerProcess

        /// - Parameter options: of the server; nil: TLS.
        init(options: String? = nil) throws {
            certificates = try CertificateFolder()
            let copy = certificates.path("Data.fs")
            try FileManager.default.copyItem(atPath: SampleData.path("fs/zope5.fs"), toPath: copy)
            server = try ZEOServerProcess(
                storages: "<filestorage main>\n  path \(copy)\n</filestorage>",
                options: options ?? certificates.section())
            try FileManager.default.createDirectory(
                atPath: certificates.path(".config/zeoshell"), withIntermediateDirectories: true)
        }

        func encryptKey() throws {
            try certificates.openssl([
                "pkey", "-in", certificates.path("me.key"), "-aes256", "-passout", "pass:geheim", "-out",
                certificates.path("locked.key"),
            ])
            try certificates.protect("locked.key")
        }

        func run(_ words: [String], _ environment: [String: String] = [:]) throws -> BuiltProgram.Outcome {
            try BuiltProgram.zeoshell.run(
                words, environment: ["HOME": certificates.folder.path].merging(environment) { $1 })
        }

        /// The title of the site, or why there is none.
        func title(_ words: [String], _ environment: [String: String] = [:]) throws -> String {
            let outcome = try run(["get"] + words + ["/site/.title", "--timeout", "60"], environment)
            return outcome.output + outcome.errors
        }
    }

    @Test("from a service: addresses, TLS, an encrypted key, a cache; paths relative to the file")
    func service() throws {
        let place = try Place()
        try place.encryptKey()
        let closed = try FreePort.find()
        try place.certificates.write(
            """
            [live]
            address = 127.0.0.1:\(closed),127.0.0.1:\(place.server.port)
            storage = main
            cert = ../../me.pem
            key = ../../locked.key
            ca = ../../ca.pem
            server-name = localhost
            cache = live.zec
            cache-size = 1M
            read-only-fallback = yes

            """, to: ".config/zeoshell/services")
        let phrase = ["ZEOSHELL_KEY_PASSWORD": "geheim"]
        #expect(try place.title(["live"]).contains("ZEOSHELL_KEY_PASSWORD"))
        #expect(try place.title(["live"], ["ZEOSHELL_KEY_PASSWORD": "falsch"]).contains("pass phrase"))
        #expect(try place.title(["live"], phrase) == "The Site\n")
        let cache = place.certificates.path(".config/zeoshell/live.zec")
        #expect(try FileManager.default.attributesOfItem(atPath: cache)[.size] as? Int == 1 << 20)
        // An option is stronger than the service.
        #expect(try place.title(["live", "--key", place.certificates.path("me.key")]) == "The Site\n")
        #expect(place.server.logText.contains("certificate CN=me"))
        let origins = try place.run(
            ["connect", "live", "--continue", "-c", "connect nobody:1", "-c", "config --show-origin"], phrase
        ).output
        let services = place.certificates.path(".config/zeoshell/services")
        for line in [
            "address\t127.0.0.1:\(closed),127.0.0.1:\(place.server.port)\tlive", "storage\tmain\t\(services):3",
            "key-password\t(set, not shown)\tenvironment ZEOSHELL_KEY_PASSWORD",
            "server-name\tlocalhost\t\(services):7",
            "cache-size\t1M\t\(services):9", "read-only-fallback\tyes\t\(services):10",
        ] {
            #expect(origins.contains(line + "\n"), "\(line): \(origins)")
        }
        #expect(!origins.contains("geheim"))
    }

    @Test("from the environment, and from an address")
    func environment() throws {
        let place = try Place()
        let address = "127.0.0.1:\(place.server.port)"
        let files = ["cert": "me.pem", "key": "me.key", "ca": "ca.pem"].mapValues(place.certificates.path)
        var environment = ["ZEOSHELL_STORAGE": "main"]
        for (name, path) in files { environment["ZEOSHELL_\(name.uppercased())"] = path }
        #expect(try place.title([address], environment) == "The Site\n")
        environment["ZEOSHELL_STORAGE"] = "other"
        #expect(try place.title([address, "--storage", "main"], environment) == "The Site\n")
        let query = files.map { "&\($0.key)=\($0.value)" }.joined()
        #expect(try place.title(["zeo://\(address)?storage=main\(query)"]) == "The Site\n")
        // A file of this machine is asked nothing of all that.
        #expect(try place.title([SampleData.path("fs/zope5.fs")], environment) == "The Site\n")
    }

    @Test("from a zope.conf: several servers and <ssl>")
    func zopeConf() throws {
        let place = try Place()
        let certificates = place.certificates
        try certificates.write(
            """
            <zodb_db main>
              mount-point /
              <zeoclient>
                server 127.0.0.1:\(try FreePort.find())
                server 127.0.0.1:\(place.server.port)
                storage main
                <ssl>
                  certificate \(certificates.path("me.pem"))
                  key \(certificates.path("me.key"))
                  authenticate \(certificates.path("ca.pem"))
                  server-hostname localhost
                </ssl>
              </zeoclient>
            </zodb_db>

            """, to: "zope.conf")
        #expect(try place.title(["-C", certificates.path("zope.conf")]) == "The Site\n")
        let set = try place.run([
            "set", "-C", certificates.path("zope.conf"), "--rw", "-y", "/site/.title", "'New'", "--timeout", "60",
        ])
        #expect(set.status == 0, "\(set.errors)")
        #expect(try place.title(["zconfig:\(certificates.path("zope.conf"))#main"]) == "New\n")
    }

    @Test("a login, from a zope.conf with its password, and from a service without one")
    func login() throws {
        let users = FileManager.default.temporaryDirectory.appending(path: "users-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: users) }
        let made = try BuiltProgram.zeoserver.run(["passwd", users, "zope", "--realm", "zeo"], input: "geheim\n")
        try #require(made.status == 0, "\(made.errors)")
        let place = try Place(
            options: """
                 authentication-protocol digest
                 authentication-database \(users)
                 authentication-realm zeo
                """)
        let address = "127.0.0.1:\(place.server.port)"
        try place.certificates.write(
            """
            <zodb_db main>
            <zeoclient>
            server \(address)
            storage main
            username zope
            password geheim
            realm zeo
            </zeoclient>
            </zodb_db>

            """, to: "zope.conf")
        try place.certificates.write(
            "[live]\naddress = \(address)\nstorage = main\nusername = zope\nrealm = zeo\n",
            to: ".config/zeoshell/services")
        let configuration = ["-C", place.certificates.path("zope.conf")]
        #expect(try place.title(configuration) == "The Site\n")
        // The password in the file is none of another user's.
        #expect(try place.title(configuration + ["--username", "joe"]).contains("ZEOSHELL_PASSWORD"))
        #expect(try place.title(["live"]).contains("ZEOSHELL_PASSWORD"))
        #expect(try place.title(["live"], ["ZEOSHELL_PASSWORD": "geheim"]) == "The Site\n")
        #expect(try place.title(["live"], ["ZEOSHELL_PASSWORD": "falsch"]).contains("does not take this password"))
    }
}
