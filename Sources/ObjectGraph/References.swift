public import Pickle
public import ZODB

/// A reference out of an object, and where in its state it stands.
public struct OutgoingReference: Sendable {
    /// The place of the reference: `…/.data["x"][0]`. For a plain reference it is the target's place, reached this way.
    public let place: Place
    public let reference: PersistentReference

    /// The object it keeps alive; nil for a weak reference and one into another database.
    public var target: ObjectID? { reference.kind == .strong ? reference.oid : nil }

    /// It leads back to a container, by the names that are in use for that.
    public var isUpward: Bool {
        switch place.node.component {
        case .attribute("__parent__"), .attribute("aq_parent"), .attribute("__primary_parent__"): true
        default: false
        }
    }
}

/// The references of one record, in the order of a listing.
struct RecordReferences: Sequence, IteratorProtocol {
    private var values: RecordValues
    private let document: PickleDocument
    private let start: Place

    init(_ subject: Subject, startingAt place: Place) {
        values = RecordValues(subject)
        document = subject.document
        start = place
    }

    mutating func next() -> OutgoingReference? {
        while let element = values.next() {
            guard case .persistentID(let id) = document[element.slot],
                let reference = PersistentReference(id, in: document)
            else { continue }
            return OutgoingReference(place: values.place(of: element.index, from: start), reference: reference)
        }
        return nil
    }
}

extension Workspace {
    /// Every reference out of an object, with the way to it inside the state: repeats included.
    public func references(from place: Place) throws(StorageError) -> [OutgoingReference] {
        Array(RecordReferences(try subject(of: place.node), startingAt: place))
    }
}

/// An object that refers to another.
public struct Referrer: Sendable {
    public let oid: ObjectID
    public let serial: TransactionID
    public let className: GlobalName?
    /// Its references to what was asked for.
    public let references: [OutgoingReference]
}

extension Workspace {
    /// Objects that refer to any of `targets`, found by going through the current record of every object.
    ///
    /// Only current records can be gone through, whatever the workspace shows. Records that are damaged are passed over.
    /// - Parameters:
    ///   - progress: called now and then with the number of records read.
    ///   - isWanted: asked now and then; with no the search ends, with what it has. A file is always gone through to its end.
    /// - Throws: `unsupported` when the storage cannot list its objects; `interrupted`.
    public func referrers(
        of targets: Set<ObjectID>, progress: @escaping (Int) -> Void = { _ in },
        isWanted: @escaping () -> Bool = { true }
    ) throws(StorageError) -> any Cursor<Referrer> {
        guard let storage = storage as? any CurrentRecordStorage else {
            throw .unsupported("this storage cannot list its objects, so nobody can tell who refers to one")
        }
        let needles = targets.map(\.bytes)
        let interruption = interruption
        var count = 0
        if let storage = storage as? any ScannableStorage {
            return Self.scannedReferrers(of: targets, needles, in: storage, interruption, progress)
        }
        let records = try storage.currentRecords(from: .root)
        return GeneratingCursor { () throws(StorageError) -> Referrer? in
            while let current = try records.next() {
                count += 1
                if count.isMultiple(of: 64) {
                    try interruption.check()
                    progress(count)
                    guard isWanted() else { return nil }
                }
                guard current.revision.data.withUnsafeBytes({ Self.mayMention($0, needles) }),
                    let referrer = Self.referrer(current, to: targets)
                else { continue }
                return referrer
            }
            return nil
        }
    }

    /// Reads the records where they lie, all of them before the first answer: several times as fast as one by one.
    private static func scannedReferrers(
        of targets: Set<ObjectID>, _ needles: [[UInt8]], in storage: any ScannableStorage,
        _ interruption: Interruption, _ progress: @escaping (Int) -> Void
    ) -> any Cursor<Referrer> {
        var found: ArraySlice<Referrer>?
        return GeneratingCursor { () throws(StorageError) -> Referrer? in
            if found == nil {
                var referrers: [Referrer] = []
                var count = 0
                try storage.scanCurrentRecords { oid, serial, data throws(StorageError) in
                    count += 1
                    if count.isMultiple(of: 256) {
                        try interruption.check()
                        progress(count)
                    }
                    guard data.withUnsafeBytes({ mayMention($0, needles) }) else { return }
                    let bytes = data.withUnsafeBytes { Array($0) }
                    let current = CurrentRecord(oid: oid, revision: Revision(data: bytes, serial: serial, next: nil))
                    if let referrer = referrer(current, to: targets) { referrers.append(referrer) }
                }
                found = referrers.sorted { $0.oid < $1.oid }[...]
            }
            return found?.popFirst()
        }
    }

    private static func referrer(_ current: CurrentRecord, to targets: Set<ObjectID>) -> Referrer? {
        guard let record = try? ObjectRecord(current.revision, oid: current.oid),
            record.document.references.contains(where: { targets.contains($0.oid) })
        else { return nil }
        let at = max(current.revision.serial, .none)
        let place = Place.object(current.oid, at: at)
        let subject = Subject(place.node, record: record)
        let references = RecordReferences(subject, startingAt: place).filter { targets.contains($0.reference.oid) }
        return Referrer(
            oid: current.oid, serial: current.revision.serial, className: record.className, references: references)
    }

    /// False only when the record certainly holds none of the oids: they stand in it as they are, unless the record is
    /// compressed, or written by Python 3 at a protocol below 3, as the Latin-1 characters of a text. Most records refer
    /// to nothing that is asked for, and their bytes say so faster than their values.
    private static func mayMention(_ data: UnsafeRawBufferPointer, _ needles: [[UInt8]]) -> Bool {
        if needles.count > 8 || RecordTransformation(of: data.prefix(16)) != .plain { return true }
        if needles.contains(where: { data.contains($0, in: data.indices) }) { return true }
        return needles.contains { $0.contains { $0 >= 0x80 } } && data.contains(Array("_codecs".utf8), in: data.indices)
    }
}

extension [UInt8] {
    /// Whether the bytes of `needle` stand somewhere in these, or in the part of them at `range`.
    func contains(_ needle: [UInt8], in range: Range<Int>? = nil) -> Bool {
        withUnsafeBytes { $0.contains(needle, in: range ?? indices) }
    }
}

extension UnsafeRawBufferPointer {
    /// Whether the bytes of `needle` stand somewhere in the part at `range`, which must lie inside.
    fileprivate func contains(_ needle: [UInt8], in range: Range<Int>) -> Bool {
        guard let last = needle.last else { return true }
        // The last byte of an oid varies most: look for that first.
        var index = range.lowerBound + needle.count - 1
        while index < range.upperBound {
            if self[index] == last {
                let start = index - needle.count + 1
                var offset = 0
                while offset < needle.count, self[start + offset] == needle[offset] { offset += 1 }
                if offset == needle.count { return true }
            }
            index += 1
        }
        return false
    }
}
