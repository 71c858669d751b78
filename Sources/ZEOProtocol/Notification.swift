public import ZODB

/// What a server says without being asked.
public enum Notification: Hashable, Sendable {
    /// Another client's commit.
    case invalidate(Invalidation)
    /// New figures: the number of objects, the size in bytes.
    case info(objectCount: Int?, size: Int?)
    case blobStart(ObjectID, TransactionID)
    case blobChunk(ObjectID, TransactionID, [UInt8])
    case blobStop(ObjectID, TransactionID)
    /// Another client's commit, in generation 200, which does not tell its tid.
    case invalidateUnplaced([ObjectID])
    /// What became of the stores of the transaction that is being voted on, up to generation 4.
    case serials([StoreOutcome])
    /// Anything else: the verification of caches that we do not keep, and what is not known.
    case other(String)
}

extension Notification {
    /// - Throws: `MalformedReply` when a known notification has unknown arguments. An invalidation that cannot be
    ///   understood must not be passed over: what is cached would no longer be true.
    init(_ message: Message) throws(MalformedReply) {
        let malformed = MalformedReply(method: message.name, value: message.arguments)
        guard let arguments = message.arguments.elements else { throw malformed }
        switch message.name {
        case "invalidateTransaction":
            guard arguments.count == 2, let tid = TransactionID(arguments[0]), let items = arguments[1].elements
            else { throw malformed }
            guard let oids = Self.oids(items) else { throw malformed }
            self = .invalidate(Invalidation(tid: tid, oids: oids))
        case "Invalidate":
            guard arguments.count == 1, let items = arguments[0].elements, let oids = Self.oids(items) else {
                throw malformed
            }
            self = .invalidateUnplaced(oids)
        case "serialnos":
            guard arguments.count == 1, let items = arguments[0].elements else { throw malformed }
            var outcomes: [StoreOutcome] = []
            for item in items { outcomes.append(try StoreOutcome(item)) }
            self = .serials(outcomes)
        case "info":
            guard arguments.count == 1 else { throw malformed }
            self = .info(objectCount: arguments[0]["length"]?.integer, size: arguments[0]["size"]?.integer)
        case "receiveBlobStart", "receiveBlobStop", "receiveBlobChunk":
            guard arguments.count >= 2, let oid = ObjectID(arguments[0]), let serial = TransactionID(arguments[1])
            else { throw malformed }
            switch message.name {
            case "receiveBlobStart": self = .blobStart(oid, serial)
            case "receiveBlobStop": self = .blobStop(oid, serial)
            default:
                guard arguments.count == 3, let chunk = arguments[2].rawBytes else { throw malformed }
                self = .blobChunk(oid, serial, chunk)
            }
        default: self = .other(message.name)
        }
    }

    /// nil when one of them is none. Up to generation 308 an oid comes with the name of a version.
    private static func oids(_ items: [WireValue]) -> [ObjectID]? {
        var oids: [ObjectID] = []
        oids.reserveCapacity(items.count)
        for item in items {
            guard let oid = ObjectID(item.elements?.first ?? item) else { return nil }
            oids.append(oid)
        }
        return oids
    }
}
