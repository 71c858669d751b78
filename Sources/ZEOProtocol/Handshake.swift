/// The first message each way: the server names the dialect it prefers, the client answers with the one to speak.
///
/// A side that does not like what it hears closes, without a word.
public enum Handshake {
    /// Greetings are this long at most; a length word beyond it belongs to some other protocol.
    public static let longestGreeting = 16
    /// What we speak, the preferred first.
    public static let offered: [Dialect] = [.m5, .z5]

    /// What a server's greeting turns out to be.
    public enum Answer: Hashable, Sendable {
        case speak(Dialect)
        /// A generation that we know and do not speak.
        case tooOld(Generation)
        /// No greeting of a ZEO server.
        case unknown
    }

    /// The dialect to answer `greeting` with: what was announced if we speak it, and from newer generations our
    /// newest, as Python clients do. msgpack only when announced: a server may lack the library.
    public static func answer(to greeting: [UInt8]) -> Answer {
        let text = String(decoding: greeting, as: UTF8.self)
        let number = String(text.dropFirst())
        let encoding: Dialect.Encoding
        switch text.first {
        case "Z": encoding = .pickle
        case "M": encoding = .messagePack
        default: return .unknown
        }
        guard !number.isEmpty, number.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else {
            return .unknown
        }
        if let generation = Generation(rawValue: number), generation < .v5 { return .tooOld(generation) }
        return number >= Generation.v5.rawValue ? .speak(Dialect(.v5, encoding)) : .unknown
    }

    /// `Z5, M5`, and why no more: for messages to people.
    static var offeredText: String {
        offered.map(\.description).joined(separator: " and ") + " (older dialects are not supported yet)"
    }

    /// What a client's first message asks of a server.
    public enum Request: Hashable, Sendable {
        case speak(Dialect)
        /// No dialect: a monitor wants the figures, and then the end of the connection.
        case status
        /// Nothing that we speak.
        case unknown
    }

    /// What to make of a client's answer to our greeting, which does not bind it: clients of generation 5 choose the
    /// encoding themselves, older ones answer the newest generation they know.
    public static func request(_ answer: [UInt8]) -> Request {
        let text = String(decoding: answer, as: UTF8.self)
        if text == "ruok" { return .status }
        if text == Dialect.m5.description { return .speak(.m5) }
        guard text.first == "Z", let generation = Generation(rawValue: String(text.dropFirst())) else {
            return .unknown
        }
        return .speak(Dialect(generation, .pickle))
    }
}
