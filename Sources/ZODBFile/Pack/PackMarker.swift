internal import ByteCoding
internal import ZODB

/// Finds out which revisions stay.
///
/// Source: ZODB 6, `FileStorage/fspack.py`, `GC.findReachable`. Beyond that, nothing is lost that something refers to which
/// stays: see `docs/decisions/`.
struct PackMarker: ~Copyable {
    /// Objects that are known to be reachable and not looked into yet; more of them wait in a set.
    private static let stackSize = 1 << 16
    private static let mostDangling = 100

    private(set) var marks: PackMarks
    private(set) var dangling: [PackSummary.Dangling] = []
    private(set) var danglingCount = 0
    private(set) var rescued = 0
    /// Bytes of the records that stay, about.
    private(set) var keptBytes = 0

    private let source: PackSource
    private let start: Int, end: Int
    private let isStrict: Bool
    private var records: PackRecords
    private var references = PackReferences()
    private var stack: [ObjectID] = []
    private var waiting = ObjectIDSet()
    private var isRescuing = false
    /// While it rescues: the transaction that is looked at, and as of which each rescued object was looked into. What is
    /// needed earlier as well is looked into again, since less had been written then.
    private var rescueTime = 0
    private var rescueTimes: [ObjectID: Int] = [:]
    private var rescuedAnew = false
    /// What undos lead to is followed; what is reached so is needed at some time after the pack time.
    private var followsUndos = false
    /// Something was reached so that an undo has brought back as well.
    private var hasPostponed = false
    /// While the later transactions are gone through: what they have written so far.
    private var written = ObjectIDSet()

    /// - Parameter end: where the last transaction ends that is taken into account.
    init(
        _ source: PackSource, _ index: PackIndex, end: Int, collectsGarbage: Bool, isStrict: Bool
    ) throws(StorageError) {
        self.source = source
        start = index.position
        self.end = end
        self.isStrict = isStrict
        marks = PackMarks(index: index.index, keepsAll: !collectsGarbage)
        records = try PackRecords(source, limit: end)
    }

    /// - Throws: `unsupported` when there was no root object at the pack time, with which all would be garbage, or a
    ///   record cannot be read; `corrupt` for a dangling reference, when that is to be an error.
    mutating func mark() throws(StorageError) {
        if !marks.keepsAll {
            if marks.index.count > 0, try exists(.root) {
                try reach(.root, from: .root)
                try followAll()
            } else if start > FileFormat.firstTransaction, try anythingExists() {
                throw .unsupported(
                    "\(source.file.path): there was no root object at that time, so that a garbage collection would drop "
                        + "all others; nothing was changed. Pack without it")
            }
        }
        guard start < end else { return }
        try markTargetsOfUndos()
        if !marks.keepsAll { try rescue() }
    }

    // MARK: As of the pack time

    private mutating func exists(_ oid: ObjectID) throws(StorageError) -> Bool {
        guard let position = marks.index.position(of: oid) else { return false }
        return try !records.isDeletion(records.header(at: position, of: oid))
    }

    private mutating func anythingExists() throws(StorageError) -> Bool {
        var entries = marks.index.entries()
        while let entry = entries.next() {
            if try !records.isDeletion(records.header(at: entry.position, of: entry.oid)) { return true }
        }
        return false
    }

    /// Notes that something which stays refers to the object.
    private mutating func reach(_ oid: ObjectID, from referrer: ObjectID) throws(StorageError) {
        guard !marks.marked.contains(oid) else {
            guard isRescuing, let time = rescueTimes[oid], rescueTime < time, !written.contains(oid) else { return }
            rescueTimes[oid] = rescueTime
            rescuedAnew = true
            return push(oid)
        }
        if isRescuing {
            // It is not what it was at the pack time any more.
            guard !written.contains(oid) else {
                _ = marks.needed.insert(oid)
                return
            }
        } else if marks.substitutes.count > 0, marks.substitutes.position(of: oid) != nil {
            // Here Python looks no further, and drops what only this object refers to. The rescue does.
            hasPostponed = true
            return
        }
        guard let position = marks.index.position(of: oid) else { return try noteMissing(oid, referrer) }
        let header = try records.header(at: position, of: oid)
        guard try !records.isDeletion(header) else { return try noteMissing(oid, referrer) }
        _ = marks.marked.insert(oid)
        if isRescuing {
            rescued += 1
            rescueTimes[oid] = rescueTime
        } else if followsUndos {
            // When it is needed, a rescue finds out.
            rescueTimes[oid] = .max
        }
        push(oid)
    }

    private mutating func push(_ oid: ObjectID) {
        if stack.count < Self.stackSize { stack.append(oid) } else { _ = waiting.insert(oid) }
    }

    private mutating func noteMissing(_ oid: ObjectID, _ referrer: ObjectID) throws(StorageError) {
        // It may come later, or come back: then what it refers to is needed.
        _ = marks.needed.insert(oid)
        guard !isRescuing else { return }
        danglingCount += 1
        if dangling.count < Self.mostDangling {
            dangling.append(PackSummary.Dangling(missing: oid, referrer: referrer))
        }
        if isStrict {
            throw .corrupt(
                source.file.path,
                FormatError(
                    .invalid(
                        field: "reference of \(referrer)", found: "\(oid), which does not exist; nothing was changed"),
                    at: marks.index.position(of: referrer) ?? 0))
        }
    }

