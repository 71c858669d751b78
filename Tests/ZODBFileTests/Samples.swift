import ByteCoding
import Foundation
import TestSupport
import Testing
import ZODB
import ZODBFile

/// The files of `sample-data`, and what Python says of them.
enum Samples {
    static func path(_ name: String) -> String { SampleData.path(name) }

    static func expected<Value: Decodable>(_ name: String, as type: Value.Type = Value.self) throws -> Value {
        try JSONDecoder().decode(
            type, from: Data(SampleData.bytes("expected/\(name).json")))
    }

    /// Names in `fs` that have a walk in `expected`, without `.fs`.
    static let walked = names(in: "expected", ending: ".fs.json")
    static let all = names(in: "fs", ending: ".fs")

    private static func names(in folder: String, ending: String) -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: path(folder))) ?? []
        return names.filter { $0.hasSuffix(ending) }.map { String($0.dropLast(ending.count)) }.sorted()
    }
}

/// A directory that is removed with the last reference to it.
final class TemporaryDirectory: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("zodbfile-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { "\(path)/\(name)" }

    func write(_ bytes: [UInt8], to name: String = "Data.fs") throws -> String {
        try bytes.overwrite(file(name))
        return file(name)
    }
}

extension [UInt8] {
    /// Makes the file's content this, without ever removing what is already right: as a server's appending does. (And
    /// without the flush that some file systems add to a truncation to nothing: thousands of files are written here.)
    func overwrite(_ path: String) throws {
        if !FileManager.default.fileExists(atPath: path) {
            #expect(FileManager.default.createFile(atPath: path, contents: nil))
        }
        let handle = try #require(FileHandle(forUpdatingAtPath: path))
        defer { try? handle.close() }
        if try handle.seekToEnd() > UInt64(count) { try handle.truncate(atOffset: UInt64(count)) }
        try handle.seek(toOffset: 0)
        try handle.write(contentsOf: Data(self))
    }
}

func append(_ bytes: some Sequence<UInt8>, to path: String) throws {
    let handle = try #require(FileHandle(forWritingAtPath: path))
    try handle.seekToEnd()
    try handle.write(contentsOf: Data(bytes))
    try handle.close()
}

extension Cursor {
    /// All elements that are left.
    func rest() throws -> [Element] {
        var elements: [Element] = []
        while let element = try next() { elements.append(element) }
        return elements
    }
}

extension ObjectID {
    init(hex: String) { self.init(rawValue: UInt64(hex, radix: 16)!) }
}

extension TransactionID {
    init(hex: String) { self.init(rawValue: UInt64(hex, radix: 16)!) }
}
