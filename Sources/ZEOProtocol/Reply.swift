public import ZODB

/// A reply or a notification whose value does not have the form its method promises.
public struct MalformedReply: Error, Hashable, Sendable, CustomStringConvertible {
    public let method: String
    public let value: WireValue

    public var description: String { "\(method): unexpected value \(value)" }
}

extension ObjectID {
    init?(_ value: WireValue) {
        guard let bytes = value.rawBytes else { return nil }
        self.init(bytes: bytes)
    }
}

extension TransactionID {
    init?(_ value: WireValue) {
        guard let bytes = value.rawBytes else { return nil }
        self.init(bytes: bytes)
    }
}

/// Results of calls, by method.
///
/// Source: the methods of `ZEOStorage` in ZEO 5 and 6, `ZEO/StorageServer.py`, and what FileStorage answers behind it.
public enum Reply {
    /// `loadBefore`: (data, serial, next serial or None), or None when there is no revision that old.
    public static func revision(_ value: WireValue) throws(MalformedReply) -> Revision? {
        if value.isNone { return nil }
        guard let parts = value.elements, parts.count == 3, let data = parts[0].rawBytes,
            let serial = TransactionID(parts[1]), parts[2].isNone || TransactionID(parts[2]) != nil
        else { throw MalformedReply(method: "loadBefore", value: value) }
        return Revision(data: data, serial: serial, next: TransactionID(parts[2]))
    }

    /// `register`, `lastTransaction`: a tid; None is none.
    public static func transaction(_ value: WireValue, of method: String) throws(MalformedReply) -> TransactionID {
        if value.isNone { return .none }
        guard let tid = TransactionID(value) else { throw MalformedReply(method: method, value: value) }
        return tid
    }

    /// `getInvalidations`: (last tid, oids), or None when the server no longer knows.
    static func invalidations(_ value: WireValue) throws(MalformedReply) -> Invalidation? {
        if value.isNone { return nil }
        let message = Message(id: .none, name: "invalidateTransaction", arguments: value)
        guard case .invalidate(let invalidation) = try Notification(message) else { return nil }
        return invalidation
    }

    /// `history`: dicts with tid, user_name, description, size, and the transaction's own extension keys.
    public static func history(_ value: WireValue) throws(MalformedReply) -> [HistoryEntry] {
        let malformed = MalformedReply(method: "history", value: value)
        guard let entries = value.elements else { throw malformed }
        var result: [HistoryEntry] = []
        for entry in entries {
            guard let tid = entry["tid"].flatMap({ TransactionID($0) }), let size = entry["size"]?.integer else {
                throw malformed
            }
            let transaction = summary(tid, entry, without: ["tid", "time", "user_name", "description", "size"])
            result.append(HistoryEntry(transaction: transaction, size: size))
        }
        return result
    }

    /// `undoInfo`: dicts with id (base64 of the tid), user_name, description, size, and extension keys.
    public static func undoInfo(_ value: WireValue) throws(MalformedReply) -> [TransactionSummary] {
        let malformed = MalformedReply(method: "undoInfo", value: value)
        guard let entries = value.elements else { throw malformed }
        var result: [TransactionSummary] = []
        for entry in entries {
            guard let id = entry["id"]?.rawBytes, let bytes = Base64.bytes(id), let tid = TransactionID(bytes: bytes)
            else { throw malformed }
            var transaction = summary(tid, entry, without: ["id", "time", "user_name", "description", "size"])
            transaction.length = entry["size"]?.integer
            result.append(transaction)
        }
        return result
    }

    private static func summary(
        _ tid: TransactionID, _ entry: WireValue, without known: Set<String>
    ) -> TransactionSummary {
        var rest: [WireValue.Entry] = []
        if case .dict(let entries) = entry {
            rest = entries.filter { !($0.key.name.map(known.contains) ?? false) }
        }
        return TransactionSummary(
            tid: tid, user: entry["user_name"]?.rawBytes ?? [], description: entry["description"]?.rawBytes ?? [],
            extensionData: extensionData(.dict(rest)))
    }

    /// A server hands extensions over decoded: pickled again, they are what a storage would have.
    private static func extensionData(_ value: WireValue) -> [UInt8] {
        switch value {
        case .none, .dict([]): []
        default: PickleWriter.bytes(value)
        }
    }

    /// `iterator_start`, `iterator_record_start`: the iterator's number.
    public static func iterator(_ value: WireValue) throws(MalformedReply) -> Int {
        guard let id = value.integer else { throw MalformedReply(method: "iterator_start", value: value) }
        return id
    }

