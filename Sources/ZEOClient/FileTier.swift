internal import ClientCache
internal import ZEOProtocol
internal import ZODB

/// Where revisions are looked for that are not in memory: a cache file, and how far it is believed.
struct FileTier: Sendable {
    private enum Trust {
        /// Nobody has been asked: it tells what was, as of its last transaction.
        case unasked
        /// There is a connection, and it has not been found out whether the file fits the server's database. What the server said
        /// in its welcome and what it told since is taken note of when that is known; until then the file is not touched.
        case waiting(ClientConnection.Welcome, news: [Invalidation])
        case settled
        /// Not by this connection any more: too much happened.
        case abandoned
    }

    /// More news than this while it is being found out are too much to keep.
    private static let mostNews = 10_000
    /// More objects than this are not compared one by one: that would take longer than loading those that are used.
    private static let mostCompared = 100_000
    /// So many are compared of a cache that we left ourselves, and of one that is too large to be compared.
    private static let (sampleSize, largeSampleSize) = (33, 1000)

    let file: CacheFile
    private var trust = Trust.unasked

    init(_ file: CacheFile) { self.file = file }

    /// A server has confirmed what is in it.
    var isSettled: Bool {
        if case .settled = trust { true } else { false }
    }

    // MARK: Reading and keeping

    /// What was found in the file, and is no record.
    struct Damage: Error {
        var remark: String
    }

    /// What a view at `tid` sees, as of the last transaction that is known.
    ///
    /// The format has no checksums: that the bytes are a record is all that can be seen of them.
    func revision(of oid: ObjectID, at tid: TransactionID) -> Result<Revision, Damage>? {
        switch trust {
        case .waiting, .abandoned: return nil
        case .unasked: guard tid <= file.lastTransaction else { return nil }
        case .settled: break
        }
        guard let revision = file.revision(of: oid, at: tid) else { return nil }
        do throws(StorageError) {
            _ = try ObjectRecord(revision, oid: oid)
            return .success(revision)
        } catch {
            file.discard(oid, revision.serial)
            return .failure(
                Damage(
                    remark: "the cache file \(file.path) is damaged, and was not used for object \(oid): \(error). "
                        + "Other objects in it may be, without its showing: 'cache clear \(file.path)' empties it"))
        }
    }

    func insert(_ revision: Revision, _ oid: ObjectID) {
        guard case .settled = trust else { return }
        file.insert(revision, oid)
    }

    /// `oids` were changed in `tid`; everything up to it has now been told.
    mutating func ended(_ oids: [ObjectID], in tid: TransactionID) {
        switch trust {
        case .unasked, .abandoned: break
        case .settled:
            for oid in oids { file.invalidate(oid, in: tid) }
            file.move(to: tid)
        case .waiting(let welcome, var news):
            news.append(Invalidation(tid: tid, oids: oids))
            trust = news.count > Self.mostNews ? .abandoned : .waiting(welcome, news: news)
        }
    }

    // MARK: Finding out

    /// What to ask the server before the file is believed.
    struct Inquiry {
        /// Objects, and the serial that each has if nothing speaks against the file.
        var objects: [(oid: ObjectID, serial: TransactionID)]
        /// Nothing else in the file is taken for current.
        var isComplete: Bool
        var welcome: ClientConnection.Welcome
    }

    /// What an inquiry has shown.
    enum Judgement {
        /// It fits; the server has other revisions of some objects, or none.
        case fits(gone: [ObjectID])
        case leftAlone(String)
    }

    /// What became of it.
    enum Verdict {
        /// The file is used; what the user should know of it.
        case used(remark: String?)
        /// It is left as it is, and why.
        case leftAlone(String)
    }

    /// There is a connection (again).
    /// - Parameter known: the transaction since which the server told what was missed.
    /// - Returns: why the file must not be used; nil when it may be, as far as is known.
    mutating func connected(_ welcome: ClientConnection.Welcome, since known: TransactionID) -> String? {
        guard welcome.server.generation.hasLastTransaction else {
            return "a server of ZODB 3.1 does not tell its last transaction, without which a cache file means nothing"
        }
        guard file.isEmpty || file.lastTransaction <= welcome.lastTransaction else {
            return Self.serverIsBehind(file, welcome.lastTransaction)
        }
        var welcome = welcome
        // An earlier connection was lost before the file had taken note of what it told.
        if known != file.lastTransaction { welcome.missed = .unknown }
        trust = .waiting(welcome, news: [])
        return nil
    }

