internal import ZODB

/// What is to be said when another server answers than before, or one that lets nobody write.
struct ServerRemarks {
    private var told: (server: String, canWrite: Bool)?

    init() {}

    /// What is to be said of a storage that was just opened.
    static func ofNew(_ storage: any Storage) -> String? {
        guard let storage = storage as? any FailoverStorage, storage.awaitsWritableServer else { return nil }
        return waiting(TerminalText.escaped(storage.serverAddress))
    }

    /// - Returns: nil when nothing has changed since the last look.
    mutating func remark(_ session: Session) -> String? {
        guard let storage = (try? session.storage) as? any FailoverStorage, storage.isConnected else { return nil }
        let now = (server: storage.serverAddress, canWrite: !storage.awaitsWritableServer)
        defer { told = now }
        let server = TerminalText.escaped(now.server)
        guard let told else { return now.canWrite ? nil : Self.waiting(server) }
        if !now.canWrite, told.canWrite || told.server != now.server { return Self.waiting(server) }
        if now.canWrite, !told.canWrite { return "\(server) lets us write: read-write from here on" }
        return told.server == now.server ? nil : "connected to \(server) now"
    }

    private static func waiting(_ server: String) -> String {
        "\(server) lets nobody write: read-only until a server that does is found"
    }
}
