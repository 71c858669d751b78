internal import Synchronization
internal import ZEOProtocol
public import ZODB

extension ZEOClientStorage: UndoableStorage {
    /// As many oids as servers give at once.
    private static let oidsAtOnce = 100
    /// What a Data.fs can hold of a user's name, and of a description, in bytes.
    private static let longestText = 65_535

    /// Whether the server was asked for leave to write; it would have refused otherwise. Another storage has to be
    /// opened to change one's mind. While the server is one that lets nobody write, nothing can be written either.
    public var isWritable: Bool { !options.readOnly && !awaitsWritableServer }

    public var supportsUndo: Bool { canUndo }

    public func newObjectIDs(_ count: Int) throws(StorageError) -> [ObjectID] {
        try checkWritable()
        var oids: [ObjectID] = []
        while oids.count < count {
            let requests = stride(from: oids.count, to: count, by: Self.oidsAtOnce).prefix(Self.oidsAtOnce).map {
                request(.newObjectIDs(min(Self.oidsAtOnce, count - $0))) { value throws(MalformedReply) in
                    try Reply.objectIDs(value)
                }
            }
            try send(requests)
            let before = oids.count
            for request in requests { oids += try wait(for: request) }
            guard oids.count > before else { throw .unsupported("the server \(name) gives no object ids") }
        }
        return Array(oids.prefix(count))
    }

    /// Begins a transaction. It reaches the server with its stores; a second one waits here for the first.
    /// - Throws: `readOnly`; `unsupported` when the extension cannot be sent; `corrupt` when it is no pickle;
    ///   `connection`; `interrupted`.
    public func begin(_ metadata: TransactionMetadata) throws(StorageError) -> any StorageTransaction {
        try checkWritable()
        for (what, text) in [("user", metadata.user), ("description", metadata.description)] {
            guard text.count <= Self.longestText else {
                throw .unsupported("the \(what) of a transaction may have \(Self.longestText) bytes")
            }
        }
        let `extension` = try WireValue.transactionExtension(metadata.extensionData)
        try gate.enter(interruption)
        do throws(StorageError) {
            let channel = try connectedChannel()
            // It may be another server than before.
            try checkWritable()
            let number = state.withLock { state in
                state.transactionCount += 1
                return state.transactionCount
            }
            return ServerTransaction(
                self, attempt: channel.attempt, id: number, metadata, extension: `extension`)
        } catch {
            gate.leave()
            throw error
        }
    }

    private func checkWritable() throws(StorageError) {
        if options.readOnly { throw .readOnly("\(name) was opened for reading") }
        guard !awaitsWritableServer else { throw .readOnly("\(serverAddress), which lets nobody write") }
    }

    var serverIsPython2: Bool { server?.python == .python2 }

    /// Whether the storage behind the server takes blobs.
    var keepsBlobs: Bool { server?.keepsBlobs ?? false }

    /// Ends this connection, if it is still the one; the next call makes another.
    func drop(_ attempt: Int) {
        let channel = state.withLock { state -> ClientChannel? in
            guard case .connected(let channel) = state.link, channel.attempt == attempt else { return nil }
            state.link = .disconnected
            return channel
        }
        channel?.close()
    }
}
