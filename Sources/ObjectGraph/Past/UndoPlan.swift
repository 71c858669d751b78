public import ZODB

/// What undoing one transaction, or several together, would do.
public struct UndoPlan: Sendable {
    /// What is to be undone, newest first: the order in which it has to be done.
    public let transactions: [TransactionSummary]
    /// Every object that they changed, in the order in which they wrote them, the newest transaction's first.
    public let effects: [UndoEffect]
    /// For each transaction that cannot be undone at all, why.
    public let obstacles: [Obstacle]
    /// When it cannot be done: what can be undone together with it.
    public let remedy: Remedy?
    /// The newest transaction when the plan was made: what was found out holds for the state that it left.
    public let basis: TransactionID

    public var succeeds: Bool { obstacles.isEmpty && effects.allSatisfy { !$0.isRefused } }
    public var refusals: [UndoEffect] { effects.filter(\.isRefused) }

    /// A transaction that nobody can undo.
    public enum Obstacle: Hashable, Sendable {
        /// No such transaction is known; the storage's oldest, where that is known to be younger.
        case unknown(TransactionID, oldest: TransactionID?)
        /// A pack has been over it: what was before is gone.
        case packed(TransactionID)
        /// It has been undone already, in the way of Zope before 2.4, or has a status that nobody knows.
        case status(TransactionID)
    }

    /// How a transaction with later ones in the way can be undone after all.
    public enum Remedy: Hashable, Sendable {
        /// Undone together, newest first, these would succeed; none of them can be left out.
        case together([TransactionID])
        /// More than so many would have to go along.
        case tooMany(Int)
        /// Nothing helps: this object stays in the way, whatever else is undone.
        case none(ObjectID)
    }
}

/// Makes plans for undoing: reads, and writes nothing.
public struct UndoPlanner {
    private let workspace: Workspace
    private let log: any TransactionLogStorage
    private let rehearsal: UndoRehearsal
    private let progress: (Int) -> Void
    /// The most transactions that are proposed to be undone together.
    private let limit: Int

    /// - Parameter progress: called now and then with the number of objects looked at.
    /// - Throws: `unsupported` when the storage lists no transactions.
    public init(
        _ workspace: Workspace, limit: Int = 200, progress: @escaping (Int) -> Void = { _ in }
    ) throws(StorageError) {
        guard let log = workspace.storage as? any TransactionLogStorage else {
            throw .unsupported("\(workspace.storage.name): lists no transactions, so that none can be undone")
        }
        self.workspace = workspace
        self.log = log
        self.limit = limit
        self.progress = progress
        rehearsal = UndoRehearsal(
            storage: workspace.storage, now: try workspace.storage.lastTransaction(),
            generation: try workspace.generation())
    }

    /// What undoing these together would do.
    public func plan(_ tids: some Sequence<TransactionID>) throws(StorageError) -> UndoPlan {
        var known: [TransactionSummary] = []
        var obstacles: [UndoPlan.Obstacle] = []
        var changes = Changes()
        for tid in Set(tids).sorted(by: >) {
            do throws(StorageError) {
                let (transaction, oids) = try read(tid)
                known.append(transaction)
                switch transaction.status {
                case .complete: changes.add(tid, oids)
                case .packed: obstacles.append(.packed(tid))
                case .undone, .other: obstacles.append(.status(tid))
                }
            } catch .noSuchTransaction {
                obstacles.append(.unknown(tid, oldest: try oldest(ifYoungerThan: tid)))
            }
        }
        let requested = changes.tids
        var memory: [ObjectID: [[TransactionID]: UndoEffect.Outcome]] = [:]
        let effects = try effects(changes, undoing: requested, &memory)
        var remedy: UndoPlan.Remedy?
        if obstacles.isEmpty, effects.contains(where: \.isRefused) {
            remedy = try self.remedy(&changes, requested, effects, &memory)
        }
        return UndoPlan(
            transactions: known, effects: effects, obstacles: obstacles, remedy: remedy, basis: rehearsal.now)
    }

    /// The object as it is, and as it would be; nil where there is none.
    public func sides(
        of effect: UndoEffect
    ) throws(StorageError) -> (now: ObjectRecord?, after: ObjectRecord?) {
        let result = try rehearsal.run(effect.oid, undoing: effect.transactions)
        return (try record(result.before, effect.oid), try record(result.after, effect.oid))
    }

    private func record(_ state: UndoRehearsal.State, _ oid: ObjectID) throws(StorageError) -> ObjectRecord? {
        guard let data = state.data else { return nil }
        return try ObjectRecord(Revision(data: data, serial: state.serial ?? .staged(0), next: nil), oid: oid)
    }

    /// The transactions that changed an object after the oldest of those to be undone, these left out; newest first.
    public func laterChanges(of effect: UndoEffect) throws(StorageError) -> [TransactionSummary] {
        guard let oldest = effect.transactions.last else { return [] }
        return try history(of: effect.oid, after: oldest).filter { !effect.transactions.contains($0.tid) }
    }

