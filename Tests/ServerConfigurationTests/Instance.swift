import Foundation
import ServerConfiguration
import TestSupport
import ZConfig

/// A directory as an instance has it, in which the configurations of `corpus` are at home.
final class Instance {
    let root: String

    init() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "instance-\(UUID().uuidString)")
        root = folder.path
        let folders = [
            "etc/parts", "var/filestorage", "var/log", "var/blobs", "var/blobstorage", "log", "bin", "parts/zeoserver",
        ]
        for name in folders {
            try FileManager.default.createDirectory(
                atPath: "\(root)/\(name)", withIntermediateDirectories: true)
        }
        for name in Self.names(in: "parts") { try write(try Self.text("parts/\(name)"), to: "etc/parts/\(name)") }
        for name in ["client.pem", "server.pem", "server_key.pem", "password", "zeo.passwd"] {
            try write("", to: "etc/\(name)")
        }
    }

    deinit { try? FileManager.default.removeItem(atPath: root) }

    private static let corpus = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "corpus")

    static func names(in folder: String = "") -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: corpus.appending(path: folder).path)) ?? []
        return names.filter { $0.hasSuffix(".conf") }.sorted()
    }

    static func text(_ name: String) throws -> String {
        try String(contentsOf: corpus.appending(path: name), encoding: .utf8)
    }

    /// Writes a configuration whose `@ROOT@` is this directory, and whose `@PYTHON@` is any program there is.
    @discardableResult
    func write(_ text: String, to name: String = "etc/zeo.conf") throws -> String {
        let path = "\(root)/\(name)"
        let text = text.replacing("@ROOT@", with: root).replacing("@PYTHON@", with: "/bin/sh")
        try text.write(toFile: path, atomically: false, encoding: .utf8)
        return path
    }

    /// The certificates that ZEO's own tests use.
    func takeCertificates(of peer: PythonPeer) throws {
        let folder = try peer.run("import ZEO, os; print(os.path.join(os.path.dirname(ZEO.__file__), 'tests'))")
        for name in ["client.pem", "server.pem", "server_key.pem"] {
            let source = folder.trimmingCharacters(in: .whitespacesAndNewlines) + "/" + name
            try write(try String(contentsOfFile: source, encoding: .utf8), to: "etc/\(name)")
        }
    }

    func settings(_ text: String, _ environment: [String: String] = ["SITE": "example"]) throws -> ServerSettings {
        try ServerSettings.parse(path: try write(text), host: .system(environment: environment))
    }

    /// Of an error or a warning, without the directory.
    func shown(_ message: some CustomStringConvertible) -> String {
        message.description.replacing("\(root)/etc/", with: "").replacing(root, with: "@ROOT@")
    }
}
