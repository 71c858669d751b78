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

    /// `zeoLoad`: (data, serial, version, data and serial in the version); `loadEx`: (data, serial), up to 308 with a
    /// version; `load`: (data, serial). nil for an object that exists in a version only.
    public static func current(_ value: WireValue) throws(MalformedReply) -> Revision? {
        let malformed = MalformedReply(method: "load", value: value)
        guard let parts = value.elements, parts.count >= 2 else { throw malformed }
        if parts[0].isNone, parts[1].isNone { return nil }
        guard let data = parts[0].rawBytes, let serial = TransactionID(parts[1]) else { throw malformed }
        return Revision(data: data, serial: serial, next: nil)
    }

    /// `loadSerial`: the data.
    public static func data(_ value: WireValue) throws(MalformedReply) -> [UInt8] {
        guard let data = value.rawBytes else { throw MalformedReply(method: "loadSerial", value: value) }
        return data
    }

    /// `versions`, `modifiedInVersion`: names.
    public static func versions(_ value: WireValue) -> [String] {
        (value.elements ?? [value]).compactMap(\.name).filter { !$0.isEmpty }
    }

    /// `lastTransaction`: a tid. Generation 200 has no such call: there it is the newest transaction that can be undone.
    public static func lastTransaction(
        _ value: WireValue, in generation: Generation
    ) throws(MalformedReply) -> TransactionID {
        if generation.hasLastTransaction { return try transaction(value, of: "lastTransaction") }
        return try undoInfo(value).first?.tid ?? .none
    }

    /// `register`, `lastTransaction`: a tid; None is none.
    public static func transaction(_ value: WireValue, of method: String) throws(MalformedReply) -> TransactionID {
        if value.isNone { return .none }
        guard let tid = TransactionID(value) else { throw MalformedReply(method: method, value: value) }
        return tid
    }

    /// `getInvalidations`: (last tid, oids), or None when the server no longer knows.
    public static func invalidations(_ value: WireValue) throws(MalformedReply) -> Invalidation? {
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
            // Generation 201 and before say `serial`.
            guard let tid = (entry["tid"] ?? entry["serial"]).flatMap({ TransactionID($0) }),
                let size = entry["size"]?.integer
            else { throw malformed }
            let known: Set = ["tid", "serial", "time", "user_name", "description", "size", "version"]
            let transaction = summary(tid, entry, without: known)
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
            // Before ZODB 3.2 the tid's place in the file follows it.
            guard let id = entry["id"]?.rawBytes, let bytes = Base64.bytes(id),
                let tid = TransactionID(bytes: Array(bytes.prefix(8)))
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
    /// `new_oids`.
    public static func objectIDs(_ value: WireValue) throws(MalformedReply) -> [ObjectID] {
        let malformed = MalformedReply(method: "new_oids", value: value)
        guard let items = value.elements else { throw malformed }
        var oids: [ObjectID] = []
        for item in items {
            guard let oid = ObjectID(item) else { throw malformed }
            oids.append(oid)
        }
        return oids
    }

    /// `undo`: (tid, oids); `transactionalUndo`: the oids.
    public static func undone(_ value: WireValue) throws(MalformedReply) -> [ObjectID] {
        let parts = value.elements
        if let parts, parts.count == 2, TransactionID(parts[0]) != nil, parts[1].elements != nil {
            return try objectIDs(parts[1])
        }
        return try objectIDs(value)
    }

    /// `tpc_finish`: the tid; None when the server has no such transaction.
    public static func finished(_ value: WireValue) throws(MalformedReply) -> TransactionID? {
        if value.isNone { return nil }
        guard let tid = TransactionID(value) else { throw MalformedReply(method: "tpc_finish", value: value) }
        return tid
    }

    /// `vote`, generation 5: a list of oids, and of dicts where the server leaves a conflict to the client.
    public static func vote(_ value: WireValue) throws(MalformedReply) -> VoteReply {
        let malformed = MalformedReply(method: "vote", value: value)
        var reply = VoteReply()
        if value.isNone { return reply }
        guard let items = value.elements else { throw malformed }
        for item in items {
            if let oid = ObjectID(item) {
                reply.changed.append(oid)
            } else if let pair = item.elements, pair.count == 2, let oid = ObjectID(pair[0]) {
                // Storages older than ZODB 5 say (oid, serial).
                reply.changed.append(oid)
            } else if let oid = item["oid"].flatMap({ ObjectID($0) }), let serials = item["serials"]?.elements,
                serials.count == 2, let committed = TransactionID(serials[0]), let read = TransactionID(serials[1]),
                let data = item["data"]?.rawBytes
            {
                reply.conflicts.append(.init(oid: oid, committed: committed, read: read, data: data))
            } else {
                throw malformed
            }
        }
        return reply
    }

    /// `server_status`: the figures worth showing, with names for people, in a fixed order.
    public static func status(_ value: WireValue) -> [(name: String, value: String)] {
        let names = [
            ("start", "server started"), ("connections", "clients"), ("loads", "loads"), ("stores", "stores"),
            ("commits", "commits"), ("aborts", "aborts"), ("active_txns", "active transactions"),
            ("conflicts", "conflicts"), ("conflicts_resolved", "conflicts resolved"),
            ("waiting", "waiting for the lock"),
            ("lock_time", "lock held since"), ("pack", "pack"),
        ]
        return names.compactMap { key, name in
            guard let value = value[key], !value.isNone else { return nil }
            return (name, value.name ?? value.description)
        }
    }
}

