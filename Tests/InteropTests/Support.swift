import TestSupport
import Testing
import ZEOClient
import ZEOProtocol
import ZODB

extension Trait where Self == ConditionTrait {
    /// Without its peer a test is skipped, and the report says which peer is missing and why.
    static func needs(_ peer: PythonPeer) -> Self { .enabled(if: peer.isReady, Comment(rawValue: peer.reason)) }

    static func needs(_ peers: [PythonPeer]) -> Self {
        let missing = peers.filter { !$0.isReady }
        return .enabled(if: missing.isEmpty, Comment(rawValue: missing.map(\.reason).joined(separator: "; ")))
    }

    /// One of many alike: part of `make test-all`.
    static var onlyInFull: Self { .enabled(if: OwnTests.everything, "part of make test-all") }
}

extension PythonServer {
    var endpoint: Endpoint {
        switch address {
        case .port(let port): .host("127.0.0.1", port: port)
        case .unixSocket(let path): .unixSocket(path: path)
        }
    }

    func connect(
        _ storage: String = "1", writable: Bool = false, cache: Int = 32 << 20,
        interruption: Interruption = Interruption()
    ) throws -> ZEOClientStorage {
        try ZEOClientStorage(
            endpoint,
            .init(
                storage: storage, readOnly: !writable, label: "tests", greetingTimeout: .seconds(20),
                cacheCapacity: cache),
            interruption: interruption)
    }
}

extension Cursor {
    func rest() throws -> [Element] {
        var elements: [Element] = []
        while let element = try next() { elements.append(element) }
        return elements
    }
}

extension ObjectID {
    init(hex: String) throws { self.init(rawValue: try #require(UInt64(hex, radix: 16))) }
}

extension TransactionID {
    init(hex: String) throws { self.init(rawValue: try #require(UInt64(hex, radix: 16))) }
}
