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

/// SHA-1, as hexadecimal digits: the expectations identify data by it.
func sha1(_ message: [UInt8]) -> String {
    var state: [UInt32] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0]
    var padded = message + [0x80]
    while padded.count % 64 != 56 { padded.append(0) }
    withUnsafeBytes(of: UInt64(message.count * 8).bigEndian) { padded += $0 }
    func rotate(_ value: UInt32, _ count: UInt32) -> UInt32 { value << count | value >> (32 - count) }
    for block in stride(from: 0, to: padded.count, by: 64) {
        var words = (0..<16).map { word in
            (0..<4).reduce(UInt32(0)) { $0 << 8 | UInt32(padded[block + word * 4 + $1]) }
        }
        for index in 16..<80 {
            words.append(rotate(words[index - 3] ^ words[index - 8] ^ words[index - 14] ^ words[index - 16], 1))
        }
        var (a, b, c, d, e) = (state[0], state[1], state[2], state[3], state[4])
        for index in 0..<80 {
            let (mix, constant): (UInt32, UInt32) =
                switch index {
                case ..<20: (b & c | ~b & d, 0x5a82_7999)
                case ..<40: (b ^ c ^ d, 0x6ed9_eba1)
                case ..<60: (b & c | b & d | c & d, 0x8f1b_bcdc)
                default: (b ^ c ^ d, 0xca62_c1d6)
                }
            let next = rotate(a, 5) &+ mix &+ e &+ constant &+ words[index]
            (a, b, c, d, e) = (next, a, rotate(b, 30), c, d)
        }
        for (index, value) in [a, b, c, d, e].enumerated() { state[index] &+= value }
    }
    return state.map { Hexadecimal.text($0, width: 8) }.joined()
}
