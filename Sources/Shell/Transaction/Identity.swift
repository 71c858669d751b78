internal import ZODB

/// Who we are to a server and in the transactions that we make.
enum Identity {
    /// `zeoshell:login@host`
    static func label(_ environment: Environment) -> String {
        let user = environment["LOGNAME"] ?? environment["USER"] ?? accountName()
        return "zeoshell:\(user)@\(hostName())"
    }

    /// The extension of a transaction of ours: a pickled dict that every Python reads, and no class is needed for.
    /// - Parameter mark: of the journal; what the transaction is found by when the connection was lost.
    static func extensionData(mark: String) -> [UInt8] {
        var pickle: [UInt8] = [UInt8(ascii: "}"), UInt8(ascii: "(")]
        for text in ["zeoshell", Program.version, CommitTrace.markKey, mark] {
            let bytes = Array(text.utf8)
            pickle.append(UInt8(ascii: "X"))
            pickle += (0..<4).map { UInt8(truncatingIfNeeded: bytes.count >> ($0 * 8)) }
            pickle += bytes
        }
        return pickle + [UInt8(ascii: "u"), UInt8(ascii: ".")]
    }

    /// A mark that nobody else has.
    static func newMark() -> String {
        let digits = String(UInt64.random(in: .min ... .max), radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
