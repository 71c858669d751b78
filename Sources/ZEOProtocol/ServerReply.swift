public import ZODB

/// What a server answers, in the form that each generation of clients takes.
///
/// Source: `ZEOStorage` of ZEO 2.2 to 6.2 and FileStorage behind it; forms checked against transcripts of real servers.
public enum ServerReply {
    /// `loadBefore`: (data, serial, next serial or None).
    public static func revision(_ revision: Revision) -> WireValue {
        .tuple([.bytes(revision.data), .bytes(revision.serial.bytes), tid(revision.next)])
    }

    public static func tid(_ tid: TransactionID?) -> WireValue { tid.map { .bytes($0.bytes) } ?? .none }

    public static func current(
        _ revision: Revision, _ form: ServerCall.CurrentForm, in generation: Generation
    ) -> WireValue {
        var parts: [WireValue] = [.bytes(revision.data), .bytes(revision.serial.bytes)]
        switch form {
        case .zeoLoad: parts += [.string(""), .none, .none]
        case .loadEx where generation.hasVersionArguments: parts.append(.string(""))
        case .load, .loadEx: break
        }
        return .tuple(parts)
    }

    /// `getInvalidations`: (last tid, oids) or None.
    public static func invalidations(_ invalidation: Invalidation?, in generation: Generation) -> WireValue {
        guard let invalidation else { return .none }
        return .tuple([.bytes(invalidation.tid.bytes), oids(invalidation.oids, in: generation)])
    }

    /// Oids as invalidations hold them: up to 308 each with the name of a version.
    static func oids(_ oids: [ObjectID], in generation: Generation) -> WireValue {
        .list(oids.map { generation.hasVersionArguments ? .tuple([.bytes($0.bytes), .string("")]) : .bytes($0.bytes) })
    }

    /// `history`: newest first; the transaction's own extension cannot override the fields.
    public static func history(_ entries: [HistoryEntry], in generation: Generation) -> WireValue {
        .list(
            entries.map { entry in
                let transaction = entry.transaction
                var fields: [WireValue.Entry] = [
                    .init(.string("tid"), .bytes(transaction.tid.bytes)),
                    .init(.string("time"), .float(transaction.tid.unixTime)),
                    .init(.string("user_name"), .bytes(transaction.user)),
                    .init(.string("description"), .bytes(transaction.description)),
                    .init(.string("size"), .integer(Int64(entry.size))),
                ]
                if generation.hasVersionArguments { fields.append(.init(.string("version"), .string(""))) }
                if generation <= .v201 { fields.append(.init(.string("serial"), .bytes(transaction.tid.bytes))) }
                return .dict(extensionFields(transaction.extensionData, overriddenBy: fields))
            })
    }

    /// One entry of `undoInfo` and `undoLog`; here the extension overrides.
    public static func undoEntry(_ transaction: TransactionSummary) -> WireValue {
        let fields: [WireValue.Entry] = [
            .init(.string("id"), .bytes(Base64.text(of: transaction.tid.bytes))),
            .init(.string("time"), .float(transaction.tid.unixTime)),
            .init(.string("user_name"), .bytes(transaction.user)),
            .init(.string("size"), .integer(Int64(transaction.length ?? 0))),
            .init(.string("description"), .bytes(transaction.description)),
        ]
        let own = extensionEntries(transaction.extensionData)
        let names = Set(own.compactMap(\.key.name))
        return .dict(fields.filter { !names.contains($0.key.name ?? "") } + own)
    }

    /// `record_iternext`.
    public static func currentRecord(_ record: CurrentRecord, next: ObjectID?) -> WireValue {
        .tuple([
            .bytes(record.oid.bytes), .bytes(record.revision.serial.bytes), .bytes(record.revision.data),
            next.map { .bytes($0.bytes) } ?? .none,
        ])
    }

