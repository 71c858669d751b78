/// HMAC with SHA-1, RFC 2104: a digest that only those can make who know the key.
public struct HMACSHA1: Sendable {
    /// Of a code, in bytes.
    public static let size = 20

    private var inner = SHA1()
    private var outer = SHA1()

    public init(key: [UInt8]) {
        var padded = key.count > BlockBuffer.size ? SHA1.digest(key) : key
        padded += [UInt8](repeating: 0, count: BlockBuffer.size - padded.count)
        inner.update(padded.map { $0 ^ 0x36 })
        outer.update(padded.map { $0 ^ 0x5c })
    }

    public mutating func update(_ bytes: [UInt8]) { inner.update(bytes) }

    /// The code of all so far; more may follow.
    public var code: [UInt8] {
        var outer = outer
        outer.update(inner.digest)
        return outer.digest
    }
}

/// Whether two secrets are the same, in a time that does not tell where they differ.
public func areEqualInConstantTime(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    guard left.count == right.count else { return false }
    var difference: UInt8 = 0
    for index in left.indices { difference |= left[index] ^ right[index] }
    return difference == 0
}
