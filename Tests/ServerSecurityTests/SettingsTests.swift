import Foundation
import Logging
import TestSupport
import Testing
import ZEOProtocol
import ZEOServer

@testable import ServerCommand
@testable import ServerConfiguration

@Suite("TLS, roles and logins of a configuration")
struct SettingsTests {
    private let logger = Logger(label: "tests") { _ in SwiftLogNoOpLogHandler() }

    private func settings() -> ServerSettings { ServerSettings(addresses: [], storages: []) }

    @Test("roles become permissions, bit by bit")
    func roles() throws {
        var settings = settings()
        var policy = ServicePolicy()
        try policy.secure(by: settings, logger: logger)
        #expect(policy.authorization == nil && policy.tls == nil && policy.logins == nil)
        settings.roles = [
            Role(
                name: "sites", permissions: [.read, .undo, .admin],
                members: [.certificate([.init(type: "CN", value: "zope1")]), .user("joe")], storages: ["main"])
        ]
        try policy.secure(by: settings, logger: logger)
        let authorize = try #require(policy.authorization)
        let certificate = ClientCertificate(subject: [.init(type: "CN", value: "zope1")], fingerprint: [])
        let zope = ZEOServer.ClientIdentity(address: [10, 0, 0, 1], certificate: certificate)
        #expect(authorize(zope, "main") == [.read, .undo, .admin])
        #expect(authorize(zope, "other") == [])
        #expect(authorize(ZEOServer.ClientIdentity(user: "joe"), "main") == [.read, .undo, .admin])
        #expect(authorize(ZEOServer.ClientIdentity(address: [10, 0, 0, 1]), "main") == [])
        settings.roles = [Role(name: "all", permissions: .all, members: [.everybody], storages: nil)]
        try policy.secure(by: settings, logger: logger)
        #expect(policy.authorization?(ZEOServer.ClientIdentity(), "main") == .all)
    }

    @Test("the realm of the configuration has to be that of the file")
    func realms() throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "passwords-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: file) }
        var database = PasswordDatabase(realm: "here")
        try database.set("joe", password: "secret")
        try PrivateFile.replace(file, Array(database.text.utf8))
        func realm(_ wanted: String?) throws -> String? {
            var settings = settings()
            settings.authentication = DigestAuthentication(database: file, realm: wanted)
            var policy = ServicePolicy()
            try policy.secure(by: settings, logger: logger)
            #expect(policy.logins?.passwordHash("joe") != nil)
            #expect(policy.logins?.passwordHash("bob") == nil)
            return policy.logins?.realm
        }
        #expect(try realm(nil) == "here")
        #expect(try realm("here") == "here")
        #expect(throws: SecuritySettingsError.otherRealm(file, wanted: "there", found: "here")) { try realm("there") }
        try PrivateFile.replace(file, Array("joe: \(String(repeating: "0", count: 40))\n".utf8))
        #expect(try realm("there") == "there")
        #expect(throws: SecuritySettingsError.noRealm(file)) { try realm(nil) }
    }

    @Test("TLS is made of the files, the key's password from its own", .needsOpenSSL)
    func tls() throws {
        let certificates = try Certificates()
        try certificates.server()
        try certificates.openssl([
            "ec", "-in", certificates.path("server.key"), "-out", certificates.path("locked.key"), "-aes256",
            "-passout", "pass:open sesame",
        ])
        try PrivateFile.create(certificates.path("password"), Array("open sesame\n".utf8))
        var settings = settings()
        settings.tls = TLSSettings(
            certificate: certificates.path("server.pem"), key: certificates.path("locked.key"),
            passwordFile: certificates.path("password"), authenticate: .file(certificates.path("ca.pem")))
        var policy = ServicePolicy()
        try policy.secure(by: settings, logger: logger)
        #expect(policy.tls != nil)
        settings.tls?.passwordFile = nil
        #expect(throws: ServerTLSError.self) { try policy.secure(by: settings, logger: logger) }
    }
}
