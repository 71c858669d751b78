internal import Synchronization
internal import ZEOProtocol
public import ZODB

extension ZEOClientStorage: ServerStorage {
    /// ZEO 5.0 and 5.1 do not, and speak as 5.2 does.
    public var announcesEveryCommit: Bool { server?.hasOwnStatus ?? false }
    public var listsTransactions: Bool { canIterate }

    public func ping(within limit: Duration?) throws(StorageError) -> Duration {
        let clock = ContinuousClock()
        let start = clock.now
        try ask(.ping, within: limit) { [weak self] value throws(MalformedReply) in
            // Before generation 5 nobody is told of a commit of new objects alone: the answer is the last tid.
            guard let self, let server = self.server, !server.generation.hasPing else { return }
            let tid = try Reply.lastTransaction(value, in: server.generation)
            self.state.withLock { $0.view.apply(Invalidation(tid: tid, oids: [])) }
        }
        return clock.now - start
    }

    public func askForCommits(within limit: Duration?) throws(StorageError) {
        try ask(.lastTransaction, within: limit) { [weak self] value throws(MalformedReply) in
            guard let self, let server = self.server else { return }
            let tid = try Reply.lastTransaction(value, in: server.generation)
            // In its place among the announcements: what was announced before is known, and nothing new then.
            self.state.withLock { $0.view.apply(Invalidation(tid: tid, oids: [])) }
        }
    }

    /// A call that waits for so long. Without a limit it is a call as any other: made again on another connection, and
    /// spoken of while it takes its time.
    private func ask(
        _ call: Call, within limit: Duration?, _ decode: @escaping @Sendable (WireValue) throws(MalformedReply) -> Void
    ) throws(StorageError) {
        guard limit != nil else { return try perform(call, decode) }
        let pending = request(call, decode)
        try send([pending])
        try wait(for: pending, within: limit)
    }

    /// Waits for a reply for so long, and no longer than for any other.
    private func wait<Value: Sendable>(
        for pending: PendingReply<Value>, within limit: Duration?
    ) throws(StorageError) -> Value {
        guard let limit else { return try wait(for: pending) }
        return try pending.waiting.value(
            interruption, within: options.replyTimeout.map { min($0, limit) } ?? limit, from: serverAddress)
    }

    public func serverStatus(within limit: Duration?) throws(StorageError) -> ServerStatus {
        _ = try connectedChannel()
        guard let server else { throw .connection(.lost(address: name, "not connected yet")) }
        let info = request(.getInfo) { value throws(MalformedReply) in try ServerInformation(value) }
        let figures =
            server.generation.hasServerStatus
            ? request(.serverStatus) { value throws(MalformedReply) in
                (Reply.figures(value), start: value["start"]?.name, pack: value["pack"]?.name)
            } : nil
        let versions =
            server.hasVersions
            ? request(.versions) { value throws(MalformedReply) in Reply.versions(value) } : nil
        let own = server.hasOwnStatus ? request(.ownStatus, Self.ownStatus) : nil
        let calls: [(any PendingCall)?] = [info, figures, versions, own]
        try send(calls.compactMap { $0 })
        let told = try wait(for: info, within: limit)
        var status = ServerStatus(
            software: server.information.own.map { "zeoserver \($0.version)" } ?? server.releases,
            dialect: "\(server.dialect)", python: server.information.own == nil ? server.python : nil,
            storage: options.storage,
            information: StorageInformation(
                kind: "ZEO server, protocol \(server.dialect)", storageName: told.storageName,
                objectCount: told.objectCount, size: told.size))
        status.lacks = server.lacks
        // A storage may be unable to tell, and roles may not let us ask; what is shown is only less then.
        if let figures, let (known, start, pack) = try optional(figures, limit) {
            status.figures = known
            (status.start, status.pack) = (start, pack)
        } else if figures != nil {
            status.lacks.append("it does not let us see what its clients do")
        }
        if let versions { status.versions = try optional(versions, limit) }
        if let own, let known = try optional(own, limit) {
            status.uptime = known.uptime
            status.process = known.process
            status.permissions = known.permissions
        }
        return status
    }

    /// nil when the server raises something instead.
    private func optional<Value: Sendable>(
        _ pending: PendingReply<Value>, _ limit: Duration?
    ) throws(StorageError) -> Value? {
        do throws(StorageError) {
            return try wait(for: pending, within: limit)
        } catch {
            switch error {
            case .connection(.lost), .connection(.silent), .interrupted: throw error
            default: return nil
            }
        }
    }

    @Sendable private static func ownStatus(_ value: WireValue) throws(MalformedReply) -> OwnStatus {
        try OwnStatus(value)
    }

    private func ownStatus(within limit: Duration?) throws(StorageError) -> OwnStatus? {
        _ = try connectedChannel()
        guard let server, server.hasOwnStatus else { return nil }
        let own = request(.ownStatus, Self.ownStatus)
        try send([own])
        return try wait(for: own, within: limit)
    }

    public func serverClients(within limit: Duration?) throws(StorageError) -> [ServerClient] {
        if let own = try ownStatus(within: limit) { return own.clients }
        let what = server.map { $0.releases } ?? "of a kind"
        throw .unsupported("this server is \(what): it does not tell who its clients are")
    }

    public func serverStorages(within limit: Duration?) throws(StorageError) -> [String]? {
        if server?.hasOwnStatus ?? false { return try? ownStatus(within: limit)?.storages }
        // ZEO 4.1 and later tell anybody who says `ruok` instead of shaking hands; those before hang up. It is said on a plain
        // connection, and so not where the way leads through TLS or ssh: a stranger might listen at that address here.
        guard let server, server.generation >= .v4, options.tls == nil, options.tunnel == nil else { return nil }
        let question: [UInt8] = [0, 0, 0, 4] + Array("ruok".utf8)
        let answer: [UInt8]
        do throws(StorageError) {
            answer = try Enquiry.perform(
                serverEndpoint, saying: question, timeout: limit ?? options.connectTimeout, interruption: interruption)
        } catch .interrupted {
            throw .interrupted
        } catch {
            return nil
        }
        return Self.storageNames(inAnswer: answer)
    }

    /// The answer is two messages: the greeting, and JSON with a member for each storage.
    static func storageNames(inAnswer bytes: [UInt8]) -> [String]? {
        var rest = bytes[...]
        var messages: [ArraySlice<UInt8>] = []
        while rest.count >= 4 {
            let length = rest.prefix(4).reduce(0) { $0 << 8 | Int($1) }
            rest = rest.dropFirst(4)
            guard length <= rest.count else { break }
            messages.append(rest.prefix(length))
            rest = rest.dropFirst(length)
        }
        guard messages.count == 2, messages[1].first == UInt8(ascii: "{") else { return nil }
        return memberNames(ofJSON: messages[1]).sorted()
    }

    /// The names of an object's members, as they are written: a string that a colon follows, one level deep.
    private static func memberNames(ofJSON text: ArraySlice<UInt8>) -> [String] {
        var names: [String] = []
        var depth = 0
        var string: [UInt8]?
        var isEscaped = false
        var last: [UInt8] = []
        for byte in text {
            if let begun = string {
                if !isEscaped, byte == UInt8(ascii: "\"") {
                    (last, string) = (begun, nil)
                } else {
                    isEscaped = !isEscaped && byte == UInt8(ascii: "\\")
                    string = begun + [byte]
                }
                continue
            }
            switch byte {
            case UInt8(ascii: "\""): string = []
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
            case UInt8(ascii: ":") where depth == 1: names.append(String(decoding: last, as: UTF8.self))
            default: break
            }
        }
        return names
    }
}
