internal import ZODB
internal import ZODBFile

/// Compares the `.index` file with the index that a survey has made.
///
/// ZODB believes an index after a look at a handful of entries; a wrong one shows wrong revisions. Here each entry is
/// compared. Memory: another 6 to 8 bytes for each object, for as long as it takes.
struct IndexCheck {
    let survey: FileSurvey

    /// What is wrong with it; nothing when there is none.
    func run(into list: inout DefectList) throws(StorageError) {
        let path = IndexFile.path(forDataFile: survey.file.path)
        // A gap at the end is damage anyway, and told.
        let isWhole = survey.tail == nil && survey.end == survey.size
        if isWhole || survey.tail != nil, let covered = try IndexFile.committedEnd(behind: survey.end, in: survey.file)
        {
            list.addLostEnd(survey, "the .index knows \(covered) bytes, the file has \(survey.size)")
            return
        }
        switch try IndexFile.read(path) {
        case .unusable("there is none"): return
        case .unusable(let reason):
            list.add(Defect(.index, .warning, offset: 0, "\(path) cannot be read: \(reason)"))
        case .index(let index, let position):
            let objection = try IndexFile.objection(
                to: index, position: position, file: survey.file, end: survey.size)
            if let mismatch = try mismatch(index, position) {
                // One that is refused does no harm here; ZODB itself asks fewer questions.
                let severity = objection == nil ? Defect.Severity.damage : .warning
                list.add(Defect(.index, severity, oid: mismatch.oid, mismatch.what))
            } else if let objection {
                list.add(Defect(.index, .note, "\(path) is not used: \(objection)"))
            }
        }
    }

    /// The first entry that is not as the file has it, among those that the index should have.
    private func mismatch(
        _ index: FileIndex, _ position: Int
    ) throws(StorageError) -> (oid: ObjectID, what: String)? {
        // Of a file that is cut off, or another day's, nothing can be said entry by entry.
        guard position >= FileFormat.firstTransaction, position <= survey.end else { return nil }
        var entries = index.entries()
        while let entry = entries.next() {
            let found = survey.index.position(of: entry.oid)
            if let found, found >= position { continue }
            guard found != entry.position else { continue }
            return (
                entry.oid,
                "the .index file has \(entry.oid) at \(entry.position); the file has it "
                    + (found.map { "at \($0)" } ?? "nowhere")
            )
        }
        var known = survey.index.entries()
        while let entry = known.next() {
            if entry.position < position, index.position(of: entry.oid) == nil {
                return (entry.oid, "the .index file lacks \(entry.oid), which is at \(entry.position)")
            }
        }
        return nil
    }
}

extension DefectList {
    /// Of what lies behind the last complete transaction, if anything does, it turned out that it had been committed.
    fileprivate mutating func addLostEnd(_ survey: FileSurvey, _ proof: String) {
        let end = survey.tail?.position ?? survey.end
        let found = survey.tail.map { "after the last transaction: \($0)" } ?? "it ends behind a whole transaction"
        let damage = Defect(.tail, .damage, offset: end, "committed transactions are gone: \(proof); \(found)")
        guard let place = defects.lastIndex(where: { $0.kind == .tail && $0.offset == end }) else {
            return add(damage)
        }
        severities[defects[place].severity, default: 0] -= 1
        severities[.damage, default: 0] += 1
        defects[place] = damage
    }
}
