internal import ArgumentParser

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// `zeoserver certs`: certificates for a server and its clients.
struct CertsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "certs", _superCommandName: ServerProgram.name,
        abstract: "Makes a certificate authority of one's own, and certificates for a server and its clients.",
        discussion: """
            In a directory that has an authority already, it makes more certificates of it. What is there is never \
            replaced. Needs the `openssl` command. Who has ca.key can make clients: keep it where no server runs.
            """)

    @Argument(help: "Where they go.") var directory: String
    @Option(help: "A name or address by which clients know the server; may be repeated. This machine's, if left out.")
    var host: [String] = []
    @Option(help: "A client's name, which roles go by (certificate CN=NAME); may be repeated.")
    var client: [String] = []
    @Option(help: "How long they are valid, in days.") var days = 3650

    func validate() throws {
        guard (1...36_500).contains(days) else { throw ValidationError("--days has to be from 1 to 36500") }
    }

    func run() throws {
        try telling(fileFailure: ProgramExit.failure) { try make(in: AbsolutePath.of(directory)) }
    }

    /// - Parameter directory: absolute, for what is printed is pasted into files that are read elsewhere.
    private func make(in directory: String) throws {
        let authority = try CertificateAuthority(in: directory, days: days)
        var made: [String] = []
        let hasServer = PrivateFile.exists("\(directory)/server.pem")
        if !hasServer {
            let own = Self.hostName.map { [$0] } ?? []
            let hosts = host.isEmpty ? own + ["localhost", "127.0.0.1", "::1"] : host
            try authority.makeCertificate("server", for: .server, hosts: hosts, days: days)
            made.append("server.pem for \(hosts.joined(separator: ", "))")
        } else if !host.isEmpty {
            throw CommandFailure(
                at: "\(directory)/server.pem", "it is there already: nothing is replaced",
                advice: "for other hosts remove it and server.key")
        }
        for name in client.isEmpty && !hasServer ? ["client"] : client {
            try authority.makeCertificate(name, for: .client, days: days)
            made.append("\(name).pem")
        }
        print(text(made, in: directory, client: client.first ?? "client"))
    }

    /// nil: it is none that anybody else knows.
    private static var hostName: String? {
        var bytes = [CChar](repeating: 0, count: 256)
        guard unsafe gethostname(&bytes, bytes.count - 1) == 0 else { return nil }
        let name = String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return name.isEmpty || name == "localhost" ? nil : name
    }

    private func text(_ made: [String], in directory: String, client: String) -> String {
        """
        Made in \(directory): \(made.isEmpty ? "nothing, all is there" : made.joined(separator: "; "))
        The directory and the keys are for you alone: a server that runs as another user needs 'chown' for server.pem and
        server.key, and 'chmod 755' for the directory.

        In the <zeo> section of the server:

            <ssl>
              certificate  \(directory)/server.pem
              key          \(directory)/server.key
              authenticate \(directory)/ca.pem
            </ssl>

        In the <zeoclient> section of a client, to which these three files are copied:

            <ssl>
              certificate  \(directory)/\(client).pem
              key          \(directory)/\(client).key
              authenticate \(directory)/ca.pem
            </ssl>
        """
    }
}
