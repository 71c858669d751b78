/// The first message each way: the server names the dialect it prefers, the client answers with the one to speak.
///
/// A side that does not like what it hears closes, without a word.
public enum Handshake {
    /// Greetings are this long at most; a length word beyond it belongs to some other protocol.
    public static let longestGreeting = 16
    /// What a server's greeting turns out to be.
    public enum Answer: Hashable, Sendable {
        case speak(Dialect)
        /// No greeting of a ZEO server, or of none that there has been.
        case unknown
    }

    /// The dialect to answer `greeting` with: what was announced if we speak it, and from newer generations our
    /// newest, as Python clients do. msgpack only when announced: a server may lack the library.
    /// - Parameter newest: the newest generation to admit to.
    public static func answer(to greeting: [UInt8], upTo newest: Generation = .v5) -> Answer {
        let text = String(decoding: greeting, as: UTF8.self)
        let number = String(text.dropFirst())
        guard let first = text.first, first == "Z" || first == "M", !number.isEmpty,
            number.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
        else { return .unknown }
        // Compared as text, as all peers do: `51` is newer than `5`.
        let announced = number >= Generation.v5.rawValue ? .v5 : Generation(rawValue: number)
        guard let announced, announced == .v5 || first == "Z" else { return .unknown }
        if announced <= newest { return .speak(Dialect(announced, first == "M" ? .messagePack : .pickle)) }
        return .speak(Dialect(newest, newest == .v5 && first == "M" ? .messagePack : .pickle))
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
