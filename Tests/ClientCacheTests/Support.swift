import Foundation
import Synchronization
import ZODB
import ZODBFile

@testable import ClientCache

extension ObjectID {
    init(_ number: UInt64) { self.init(rawValue: number) }
}

extension TransactionID {
    init(_ number: UInt64) { self.init(rawValue: number) }
    /// A tid as they are today, by a small number.
    static func today(_ number: UInt64) -> TransactionID {
        TransactionID(rawValue: 0x040d_2700_0000_0000 + number << 20)
    }
}

/// A directory that goes with the test.
final class Scratch {
    let folder = FileManager.default.temporaryDirectory.appending(path: "zeoshell-cache-\(UUID().uuidString)")

    init() throws { try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true) }
    deinit { try? FileManager.default.removeItem(at: folder) }

    func path(_ name: String = "c.zec") -> String { folder.appending(path: name).path }
    func bytes(_ name: String = "c.zec") throws -> [UInt8] {
        [UInt8](try Data(contentsOf: folder.appending(path: name)))
    }
    func write(_ bytes: [UInt8], _ name: String = "c.zec") throws {
        try Data(bytes).write(to: folder.appending(path: name))
    }
    func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: path(name)) }
}

extension CacheFile {
    static let source = CacheSource(server: "db1:8800", storage: "1")

    /// Opens a cache that nothing speaks against.
    static func opened(_ path: String, size: Int = 4096) throws -> (file: CacheFile, remarks: [String]) {
        switch try open(path, size: size, for: source) {
        case .opened(let file, let remarks):
            file.adopt()
            return (file, remarks)
        case .leftAlone(let why): throw StorageError.wrongState(why)
        }
    }
}

func revision(_ text: String, _ serial: TransactionID, next: TransactionID? = nil) -> Revision {
    Revision(data: Array(text.utf8), serial: serial, next: next)
}
