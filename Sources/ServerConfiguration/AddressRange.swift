internal import Glibc

/// Addresses that begin with the same bits: `10.0.0.0/8`, `2001:db8::/32`, or a single one.
public struct AddressRange: Hashable, Sendable {
    /// 4 or 16 bytes, zero behind the prefix.
    public let bytes: [UInt8]
    /// How many bits count.
    public let prefix: Int

    /// Nil when it is no address, or has bits behind the prefix: such a text means something else than it says.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let bytes = Self.address(String(parts[0])) else { return nil }
        var prefix = bytes.count * 8
        if parts.count == 2 {
            guard parts[1].utf8.allSatisfy((UInt8(ascii: "0")...UInt8(ascii: "9")).contains),
                let number = Int(parts[1]), number <= prefix
            else { return nil }
            prefix = number
        }
        self.bytes = bytes
        self.prefix = prefix
        guard bytes.indices.allSatisfy({ bytes[$0] & ~mask($0) == 0 }) else { return nil }
    }

    /// - Parameter address: 4 or 16 bytes. An IPv4 client of a socket that listens to IPv6 comes as `::ffff:a.b.c.d`; it
    ///   is in the ranges that `a.b.c.d` is in.
    public func contains(_ address: [UInt8]) -> Bool {
        var address = address[...]
        if bytes.count == 4, address.count == 16, address.starts(with: Self.mapped) { address = address.dropFirst(12) }
        return address.count == bytes.count
            && zip(address, bytes.indices).allSatisfy { $0 & mask($1) == bytes[$1] }
    }

    private static let mapped: [UInt8] = Array(repeating: 0, count: 10) + [0xff, 0xff]

    private func mask(_ index: Int) -> UInt8 {
        let bits = min(max(prefix - index * 8, 0), 8)
        return UInt8(truncatingIfNeeded: 0xff00 >> bits)
    }

    private static func address(_ text: String) -> [UInt8]? {
        for (family, size) in [(AF_INET, 4), (AF_INET6, 16)] {
            var bytes = [UInt8](repeating: 0, count: size)
            if inet_pton(family, text, &bytes) == 1 { return bytes }
        }
        return nil
    }
}
