internal import Logging
internal import NIOCore
internal import NIOPosix
internal import ZEOProtocol
internal import ZODB

/// Blobs, on their way in and out.
extension ClientHandler {
    /// Bytes of a blob in one message, as Python's servers send them.
    private static let chunk = 59_000
    /// Bytes of blobs that may be on their way to the disk before the client waits.
    private static let mostBlobBytes = 4 << 20

    // MARK: In

    func receiveBlob(_ call: ServerCall, _ reply: ServerConnection.Reply, _ served: ServedStorage) {
        do throws(StorageError) {
            switch call {
            case .storeBlobStart:
                guard !isReadOnly, transaction != nil else { throw .wrongState("a blob outside of a transaction") }
                guard incomingBlob == nil else { throw .wrongState("a second blob begins before the first has ended") }
                incomingBlob = try ReceivedBlob(in: try blobDirectory(of: served))
            case .storeBlobChunk(let bytes):
                guard let incomingBlob else { throw .wrongState("a piece of a blob that has not begun") }
                return append(bytes, to: incomingBlob, reply, served)
            case .storeBlobEnd(let oid, let serial, let data, let id):
                guard let file = incomingBlob else { throw .wrongState("the end of a blob that has not begun") }
                incomingBlob = nil
                return keep(file, .storeBlob(oid, serial: serial, data: data, file: file), id, reply, served)
            case .storeBlobShared(let oid, let serial, let data, let fileName, let id):
                // The client has written it, and does not flush.
                let file = try sharedBlob(oid, fileName, served)
                return keep(file, .storeBlob(oid, serial: serial, data: data, file: file), id, reply, served)
            default: preconditionFailure("\(call) brings no blob")
            }
            answer(reply, .none)
        } catch {
            // A piece is missing: there is no blob any more.
            incomingBlob = nil
            refuse(reply, PythonException(error))
        }
    }

    /// Has a piece written; a client that sends faster than the disk takes waits.
    private func append(
        _ bytes: [UInt8], to file: ReceivedBlob, _ reply: ServerConnection.Reply, _ served: ServedStorage
    ) {
        guard let handle else { return }
        blobBytes += bytes.count
        if blobBytes >= Self.mostBlobBytes { pause(.blobs) }
        served.blobs.submit(for: handle) { _ in
            let written = Self.result { () throws(StorageError) in try file.append(bytes) }
            handle.execute { client in
                client.blobBytes -= bytes.count
                if case .failure(let error) = written {
                    if client.incomingBlob === file { client.incomingBlob = nil }
                    client.refuse(reply, PythonException(error))
                } else {
                    client.answer(reply, .none)
                }
                if client.blobBytes <= Self.mostBlobBytes / 4 { client.goOn(.blobs) }
            }
        }
    }

    /// Keeps the record of a blob, and has its file flushed: that takes as long as the disk likes, and only the vote has to
    /// wait for it.
    private func keep(
        _ file: ReceivedBlob, _ operation: ClientTransaction.Operation, _ id: WireValue,
        _ reply: ServerConnection.Reply, _ served: ServedStorage
    ) {
        guard let handle, keep(operation, id, reply, served) else { return }
        voteObstacles += 1
        served.blobs.submit(for: handle) { _ in
            let flushed = Self.result { () throws(StorageError) in try file.flush() }
            handle.execute { client in
                if case .failure(let error) = flushed {
                    client.transaction?.refusal = PythonException(error)
                    client.refuse(reply, PythonException(error))
                } else {
                    client.answer(reply, .none)
                }
                client.voteObstacleEnded()
            }
        }
    }

    private func blobDirectory(of served: ServedStorage) throws(StorageError) -> String {
        guard let storage = served.storage as? any BlobReceivingStorage,
            let directory = try storage.blobReceptionDirectory()
        else { throw served.cannot("keep blobs") }
        return directory
    }

    /// A file that a client has put into the blob directory, which it shares with us.
    private func sharedBlob(
        _ oid: ObjectID, _ fileName: [UInt8], _ served: ServedStorage
    ) throws(StorageError) -> ReceivedBlob {
        let name = String(decoding: fileName, as: UTF8.self)
        // Names that Python's clients make: nothing else is touched, wherever it is.
        guard !fileName.contains(UInt8(ascii: "/")), !fileName.contains(0),
            name.hasSuffix(".tmp") || name.dropLast().hasSuffix(".tmp"), !name.hasPrefix(".")
        else {
            logger.critical("\(self.name) names a file in storeBlobShared that cannot be one of a blob")
            throw .unsupported("a blob's file cannot have this name")
        }
        guard let storage = served.storage as? any BlobReceivingStorage,
            let directory = try storage.sharedBlobDirectory(of: oid)
        else { throw served.cannot("keep blobs") }
        return try ReceivedBlob(existing: "\(directory)/\(name)")
    }

