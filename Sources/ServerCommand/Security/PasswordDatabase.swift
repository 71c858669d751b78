internal import ZEOProtocol

/// The file of users and passwords that `authentication-database` names: what ZEO's `zeopasswd` writes.
///
///     realm NAME              only as the first line
///     USER: HASH              hash: sha1(user:realm:password), 40 hexadecimal digits
///
/// The hash is as good as the password to who wants to log in, so the file is for its owner alone.
///
/// Source: `ZEO/auth/base.py` of ZEO 4.3.
struct PasswordDatabase: Hashable, Sendable {
    private(set) var realm: String?
    private(set) var hashes: [String: String] = [:]

    init(realm: String? = nil) { self.realm = realm }

    /// - Throws: `PasswordDatabaseError` with the number of the line that cannot be read.
    init(parsing text: String) throws(PasswordDatabaseError) {
        for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            let line = Self.trimmed(line)
            if index == 0, line.hasPrefix("realm ") {
                realm = Self.trimmed(line.dropFirst("realm ".count))
                continue
            }
            // Python stumbles over those; here they do no harm.
            if line.isEmpty { continue }
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[0].isEmpty else { throw .line(index + 1) }
            let hash = Self.trimmed(parts[1]).lowercased()
            guard hash.utf8.count == 40, hash.allSatisfy(\.isHexDigit) else { throw .hash(index + 1) }
            hashes[String(parts[0])] = hash
        }
    }

    /// - Throws: `FileFailure`, and `PasswordDatabaseError`.
    init(contentsOf path: String) throws {
        try self.init(parsing: String(decoding: PrivateFile.contents(path), as: UTF8.self))
    }

    var users: [String] { hashes.keys.sorted() }

    /// - Throws: `PasswordDatabaseError` for a name that a line cannot hold.
    mutating func set(realm: String) throws(PasswordDatabaseError) {
        guard !realm.isEmpty, !realm.contains(where: \.isNewline), realm == Self.trimmed(realm) else {
            throw .realm(realm)
        }
        self.realm = realm
    }

    /// - Throws: `PasswordDatabaseError` for a name that a line cannot hold, or when there is no realm.
    mutating func set(_ user: String, password: String) throws(PasswordDatabaseError) {
        guard let realm else { throw .noRealm }
        guard !user.isEmpty, !user.contains(":"), !user.contains(where: \.isNewline), user == Self.trimmed(user[...]),
            !user.hasPrefix("realm ")
        else { throw .name(user) }
        hashes[user] = DigestLogin.hash(user: user, realm: realm, password: password)
    }

    /// - Returns: whether there was such a user.
    mutating func remove(_ user: String) -> Bool { hashes.removeValue(forKey: user) != nil }

    var text: String {
        (realm.map { "realm \($0)\n" } ?? "") + users.map { "\($0): \(hashes[$0] ?? "")\n" }.joined()
    }

    private static func trimmed(_ text: Substring) -> String {
        let isSpace: (Character) -> Bool = { $0 == " " || $0 == "\t" || $0 == "\r" }
        return String(text.drop(while: isSpace).reversed().drop(while: isSpace).reversed())
    }

    private static func trimmed(_ text: String) -> String { trimmed(text[...]) }
}

enum PasswordDatabaseError: Error, Hashable {
    case line(Int)
    case hash(Int)
    case name(String)
    case realm(String)
    case noRealm
}

extension PasswordDatabaseError: CustomStringConvertible {
    var description: String {
        switch self {
        case .line(let number): "line \(number) is not `user: hash`"
        case .hash(let number): "line \(number): the hash is not 40 hexadecimal digits"
        case .name(let name): "'\(name)' cannot be a user's name: no colon, no line end, no space at its ends"
        case .realm(let name): "'\(name)' cannot be a realm's name: no line end, no space at its ends, not empty"
        case .noRealm: "passwords need a realm"
        }
    }

    /// What to try.
    var advice: String? {
        switch self {
        case .line, .hash: "a file for authentication-database has lines 'NAME: HASH', and maybe 'realm NAME' first"
        case .name, .realm: nil
        case .noRealm: "--realm NAME"
        }
    }
}
