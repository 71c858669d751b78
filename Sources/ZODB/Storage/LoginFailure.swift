/// Why a login at a server came to nothing.
public enum LoginFailure: Hashable, Sendable {
    /// The server asks for a login, of this kind, and there is none to give.
    case wanted(kind: String)
    /// The server asks for a login of a kind that is not `digest`.
    case unknownKind(String)
    /// The passwords of the server are for another realm than the one that it has to be.
    case otherRealm(expected: String, found: String)
    case noSuchUser(String)
    case wrongPassword(user: String)
    /// The server lets nobody in like this; what it said.
    case refused(String)
    /// After the login, a message without the code that proves it, or with a wrong one; what exactly.
    case unproven(String)
}

extension LoginFailure: CustomStringConvertible {
    public var description: String {
        switch self {
        case .wanted(let kind): "the server asks for a login (\(kind)), and there is none to give"
        case .unknownKind(let kind):
            "the server asks for a login of the kind '\(kind)', which only its own clients know: zeoshell knows 'digest'"
        case .otherRealm(let expected, let found):
            "the server's passwords are for the realm '\(found)', and it was to be '\(expected)'"
        case .noSuchUser(let user): "the server knows no user '\(user)'"
        case .wrongPassword(let user): "the server does not take this password for '\(user)'"
        case .refused(let what): "the server does not let us in: \(what)"
        case .unproven(let what): "\(what): something between us and the server changes what is said"
        }
    }
}
