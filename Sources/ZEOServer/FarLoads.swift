internal import ZEOProtocol
internal import ZODB

/// Loads of one client that another thread has gone far back for, and what has happened to their objects meanwhile.
struct FarLoads {
    private var loads: [Int: (oid: ObjectID, isStale: Bool)] = [:]
    private var last = 0

    mutating func begin(_ oid: ObjectID) -> Int {
        last += 1
        loads[last] = (oid, false)
        return last
    }

    /// The client is told that these have changed.
    mutating func noteChanges(of oids: [ObjectID]) {
        guard !loads.isEmpty else { return }
        let changed = Set(oids)
        for (number, load) in loads where changed.contains(load.oid) { loads[number]?.isStale = true }
    }

    /// - Returns: whether the client has been told of a change since the load began.
    mutating func end(_ number: Int) -> Bool { loads.removeValue(forKey: number)?.isStale ?? true }
}

/// What a look for a load in the common way has found out, when it has not answered it.
enum LoadFinding {
    case nothing
    /// The revision lies further back than may be looked on the event loop.
    case isFar
    /// There is none, when so many publications were known.
    case failure(StorageError, known: Int)
}

/// What a load answers.
struct LoadedValue: Sendable {
    var value: WireValue
    /// Nothing that is committed later changes it.
    var isSettled: Bool
}