    /// `iterator_next`; nil at the end.
    public static func iteratedTransaction(_ transaction: TransactionSummary?) -> WireValue {
        guard let transaction else { return .none }
        return .tuple([
            .bytes(transaction.tid.bytes), .text([transaction.status.rawValue]), .bytes(transaction.user),
            .bytes(transaction.description), .dict(extensionEntries(transaction.extensionData)),
        ])
    }

    /// `iterator_record_next`; nil at the end.
    public static func iteratedRecord(_ record: TransactionRecord?, of tid: TransactionID) -> WireValue {
        guard let record else { return .none }
        return .tuple([
            .bytes(record.oid.bytes), .bytes(tid.bytes), record.data.map { .bytes($0) } ?? .none,
            Self.tid(record.dataTransaction),
        ])
    }

    // MARK: Extensions

    /// The entries of a pickled extension that can be handed to any client: what only Python could make sense of is
    /// left out.
    static func extensionEntries(_ pickle: [UInt8]) -> [WireValue.Entry] {
        guard !pickle.isEmpty, let value = try? PickleReader.value(of: pickle), case .dict(let entries) = value else {
            return []
        }
        return entries.compactMap { entry in
            guard case .dict(let plain)? = try? WireValue.dict([entry]).plain() else { return nil }
            return plain.first
        }
    }

    private static func extensionFields(
        _ pickle: [UInt8], overriddenBy fields: [WireValue.Entry]
    ) -> [WireValue.Entry] {
        let names = Set(fields.compactMap(\.key.name))
        return extensionEntries(pickle).filter { !names.contains($0.key.name ?? "") } + fields
    }

    /// A transaction's extension as a file of this generation keeps it: a pickled dict, or nothing.
    public static func storedExtension(_ value: WireValue, for generation: PythonGeneration) -> [UInt8] {
        guard case .dict(let entries) = value, !entries.isEmpty else { return [] }
        return PickleWriter.bytes(value, for: generation)
    }
}

/// What a server says of a storage: `get_info`.
public struct ServedInformation: Hashable, Sendable {
    /// Objects, and bytes.
    public var length: Int
    public var size: Int
    public var name: String
    public var supportsUndo: Bool
    public var supportsRecordIteration: Bool
    /// Names of `ZODB.interfaces` that clients look for.
    public var interfaces: [String]
    /// Our own release: see `OwnStatus`. nil: nothing is said of what only we have.
    public var ownVersion: String?

    public init(
        length: Int, size: Int, name: String, supportsUndo: Bool, supportsRecordIteration: Bool, interfaces: [String]
    ) {
        self.length = length
        self.size = size
        self.name = name
        self.supportsUndo = supportsUndo
        self.supportsRecordIteration = supportsRecordIteration
        self.interfaces = interfaces
    }

    public var sizeValue: WireValue {
        .dict([.init(.string("length"), .integer(Int64(length))), .init(.string("size"), .integer(Int64(size)))])
    }

    public func value(in generation: Generation) -> WireValue {
        var fields: [WireValue.Entry] = [
            .init(.string("length"), .integer(Int64(length))), .init(.string("size"), .integer(Int64(size))),
            .init(.string("name"), .string(name)),
            .init(.string("supportsUndo"), .bool(supportsUndo)),
        ]
        if generation >= .v303 {
            fields.append(.init(.string("supports_record_iternext"), .bool(supportsRecordIteration)))
        }
        if generation.hasVersionArguments { fields.append(.init(.string("supportsVersions"), .bool(false))) }
        if generation <= .v201 { fields.append(.init(.string("supportsTransactionalUndo"), .bool(supportsUndo))) }
        if generation <= .v4 { fields.append(.init(.string("extensionMethods"), .dict([]))) }
        if generation >= .v309 {
            fields.append(
                .init(
                    .string("interfaces"),
                    .tuple(
                        interfaces.map { .tuple([.string("ZODB.interfaces"), .string($0)]) }
                            + [.tuple([.string("zope.interface"), .string("Interface")])])))
        }
        if let ownVersion {
            fields.append(
                .init(.string(OwnStatus.informationKey), OwnStatus.announcement(version: ownVersion)))
        }
        return .dict(fields)
    }
}
