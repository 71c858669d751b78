/// What a client may do.
public struct Permissions: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) { self.rawValue = rawValue }

    public static let read = Permissions(rawValue: 1)
    /// Commit.
    public static let write = Permissions(rawValue: 2)
    public static let undo = Permissions(rawValue: 4)
    public static let pack = Permissions(rawValue: 8)
    /// Ask about the server and its clients.
    public static let admin = Permissions(rawValue: 16)
    public static let all: Permissions = [.read, .write, .undo, .pack, .admin]

    static let names: [(name: String, permissions: Permissions)] = [
        ("read", .read), ("write", .write), ("undo", .undo), ("pack", .pack), ("admin", .admin), ("all", .all),
    ]
}

/// `<role NAME>`: what those may do whom one of its lines describes. A client has the permissions of all its roles, and
/// none but those.
public struct Role: Hashable, Sendable {
    public var name: String
    public var permissions: Permissions
    /// One of them is enough.
    public var members: [Member]
    /// The storages it is about; nil: every one.
    public var storages: Set<String>?

    public enum Member: Hashable, Sendable {
        /// `certificate CN=zope1,O=Example`: a client certificate that was verified and whose subject has all of these
        /// attributes. Empty: `certificate *`, any.
        case certificate([SubjectAttribute])
        /// SHA-256 of the certificate in DER.
        case fingerprint([UInt8])
        /// A client that connects from one of these addresses.
        case address(AddressRange)
        /// `address unix`: a client that connects to a Unix socket.
        case unixSocket
        /// Who logged in by this name.
        case user(String)
        /// `address *`.
        case everybody
    }

    /// Of a certificate's subject: `CN`, `zope1`.
    public struct SubjectAttribute: Hashable, Sendable {
        /// In capitals.
        public var type: String
        public var value: String

        public init(type: String, value: String) {
            self.type = type
            self.value = value
        }
    }
}

/// What is known of a client, to find its roles.
public struct ClientIdentity: Hashable, Sendable {
    /// The bytes of its address, 4 or 16; nil: it is connected by a Unix socket.
    public var address: [UInt8]?
    /// Of a verified certificate; nil: there is none.
    public var subject: [Role.SubjectAttribute]?
    public var fingerprint: [UInt8]?
    /// Nil: not logged in.
    public var user: String?

    public init(
        address: [UInt8]?, subject: [Role.SubjectAttribute]? = nil, fingerprint: [UInt8]? = nil, user: String? = nil
    ) {
        self.address = address
        self.subject = subject
        self.fingerprint = fingerprint
        self.user = user
    }
}

extension Role.Member {
    public func matches(_ client: ClientIdentity) -> Bool {
        switch self {
        case .certificate(let attributes): client.subject.map { attributes.allSatisfy($0.contains) } ?? false
        case .fingerprint(let bytes): client.subject != nil && client.fingerprint == bytes
        case .address(let range): client.address.map(range.contains) ?? false
        case .unixSocket: client.address == nil
        case .user(let name): client.user == name
        case .everybody: true
        }
    }
}

extension ServerSettings {
    /// What a client may do with a storage; everything when there are no roles.
    public func permissions(of client: ClientIdentity, storage: String) -> Permissions {
        guard let roles else { return .all }
        return roles.filter { role in
            role.storages?.contains(storage) ?? true && role.members.contains { $0.matches(client) }
        }.reduce(into: Permissions()) { $0.formUnion($1.permissions) }
    }
}
