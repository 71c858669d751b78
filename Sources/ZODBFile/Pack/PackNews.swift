internal import ZODB

/// What is committed while a pack runs: whether it can be added to what stays, or needs something that was to be dropped.
struct PackNews {
    let source: PackSource
    let marks: PackMarks
    let packPosition: Int
    /// What has been written since the pack began.
    private var written = ObjectIDSet()

    init(_ source: PackSource, _ marks: PackMarks, packPosition: Int) {
        self.source = source
        self.marks = marks
        self.packPosition = packPosition
    }

    /// - Parameter range: where the next such transactions stand.
    mutating func fit(_ range: Range<Int>) throws(StorageError) -> Bool {
        var records = try PackRecords(source, limit: range.upperBound)
        var references = PackReferences()
        var scanner = try source.scanner(from: range.lowerBound, to: range.upperBound)
        var found: Set<ObjectID> = []
        while try scanner.nextTransaction() {
            found.removeAll(keepingCapacity: true)
            while try scanner.nextRecord() {
                let oid = scanner.oid
                _ = written.insert(oid)
                if let target = try scanner.backPointer(), target > 0, target < packPosition {
                    let header = try records.header(at: target, of: oid)
                    let isKept = marks.keeps(oid, at: target, isDeletion: try records.isDeletion(header))
                    if !isKept, try records.data(of: header) != nil { return false }
                }
                guard !marks.keepsAll, let data = try records.data(of: scanner.record) else { continue }
                let bytes = try unsafe records.bytes(data)
                guard unsafe PackReferences.mayRefer(bytes), (try? unsafe references.read(bytes, of: oid)) != nil
                else { continue }
                for reference in references.found { found.insert(ObjectID(rawValue: reference)) }
            }
            for oid in found where !marks.marked.contains(oid) && !marks.needed.contains(oid) && !written.contains(oid)
            {
                // Not followed: what it refers to may go.
                if marks.knowsNeeded { return false }
                guard let position = marks.index.position(of: oid) else { continue }
                if try !records.isDeletion(records.header(at: position, of: oid)) { return false }
            }
        }
        return true
    }
}
