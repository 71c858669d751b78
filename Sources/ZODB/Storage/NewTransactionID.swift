#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

extension TransactionID {
    /// The tid of a transaction that is made now: the time, or the least tid after `last` where the clock is behind it.
    public static func new(after last: TransactionID) -> TransactionID {
        var time = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        let seconds = Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
        guard let now = TransactionID(unixTime: seconds), now > last else { return last.successor }
        return now
    }
}

extension TransactionMetadata {
    /// The most bytes that a Data.fs has room for in each of the three.
    public static let sizeLimit = 65_535

    /// - Throws: `unsupported` when a part is too long to be stored.
    public func check() throws(StorageError) {
        for (name, bytes) in [("user", user), ("description", description), ("extension data", extensionData)]
        where bytes.count > Self.sizeLimit {
            throw .unsupported("the \(name) of a transaction has at most 65,535 bytes, not \(bytes.count)")
        }
    }

    /// As a storage tells it afterwards.
    public func summary(of tid: TransactionID, length: Int? = nil) -> TransactionSummary {
        TransactionSummary(
            tid: tid, user: user, description: description, extensionData: extensionData, length: length)
    }
}
