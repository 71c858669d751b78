internal import ByteCoding
public import Pickle

/// One data record, understood as far as data can be: which class, with what state.
///
/// A record is two pickles written by one pickler: the class, then the state; the state may use the class pickle's memo,
/// so both are parsed as one document with two roots.
public struct ObjectRecord: Sendable {
    public let oid: ObjectID
    public let serial: TransactionID
    /// Both pickles. Its source is the record's bytes, after transformations (`.z`) are undone.
    public let document: PickleDocument
    /// The object's class; nil when the class is itself a persistent object (a ZClass) or has an unknown form.
    public let className: GlobalName?
    /// The arguments for `__new__`, where the class pickle has any.
    public let newArguments: PickleDocument.Slot?
    /// Bytes of the record as stored, before transformations were undone.
    public let storedSize: Int

    /// - Throws: `StorageError.corrupt` when the data is no record, naming the object and the offset.
    public init(_ revision: Revision, oid: ObjectID) throws(StorageError) {
        self.oid = oid
        serial = revision.serial
        storedSize = revision.data.count
        let data: [UInt8]
        do throws(FormatError) {
            data = try RecordTransformation.undone(revision.data)
        } catch {
            throw .corrupt("record of \(oid)", error)
        }
        do throws(PickleError) {
            document = try PickleDocument(data, .record)
        } catch {
            throw .corrupt(
                "record of \(oid)", FormatError(.invalid(field: "pickle", found: "\(error.reason)"), at: error.offset))
        }
        (className, newArguments) = Self.classParts(of: document)
    }

    public var classSlot: PickleDocument.Slot { document.roots[0] }
    public var stateSlot: PickleDocument.Slot { document.roots[1] }
    public var state: PickleNode { document[stateSlot] }

    /// The metadata forms 1 to 7: a global, `(global, args)`, `((module, name), args)`.
    private static func classParts(of document: PickleDocument) -> (GlobalName?, PickleDocument.Slot?) {
        let root = document.roots[0]
        switch document[root] {
        case .global(let name): return (name, nil)
        case .tuple(let parts):
            guard parts.count == 2 else { return (nil, nil) }
            // `(module, name)` alone is a class too: the pair's first item is then a string.
            if let name = PersistentReference.className(root, in: document) { return (name, nil) }
            guard let name = PersistentReference.className(parts[0], in: document) else { return (nil, nil) }
            if case .none = document[parts[1]] { return (name, nil) }
            return (name, parts[1])
        default: return (nil, nil)
        }
    }
}
