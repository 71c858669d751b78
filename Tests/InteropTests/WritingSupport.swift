import Foundation
import TestSupport
import Testing
import ZEOClient
import ZEOProtocol
import ZODB

/// A server of one kind, as a test's argument.
struct ServerKind: CustomTestStringConvertible, Sendable {
    var peer: PythonPeer
    var messagePack = false

    static let newest = [
        ServerKind(peer: .zeo6), ServerKind(peer: .zeo6, messagePack: true), ServerKind(peer: .zeo5),
        ServerKind(peer: .zeo5Python2),
    ].filter(\.peer.isReady)

    /// Those that speak an older generation: all of them with `ZEOSHELL_TEST_ALL=1`, else the oldest and the youngest.
    static let old = [
        ServerKind(peer: .zeo4), ServerKind(peer: .zeo4Python2), ServerKind(peer: .zodb310), ServerKind(peer: .zodb38),
        ServerKind(peer: .zodb37),
    ].filter { $0.peer.isReady && (OwnTests.everything || [.zeo4, .zodb37].contains($0.peer)) }

    static let all = newest + old

    var isPython2: Bool { ![.zeo6, .zeo5, .zeo4].contains(peer) }

    /// The generation of the protocol that it announces.
    var generation: Generation {
        switch peer {
        case .zodb37: .v303
        case .zodb38: .v308
        case .zodb310: .v3101
        case .zeo4, .zeo4Python2: .v4
        default: .v5
        }
    }

    var testDescription: String { peer.description + (messagePack ? " with msgpack" : "") }

    /// Serves a copy of the file, or an empty database.
    func serve(_ file: String = "", blobs: Bool = false, options: String = "") throws -> PythonServer {
        let made = FileManager.default.temporaryDirectory.appending(path: "zeoshell-\(UUID().uuidString).fs").path
        if file.isEmpty, peer == .zodb37 {
            // On a Python younger than itself its client loses the connection to any exception: that there is no root.
            try peer.run(
                """
                import sys, ZODB
                from ZODB.FileStorage import FileStorage
                ZODB.DB(FileStorage(sys.argv[1])).close()
                """, [made])
        }
        defer { try? FileManager.default.removeItem(atPath: made) }
        return try PythonServer(
            peer, serving: ["1": file.isEmpty ? made : file], messagePack: messagePack, blobs: blobs, options: options)
    }
}

/// Records that Python 2 and 3 both read.
enum Record {
    static func length(_ number: UInt8) -> [UInt8] {
        Array("cBTrees.Length\nLength\n.K".utf8) + [number, UInt8(ascii: ".")]
    }

    /// A `PersistentMapping` with one entry, of 255 bytes at most.
    static func mapping(_ key: String, _ value: String) -> [UInt8] {
        Array("cpersistent.mapping\nPersistentMapping\n.}U\u{4}data}".utf8) + string(key) + string(value)
            + Array("ss.".utf8)
    }

    /// A `PersistentMapping` with one entry of so many bytes.
    static func mapping(_ key: String, size: Int) -> [UInt8] {
        let length = UInt32(size)
        return Array("cpersistent.mapping\nPersistentMapping\n.}U\u{4}data}".utf8) + string(key)
            + [UInt8(ascii: "T")] + (0..<4).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) }
            + [UInt8](repeating: UInt8(ascii: "x"), count: size) + Array("ss.".utf8)
    }

    static let blob = Array("cZODB.blob\nBlob\n.N.".utf8)

    private static func string(_ text: String) -> [UInt8] {
        [UInt8(ascii: "U"), UInt8(text.utf8.count)] + Array(text.utf8)
    }
}

extension TransactionMetadata {
    static let plain = TransactionMetadata("tests", "a change")

    init(_ user: String, _ description: String, extension: [UInt8] = []) {
        self.init(user: Array(user.utf8), description: Array(description.utf8), extensionData: `extension`)
    }
}

extension WritableStorage {
    /// One transaction of stores; its tid.
    @discardableResult
    func commit(
        _ stores: [(oid: ObjectID, data: [UInt8], serial: TransactionID)], _ metadata: TransactionMetadata = .plain
    ) throws -> TransactionID {
        let transaction = try begin(metadata)
        for store in stores { try transaction.store(store.data, for: store.oid, basedOn: store.serial) }
        _ = try transaction.vote()
        return try transaction.finish()
    }
}