    /// Looks into all that has been reached.
    private mutating func followAll() throws(StorageError) {
        var count = 0
        while true {
            guard let oid = stack.popLast() else {
                let more = waiting.removeSome()
                guard !more.isEmpty else { return }
                stack += more
                continue
            }
            count += 1
            if count.isMultiple(of: 1024) { try source.watch.advance(to: marks.marked.count) }
            if let position = marks.index.position(of: oid) { try follow(at: position, of: oid) }
        }
    }

    /// Reaches what the revision refers to.
    private mutating func follow(at position: Int, of oid: ObjectID) throws(StorageError) {
        let header = try records.header(at: position, of: oid)
        let data = try records.data(of: header)
        keptBytes += RecordHeader.fixedSize + (data?.count ?? 8)
        guard let data else { return }
        let bytes = try unsafe records.bytes(data)
        guard unsafe PackReferences.mayRefer(bytes) else { return }
        try unsafe references.read(bytes, of: oid)
        for reference in references.found { try reach(ObjectID(rawValue: reference), from: oid) }
    }

    // MARK: After the pack time

    /// Keeps what back pointers of later records lead to.
    private mutating func markTargetsOfUndos() throws(StorageError) {
        var targets: [(position: Int, oid: ObjectID)] = []
        var before = TransactionID.none
        var scanner = try source.scanner(from: start, to: end)
        while try scanner.nextTransaction() {
            try PackIndex.check(scanner.transaction, after: before, scanner)
            before = scanner.transaction.tid
            while try scanner.nextRecord() {
                try PackIndex.check(scanner.record, scanner)
                guard let target = try scanner.backPointer(), target > 0, target < start else { continue }
                let oid = scanner.oid
                if marks.keepsAll {
                    // To one that says that the object does not exist, no pointer is needed.
                    if marks.index.position(of: oid) != target,
                        try records.data(of: records.header(at: target, of: oid)) != nil
                    {
                        _ = marks.addExtra(target)
                        try keepDeletion(of: oid, behind: target)
                    }
                } else if marks.marked.contains(oid) || marks.substitutes.position(of: oid) != nil {
                    if marks.addExtra(target) { targets.append((target, oid)) }
                } else {
                    marks.substitutes.set(oid, to: target)
                }
            }
        }
        followsUndos = true
        for (position, oid) in targets {
            try follow(at: position, of: oid)
            try followAll()
        }
        followsUndos = false
    }

    /// Keeps the record that says that the object did not exist at the pack time, when one before it is kept since it was
    /// brought back later: an undo of that leads to it. Python's pack without garbage collection fails with such a file; with
    /// it, that record is dropped, and so it is by ours, which makes the same file.
    private mutating func keepDeletion(of oid: ObjectID, behind target: Int) throws(StorageError) {
        guard let position = marks.index.position(of: oid), position > target,
            try records.isDeletion(records.header(at: position, of: oid))
        else { return }
        if marks.addExtra(position) { keptBytes += RecordHeader.fixedSize + 8 }
    }

    /// Keeps, of what was garbage at the pack time, all that a later state needs: an object that something refers to which
    /// is needed, before it is written anew.
    ///
    /// Nearly always there is no such thing, and one look at the later records says so.
    private mutating func rescue() throws(StorageError) {
        if !hasPostponed { guard try mayHaveToRescue() else { return } }
        isRescuing = true
        marks.knowsNeeded = true
        while true {
            let before = (marks.marked.count, marks.needed.count)
            rescuedAnew = false
            try withReferencesAfterPackTime { (marker, oid, reference) throws(StorageError) in
                guard marker.marks.marked.contains(oid) || marker.marks.needed.contains(oid) else { return }
                try marker.reach(reference, from: oid)
                try marker.followAll()
            }
            guard rescuedAnew || (marks.marked.count, marks.needed.count) != before else { return }
        }
    }

    private mutating func mayHaveToRescue() throws(StorageError) -> Bool {
        var mayHaveTo = marks.needed.count > 0
        try withReferencesAfterPackTime { (marker, oid, reference) throws(StorageError) in
            guard !mayHaveTo, !marker.marks.marked.contains(reference) else { return }
            mayHaveTo = try marker.exists(reference)
        }
        return mayHaveTo
    }

    /// Calls `body` with each later record's object, and each object that it refers to; `written` has then all objects of
    /// the transactions up to that one.
    private mutating func withReferencesAfterPackTime(
        _ body: (inout PackMarker, ObjectID, ObjectID) throws(StorageError) -> Void
    ) throws(StorageError) {
        written = ObjectIDSet()
        defer { written = ObjectIDSet() }
        var scanner = try source.scanner(from: start, to: end)
        var found: [(oid: ObjectID, reference: UInt64)] = []
        while try scanner.nextTransaction() {
            found.removeAll(keepingCapacity: true)
            rescueTime = scanner.transaction.position
            while try scanner.nextRecord() {
                let oid = scanner.oid
                _ = written.insert(oid)
                guard let data = try records.data(of: scanner.record) else { continue }
                let bytes = try unsafe records.bytes(data)
                // What cannot be read rescues nothing.
                guard unsafe PackReferences.mayRefer(bytes), (try? unsafe references.read(bytes, of: oid)) != nil
                else { continue }
                for reference in references.found { found.append((oid, reference)) }
            }
            for (oid, reference) in found { try body(&self, oid, ObjectID(rawValue: reference)) }
        }
    }
}
