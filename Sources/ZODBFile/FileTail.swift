public import ZODB

/// What lies behind the last complete transaction of a Data.fs: not committed, and not read.
public enum FileTail: Hashable, Sendable {
    /// A transaction that was voted and is not finished: a commit in progress, or one that a crash cut short.
    case checkpoint(at: Int, TransactionID, bytes: Int)
    /// A transaction that says it is longer than the rest of the file.
    case incomplete(at: Int, TransactionID, bytes: Int)
    /// Fewer bytes than a transaction's head has.
    case shortHeader(at: Int, bytes: Int)
    /// No transaction: zeros of a preallocating file system, for example.
    case garbage(at: Int, bytes: Int)

    /// Where it begins: the end of the last complete transaction.
    public var position: Int {
        switch self {
        case .checkpoint(let position, _, _), .incomplete(let position, _, _), .shortHeader(let position, _),
            .garbage(let position, _):
            position
        }
    }
}

extension FileTail: CustomStringConvertible {
    public var description: String {
        switch self {
        case .checkpoint(let position, let tid, let bytes):
            "\(bytes) bytes at offset \(position): transaction \(tid), voted but not finished"
        case .incomplete(let position, let tid, let bytes):
            "\(bytes) bytes at offset \(position): the beginning of transaction \(tid)"
        case .shortHeader(let position, let bytes):
            "\(bytes) bytes at offset \(position): too few for a transaction"
        case .garbage(let position, let bytes):
            "\(bytes) bytes at offset \(position): not a transaction"
        }
    }
}