    /// `iterator_next`: (tid, status, user, description, extension); None at the end.
    public static func iteratedTransaction(_ value: WireValue) throws(MalformedReply) -> TransactionSummary? {
        if value.isNone { return nil }
        guard let parts = value.elements, parts.count == 5, let tid = TransactionID(parts[0]),
            let status = parts[1].rawBytes?.first ?? parts[1].integer.map({ UInt8(truncatingIfNeeded: $0) })
        else { throw MalformedReply(method: "iterator_next", value: value) }
        return TransactionSummary(
            tid: tid, status: TransactionSummary.Status(rawValue: status) ?? .other, user: parts[2].rawBytes ?? [],
            description: parts[3].rawBytes ?? [], extensionData: extensionData(parts[4]))
    }

    /// `iterator_record_next`: (oid, tid, data or None, tid pointed back to or None); None at the end.
    public static func iteratedRecord(_ value: WireValue) throws(MalformedReply) -> TransactionRecord? {
        if value.isNone { return nil }
        guard let parts = value.elements, parts.count == 4, let oid = ObjectID(parts[0]),
            parts[2].isNone || parts[2].rawBytes != nil
        else { throw MalformedReply(method: "iterator_record_next", value: value) }
        return TransactionRecord(oid: oid, data: parts[2].rawBytes, dataTransaction: TransactionID(parts[3]))
    }

    /// `record_iternext`: (oid, tid, data, next oid or None).
    public static func currentRecord(
        _ value: WireValue
    ) throws(MalformedReply) -> (record: CurrentRecord, next: ObjectID?) {
        guard let parts = value.elements, parts.count == 4, let oid = ObjectID(parts[0]),
            let serial = TransactionID(parts[1]), let data = parts[2].rawBytes,
            parts[3].isNone || ObjectID(parts[3]) != nil
        else { throw MalformedReply(method: "record_iternext", value: value) }
        let revision = Revision(data: data, serial: serial, next: nil)
        return (CurrentRecord(oid: oid, revision: revision), ObjectID(parts[3]))
    }
}

extension Reply {
    /// `server_status`: the figures worth showing, with names for people, in a fixed order.
    public static func status(_ value: WireValue) -> [(name: String, value: String)] {
        let names = [
            ("start", "server started"), ("connections", "clients"), ("loads", "loads"), ("stores", "stores"),
            ("commits", "commits"), ("aborts", "aborts"), ("active_txns", "active transactions"),
            ("conflicts", "conflicts"), ("conflicts_resolved", "conflicts resolved"),
            ("waiting", "waiting for the lock"),
            ("lock_time", "lock held since"),
        ]
        return names.compactMap { key, name in
            guard let value = value[key], !value.isNone else { return nil }
            return (name, value.name ?? value.description)
        }
    }
}

/// What a server tells of its storage in answer to `get_info`.
public struct ServerInformation: Hashable, Sendable {
    /// Usually the path of the file on the server's machine.
    public var storageName: String
    public var objectCount: Int?
    public var size: Int?
    public var supportsUndo: Bool
    /// `ZODB.interfaces` the storage claims to provide, without their module.
    public var interfaces: [String]

    public init(_ value: WireValue) throws(MalformedReply) {
        guard case .dict = value else { throw MalformedReply(method: "get_info", value: value) }
        storageName = value["name"]?.name ?? ""
        objectCount = value["length"]?.integer
        size = value["size"]?.integer
        supportsUndo = value["supportsUndo"]?.isTrue ?? false
        interfaces = (value["interfaces"]?.elements ?? []).compactMap { $0.elements?.last?.name }
    }
}

/// As much of base64 as transaction identifiers need.
enum Base64 {
    /// Line ends at the end are allowed, since Python's encoder sets them; nil for anything else out of place.
    static func bytes(_ text: [UInt8]) -> [UInt8]? {
        var bytes: [UInt8] = []
        var bits: UInt32 = 0, count = 0
        for character in text where character != UInt8(ascii: "\n") && character != UInt8(ascii: "=") {
            guard let value = value(of: character) else { return nil }
            bits = bits << 6 | value
            count += 6
            if count >= 8 {
                count -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
            }
        }
        return bytes
    }

    private static func value(of character: UInt8) -> UInt32? {
        switch character {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(character - UInt8(ascii: "A"))
        case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(character - UInt8(ascii: "a")) + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(character - UInt8(ascii: "0")) + 52
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }
}