    // MARK: Out

    func sendBlob(
        _ oid: ObjectID, _ serial: TransactionID, _ reply: ServerConnection.Reply, _ served: ServedStorage
    ) {
        guard let handle else { return }
        guard let storage = served.storage as? any BlobStorage, (try? served.keepsBlobs()) == true else {
            return refuse(reply, .typeError("Blobs are not supported"))
        }
        beginRead()
        outgoing.waiting.append(.init(oid: oid, serial: serial, reply: reply, storage: storage))
        sendNextBlob(handle, served)
    }

    /// One after the other: each takes memory until the client has taken it.
    private func sendNextBlob(_ handle: ClientHandle, _ served: ServedStorage) {
        guard !outgoing.isSending, !outgoing.waiting.isEmpty else { return }
        let request = outgoing.waiting.removeFirst()
        outgoing.isSending = true
        served.blobs.submit(for: handle) { _ in
            do throws(StorageError) {
                let contents = try request.storage.blob(request.oid, serial: request.serial)
                let sender = BlobSender(request, contents, served)
                handle.execute { client in
                    client.tellNews()
                    client.notify(
                        "receiveBlobStart", [.bytes(request.oid.bytes), .bytes(request.serial.bytes)])
                }
                sender.sendMore(to: handle)
            } catch {
                let exception = PythonException(error)
                handle.execute { $0.refuseBlob(request.reply, exception, served) }
            }
        }
    }

    fileprivate func refuseBlob(
        _ reply: ServerConnection.Reply, _ exception: PythonException, _ served: ServedStorage
    ) {
        refuse(reply, exception)
        blobEnded(served)
    }

    private func blobEnded(_ served: ServedStorage) {
        outgoing.isSending = false
        endRead()
        if let handle { sendNextBlob(handle, served) }
    }

    /// The client takes again what it is sent.
    func continueBlob() {
        guard let sender = outgoing.paused else { return }
        outgoing.paused = nil
        sender.continueLater(handle)
    }

    /// Sends what was read of a blob, and asks for more when the client has taken enough of it.
    fileprivate func sendPieces(_ pieces: [[UInt8]], isLast: Bool, _ sender: BlobSender) {
        let (oid, serial) = (WireValue.bytes(sender.oid.bytes), WireValue.bytes(sender.serial.bytes))
        for piece in pieces {
            for start in stride(from: 0, to: piece.count, by: Self.chunk) {
                let chunk = Array(piece[start..<min(start + Self.chunk, piece.count)])
                notify("receiveBlobChunk", [oid, serial, .bytes(chunk)])
            }
        }
        if isLast {
            notify("receiveBlobStop", [oid, serial])
            answer(sender.reply, .none)
            return blobEnded(sender.served)
        }
        if context?.channel.isWritable ?? false { sender.continueLater(handle) } else { outgoing.paused = sender }
    }
}

/// Blobs on their way to one client.
struct OutgoingBlobs {
    struct Request: Sendable {
        let oid: ObjectID
        let serial: TransactionID
        let reply: ServerConnection.Reply
        let storage: any BlobStorage
    }

    /// Those that have been asked for, and not begun.
    var waiting: [Request] = []
    /// Whether one is being sent.
    var isSending = false
    /// That one, when it is to go on as soon as the client has taken what waits for it.
    var paused: BlobSender?
}

/// A blob that is being sent to a client, a batch at a time.
///
/// `@unchecked`: only the storage's blob threads call `sendMore`, for one client one at a time.
final class BlobSender: @unchecked Sendable {
    private static let batchSize = 1 << 20

    var oid: ObjectID { request.oid }
    var serial: TransactionID { request.serial }
    var reply: ServerConnection.Reply { request.reply }
    let served: ServedStorage
    private let request: OutgoingBlobs.Request
    private let contents: any Cursor<[UInt8]>

    init(_ request: OutgoingBlobs.Request, _ contents: any Cursor<[UInt8]>, _ served: ServedStorage) {
        self.request = request
        self.contents = contents
        self.served = served
    }

    func sendMore(to handle: ClientHandle) {
        do throws(StorageError) {
            var pieces: [[UInt8]] = []
            var size = 0
            var isLast = false
            while size < Self.batchSize {
                guard let piece = try contents.next() else {
                    isLast = true
                    break
                }
                pieces.append(piece)
                size += piece.count
            }
            let (read, atEnd) = (pieces, isLast)
            handle.execute { $0.sendPieces(read, isLast: atEnd, self) }
        } catch {
            let exception = PythonException(error)
            handle.execute { $0.refuseBlob(self.reply, exception, self.served) }
        }
    }

    func continueLater(_ handle: ClientHandle?) {
        guard let handle else { return }
        served.blobs.submit(for: handle) { _ in self.sendMore(to: handle) }
    }
}
