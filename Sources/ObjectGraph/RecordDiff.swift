public import Pickle
public import ZODB

/// One difference between two revisions of an object.
public struct RecordChange: Sendable {
    public enum Kind: String, Sendable {
        case added, removed, changed
    }

    public let kind: Kind
    /// The way from the object to the value: `.title`, `.attr["key"][0]`.
    public let components: [Component]
    /// The value before, in the old record's document; nil when it was added.
    public let old: PickleDocument.Slot?
    /// The value after, in the new record's document; nil when it was removed.
    public let new: PickleDocument.Slot?

    /// The way as a path.
    public var path: String {
        ObjectPath(origin: .current, steps: components.map { .child($0) }).description
    }
}

/// How one revision of an object differs from another: in values, not in bytes.
public struct RecordDiff: Sendable {
    public let old: ObjectRecord
    public let new: ObjectRecord
    /// In the order of the new record, what was removed behind what surrounds it.
    public let changes: [RecordChange]
    /// There are more than `limit` changes; the rest was not looked for.
    public let isCut: Bool

    public var isClassChanged: Bool { old.className != new.className }

    /// Compares two revisions. Values count as equal when Python would write them alike: `'x'` and `u'x'` differ.
    public init(from old: ObjectRecord, to new: ObjectRecord, limit: Int = 10_000) {
        self.old = old
        self.new = new
        var comparison = RecordComparison(old, new, limit: limit)
        comparison.run()
        (changes, isCut) = (comparison.changes, comparison.isCut)
    }
}
