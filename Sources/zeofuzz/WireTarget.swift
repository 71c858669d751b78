import ZEOProtocol
import ZODB

/// Bytes from a server: single messages in both encodings, and a stream from the greeting on.
struct WireTarget: Target {
    let name = "wire"

    func run(_ input: [UInt8]) -> String? {
        for encoding in [Dialect.Encoding.pickle, .messagePack] {
            guard let message = try? Message(input, encoding: encoding) else { continue }
            _ = "\(message.arguments)"
            _ = try? Reply.undoInfo(message.arguments)
            _ = try? Reply.history(message.arguments)
            _ = try? Reply.revision(message.arguments)
        }
        // With a login to give, so that a server may ask for it.
        var connection = ClientConnection(
            .init(address: "fuzz", login: Credentials(user: "joe", password: "secret")))
        var isReady = false
        var closed = 0
        var rest = input[...]
        // In pieces, as a network gives it.
        while !rest.isEmpty {
            let piece = rest.prefix(1 + rest.count / 3)
            rest = rest.dropFirst(piece.count)
            for action in connection.received(Array(piece)) {
                if case .close = action { closed += 1 }
                if case .ready = action, !isReady {
                    isReady = true
                    _ = try? connection.call(.loadBefore(.root, .latest))
                }
            }
        }
        _ = connection.disconnected("end of input")
        return closed > 1 ? "closed \(closed) times" : nil
    }
}
