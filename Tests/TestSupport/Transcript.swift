import Foundation
public import ZEOProtocol

/// A captured conversation: every frame as bytes, and the value Python decoded from it, as text.
public struct Transcript: Sendable {
    public struct Line: Sendable {
        public var connection: String
        /// What is being done, as the headings of the transcript say.
        public var section: String
        public var fromServer: Bool
        /// The frame, its length word included.
        public var frame: [UInt8]
        /// As printed by Python, without white space: it is broken at column 150.
        public var value: String

        public var body: [UInt8] { Array(frame.dropFirst(4)) }
        public var isHandshake: Bool { value.hasPrefix("handshake") }
    }

    public let name: String
    public let lines: [Line]

    public static let names = [
        "z5-zeo-6.2-py311", "m5-zeo-6.2-py311", "z5-zeo-5.4.1-py27", "z5-zeo-5.4.1-py39", "z4-zeo-4.3.1-py27",
        "z4-zeo-4.3.1-py36", "z3101-zodb3-3.10.7-py27", "z308-zodb3-3.8.6-py27", "z303-zodb3-3.7.0-py27",
        "z201-zeo-2.2-py27",
    ]

    public init(_ name: String) throws {
        self.name = name
        let folder = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../ZEOProtocolTests/transcripts")
        let text = try String(contentsOf: folder.appending(path: name + ".txt"), encoding: .utf8)
        var lines: [Line] = []
        var section = ""
        for line in text.split(separator: "\n") {
            if line.hasPrefix("## ") { section = String(line.dropFirst(3)) }
            guard line.hasPrefix("   ") else { continue }
            let words = line.split(separator: " ")
            if line.hasPrefix("   S -> C") {
                lines.append(
                    Line(
                        connection: String(words[2]), section: section, fromServer: true, frame: [], value: ""))
            } else if line.hasPrefix("   C"), words[1] == "->" {
                lines.append(
                    Line(
                        connection: String(words[0]), section: section, fromServer: false, frame: [], value: ""))
            } else if lines[lines.count - 1].value.isEmpty, words[0] != "=" {
                lines[lines.count - 1].frame += words.dropFirst().compactMap { UInt8($0, radix: 16) }
            } else {
                lines[lines.count - 1].value += words.drop { $0 == "=" }.joined()
            }
        }
        self.lines = lines
    }

    public var encoding: Dialect.Encoding { name.hasPrefix("m") ? .messagePack : .pickle }

    /// What the server sent on one connection.
    public func serverFrames(_ connection: String) -> [[UInt8]] {
        lines.filter { $0.fromServer && $0.connection == connection }.map(\.frame)
    }
}
