internal import ByteCoding
public import ZODB

/// One login of the kind that ZEO had up to generation 4: the password's hash is proved, not sent.
///
///     hash  = hex sha1(user:realm:password)                    kept by the server, and as good as the password
///     C: auth_get_challenge()                                  S: (realm, challenge, nonce), the two in 40 digits each
///     C: auth_response((user, challenge, hex sha1(hash:challenge)))    S: whether it is right
///     key   = sha1(hash:nonce) + the first 44 digits of hash   for the checksums of all messages from then on
///
/// Source: `ZEO/auth/auth_digest.py` of ZEO 4.3, and a session of it.
public struct DigestLogin: Hashable, Sendable {
    public enum Outcome: Hashable, Sendable {
        /// With the key of the connection's checksums.
        case right(key: [UInt8])
        case wrong
    }

    public let realm: String
    /// What the proof has to be about: hexadecimal digits.
    public let challenge: String
    public let nonce: String

    /// - Parameters:
    ///   - challenge, nonce: 20 bytes of chance each.
    public init(realm: String, challenge: [UInt8], nonce: [UInt8]) {
        self.realm = realm
        self.challenge = Hexadecimal.text(challenge)
        self.nonce = Hexadecimal.text(nonce)
    }

    /// A server's challenge, as a client gets it; nil when the value is none.
    init?(_ value: WireValue) {
        guard let parts = value.elements, parts.count == 3 else { return nil }
        var texts: [String] = []
        for part in parts {
            guard let bytes = part.rawBytes, bytes.count <= 1000,
                let text = String(validating: bytes, as: UTF8.self)
            else { return nil }
            texts.append(text)
        }
        (realm, challenge, nonce) = (texts[0], texts[1], texts[2])
    }

    /// What `auth_get_challenge` returns.
    public var value: WireValue { .tuple([.string(realm), .string(challenge), .string(nonce)]) }

    /// Checks what a client proves.
    public func check(_ response: [UInt8], hash: String) -> Outcome {
        guard areEqualInConstantTime(response, Array(proof(hash: hash).utf8)) else { return .wrong }
        return .right(key: key(hash: hash))
    }

    /// What proves that one knows the hash: 40 hexadecimal digits.
    public func proof(hash: String) -> String { Hexadecimal.text(SHA1.digest(Array("\(hash):\(challenge)".utf8))) }

    /// The key of the connection's checksums.
    public func key(hash: String) -> [UInt8] {
        SHA1.digest(Array("\(hash):\(nonce)".utf8)) + Array(hash.utf8.prefix(44))
    }

    /// The hash of a password in this realm.
    public func hash(of credentials: Credentials) -> String {
        Self.hash(user: credentials.user, realm: realm, password: credentials.password)
    }

    /// What a server keeps instead of a password.
    public static func hash(user: String, realm: String, password: String) -> String {
        Hexadecimal.text(SHA1.digest(Array("\(user):\(realm):\(password)".utf8)))
    }
}

/// The checksums of one direction of a connection whose client has logged in.
///
/// The code of the k-th message is about the bodies of the messages 1 … k: none can be left out, repeated or put in
/// between. In the stream the length word has bit 31 set, and the code stands between it and the body.
public struct MessageAuthenticator: Sendable {
    /// Of a code, in bytes.
    public static let size = HMACSHA1.size
    /// The bit of the length word that announces a code.
    public static let flag: UInt32 = 1 << 31

    private var sum: HMACSHA1

    public init(key: [UInt8]) { sum = HMACSHA1(key: key) }

    /// The code of the next message.
    public mutating func code(of body: [UInt8]) -> [UInt8] {
        sum.update(body)
        return sum.code
    }

    /// Whether the next message came with its code.
    public mutating func verify(_ body: [UInt8], _ code: [UInt8]) -> Bool {
        areEqualInConstantTime(self.code(of: body), code)
    }
}
