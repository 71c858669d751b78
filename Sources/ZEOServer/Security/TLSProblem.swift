internal import ByteCoding
internal import NIOCore
internal import NIOSSL

/// Why a TLS handshake failed, in terms of what is to be done about it.
struct TLSProblem {
    let text: String
    /// Whether somebody should know: a connection that ends before it began is a port that was looked at.
    let isNews: Bool

    /// - Parameters:
    ///   - certificate: what the client showed, if it came that far.
    ///   - hasSpoken: whether it has said anything at all.
    init(_ error: any Error, certificate: NIOSSLCertificate?, trust: ServerTLS.Trust, hasSpoken: Bool) {
        if let error = error as? NotTLS {
            text = Self.text(ofPlainClient: error.first)
            isNews = true
            return
        }
        let said = "\(error)"
        let known = Self.known.first { said.contains($0.reason) }
        isNews = hasSpoken
        guard hasSpoken else {
            text =
                "it went away without a word: a ZEO client without <ssl> waits to be spoken to, or somebody tried the "
                + "port"
            return
        }
        if error is IOError || said.contains("EOF during handshake") {
            // Python's asyncio hangs up without an alert.
            text = "it went away during the TLS handshake, perhaps because " + Self.serverNotTrusted
            return
        }
        switch known?.cause {
        case .refusedCertificate: text = Self.text(ofRefused: certificate, trust)
        case .other(let explanation): text = explanation
        case nil: text = "the TLS handshake failed" + (Self.reason(in: said).map { " (\($0))" } ?? "")
        }
    }

    /// The library's own word for it, in `…:WRONG_VERSION_NUMBER…`; nil when there is none.
    private static func reason(in text: String) -> String? {
        let words: [Substring] = text.split { !$0.isUppercase && $0 != "_" }
        return words.last { $0.contains("_") && $0.count > 6 }.map { $0.lowercased().replacing("_", with: " ") }
    }

    private enum Cause {
        case refusedCertificate
        case other(String)
    }

    private static let serverNotTrusted =
        "it does not accept this server's certificate. `authenticate` in the client's <ssl> has to name it or its CA, "
        + "and the host that the client connects to (or its server-hostname) has to be a subjectAltName of it"

    /// By BoringSSL's reasons.
    private static let known: [(reason: String, cause: Cause)] = [
        (
            "PEER_DID_NOT_RETURN_A_CERTIFICATE",
            .other("it shows no certificate, and every client needs one: `certificate` and `key` in its <ssl>")
        ),
        ("CERTIFICATE_VERIFY_FAILED", .refusedCertificate),
        ("ALERT_UNKNOWN_CA", .other(serverNotTrusted)),
        ("ALERT_BAD_CERTIFICATE", .other(serverNotTrusted)),
        ("ALERT_CERTIFICATE_UNKNOWN", .other(serverNotTrusted)),
        ("ALERT_UNSUPPORTED_CERTIFICATE", .other(serverNotTrusted)),
        ("ALERT_CERTIFICATE_EXPIRED", .other("this server's certificate is out of date, as the client sees it")),
        ("UNSUPPORTED_PROTOCOL", .other("it speaks no TLS newer than 1.1; the oldest taken is 1.2")),
        ("NO_SHARED_CIPHER", .other("it has no cipher in common with this server")),
    ]

    private static func text(ofPlainClient first: [UInt8]) -> String {
        let problem: String
        if first.prefix(4).elementsEqual([0, 0, 0, 4]), first.dropFirst(4).elementsEqual("ruok".utf8) {
            problem = "it asks `ruok` without TLS, and this address is for TLS"
        } else if first.starts(with: [0, 0, 0]) {
            problem = "it speaks ZEO without TLS: it needs an <ssl> section"
        } else {
            problem = Stranger(first)?.text ?? "it does not speak TLS"
        }
        return "\(problem) (its first bytes: \(Hexadecimal.text(first)))"
    }

    private static func text(ofRefused certificate: NIOSSLCertificate?, _ trust: ServerTLS.Trust) -> String {
        let what: String
        if let certificate {
            let (subject, issuer) = (name(certificate.subjectName), name(certificate.issuerName))
            let now = Int(Clock.now())
            if Int(certificate.notValidAfter) < now {
                return "its certificate \(subject) is out of date"
            }
            if Int(certificate.notValidBefore) > now {
                return "its certificate \(subject) is not valid yet; are both clocks right?"
            }
            what = "its certificate \(subject)" + (subject == issuer ? ", self-signed," : " of issuer \(issuer)")
        } else {
            what = "its certificate"
        }
        return switch trust {
        case .file(let path), .directory(let path):
            "\(what) is not accepted: neither it nor its CA is in \(path) (authenticate), or it is not for TLS clients"
        case .nobody: "\(what) is not accepted: `authenticate DYNAMIC` accepts none"
        }
    }

    private static func name(_ names: [SSLCertificateName]) -> String {
        ClientCertificate(subject: ClientCertificate.attributes(names), fingerprint: []).description
    }
}