/// What a server says to a transaction that it could write, or could if the client saw to its conflicts.
public struct VoteReply: Hashable, Sendable {
    public struct Conflict: Hashable, Sendable {
        public var oid: ObjectID
        /// The revision that is current now, and the one that the client's is based on.
        public var committed: TransactionID, read: TransactionID
        /// The client's.
        public var data: [UInt8]
    }

    /// Merged by the server, or changed by an undo.
    public var changed: [ObjectID] = []
    /// When there are any, nothing is locked and the transaction waits for the objects to be stored again.
    public var conflicts: [Conflict] = []
}

/// What a server tells of its storage in answer to `get_info`.
public struct ServerInformation: Hashable, Sendable {
    /// Usually the path of the file on the server's machine.
    public var storageName: String
    public var objectCount: Int?
    public var size: Int?
    public var supportsUndo: Bool
    /// `supports_record_iternext`; nil where the server does not say.
    public var supportsRecordIteration: Bool?
    /// `supportsTransactionalUndo`, up to generation 201; nil where the server does not say.
    public var supportsTransactionalUndo: Bool?
    /// The storage has the Versions of ZODB before 3.9.
    public var supportsVersions: Bool
    /// `ZODB.interfaces` the storage claims to provide, without their module.
    public var interfaces: [String]
    /// Set by `zeoserver` alone.
    public var own: Own?

    /// What only our server has.
    public struct Own: Hashable, Sendable {
        public var version: String
        /// Names of calls that no other server knows.
        public var calls: Set<String>
    }

    public init(_ value: WireValue) throws(MalformedReply) {
        guard case .dict = value else { throw MalformedReply(method: "get_info", value: value) }
        storageName = value["name"]?.name ?? ""
        objectCount = value["length"]?.integer
        size = value["size"]?.integer
        supportsUndo = value["supportsUndo"]?.isTrue ?? false
        supportsRecordIteration = value["supports_record_iternext"].map(\.isTrue)
        supportsTransactionalUndo = value["supportsTransactionalUndo"].map(\.isTrue)
        supportsVersions = value["supportsVersions"]?.isTrue ?? false
        interfaces = (value["interfaces"]?.elements ?? []).compactMap { $0.elements?.last?.name }
        if let own = value[OwnStatus.informationKey], let version = own["version"]?.name {
            let calls = (own["calls"]?.elements ?? []).compactMap(\.name)
            self.own = Own(version: version, calls: Set(calls))
        }
    }
}

/// As much of base64 as transaction identifiers need.
enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// Padded to a multiple of four, without a line end.
    static func text(of bytes: [UInt8]) -> [UInt8] {
        var text: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let bits = group.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - group.count))
            for position in 0..<4 {
                let isPadding = position > group.count
                text.append(isPadding ? UInt8(ascii: "=") : alphabet[bits >> (18 - 6 * position) & 63])
            }
        }
        return text
    }

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
