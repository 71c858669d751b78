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
    /// Anything else: nothing for a reader of this generation.
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
            var oids: [ObjectID] = []
            oids.reserveCapacity(items.count)
            for item in items {
                // Up to generation 308 an oid comes with the name of a version.
                guard let oid = ObjectID(item.elements?.first ?? item) else { throw malformed }
                oids.append(oid)
            }
            self = .invalidate(Invalidation(tid: tid, oids: oids))
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
}
