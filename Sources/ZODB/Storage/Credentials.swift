/// Who we are to a server that asks for a name and a password: servers up to ZEO 4 can.
public struct Credentials: Hashable, Sendable {
    public var user: String
    public var password: String
    /// The realm that the server has to name; nil: whatever it names.
    public var realm: String?

    public init(user: String, password: String, realm: String? = nil) {
        self.user = user
        self.password = password
        self.realm = realm
    }
}

/// However it is printed, the password is not.
extension Credentials: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "user \(user)" + (realm.map { " of realm \($0)" } ?? "") }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: ["user": user, "realm": realm as Any]) }
}
