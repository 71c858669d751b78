#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// A certificate authority of one's own, in a directory, kept with the `openssl` command.
///
///     ca.pem  ca.key          what both sides trust, and the key that signs
///     NAME.pem  NAME.key      a certificate and its key, for a server or a client
///
/// What it makes is accepted by Python in its strict mode, which ZEO 6 turns on: version 3, key identifiers, key usages.
struct CertificateAuthority {
    enum Purpose: String, Sendable {
        case server = "serverAuth"
        case client = "clientAuth"
    }

    let folder: String
    private let openssl: String

    var certificate: String { "\(folder)/ca.pem" }
    private var key: String { "\(folder)/ca.key" }

    /// Uses the authority in `folder`, or makes a new one.
    /// - Throws: `CommandFailure` when there is no `openssl`, or it fails.
    init(in folder: String, name: String = "ZEO", days: Int = 3650) throws {
        guard let openssl = Self.findOpenSSL() else {
            throw CommandFailure(
                "certificates are made with `openssl`, and there is no such command in PATH",
                advice: "apt install openssl")
        }
        self.openssl = openssl
        self.folder = folder
        try PrivateFile.makeDirectory(folder)
        let isThere = [certificate, key].map(PrivateFile.exists)
        guard isThere != [true, true] else { return }
        guard isThere == [false, false] else {
            throw CommandFailure(
                at: folder, "it has only one of ca.pem and ca.key: an authority needs both",
                advice: "bring back the other one, or name a new directory")
        }
        try withSettings(
            """
            basicConstraints = critical, CA:TRUE, pathlen:0
            keyUsage = critical, keyCertSign, cRLSign
            subjectKeyIdentifier = hash
            """
        ) { settings in
            try makeKey(key)
            do {
                try run([
                    "req", "-x509", "-new", "-sha256", "-key", key, "-out", certificate, "-days", "\(days)",
                    "-subj", Self.subject(name), "-config", settings, "-extensions", "extensions",
                ])
            } catch {
                PrivateFile.remove(key)
                throw error
            }
        }
    }

    /// Makes NAME.pem and NAME.key.
    /// - Parameters:
    ///   - hosts: names and addresses by which clients know a server.
    /// - Throws: `CommandFailure` when there is one of this name, when the name is not one, or when `openssl` fails.
    func makeCertificate(
        _ name: String, for purpose: Purpose, hosts: [String] = [], days: Int = 3650
    ) throws {
        guard !name.isEmpty, name != "ca", name.first != ".", Self.isWord(name, with: "-_.") else {
            throw CommandFailure(
                "expected a certificate's name of letters, digits, '-', '_' and '.', found '\(name)'",
                advice: "--client zope1; 'ca' is the authority itself")
        }
        let (certificate, key) = ("\(folder)/\(name).pem", "\(folder)/\(name).key")
        guard ![certificate, key].contains(where: PrivateFile.exists) else {
            throw CommandFailure(
                at: certificate, "it, or its key, is there already: nothing is replaced",
                advice: "remove both, or choose another name")
        }
        var extensions = """
            basicConstraints = critical, CA:FALSE
            keyUsage = critical, digitalSignature
            extendedKeyUsage = \(purpose.rawValue)
            subjectKeyIdentifier = hash
            authorityKeyIdentifier = keyid
            """
        if !hosts.isEmpty {
            let names = try hosts.map { host in
                guard !host.isEmpty, Self.isWord(host, with: "-_.:*") else {
                    throw CommandFailure(
                        "expected a host's name or address, found '\(host)'", advice: "--host db1.example.org")
                }
                return (Self.isAddress(host) ? "IP:" : "DNS:") + host
            }
            extensions += "\nsubjectAltName = \(names.joined(separator: ", "))"
        }
        try withSettings(extensions) { settings in
            let request = "\(folder)/.\(name).csr"
            defer { PrivateFile.remove(request) }
            do {
                try makeKey(key)
                try run([
                    "req", "-new", "-key", key, "-out", request, "-subj", Self.subject(name),
                    "-config", settings,
                ])
                try run([
                    "x509", "-req", "-sha256", "-in", request, "-CA", self.certificate, "-CAkey",
                    self.key, "-set_serial", Self.serial(), "-out", certificate, "-days", "\(days)",
                    "-extfile", settings, "-extensions", "extensions",
                ])
            } catch {
                PrivateFile.remove(key)
                throw error
            }
        }
    }

    private func makeKey(_ file: String) throws {
        // Made empty and private first: openssl would ask the umask.
        try PrivateFile.create(file)
        try run(["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", file])
    }

    /// The system's own settings for openssl are not asked: they add extensions of their own.
    private func withSettings(_ extensions: String, _ body: (String) throws -> Void) throws {
        let file = "\(folder)/.openssl-\(getpid()).cnf"
        defer { PrivateFile.remove(file) }
        let text = "[req]\ndistinguished_name = name\nprompt = no\n[name]\n[extensions]\n\(extensions)\n"
        try PrivateFile.replace(file, Array(text.utf8))
        try body(file)
    }

    private func run(_ arguments: [String]) throws {
        let log = "\(folder)/.openssl-\(getpid()).log"
        try PrivateFile.replace(log, [])
        defer { PrivateFile.remove(log) }
        let status = try ChildProcess.run(openssl, arguments, errors: log)
        guard status == 0 else {
            let said = (try? PrivateFile.contents(log)).map { String(decoding: $0, as: UTF8.self) } ?? ""
            throw CommandFailure(
                "openssl \(arguments[0]) failed: \(said.split(separator: "\n").joined(separator: " "))")
        }
    }

    static var isPossible: Bool { findOpenSSL() != nil }

    /// Whether it is of ASCII letters, digits and these.
    private static func isWord(_ text: String, with others: String) -> Bool {
        text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || others.contains($0)) }
    }

    private static func subject(_ name: String) -> String { "/CN=\(name)" }

    /// 64 bits of chance: an authority must not use a number twice, and this one keeps no books.
    private static func serial() -> String { "0x" + String(UInt64.random(in: 1 << 62..<1 << 63), radix: 16) }

    private static func isAddress(_ host: String) -> Bool {
        host.contains(":") || host.split(separator: ".").allSatisfy { UInt8($0) != nil }
    }

    private static func findOpenSSL() -> String? {
        let path = unsafe getenv("PATH").map { unsafe String(cString: $0) } ?? "/usr/bin:/bin"
        return path.split(separator: ":").map { "\($0)/openssl" }.first { access($0, X_OK) == 0 }
    }
}
