import Foundation
import TestSupport
import Testing
import ZEOClient
import ZEOProtocol
import ZODB

extension Trait where Self == ConditionTrait {
    /// Certificates for the test are made by this command.
    static var needsOpenSSL: Self {
        .enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/openssl"), "there is no `openssl` command")
    }
}

/// A folder of certificates as `zeoserver certs` makes them, and of others that are wrong in one way each.
final class CertificateFolder {
    let folder = FileManager.default.temporaryDirectory.appending(path: "tls-\(UUID().uuidString.prefix(8))")

    init(hosts: [String] = ["localhost", "127.0.0.1"]) throws {
        let made = try BuiltProgram.zeoserver.run(
            ["certs", folder.path, "--client", "me"] + hosts.flatMap { ["--host", $0] })
        try #require(made.status == 0, "\(made.errors)")
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    func path(_ name: String) -> String { folder.appending(path: name).path }

    /// The server's section.
    func section(_ name: String = "server", trusting authority: String = "ca.pem") -> String {
        """
         <ssl>
          certificate \(path("\(name).pem"))
          key \(path("\(name).key"))
          authenticate \(path(authority))
         </ssl>
        """
    }

    /// What a client gives.
    func settings(
        _ name: String? = "me", authorities: String? = "ca.pem", serverName: String? = nil
    ) -> ClientTLS.Settings {
        ClientTLS.Settings(
            certificate: name.map { path("\($0).pem") }, key: name.map { path("\($0).key") },
            authorities: authorities.map(path), serverName: serverName)
    }

    /// Signed by the folder's authority.
    func make(_ name: String, days: Int = 30, _ extensions: String) throws {
        try write(extensions, to: "\(name).cnf")
        try openssl([
            "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", path("\(name).key"), "-out", path("\(name).csr"),
            "-subj", "/CN=\(name)",
        ])
        try openssl([
            "x509", "-req", "-sha256", "-in", path("\(name).csr"), "-CA", path("ca.pem"), "-CAkey", path("ca.key"),
            "-set_serial", "77", "-days", "\(days)", "-out", path("\(name).pem"), "-extfile", path("\(name).cnf"),
        ])
        try protect("\(name).key")
    }

    /// A certificate that signs itself, as ZEO's documentation makes them.
    func selfSigned(_ name: String, host: String) throws {
        try openssl([
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-sha256", "-days", "30", "-keyout", path("\(name).key"),
            "-out", path("\(name).pem"), "-subj", "/CN=\(name)", "-addext", "subjectAltName=DNS:\(host)",
        ])
        try protect("\(name).key")
    }

    func write(_ text: String, to name: String) throws {
        try text.write(toFile: path(name), atomically: true, encoding: .utf8)
    }

    func contents(_ name: String) throws -> String { try String(contentsOfFile: path(name), encoding: .utf8) }

    func protect(_ name: String, _ mode: Int = 0o600) throws {
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path(name))
    }

    func openssl(_ arguments: [String]) throws {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/openssl")
        process.arguments = arguments
        process.standardError = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardInput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "openssl \(arguments)")
    }
}

extension ZEOClientStorage {
    /// A client with the patience that tests have.
    static func secured(
        _ endpoint: Endpoint, _ settings: ClientTLS.Settings?, writable: Bool = false, patience: Duration = .seconds(60)
    ) throws -> ZEOClientStorage {
        var options = ZEOClientStorage.Options(
            readOnly: !writable, connectTimeout: .seconds(60), greetingTimeout: patience, cacheCapacity: 0)
        options.tls = try settings.map { try ClientTLS($0) }
        return try ZEOClientStorage(endpoint, options)
    }
}
