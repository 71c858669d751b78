internal import ObjectGraph
internal import Storages
internal import ZODB

/// May this session write, and what it has staged.
extension Session {
    /// Whether commits are possible.
    var isWritable: Bool { ((try? storage) as? any WritableStorage)?.isWritable ?? false }

    /// How many objects are staged.
    var stagedCount: Int { openWorkspace?.stagedObjects.count ?? 0 }

    /// What questions and the prompt call the database: the service's name, else the address.
    var databaseName: String { service?.name ?? address?.shortName ?? "?" }

    /// What may be done to the storage, in one word: `rw`, `ro`, `overlay`.
    var writingMode: WritingMode {
        guard isWritable else { return .readOnly }
        return openingOptions.isOverlay ? .overlay : .readWrite
    }

    enum WritingMode: String {
        case readOnly = "ro"
        case readWrite = "rw"
        case overlay

        var title: String {
            switch self {
            case .readOnly: "read-only"
            case .readWrite: "read-write"
            case .overlay: "overlay: nothing is written to the storage below"
            }
        }
    }

    /// - Throws: `ShellFailure` when nothing can be written here and now: exit code 5.
    func requireWritable() throws {
        _ = try storage
        guard past == nil else {
            throw ShellFailure(
                "read-only", .refused, at: place?.description, "the past cannot be changed",
                advice: "'refresh' returns to the present; 'cp' and 'revert' bring back what was")
        }
        guard isWritable else {
            if let server = (try? storage) as? any FailoverStorage, server.awaitsWritableServer {
                throw ShellFailure(
                    "read-only", .refused, at: server.serverAddress,
                    "this server lets nobody write; one that does is being looked for",
                    advice: "staged edits stay; try again when it is said to be there")
            }
            throw ShellFailure(.readOnly(databaseName), at: databaseName)
        }
    }

    /// - Throws: `ShellFailure` when nothing can be edited here and now: exit code 5.
    func requireWriting() throws {
        try requireWritable()
        guard mode != .script || transaction.isBegun || beginsByItself else {
            throw ShellFailure(
                "no-transaction", .refused, "a change outside begin … commit would be lost unless a commit follows",
                advice: "put 'begin' before it and 'commit' after it, or start with --auto-begin")
        }
        if let doubt = transaction.doubt {
            throw ShellFailure(
                "in-doubt", .conflict, at: databaseName,
                "it is not known whether the last commit happened (journal \(doubt.mark))",
                advice: "'status' looks again; 'abort' forgets the staged edits")
        }
    }

    /// Runs what stages edits: all of it, or, when it throws, nothing.
    /// - Parameter body: answers with what the command says when something was staged.
    func edit(_ options: EditOptions, _ body: () throws -> Report) throws -> Report {
        try requireWriting()
        let workspace = try workspace
        workspace.rereadIfNeeded()
        reading = workspace.rereadings
        let before = workspace.savepoint()
        let paths = transaction.paths
        let staged = Dictionary(uniqueKeysWithValues: workspace.stagedObjects.map { ($0.oid, $0.record.serial) })
        do {
            let report = try body()
            try requireOneReading(workspace)
            let now = workspace.stagedObjects
            let oids = Set(now.map(\.oid))
            let changed = now.filter { staged[$0.oid] != $0.record.serial }.map(\.oid)
            let unstaged = staged.keys.filter { !oids.contains($0) }
            let count = changed.count + unstaged.count
            if let expected = options.expected, expected != count { throw ShellFailure.unexpected(count, expected) }
            try BigChange(session: self, changed: changed).check(options)
            noteEdit(count, workspace)
            return try told(report, changed: changed, count: count)
        } catch {
            workspace.roll(back: before)
            transaction.paths = paths
            throw error
        }
    }

    /// What a command stages on the server's records has to be made of them, and not of what a cache file, which has no
    /// checksums, told before the server was back.
    private func requireOneReading(_ workspace: Workspace) throws {
        workspace.rereadIfNeeded()
        guard workspace.rereadings != reading else { return }
        throw ShellFailure(
            "read-again", .conflict, at: databaseName,
            "the server came back while this ran, and what was read before may not be what it has: nothing was staged",
            advice: "the same command again reads everything from the server")
    }

    /// Looks for a server that is away before something is made that only it can tell.
    func seekServer() throws {
        guard let storage = try storage as? any CachingStorage, !storage.isConnected else { return }
        _ = try? storage.ping()
        try workspace.rereadIfNeeded()
        reading = try workspace.rereadings
    }

