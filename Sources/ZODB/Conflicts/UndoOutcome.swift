/// What undoing one transaction means for one object that it changed, from what its revisions hold.
///
/// FileStorage compares positions before it compares data; the outcome is the same, because a record that points back
/// to another has the same data. Only where one deletion is to be undone and another is current FileStorage refuses, and
/// this does not.
///
/// Source: `ZODB/FileStorage/FileStorage.py`, `_transactionalUndoRecord`.
public enum UndoOutcome: Hashable, Sendable {
    /// The object becomes what it was before the transaction; with nothing before, it ceases to exist.
    case restored
    /// Later changes stay; this data is the merge.
    case merged([UInt8])
    /// It cannot be undone, and why.
    case refused(String)

    /// - Parameters:
    ///   - undone: what the transaction made of the object; nil when it deleted it.
    ///   - current: what it is now, undos before this one in the same transaction included; nil when it does not exist.
    ///   - previous: what it was before the transaction; nil when it did not exist.
    ///   - generation: as in `ConflictResolver.resolve`.
    public init(
        undone: [UInt8]?, current: [UInt8]?, previous: [UInt8]?, generation: PythonGeneration? = nil
    ) {
        if undone == current {
            self = .restored
            return
        }
        guard let previous else {
            self = .refused("Can't undo an add transaction followed by conflicting transactions.")
            return
        }
        guard let undone, let current,
            let data = ConflictResolver.resolve(
                old: undone, committed: current, new: previous, generation: generation)
        else {
            self = .refused("Some data were modified by a later transaction")
            return
        }
        self = .merged(data)
    }
}
