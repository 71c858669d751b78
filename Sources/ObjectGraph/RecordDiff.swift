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
    /// nil when there was nothing before.
    public let old: ObjectRecord?
    /// nil when there is nothing any more.
    public let new: ObjectRecord?
    /// In the order of the new record, what was removed behind what surrounds it.
    public let changes: [RecordChange]
    /// There are more changes than the limit; the rest was not looked for.
    public let isCut: Bool

    public var isClassChanged: Bool { old?.className != new?.className }

    /// Compares two revisions. Values count as equal when Python would write them alike: `'x'` and `u'x'` differ.
    public init(from old: ObjectRecord, to new: ObjectRecord, limit: Int = 10_000) {
        var comparison = RecordComparison(old, new, limit: limit)
        comparison.run()
        (self.old, self.new, changes, isCut) = (old, new, comparison.changes, comparison.isCut)
    }

    /// The same for two objects, or two values inside objects; where one is nil, all of the other was added or removed.
    public init(from old: Subject?, to new: Subject?, limit: Int = 10_000) {
        (self.old, self.new) = (old?.record, new?.record)
        guard let old, let new else {
            (changes, isCut) = Self.contents(of: new ?? old, new == nil ? .removed : .added, limit: limit)
            return
        }
        var comparison = RecordComparison(old.record, new.record, limit: limit)
        if old.isObject && new.isObject { comparison.run() } else { comparison.run(old.slot, new.slot) }
        (changes, isCut) = (comparison.changes, comparison.isCut)
    }

    private static func contents(
        of subject: Subject?, _ kind: RecordChange.Kind, limit: Int
    ) -> ([RecordChange], Bool) {
        guard let subject else { return ([], false) }
        func change(_ components: [Component], _ slot: PickleDocument.Slot) -> RecordChange {
            RecordChange(
                kind: kind, components: components, old: kind == .removed ? slot : nil,
                new: kind == .removed ? nil : slot)
        }
        guard subject.isObject else { return ([change([], subject.slot)], false) }
        var comparison = RecordComparison(subject.record, subject.record, limit: limit)
        comparison.list()
        let changes = comparison.changes.compactMap { found in found.new.map { change(found.components, $0) } }
        return (changes, comparison.isCut)
    }
}
