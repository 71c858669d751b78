/// The users that may log in, as clients up to ZEO 4 do (`authentication-protocol digest`).
public struct DigestLogins: Sendable {
    /// What the passwords are for; clients check that it is the one they are configured for.
    public var realm: String
    /// `sha1(user:realm:password)` in lower-case hexadecimal digits; nil: there is no such user.
    public var passwordHash: @Sendable (_ user: String) -> String?

    public init(realm: String, passwordHash: @escaping @Sendable (_ user: String) -> String?) {
        self.realm = realm
        self.passwordHash = passwordHash
    }
}
