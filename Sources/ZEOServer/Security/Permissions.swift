/// What a client may do with a storage.
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
}

extension Permissions: CustomStringConvertible {
    /// `read, write`; `nothing`.
    public var description: String {
        let names: [(Permissions, String)] = [
            (.read, "read"), (.write, "write"), (.undo, "undo"), (.pack, "pack"), (.admin, "admin"),
        ]
        let held = names.filter { contains($0.0) }.map(\.1)
        return held.isEmpty ? "nothing" : held.joined(separator: ", ")
    }
}

/// Says what a client may do with a storage.
public typealias Authorization = @Sendable (_ client: ClientIdentity, _ storage: String) -> Permissions