    // MARK: Reading

    /// Which transaction changed which objects.
    private struct Changes {
        private(set) var tids: Set<TransactionID> = []
        /// Newest transaction first, each object once.
        private(set) var oids: [ObjectID] = []
        private var changers: [ObjectID: [TransactionID]] = [:]

        mutating func add(_ tid: TransactionID, _ oids: [ObjectID]) {
            guard tids.insert(tid).inserted else { return }
            for oid in oids {
                if changers[oid] == nil { self.oids.append(oid) }
                changers[oid, default: []].append(tid)
                changers[oid]?.sort(by: >)
            }
        }

        /// Newest first.
        func changers(of oid: ObjectID, among tids: Set<TransactionID>) -> [TransactionID] {
            changers[oid, default: []].filter { tids.contains($0) }
        }
    }

    private func read(_ tid: TransactionID) throws(StorageError) -> (TransactionSummary, [ObjectID]) {
        let (transaction, records) = try log.records(of: tid)
        var oids: [ObjectID] = []
        var seen: Set<ObjectID> = []
        guard transaction.status == .complete else { return (transaction, []) }
        while let record = try records.next() {
            try workspace.interruption.check()
            if seen.insert(record.oid).inserted { oids.append(record.oid) }
        }
        return (transaction, oids)
    }

    private func oldest(ifYoungerThan tid: TransactionID) throws(StorageError) -> TransactionID? {
        guard let first = try log.transactions(from: .none, through: .latest).next(), first.tid > tid else {
            return nil
        }
        return first.tid
    }

    /// The transactions that wrote an object after `tid`, newest first.
    private func history(of oid: ObjectID, after tid: TransactionID) throws(StorageError) -> [TransactionSummary] {
        guard let storage = workspace.storage as? any HistoryStorage else { return [] }
        var limit = 16
        while true {
            let entries = try storage.history(of: oid, limit: limit)
            let later = entries.prefix { $0.transaction.tid > tid }
            if later.count < entries.count || entries.count < limit || limit > 1 << 20 {
                // An undo of two transactions wrote it twice.
                var seen: Set<TransactionID> = []
                return later.map(\.transaction).filter { seen.insert($0.tid).inserted }
            }
            limit *= 4
        }
    }

    // MARK: Rehearsing

    private func effects(
        _ changes: Changes, undoing tids: Set<TransactionID>,
        _ memory: inout [ObjectID: [[TransactionID]: UndoEffect.Outcome]]
    ) throws(StorageError) -> [UndoEffect] {
        var effects: [UndoEffect] = []
        for oid in changes.oids {
            let own = changes.changers(of: oid, among: tids)
            guard !own.isEmpty else { continue }
            try workspace.interruption.check()
            let outcome: UndoEffect.Outcome
            if let known = memory[oid]?[own] {
                outcome = known
            } else {
                outcome = try rehearsal.run(oid, undoing: own).outcome
                memory[oid, default: [:]][own] = outcome
            }
            effects.append(UndoEffect(oid: oid, transactions: own, outcome: outcome))
            if effects.count.isMultiple(of: 100) { progress(effects.count) }
        }
        return effects
    }

    /// Adds what is in the way, for each object the newest first, until everything can be undone; then leaves out what
    /// was not needed.
    private func remedy(
        _ changes: inout Changes, _ requested: Set<TransactionID>, _ effects: [UndoEffect],
        _ memory: inout [ObjectID: [[TransactionID]: UndoEffect.Outcome]]
    ) throws(StorageError) -> UndoPlan.Remedy {
        var chosen = requested
        var effects = effects
        while let stuck = effects.first(where: \.isRefused) {
            for effect in effects where effect.isRefused {
                guard case .refused(let tid, let refusal) = effect.outcome, refusal != .noBlob,
                    let next = try history(of: effect.oid, after: tid).first(where: { !chosen.contains($0.tid) }),
                    next.status == .complete
                else {
                    // Another object's transactions may take this one along yet; when all are stuck, nothing helps.
                    continue
                }
                if !changes.tids.contains(next.tid) { changes.add(next.tid, try read(next.tid).1) }
                chosen.insert(next.tid)
            }
            guard chosen.count <= limit else { return .tooMany(limit) }
            let before = effects
            effects = try self.effects(changes, undoing: chosen, &memory)
            if effects == before { return .none(stuck.oid) }
        }
        // One that could not be left out may become needless once another is.
        var isShrinking = true
        while isShrinking {
            isShrinking = false
            for tid in chosen.subtracting(requested).sorted() {
                let fewer = chosen.subtracting([tid])
                guard try !self.effects(changes, undoing: fewer, &memory).contains(where: \.isRefused) else { continue }
                chosen = fewer
                isShrinking = true
            }
        }
        return .together(chosen.sorted(by: >))
    }
}
