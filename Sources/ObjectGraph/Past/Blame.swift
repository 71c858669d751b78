public import Pickle
public import ZODB

/// One part of a value, and the transaction that made it what it is.
public struct BlamedPart: Sendable {
    /// The way from the value to the part; empty for the value itself.
    public let components: [Component]
    /// A line of a text; nil for other parts.
    public let line: String?
    /// Where the part stands, in the record it stands in; nil for a line.
    public let value: (record: ObjectRecord, slot: PickleDocument.Slot)?
    public let tid: TransactionID
    /// An object that the transaction wrote: in its history the transaction is found.
    public let oid: ObjectID
    public let certainty: Certainty

    public enum Certainty: Hashable, Sendable {
        /// The revision before it had something else there, or nothing.
        case known
        /// No older revision is kept: the transaction made the object, or a pack has forgotten who changed it.
        case oldest
        /// Older revisions were not looked at.
        case limited
    }

    /// The way as a path: `.title`, `["key"]`, `[3]`; nil for the value itself.
    public var path: String? {
        components.isEmpty
            ? nil : ObjectPath(origin: .current, steps: components.map { .child($0) }).description
    }
}

/// Finds out who last changed what, by going back through the revisions of an object.
///
/// It loads revision after revision and asks nothing else, so that it works on whatever keeps old revisions; and it
/// stops as soon as all parts are explained.
public struct Blame {
    private let workspace: Workspace
    /// The most revisions that are looked at.
    private let limit: Int
    private let progress: (Int) -> Void

    /// - Parameters:
    ///   - limit: the most revisions to look at; what they do not explain is said to be older.
    ///   - progress: called with the number of revisions read.
    public init(_ workspace: Workspace, limit: Int = .max, progress: @escaping (Int) -> Void = { _ in }) {
        (self.workspace, self.limit, self.progress) = (workspace, limit, progress)
    }

    /// Who changed the parts of a value, as it is at its place's time: an object's attributes and keys, a dict's keys, the
    /// elements of a list, the lines of a text; of anything else the value itself.
    ///
    /// For a BTree, whose keys lie in many objects, see `BTreeBlame`.
    public func parts(of place: Place) throws(StorageError) -> [BlamedPart] {
        var revisions = try ValueRevisions(workspace, of: place)
        guard let newest = try revisions.next() else { return [] }
        if let lines = Self.lines(newest) { return try blame(lines: lines, newest, &revisions) }
        if let elements = Self.elements(newest) { return try blame(elements: elements, newest, &revisions) }
        return try blame(named: newest, &revisions)
    }

    private typealias Origin = (tid: TransactionID, certainty: BlamedPart.Certainty)

    // MARK: Attributes and keys

    private func blame(
        named newest: Subject, _ revisions: inout ValueRevisions
    ) throws(StorageError) -> [BlamedPart] {
        var comparison = RecordComparison(newest.record, newest.record, limit: .max)
        if newest.isObject { comparison.list() } else { comparison.list(newest.slot) }
        let parts = comparison.changes
        var open = Set(parts.map(\.components))
        var origins: [[Component]: Origin] = [:]
        var current = newest
        var count = 1
        while !open.isEmpty {
            let earlier = count < limit ? try revisions.next() : nil
            let serial = current.record.serial
            guard let earlier else {
                let certainty = count < limit ? revisions.end : .limited
                for part in open { origins[part] = (serial, certainty) }
                break
            }
            count += 1
            progress(count)
            let changes = RecordDiff(from: earlier, to: current, limit: .max).changes
            let changed = Set(changes.map { Array($0.components.prefix(1)) })
            for part in open where changed.contains([]) || changed.contains(part) {
                origins[part] = (serial, .known)
                open.remove(part)
            }
            current = earlier
        }
        return parts.compactMap { part in
            guard let slot = part.new, let origin = origins[part.components] else { return nil }
            return BlamedPart(
                components: part.components, line: nil, value: (newest.record, slot), tid: origin.tid,
                oid: newest.record.oid, certainty: origin.certainty)
        }
    }

    // MARK: Elements and lines

    private func blame(
        elements: [String], _ newest: Subject, _ revisions: inout ValueRevisions
    ) throws(StorageError) -> [BlamedPart] {
        let origins = try origins(of: elements, newest, &revisions) { Self.elements($0) }
        let slots = newest.document.sequence(newest.slot) ?? []
        return zip(slots, origins).enumerated().map { index, found in
            BlamedPart(
                components: [.key(.integer(PickleInteger(Int64(index))))], line: nil,
                value: (newest.record, found.0), tid: found.1.tid, oid: newest.record.oid,
                certainty: found.1.certainty)
        }
    }

    private func blame(
        lines: [String], _ newest: Subject, _ revisions: inout ValueRevisions
    ) throws(StorageError) -> [BlamedPart] {
        let origins = try origins(of: lines, newest, &revisions) { Self.allLines($0) }
        return zip(lines, origins).map { line, origin in
            BlamedPart(
                components: [], line: line, value: nil, tid: origin.tid, oid: newest.record.oid,
                certainty: origin.certainty)
        }
    }

