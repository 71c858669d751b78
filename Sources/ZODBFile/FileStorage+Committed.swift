internal import Synchronization
package import ZODB

/// The committed part of a Data.fs at one moment: bytes that never change, whatever is appended or put in their place.
package struct CommittedPart: Sendable {
    package var file: DataFile
    /// Where the last complete transaction ends; 4 in an empty file, 0 in one of 0 bytes.
    package var end: Int
    /// `.none` when there is no transaction.
    package var last: TransactionID
    /// nil for a file of 0 bytes.
    package var generation: PythonGeneration?
}

extension FileStorage {
    /// What is committed as of the last `poll`, or else of when the file's end was first looked for.
    package func committedPart() throws(StorageError) -> CommittedPart { try part(of: try view()) }

    /// The same with its index.
    package func committedPartWithIndex() throws(StorageError) -> (part: CommittedPart, index: FileIndex) {
        let (view, index) = try indexSnapshot()
        return (try part(of: view), index)
    }

    private func part(of view: View) throws(StorageError) -> CommittedPart {
        CommittedPart(
            file: view.file, end: min(view.end.position, try view.file.size()), last: view.end.last?.tid ?? .none,
            generation: state.withLock { $0.generation })
    }

    /// Where the first transaction after `tid` begins, and whether a pack has been over it; nil when there is none.
    package func transactionStart(
        after tid: TransactionID
    ) throws(StorageError) -> (position: Int, isPacked: Bool)? {
        let view = try view()
        guard let entry = try view.transactions.firstEntry(from: tid.successor, options.interruption) else {
            return nil
        }
        return (entry.header.position, entry.header.status == TransactionHeader.packed)
    }

    /// Whether it was opened with a directory for blobs.
    package var hasBlobDirectory: Bool { blobs != nil }
}
