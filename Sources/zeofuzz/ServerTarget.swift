import ZEOProtocol
import ZODB

/// Bytes from a client: one message in every dialect, as the first call of all and after a good registration.
struct ServerTarget: Target {
    let name = "server"

    func run(_ input: [UInt8]) -> String? {
        for dialect in Dialects.all {
            if let problem = run(input, dialect, isRegistered: false) { return "\(dialect), first: \(problem)" }
            if let problem = run(input, dialect, isRegistered: true) { return "\(dialect): \(problem)" }
        }
        for encoding in [Dialect.Encoding.pickle, .messagePack] {
            if let problem = compareLoads(input, encoding) { return problem }
        }
        _ = Handshake.request(input)
        return nil
    }

    private func run(_ input: [UInt8], _ dialect: Dialect, isRegistered: Bool) -> String? {
        var connection = ServerConnection()
        _ = connection.received(Array(dialect.description.utf8))
        if isRegistered {
            _ = connection.received(Dialects.register(in: dialect, python2: input.count.isMultiple(of: 2)))
            connection.registered()
        }
        switch connection.received(input) {
        case .none: break
        case .greeted, .status: return "a second greeting was taken"
        case .call(let call, let reply):
            if !isRegistered {
                switch call {
                case .register, .getAuthProtocol, .getChallenge, .answerChallenge: break
                default: return "\(call) before register"
                }
            }
            _ = connection.body(of: reply, .list([.bytes(input), .none]))
            _ = connection.bodies(of: reply, .granted(.latest, changed: [.root], stored: [.root]))
            if case .undoInfo(_, _, let filter) = call { _ = "\(filter)" }
            if case .begin(_, let description) = call {
                _ = ServerReply.storedExtension(description.extension, for: .python2)
            }
        case .refused(let exception, let reply):
            _ = exception.text
            _ = connection.body(of: reply, raising: exception)
        case .close:
            guard connection.received(input) == .none else { return "it went on after its end" }
        }
        return nil
    }

    /// The quick way and the general one have to see the same load.
    private func compareLoads(_ input: [UInt8], _ encoding: Dialect.Encoding) -> String? {
        guard let request = LoadRequest(input.span.bytes, in: encoding) else { return nil }
        guard let message = try? Message(input, encoding: encoding),
            case .loadBefore(request.oid, request.before)? = try? ServerCall(message, .v5), !message.isOneWay
        else { return "a load by its bytes, and none by its meaning" }
        return nil
    }
}

/// What clients may speak.
enum Dialects {
    static let all = Generation.allCases.map { Dialect($0, .pickle) } + [.m5]

    static func register(in dialect: Dialect, python2: Bool) -> [UInt8] {
        let isOld = dialect.generation <= .v310 || dialect.generation < .v5 && python2
        return Message(
            id: .integer(1), name: "register", arguments: .tuple([.string("1"), .integer(0)])
        ).body(in: dialect.encoding, for: isOld ? .python2 : .python3)
    }
}
