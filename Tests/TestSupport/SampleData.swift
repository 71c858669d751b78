public import Foundation

/// The files under `sample-data`: databases that Python wrote, and what Python says is in them.
public enum SampleData {
    public static let root = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "sample-data")

    public static func path(_ name: String) -> String { root.appending(path: name).path }

    public static func bytes(_ name: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: root.appending(path: name)))
    }

    public static func json(_ name: String) throws -> JSONValue { try JSONValue(parsing: bytes(name)) }

    /// The names of a folder's files with this ending, without it, sorted.
    public static func names(in folder: String, ending: String) -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: path(folder))) ?? []
        return names.filter { $0.hasSuffix(ending) }.map { String($0.dropLast(ending.count)) }.sorted()
    }
}
