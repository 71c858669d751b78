internal import ByteCoding
internal import Pickle

/// Merges two changes of one object, for the classes whose rules are known: `Length`, and the buckets, sets, BTrees and
/// TreeSets of all families.
///
/// The rules are those of the BTrees package from version 4 on. Python would run the class's own `_p_resolveConflict`;
/// every other class that has one is a conflict here.
///
/// Source: BTrees 6.5, `MergeTemplate.c`, `BTreeTemplate.c` and `Length.py`; ZODB 6.4, `ConflictResolution.py`.
public enum ConflictResolver {
    /// The record that holds both changes: the class pickle of `new`, and the merged state in its protocol. Without any
    /// transformation (`.z`), whatever the three had.
    /// - Parameters:
    ///   - old: the record that both changes began with.
    ///   - committed: what the one made of it that is committed already.
    ///   - new: what the other one wants to store.
    ///   - generation: which Python reads the records, where that is known; else they tell themselves, some of them.
    /// - Returns: nil when the changes cannot be merged, or the class has no rule here: then it is a conflict.
    public static func resolve(
        old: [UInt8], committed: [UInt8], new: [UInt8], generation: PythonGeneration? = nil
    ) -> [UInt8]? {
        guard let states = Conflict(old: old, committed: committed, new: new, generation) else { return nil }
        let merged: [UInt8]?
        if let kind = states.className.flatMap(BTreeState.Kind.init) {
            merged = BTreeResolver.resolve(states, kind)
        } else if states.className == LengthResolver.className {
            merged = LengthResolver.resolve(states)
        } else {
            merged = nil
        }
        // What is stored must be a record, whatever was handed in.
        guard let merged, (try? PickleDocument(merged, .record))?.end == merged.count else { return nil }
        return merged
    }
}

/// The three records of a conflict, read.
struct Conflict {
    let old: PickleDocument
    let committed: PickleDocument
    let new: PickleDocument
    /// The class of the new record; nil when it has an unknown form.
    let className: GlobalName?
    /// The new record up to its state.
    let classPickle: [UInt8]
    let generation: PythonGeneration?

    /// nil when one of them is no record.
    init?(old: [UInt8], committed: [UInt8], new: [UInt8], _ generation: PythonGeneration?) {
        self.generation = generation
        guard let old = Self.record(old), let committed = Self.record(committed), let new = Self.record(new),
            let classPickle = try? PickleDocument(new.document.source, .one)
        else { return nil }
        self.old = old.document
        self.committed = committed.document
        self.new = new.document
        className = new.className
        self.classPickle = Array(new.document.source[..<classPickle.end])
    }

    private static func record(_ data: [UInt8]) -> ObjectRecord? {
        try? ObjectRecord(Revision(data: data, serial: .none, next: nil), oid: .root)
    }

    /// The new record's beginning, ready for the opcodes of a state.
    func copier() -> PickleCopier? {
        guard let firstMemo = try? PickleDocument.memoEnd(of: classPickle) else { return nil }
        var copier = PickleCopier(continuing: classPickle, firstMemo: firstMemo)
        copier.append(protocolHeader)
        return copier
    }

    /// The PROTO opcode that the new state begins with; nothing before protocol 2.
    private var protocolHeader: ArraySlice<UInt8> {
        let state = new.source[classPickle.count...]
        return state.first == Opcode.proto.rawValue ? state.prefix(2) : []
    }

    var hasProtocolHeader: Bool { !protocolHeader.isEmpty }
}
