internal import NIOCore
internal import NIOSSL
internal import ZEOProtocol
internal import ZODB

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// Why TLS with a server failed, in terms of who refused what.
struct TLSProblem {
    private let said: String
    private let error: any Error
    /// What the server showed, if it came that far.
    private let certificate: NIOSSLCertificate?

    init(_ error: any Error, certificate: NIOSSLCertificate?) {
        self.error = error
        self.certificate = certificate
        said = "\(error)"
    }

    /// An error in the handshake.
    var failure: TLSFailure {
        if let plain = error as? PlainServer { return .plainServer(received: Self.text(of: plain.first)) }
        if said.contains("CERTIFICATE_VERIFY_FAILED") { return refusal }
        if said.contains("EOF during handshake") || error is IOError || error is ChannelError { return .closed }
        return Self.alert(in: said) ?? .other(Self.reason(in: said))
    }

    /// An error between the handshake, as we see it, and the server's first word.
    func afterHandshake(_ hasCertificate: Bool) -> TLSFailure {
        if let alert = Self.alert(in: said) { return alert }
        if error as? NIOSSLError == .uncleanShutdown || error is IOError {
            return .hungUp(hasCertificate: hasCertificate)
        }
        return .other(Self.reason(in: said))
    }

    /// Why we do not accept the server's certificate.
    private var refusal: TLSFailure {
        guard let certificate else { return .unknownAuthority(CertificateNames(subject: "", issuer: "")) }
        let names = CertificateNames(
            subject: Self.name(certificate.subjectName), issuer: Self.name(certificate.issuerName))
        let now = Self.now
        if Int(certificate.notValidAfter) < now {
            return .expired(names, since: Self.date(Int(certificate.notValidAfter)))
        }
        if Int(certificate.notValidBefore) > now {
            return .notYetValid(names, from: Self.date(Int(certificate.notValidBefore)))
        }
        return names.subject == names.issuer ? .selfSigned(names) : .unknownAuthority(names)
    }

    /// What the server's alert says; BoringSSL names them after their numbers.
    private static func alert(in said: String) -> TLSFailure? {
        let alerts: [(String, TLSFailure)] = [
            ("ALERT_CERTIFICATE_REQUIRED", .certificateWanted),
            ("ALERT_UNKNOWN_CA", .certificateRefused("its issuer is none that the server knows")),
            ("ALERT_BAD_CERTIFICATE", .certificateRefused("a bad certificate")),
            ("ALERT_CERTIFICATE_EXPIRED", .certificateRefused("it is out of date")),
            ("ALERT_CERTIFICATE_REVOKED", .certificateRefused("it was revoked")),
            ("ALERT_CERTIFICATE_UNKNOWN", .certificateRefused("it is unknown there")),
            ("ALERT_UNSUPPORTED_CERTIFICATE", .certificateRefused("it is not for clients")),
            ("ALERT_DECRYPT_ERROR", .certificateRefused("its signature is wrong")),
            ("ALERT_ACCESS_DENIED", .certificateRefused("access denied")),
            ("ALERT_PROTOCOL_VERSION", .other("the server speaks no TLS from 1.2 on")),
            ("ALERT_HANDSHAKE_FAILURE", .other("the server has no cipher in common with us, or wants a certificate")),
            ("UNSUPPORTED_PROTOCOL", .other("the server speaks no TLS from 1.2 on")),
        ]
        return alerts.first { said.contains($0.0) }?.1
    }

    /// The library's own word for it, in `…:WRONG_VERSION_NUMBER…`.
    private static func reason(in text: String) -> String {
        let words: [Substring] = text.split { !$0.isUppercase && !$0.isNumber && $0 != "_" }
        let word = words.last { $0.contains("_") && $0.count > 6 }
        return word.map { $0.lowercased().replacing("_", with: " ") } ?? LogText.printable(text)
    }

    /// A server's first bytes, as far as they are no TLS.
    private static func text(of first: [UInt8]) -> String {
        let greeting = first.count > 4 && first.starts(with: [0, 0, 0]) ? Array(first.dropFirst(4)) : first
        return "'" + WireValue.escaped(greeting, keepingText: false) + "'"
    }

    private static func name(_ names: [SSLCertificateName]) -> String {
        let parts = names.compactMap { name in
            types[name.type].map { "\($0)=\(LogText.printable(name.value))" }
        }
        return parts.isEmpty ? "without a name" : parts.joined(separator: ", ")
    }

    private static let types: [SSLCertificateNameType: String] = [
        .commonName: "CN", .organization: "O", .organizationalUnit: "OU", .city: "L", .state: "ST", .country: "C",
        .userId: "UID", .emailAddress: "emailAddress",
    ]

    private static var now: Int { time(nil) }

    /// `2026-11-28 01:02:03 UTC`; half a second more, because what a tid holds is a little less than it was made of.
    static func date(_ seconds: Int) -> String {
        guard let time = TransactionID(unixTime: Double(seconds) + 0.5)?.civilTime else { return "\(seconds)" }
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "\(time.year)-\(two(time.month))-\(two(time.day)) \(two(time.hour)):\(two(time.minute)):"
            + "\(two(Int(time.second))) UTC"
    }
}
