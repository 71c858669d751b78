public import Foundation

/// A Python environment with a ZEO of one version, made by `scripts/peers.sh`.
public struct PythonPeer: Hashable, Sendable, CustomStringConvertible {
    /// The environment's name below `.build/peers`.
    public let name: String
    public let description: String

    public static let zeo6 = PythonPeer(name: "zeo6", description: "ZEO 6.2 on Python 3")
    public static let zeo5 = PythonPeer(name: "zeo5", description: "ZEO 5.4.1 on Python 3")
    public static let zeo5Python2 = PythonPeer(name: "zeo5-py2", description: "ZEO 5.4.1 on Python 2.7")
    /// Zope 5.13 with ZEO 5.4.1: a server as `zeo5` is, and a site (see `ZopeSite`).
    public static let zope5 = PythonPeer(name: "zope5", description: "Zope 5.13 on Python 3")
    /// Zope 2.13.30 with ZODB3 3.10.7, a site as `zope5` is; only `make test-all` makes it.
    public static let zope213 = PythonPeer(name: "zope213", description: "Zope 2.13 on Python 2.7")
    public static let zeo4 = PythonPeer(name: "zeo4", description: "ZEO 4.3.1 on Python 3.6")
    public static let zeo4Python2 = PythonPeer(name: "zeo4-py2", description: "ZEO 4.3.1 on Python 2.7")
    public static let zodb310 = PythonPeer(name: "zodb310-py2", description: "ZODB3 3.10.7 on Python 2.7")
    public static let zodb38 = PythonPeer(name: "zodb38-py2", description: "ZODB3 3.8.6 on Python 2.7")
    public static let zodb37 = PythonPeer(name: "zodb37-py2", description: "ZODB3 3.7.0 on Python 2.7")
    /// Those that a client of the current protocol talks to.
    public static let all = [zeo6, zeo5, zeo5Python2]

    public init(name: String, description: String) {
        self.name = name
        self.description = description
    }

    private static let folder = SampleData.root.deletingLastPathComponent().appending(path: ".build/peers")

    public var python: URL { Self.folder.appending(path: "\(name)/bin/python") }

    /// Whether it is there; a test that needs it is enabled by this, and else reported as skipped.
    public var isReady: Bool {
        FileManager.default.isExecutableFile(atPath: python.path)
            && FileManager.default.fileExists(atPath: Self.folder.appending(path: "\(name)/peer").path)
    }

    /// For the report of a skipped test.
    public var reason: String {
        let note = try? String(contentsOf: Self.folder.appending(path: "\(name).missing"), encoding: .utf8)
        return "\(description) is missing: "
            + (note?.trimmingCharacters(in: .whitespacesAndNewlines) ?? "run `make peers`")
    }

    /// Runs Python code to its end; what it printed.
    /// - Throws: `PythonFailure` with what it said, when it fails.
    @discardableResult
    public func run(_ code: String, _ arguments: [String] = []) throws -> String {
        let process = Process()
        process.executableURL = python
        process.arguments = ["-c", code] + arguments
        let output = Pipe()
        process.standardOutput = output
        // A file, not a second pipe: nobody reads it before the end.
        let errors = FileManager.default.temporaryDirectory.appending(path: "zeoshell-\(UUID().uuidString)")
        try Data().write(to: errors)
        defer { try? FileManager.default.removeItem(at: errors) }
        process.standardError = try FileHandle(forWritingTo: errors)
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw PythonFailure(text: text + ((try? String(contentsOf: errors, encoding: .utf8)) ?? ""))
        }
        return text
    }
}

public struct PythonFailure: Error, CustomStringConvertible {
    public let text: String
    public init(text: String) { self.text = text }
    public var description: String { "Python: \(text)" }
}
