internal import Logging
internal import NIOCore
internal import NIOPosix
internal import ZEOProtocol
internal import ZODB

/// Blobs, on their way in and out.
extension ClientHandler {
    /// Bytes of a blob in one message, as Python's servers send them.
    private static let chunk = 59_000

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
                try incomingBlob.append(bytes)
            case .storeBlobEnd(let oid, let serial, let data, let id):
                guard let file = incomingBlob else { throw .wrongState("the end of a blob that has not begun") }
                incomingBlob = nil
                try file.flush()
                return store(.storeBlob(oid, serial: serial, data: data, file: file), id, reply, served)
            case .storeBlobShared(let oid, let serial, let data, let fileName, let id):
                let file = try sharedBlob(oid, fileName, served)
                // The client has written it, and does not flush.
                try file.flush()
                return store(.storeBlob(oid, serial: serial, data: data, file: file), id, reply, served)
            default: preconditionFailure("\(call) brings no blob")
            }
            answer(reply, .none)
        } catch {
            // A piece is missing: there is no blob any more.
            incomingBlob = nil
            refuse(reply, PythonException(error))
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
        served.reading.submit { _ in
            do throws(StorageError) {
                let sender = BlobSender(oid, serial, reply, try storage.blob(oid, serial: serial), served)
                handle.execute { client in
                    client.tellNews()
                    client.notify("receiveBlobStart", [.bytes(oid.bytes), .bytes(serial.bytes)])
                }
                sender.sendMore(to: handle)
            } catch {
                let exception = PythonException(error)
                handle.execute { $0.refuse(reply, exception) }
            }
        }
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
            return answer(sender.reply, .none)
        }
        if context?.channel.isWritable ?? false { sender.continueLater(handle) } else { waitingBlobs.append(sender) }
    }
}

/// A blob that is being sent to a client, a batch at a time.
///
/// `@unchecked`: the cursor belongs to the storage's reading thread, which alone calls `sendMore`.
final class BlobSender: @unchecked Sendable {
    private static let batchSize = 1 << 20

    let oid: ObjectID
    let serial: TransactionID
    let reply: ServerConnection.Reply
    private let contents: any Cursor<[UInt8]>
    private let served: ServedStorage

    init(
        _ oid: ObjectID, _ serial: TransactionID, _ reply: ServerConnection.Reply, _ contents: any Cursor<[UInt8]>,
        _ served: ServedStorage
    ) {
        self.oid = oid
        self.serial = serial
        self.reply = reply
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
            let reply = reply
            handle.execute { $0.refuse(reply, exception) }
        }
    }

    func continueLater(_ handle: ClientHandle?) {
        guard let handle else { return }
        served.reading.submit { _ in self.sendMore(to: handle) }
    }
}