    private static func serverIsBehind(_ file: CacheFile, _ last: TransactionID) -> String {
        "the cache file \(file.path) has seen transaction \(file.lastTransaction), and the server's last one is \(last): "
            + "it serves an older state, from a backup or a copy, or another database. The file was left as it is. If the "
            + "server is the right one, 'cache clear \(file.path)' empties it, and its Python clients' caches have to go as well"
    }

    /// What is to be asked now; nil when there is nothing to find out.
    var inquiry: Inquiry? {
        guard case .waiting(let welcome, _) = trust else { return nil }
        var missed: Set<ObjectID> = []
        var isSampled = file.isFamiliar
        switch welcome.missed {
        case .nothing: break
        case .objects(let oids): missed = Set(oids)
        case .unknown: isSampled = false
        }
        let limit = isSampled ? Self.sampleSize : file.count > Self.mostCompared ? Self.largeSampleSize : .max
        let objects = file.sample(limit)
        return Inquiry(
            objects: objects.filter { !missed.contains($0.oid) }, isComplete: limit == .max, welcome: welcome)
    }

    /// What the server's answers say of the file: of each object asked for, its serial, or nil when the server has none.
    func judge(_ inquiry: Inquiry, _ answers: [TransactionID?]) -> Judgement {
        let welcome = inquiry.welcome
        let isUnknown = welcome.missed == .unknown
        var gone: [ObjectID] = []
        for ((oid, serial), answer) in zip(inquiry.objects, answers) {
            switch answer {
            case serial?: continue
            case let other? where other < serial: return .leftAlone(misfit(oid, serial, other))
            // Told since we were welcomed, or about to be.
            case let other? where other > welcome.lastTransaction || isUnknown: gone.append(oid)
            case let other?: return .leftAlone(misfit(oid, serial, other))
            case nil: gone.append(oid)
            }
        }
        if gone.count == inquiry.objects.count, gone.count > 1 {
            return .leftAlone(
                "the cache file \(file.path) holds nothing that is current on the server: it is another database's, or very "
                    + "old. The file was left as it is: name another, or empty it with 'cache clear \(file.path)'")
        }
        return .fits(gone: gone)
    }

    /// Takes note of it. A file that fits has been adopted already, where nobody waits for the disk.
    mutating func settle(_ inquiry: Inquiry, _ judgement: Judgement) -> Verdict? {
        // Another connection has come meanwhile: it has to be asked anew.
        guard case .waiting(let welcome, let news) = trust, welcome == inquiry.welcome else { return nil }
        let gone: [ObjectID]
        switch judgement {
        case .leftAlone(let reason): return .leftAlone(reason)
        case .fits(let objects): gone = objects
        }
        let isUnknown = welcome.missed == .unknown
        let matches = inquiry.objects.count - gone.count
        trust = .settled
        let remark = isUnknown ? takeOver(inquiry, matches, gone) : nil
        if case .objects(let oids) = welcome.missed { file.forgetCurrent(oids) }
        file.forgetCurrent(gone)
        // What an empty file says of its last transaction means nothing, and may be later than the server's.
        if file.isEmpty { file.removeAll() }
        file.move(to: welcome.lastTransaction)
        for invalidation in news { ended(invalidation.oids, in: invalidation.tid) }
        return .used(remark: remark)
    }

    /// The server does not know any more what changed: only what was compared can be kept.
    private func takeOver(_ inquiry: Inquiry, _ matches: Int, _ gone: [ObjectID]) -> String? {
        guard !file.isEmpty else { return nil }
        let reason = "the server does not remember what changed since its last transaction, \(file.lastTransaction)"
        guard inquiry.isComplete, matches > 0 else {
            file.removeAll()
            return "the cache file \(file.path) was emptied: \(reason)"
        }
        if !file.isFamiliar { file.forgetPast() }
        return
            "the cache file \(file.path) was compared with the server, \(inquiry.objects.count) objects one by one, and "
            + "\(matches) kept: \(reason)"
    }

    private func misfit(_ oid: ObjectID, _ serial: TransactionID, _ other: TransactionID) -> String {
        "the cache file \(file.path) does not fit the server's database: object \(oid) is of transaction \(serial) in the file "
            + "and of \(other) there. It is another database's, or one of them was restored or copied. The file was left as it "
            + "is: name another, or empty it with 'cache clear \(file.path)'"
    }
}