    /// What becomes another object's record, or another revision's, is compared with nothing when it is committed: it has to
    /// be the server's, and not what a cache file, which has no checksums, has kept of it.
    /// - Parameters:
    ///   - other: the database that it was read from; nil for this one.
    ///   - reading: the other one's rereadings when that began; this one's are looked at by whoever stages.
    func requireServersBytes(of other: Workspace? = nil, since reading: Int? = nil) throws {
        guard let storage = try (other?.storage ?? self.storage) as? any CachingStorage else { return }
        other?.rereadIfNeeded()
        guard storage.absence != nil || reading != other?.rereadings else { return }
        throw ShellFailure(
            "away", .connection, at: storage.name,
            "the server is away, or has only now come back: a copy is made of its records, and not of what was kept of "
                + "them; nothing was staged",
            advice: "the same command again, once the server is there")
    }

    /// What a command says, and at a prompt what it did.
    private func told(_ report: Report, changed: [ObjectID], count: Int) throws -> Report {
        guard mode == .interactive || count == 0 else { return report }
        var lines: [String] = []
        if count == 0 {
            lines = ["nothing changed"]
        } else if mode == .interactive {
            lines = try StagedChanges(self).brief(changed)
        }
        return Report(report.body) {
            var conclusion = report.conclusion()
            conclusion.messages += lines.map { Report.Message($0) }
            return conclusion
        }
    }

    /// The line as it may be written into the database and the journal: a password set by hand is left out.
    static func withoutSecret(_ line: String) -> String {
        guard let words = try? Words.split(line, variable: { _ in "" }).words, words.first == "set",
            let path = words.dropFirst().first(where: { !$0.hasPrefix("-") })
        else { return line }
        let name = path.split(whereSeparator: { "/.[".contains($0) }).last.map { $0.lowercased() } ?? ""
        let isSecret = name == "__" || name.contains("password") || name.contains("passwd")
        return isSecret || path.contains("_passwords") ? "set \(Words.quoted(path)) …" : line
    }

    private func noteEdit(_ count: Int, _ workspace: Workspace) {
        guard count > 0 else { return }
        if let line { transaction.lines.append(Self.withoutSecret(line)) }
        if !workspace.hasStagedChanges {
            // All is as it was.
            transaction.start = nil
            transaction.conflicts = [:]
        } else if transaction.start == nil {
            transaction.start = now()
        }
    }

    /// Staged objects that others have changed: the commit will fail, and the prompt says so before.
    func noteConflicts(_ news: [Invalidation]) {
        guard let workspace = openWorkspace, workspace.hasStagedChanges else { return }
        for invalidation in news {
            for oid in invalidation.oids {
                guard let staged = workspace.stagedObject(oid), !staged.isNew, staged.baseSerial < invalidation.tid
                else { continue }
                transaction.conflicts[oid] = invalidation.tid
            }
        }
    }

    /// A tid that the storage knows: for edits that of the state they were made on.
    func committed(_ tid: TransactionID) -> TransactionID { tid.isStaged ? snapshot : tid }

    /// - Throws: `ShellFailure` when edits are staged and the person does not want to lose them.
    func confirmLeaving() throws {
        let count = stagedCount
        guard count > 0, mode == .interactive, let questions else { return }
        let question = "\(counted(count, "object")) staged and not committed. Leave, and lose them? [y/N]"
        guard Confirmation.isYes(try questions.answer(question)) else {
            throw ShellFailure(
                "staged", .refused, "staying", advice: "'commit' writes the edits, 'abort' forgets them")
        }
        forgetEdits()
    }

    /// A remark when edits have been staged for so long that others may well have changed the same; told now and then.
    func ageOfEdits() -> String? {
        guard let start = transaction.start, stagedCount > 0 else { return nil }
        let time = now()
        guard time - (transaction.ageTold ?? start) >= Self.patience else { return nil }
        transaction.ageTold = time
        return "staged for \(CellText.duration(time - start)) and not committed: conflicts become likely"
    }

    private static let patience = 300.0

    /// Notes what an object that is about to be edited is called.
    func note(_ path: String, of oid: ObjectID) {
        if transaction.paths[oid] == nil { transaction.paths[oid] = path }
    }

    /// Forgets every edit.
    /// - Returns: how many objects were staged.
    @discardableResult
    func forgetEdits() -> Int {
        let count = stagedCount
        openWorkspace?.abort()
        transaction = OpenTransaction()
        return count
    }

    /// - Throws: `ShellFailure` when edits would be lost by what is about to be done.
    func requireNothingStaged(_ what: String) throws {
        let count = stagedCount
        guard count > 0 else { return }
        throw ShellFailure(
            "staged", .refused, "\(what) would forget the \(counted(count, "staged object"))",
            advice: "'commit' or 'abort' first")
    }
}

extension ShellFailure {
    /// `--expect N` where it was another number.
    static func unexpected(_ count: Int, _ expected: Int) -> ShellFailure {
        ShellFailure(
            "unexpected", .negative, "\(counted(count, "object")) would change, not \(grouped(expected)) as expected",
            advice: "nothing was done", details: [Detail("count", String(count))])
    }
}

/// `1 object`, `2 objects`.
func counted(_ count: Int, _ noun: String) -> String { "\(grouped(count)) \(noun)\(count == 1 ? "" : "s")" }
