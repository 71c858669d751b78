internal import ClientCache
internal import ZEOClient
public import ZODB
internal import ZODBFile

/// What would become of a cache file at the next connection to a server.
public struct CacheProspect: Hashable, Sendable {
    /// How many revisions would be used; nil when the file would not be.
    public var keptCount: Int?
    /// What the user would be told.
    public var remarks: [String]
    /// The server's last transaction.
    public var lastTransaction: TransactionID
}

/// Rehearses a connection with a copy of the cache file at `path`, which stays as it is.
/// - Parameter scratch: a directory for the copy, which is removed in the end.
/// - Throws: `connection` and whatever else connecting throws; `unsupported` when `path` is no such cache; `io`.
public func cacheProspect(
    of path: String, at address: StorageAddress, options: OpeningOptions, scratch: String, interruption: Interruption
) throws(StorageError) -> CacheProspect {
    let folder = "\(scratch)/zeoshell-cache-\(TransactionID.new(after: .none).hex)"
    try Directories.make(folder)
    defer { try? Directories.removeTree(folder) }
    let copy = folder + "/copy.zec"
    let size = try duplicate(path, copy)
    if FileIdentity(path: path + ".note") != nil { _ = try duplicate(path + ".note", copy + ".note") }
    var options = options
    options.cache = CacheSettings(file: copy, size: size)
    options.isWritable = false
    options.isOverlay = false
    let storage = try openStorage(address, options: options, interruption: interruption) { _ in }
    defer { storage.close() }
    guard let client = storage as? ZEOClientStorage else {
        throw .unsupported("\(address) is no server: a cache is of use with one only")
    }
    // With a cache it may have begun without the server.
    _ = try client.ping()
    client.settleCache()
    let count = client.cachedRevisionCount
    let remarks = client.takeRemarks().map { naming(path, insteadOf: copy, in: $0) }
    return CacheProspect(keptCount: count, remarks: remarks, lastTransaction: try client.lastTransaction())
}

/// - Returns: how many bytes were copied.
private func duplicate(_ path: String, _ target: String) throws(StorageError) -> Int {
    let file = try DataFile(path)
    let size = try file.size()
    try file.copy(0..<size, to: try DataFile(target, .creating(permissions: 0o600)), at: 0)
    return size
}

private func naming(_ path: String, insteadOf copy: String, in text: String) -> String {
    var (result, rest) = ("", text[...])
    while let first = rest.first {
        if rest.hasPrefix(copy) {
            result += path
            rest = rest.dropFirst(copy.count)
        } else {
            result.append(first)
            rest = rest.dropFirst()
        }
    }
    return result
}
