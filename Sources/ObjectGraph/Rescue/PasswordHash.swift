internal import ByteCoding
internal import Pickle

/// A password as Zope keeps it: `{SSHA}` and the base64 of `sha1(password + salt) + salt`.
///
/// Every Zope since 2.2 reads this scheme. It compares the encoded strings, so the encoding has to be the canonical one.
/// Source: `AuthEncoding.SSHADigestScheme`.
public struct PasswordHash: Hashable, Sendable {
    /// What is stored: ASCII.
    public let text: String

    /// - Parameters:
    ///   - secret: the password in UTF-8.
    ///   - salt: any bytes, at most 37 of them; by default seven random ones, as Zope does it.
    public init(_ secret: [UInt8], salt: [UInt8]? = nil) {
        let salt = salt ?? (0..<7).map { _ in UInt8.random(in: .min ... .max) }
        text = "{SSHA}" + Base64.text(SHA1.digest(secret + salt) + salt)
    }

    /// As the database's Python has it: Python 3 writes bytes, Python 2 its `str`.
    func value(isPython2: Bool) -> RescueValue { isPython2 ? .string(text) : .bytes(text) }
}
