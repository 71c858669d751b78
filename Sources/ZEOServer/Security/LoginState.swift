internal import ZEOProtocol

/// How far a connection's login is, and the checksums that its messages have afterwards.
struct LoginState {
    /// What stands before a message's body.
    struct Head {
        /// Of the body, in bytes.
        let size: Int
        let hasCode: Bool
        /// Of the head, in bytes: a length word, and perhaps a code.
        var length: Int { hasCode ? 4 + MessageAuthenticator.size : 4 }
    }

    struct Problem: Error {
        let text: String
    }

    /// Wrong passwords after which a connection is closed.
    static let mostFailures = 5

    /// The challenge that waits for its answer.
    var challenge: DigestLogin?
    var failures = 0
    private var incoming: MessageAuthenticator?
    private var outgoing: MessageAuthenticator?

    /// From the next message on, both sides send checksums.
    mutating func begin(key: [UInt8]) {
        incoming = MessageAuthenticator(key: key)
        outgoing = MessageAuthenticator(key: key)
    }

    /// What a length word announces.
    func head(_ word: UInt32) -> Result<Head, Problem> {
        let hasCode = word & MessageAuthenticator.flag != 0
        switch (hasCode, incoming != nil) {
        case (true, false):
            return .failure(
                Problem(text: "it announced a message of \(word) bytes, or one with a code, and it has not logged in"))
        case (false, true): return .failure(Problem(text: "it logged in, and sent a message without a code"))
        default: return .success(Head(size: Int(word & ~MessageAuthenticator.flag), hasCode: hasCode))
        }
    }

    mutating func verify(_ body: [UInt8], _ code: [UInt8]) -> Bool { incoming?.verify(body, code) ?? false }

    /// The code that goes with a message of ours; nil: none does.
    mutating func code(of body: [UInt8]) -> [UInt8]? { outgoing?.code(of: body) }
}
