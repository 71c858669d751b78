import Foundation
import Testing

@testable import ServerCommand

/// Certificates for one test, made by `openssl`.
final class Certificates {
    let folder: URL
    private let authority: CertificateAuthority

    static var canBeMade: Bool { CertificateAuthority.isPossible }

    init() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "certificates-\(UUID().uuidString.prefix(8))")
        authority = try CertificateAuthority(in: folder.path, name: "tests")
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    func path(_ name: String) -> String { folder.appending(path: name).path }

    func server(_ name: String = "server", hosts: [String] = ["localhost", "127.0.0.1"]) throws {
        try authority.makeCertificate(name, for: .server, hosts: hosts)
    }

    func client(_ name: String, days: Int = 30) throws {
        try authority.makeCertificate(name, for: .client, days: days)
    }

    /// A certificate that signs itself, made as ZEO's documentation makes them.
    func selfSigned(_ name: String, host: String? = nil) throws {
        var arguments = [
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-sha256", "-days", "30", "-keyout", path("\(name).key"),
            "-out", path("\(name).pem"), "-subj", "/CN=\(name)",
        ]
        if let host { arguments += ["-addext", "subjectAltName=DNS:\(host)"] }
        try openssl(arguments)
    }

    func openssl(_ arguments: [String]) throws {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["openssl"] + arguments
        process.standardError = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardInput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "openssl \(arguments)")
    }
}
