/// `zconfig:///srv/zope/etc/zope.conf#main`: the database `main` of a configuration file, as zodburi writes it.
///
/// `zconfig:etc/zope.conf` does for a relative path; `?offline=1` means the file that a server serves, not the server.
public struct ConfigurationAddress: Hashable, Sendable {
    public var path: String
    /// nil: the one there is, or the one that is mounted at `/`.
    public var database: String?
    public var isOffline: Bool

    public init(path: String, database: String? = nil, isOffline: Bool = false) {
        self.path = path
        self.database = database
        self.isOffline = isOffline
    }

    /// nil when the text is no such address.
    /// - Throws: `AddressError` when it is one that cannot be read.
    public init?(parsing text: String) throws(AddressError) {
        guard let scheme = ["zconfig://", "zconfig:"].first(where: text.hasPrefix) else { return nil }
        let parts = text.dropFirst(scheme.count).split(
            separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
        let (place, query) = try StorageAddress.split(parts[0], of: text)
        path = try StorageAddress.decoded(place, of: text)
        guard !path.isEmpty else {
            throw AddressError(text, "no path", advice: "write zconfig:///srv/zope/etc/zope.conf#main")
        }
        database = parts.count > 1 && !parts[1].isEmpty ? try StorageAddress.decoded(parts[1], of: text) : nil
        isOffline = false
        for (key, value) in query {
            switch key {
            case "offline": isOffline = try StorageAddress.boolean(value, key: key, of: text)
            case _ where StorageAddress.commonKeysWithoutEffect.contains(key): continue
            default: throw StorageAddress.unknown(key, of: text, known: ["offline"])
            }
        }
    }

    /// The text that is read as this address.
    public var text: String {
        "zconfig:" + Self.encoded(path) + (isOffline ? "?offline=1" : "")
            + (database.map { "#" + Self.encoded($0) } ?? "")
    }

    private static func encoded(_ text: String) -> String {
        var result = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "%"), UInt8(ascii: "#"), UInt8(ascii: "?"):
                result += "%" + String(byte, radix: 16, uppercase: true)
            case 0x21...0x7e: result.unicodeScalars.append(Unicode.Scalar(byte))
            case ...0x0f: result += "%0" + String(byte, radix: 16, uppercase: true)
            default: result += "%" + String(byte, radix: 16, uppercase: true)
            }
        }
        return result
    }
}