    /// Where each of the newest items comes from: an item that an older revision has as well is followed there.
    private func origins(
        of items: [String], _ newest: Subject, _ revisions: inout ValueRevisions,
        _ read: (Subject) -> [String]?
    ) throws(StorageError) -> [Origin] {
        var origins = [Origin](repeating: (newest.record.serial, .limited), count: items.count)
        /// For each item of the revision looked at, which of the newest it became.
        var open: [Int?] = Array(items.indices)
        var (current, serial, count) = (items, newest.record.serial, 1)
        while open.contains(where: { $0 != nil }), count < limit {
            guard let earlier = try revisions.next() else {
                for case let item? in open { origins[item] = (serial, revisions.end) }
                return origins
            }
            count += 1
            progress(count)
            let before = read(earlier) ?? []
            let matches = Self.matches(before, current)
            var next = [Int?](repeating: nil, count: before.count)
            for (index, item) in open.enumerated() {
                guard let item else { continue }
                if let match = matches[index] {
                    next[match] = item
                    origins[item] = (earlier.record.serial, .limited)
                } else {
                    origins[item] = (serial, .known)
                }
            }
            (open, current, serial) = (next, before, earlier.record.serial)
        }
        return origins
    }

    /// Longer stretches are taken as changed whole: comparing each line with each takes too long.
    private static let stretchLimit = 3000

    /// For each new item the old one that it is, in order; nil for those that are new.
    private static func matches(_ before: [String], _ after: [String]) -> [Int?] {
        var result = [Int?](repeating: nil, count: after.count)
        var start = 0
        while start < min(before.count, after.count), before[start] == after[start] {
            result[start] = start
            start += 1
        }
        var (end, newEnd) = (before.count, after.count)
        while end > start, newEnd > start, before[end - 1] == after[newEnd - 1] {
            (end, newEnd) = (end - 1, newEnd - 1)
            result[newEnd] = end
        }
        guard end - start <= stretchLimit, newEnd - start <= stretchLimit else { return result }
        let difference = after[start..<newEnd].difference(from: before[start..<end])
        var removed: Set<Int> = []
        var inserted: Set<Int> = []
        for change in difference {
            switch change {
            case .remove(let offset, _, _): removed.insert(start + offset)
            case .insert(let offset, _, _): inserted.insert(start + offset)
            }
        }
        var old = start
        for new in start..<newEnd where !inserted.contains(new) {
            while old < end, removed.contains(old) { old += 1 }
            guard old < end else { break }
            result[new] = old
            old += 1
        }
        return result
    }

    /// The lines of a text; nil for what is no text, or a text of one line.
    private static func lines(_ subject: Subject) -> [String]? {
        guard let lines = allLines(subject), lines.count > 1 else { return nil }
        return lines
    }

    private static func allLines(_ subject: Subject) -> [String]? {
        guard !subject.isObject, let bytes = subject.document.stringBytes(subject.slot), bytes.isUTF8 else {
            return nil
        }
        var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        if lines.last?.isEmpty == true { lines.removeLast() }
        return lines.map { String(decoding: $0, as: UTF8.self) }
    }

    /// The elements of a list or tuple, each written out: equal when Python would write them alike.
    private static func elements(_ subject: Subject) -> [String]? {
        guard !subject.isObject, let items = subject.document.sequence(subject.slot) else { return nil }
        return items.map { subject.document.text($0, .complete) }
    }
}

/// A value in the revisions of its object, newest first, while there is such a value.
struct ValueRevisions {
    private let workspace: Workspace
    /// The object whose record holds the value, and the way from it.
    private let oid: ObjectID
    private let components: [Component]
    private var upcoming: TransactionID?
    /// Once there is nothing more: whether the object is no older, or had no such value before.
    private(set) var end = BlamedPart.Certainty.oldest

    init(_ workspace: Workspace, of place: Place) throws(StorageError) {
        self.workspace = workspace
        var components: [Component] = []
        var place = place
        while !place.node.isObject, let parent = place.parent, let component = place.node.component {
            components.append(component)
            place = parent
        }
        oid = place.node.oid
        self.components = components.reversed()
        upcoming = place.at
    }

    /// - Returns: nil when the object, or the value in it, did not exist before.
    mutating func next() throws(StorageError) -> Subject? {
        guard let tid = upcoming else { return nil }
        upcoming = nil
        guard let object = try object(at: tid) else { return nil }
        guard let subject = try value(in: object) else {
            end = .known
            return nil
        }
        // A staged object is followed by what the storage has.
        let serial = subject.record.serial
        upcoming = serial.isStaged ? workspace.basis : serial == .none ? nil : serial.predecessor
        return subject
    }

    private func object(at tid: TransactionID) throws(StorageError) -> Subject? {
        do throws(StorageError) {
            return try workspace.subject(of: .object(oid, at: tid))
        } catch .noSuchObject, .noRevision {
            return nil
        }
    }

    private func value(in object: Subject) throws(StorageError) -> Subject? {
        var subject = object
        for component in components {
            guard let node = try workspace.child(component, of: subject), node.oid == oid, !node.isObject else {
                return nil
            }
            subject = try workspace.subject(of: node)
        }
        return subject
    }
}
