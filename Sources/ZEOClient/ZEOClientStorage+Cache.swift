internal import ClientCache
internal import Synchronization
internal import ZEOProtocol
internal import ZODB

/// A cache file beside the memory: compared with the server before it is believed.
extension ZEOClientStorage {
    /// So many objects are asked for at once.
    private static let comparedAtOnce = 1000

    /// Opens the cache file, if one is asked for.
    /// - Throws: `io`, `unsupported`: see `CacheFile.open`.
    func openCacheFile() throws(StorageError) {
        guard let settings = options.cacheFile else { return }
        // Behind ssh an address is of another machine.
        let way = options.tunnel.map { " through \($0.destination)" + ($0.port.map { ":\($0)" } ?? "") } ?? ""
        let source = CacheSource(
            server: endpoints.map { $0.description + way }.joined(separator: ","), storage: options.storage)
        switch try CacheFile.open(settings.path, size: settings.size, for: source) {
        case .leftAlone(let why): state.withLock { $0.view.remark("\(why): going on without it") }
        case .opened(let file, let remarks):
            state.withLock { state in
                for remark in remarks { state.view.remark(remark) }
                state.view.use(file)
            }
        }
    }

    /// How many revisions the cache file holds; nil when there is none, or it is not used.
    public var cachedRevisionCount: Int? { state.withLock { $0.view.cacheFile }?.count }

    /// Finds out whether the cache file fits the server's database, where that is not known. Without an answer it stays
    /// unknown, and the file unused.
    package func settleCache() {
        defer { closeGivenUpFiles() }
        guard let inquiry = state.withLock({ $0.view.takeInquiry() }) else { return }
        var judgement: FileTier.Judgement?
        do throws(StorageError) {
            let answers = try serials(of: inquiry.objects.map(\.oid))
            let file: CacheFile?
            (judgement, file) = state.withLock { ($0.view.judge(inquiry, answers), $0.view.cacheFile) }
            // Not under the lock: the disk may take its time, and the connection waits for nobody.
            if case .fits? = judgement { file?.adopt() }
        } catch .unsupported(let what) {
            state.withLock {
                $0.view.drop("the cache file is not used, since it cannot be compared with the server: \(what)")
            }
        } catch {
            // Whoever loads next will meet the same.
        }
        state.withLock { $0.view.settle(inquiry, judgement) }
    }

    /// Waits for the disk, and thus not under the lock.
    func closeGivenUpFiles() {
        for file in state.withLock({ $0.view.takeGivenUp() }) { file.close() }
    }

    /// The serial of each object's current revision; nil where the server has none.
    private func serials(of oids: [ObjectID]) throws(StorageError) -> [TransactionID?] {
        var serials: [TransactionID?] = []
        for start in stride(from: 0, to: oids.count, by: Self.comparedAtOnce) {
            let requests = oids[start..<min(start + Self.comparedAtOnce, oids.count)].map { oid in
                request(.currentSerial(oid)) { value throws(MalformedReply) in
                    try Reply.transaction(value, of: "getTid")
                }
            }
            try send(requests)
            for request in requests {
                do throws(StorageError) {
                    serials.append(try wait(for: request))
                } catch .noSuchObject, .remote {
                    serials.append(nil)
                }
            }
        }
        return serials
    }
}
