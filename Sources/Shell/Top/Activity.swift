internal import ZODB

/// What was committed in some time, and by whom and to what.
struct Activity {
    /// What is counted.
    struct Amount: Hashable {
        var commits = 0
        /// Records written.
        var objects = 0
        /// Bytes of those records.
        var bytes = 0

        static func += (left: inout Amount, right: Amount) {
            left.commits += right.commits
            left.objects += right.objects
            left.bytes += right.bytes
        }

        subscript(_ order: Order) -> Int {
            switch order {
            case .commits: commits
            case .objects: objects
            case .bytes: bytes
            }
        }
    }

    enum Order: String, CaseIterable { case commits, objects, bytes }

    enum Grouping: String, CaseIterable { case user, `class`, path, transaction }

    struct Row: Hashable {
        var name: String
        var amount: Amount
    }

    private(set) var total = Amount()
    private var groups: [Grouping: [String: Amount]] = [:]

    /// More names than this are counted together.
    private static let mostNames = 10_000
    /// Of transactions only so many are kept, the largest.
    private static let mostTransactions = 200
    static let others = "(others)"
    static let unknown = "(not told)"

    mutating func add(_ watched: WatchedCommit) {
        let commit = watched.commit
        let changes = commit.changes ?? []
        let amount = Amount(
            commits: 1, objects: changes.count, bytes: changes.reduce(0) { $0 + ($1.size ?? 0) })
        total += amount
        let user = commit.summary.map { Self.text($0.user) } ?? Self.unknown
        add(amount, to: user.isEmpty ? "(nobody)" : user, .user)
        let description = commit.summary.map { Self.text($0.description) } ?? Self.unknown
        add(amount, to: "\(commit.tid.hex) \(user) \(description)", .transaction)
        if commit.changes == nil {
            add(amount, to: Self.unknown, .class)
            add(amount, to: Self.unknown, .path)
        }
        // A transaction counts once for each class and each path that it wrote.
        var classes: [String: Amount] = [:]
        var paths: [String: Amount] = [:]
        for change in changes {
            let part = Amount(objects: 1, bytes: change.size ?? 0)
            classes[change.className ?? (change.isDeletion ? "(deleted)" : Self.unknown), default: Amount()] += part
            paths[watched.path(of: change.oid), default: Amount()] += part
        }
        for (grouping, parts) in [(Grouping.class, classes), (.path, paths)] {
            for (name, part) in parts {
                add(Amount(commits: 1, objects: part.objects, bytes: part.bytes), to: name, grouping)
            }
        }
    }

    mutating func add(_ other: Activity) {
        total += other.total
        for (grouping, names) in other.groups {
            for (name, amount) in names { add(amount, to: name, grouping) }
        }
    }

    private mutating func add(_ amount: Amount, to name: String, _ grouping: Grouping) {
        var names = groups.removeValue(forKey: grouping) ?? [:]
        defer { groups[grouping] = names }
        if names[name] == nil, names.count >= Self.mostNames {
            names[Self.others, default: Amount()] += amount
        } else {
            names[name, default: Amount()] += amount
        }
        guard grouping == .transaction, names.count > Self.mostTransactions * 2 else { return }
        let kept = names.sorted { $0.value.bytes > $1.value.bytes }.prefix(Self.mostTransactions)
        names = Dictionary(uniqueKeysWithValues: kept.map { ($0.key, $0.value) })
    }

    private static func text(_ bytes: [UInt8]) -> String { CellText.machine.text(TransactionText.cell(bytes)) }

    /// The greatest first.
    func rows(by grouping: Grouping, order: Order) -> [Row] {
        (groups[grouping] ?? [:]).map { Row(name: $0.key, amount: $0.value) }.sorted { left, right in
            let (first, second) = (left.amount[order], right.amount[order])
            return first != second ? first > second : left.name < right.name
        }
    }
}
