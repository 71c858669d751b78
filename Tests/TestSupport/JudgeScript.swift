internal import Foundation

/// A script under `TestSupport/python` that says of many cases at once what real Python makes of them.
public struct JudgeScript: Sendable {
    /// The file's name.
    public let name: String

    public init(_ name: String) { self.name = name }

    /// Runs the script as `script WHAT CASES ANSWERS`, files with a line of JSON for each case.
    /// - Returns: an answer for each case, in their order.
    /// - Throws: `PythonFailure` when it fails, or does not answer every case.
    public func answers(_ peer: PythonPeer, _ what: String, _ cases: [some Encodable]) throws -> [JSONValue] {
        let folder = FileManager.default.temporaryDirectory.appending(path: "judge-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let (asked, answered) = (folder.appending(path: "cases"), folder.appending(path: "answers"))
        let encoder = JSONEncoder()
        var lines = Data()
        for one in cases { lines += try encoder.encode(one) + Data("\n".utf8) }
        try lines.write(to: asked)
        let script = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "python/\(name)")
        try peer.run(try String(contentsOf: script, encoding: .utf8), [what, asked.path, answered.path])
        let answers = try Data(contentsOf: answered).split(separator: UInt8(ascii: "\n")).map(JSONValue.init(parsing:))
        guard answers.count == cases.count else {
            throw PythonFailure(text: "\(name): \(answers.count) answers to \(cases.count) cases")
        }
        return answers
    }
}
