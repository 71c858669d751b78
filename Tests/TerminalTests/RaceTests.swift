import Foundation
import TestSupport
import Testing

/// Two shells and a Python client, all writing to one BTree. `ZEOSHELL_RACE_SECONDS` sets for how long; 60 by default.
@Suite(
    "Two shells and a Python client", .serialized,
    .enabled(if: PythonPeer.zeo6.isReady, Comment(rawValue: PythonPeer.zeo6.reason)))
struct RaceTests {
    static let seconds = ProcessInfo.processInfo.environment["ZEOSHELL_RACE_SECONDS"].flatMap(Double.init) ?? 60

    @Test("race on one BTree: nothing acknowledged is lost, and the tree stays valid")
    func race() throws {
        // The writers only use what never changes in it.
        nonisolated(unsafe) let server = try PythonServer(.zeo6, serving: ["1": ""])
        guard case .port(let port) = server.address else { throw PseudoTerminal.Failure(description: "no port") }
        try server.client(
            """
            from BTrees.IOBTree import IOBTree
            root['tree'] = IOBTree({key: 0 for key in range(0, 3000, 10)})
            transaction.commit()
            """)
        let end = Date().addingTimeInterval(Self.seconds)
        let python = Background {
            try server.client(
                """
                import random, time, ZODB.POSException
                chance, last, lost = random.Random(7), {}, 0
                while time.time() < \(end.timeIntervalSince1970):
                    key = chance.randrange(300) * 10 + 3
                    try:
                        transaction.begin()
                        tree = root['tree']
                        if chance.random() < 0.3 and key in tree:
                            del tree[key]
                            value = None
                        else:
                            value = tree[key] = tree.get(key, 0) + 1
                        transaction.commit()
                        last[key] = value
                    except ZODB.POSException.ConflictError:
                        transaction.abort()
                        lost += 1
                    time.sleep(0.01)
                for key, value in sorted(last.items()):
                    print(key, value)
                """)
        }
        let shells = (1...2).map { number in
            Background { try Self.write(port: port, remainder: number, seed: UInt64(number), until: end) }
        }
        let told = try python.result()
        let written = try shells.map { try $0.result() }
        var expected: [Int: Int?] = [:]
        for line in told.split(separator: "\n") {
            let words = line.split(separator: " ")
            expected[try #require(Int(words[0]))] = .some(Int(words[1]))
        }
        #expect(expected.count > 10)
        for last in written {
            #expect(last.count > 3)
            expected.merge(last) { _, _ in preconditionFailure("each writer has keys of its own") }
        }
        for key in stride(from: 0, to: 3000, by: 10) { expected[key] = .some(0) }

        let lines = try server.client(
            """
            from BTrees.check import check
            tree = root['tree']
            tree._check()
            check(tree)
            for item in tree.items():
                print('%s %s' % item)
            """
        ).split(separator: "\n")
        let present = expected.compactMap { key, value in value.map { "\(key) \($0)" } }
        #expect(Set(lines.map(String.init)) == Set(present))
        #expect(lines.count == present.count)
    }

    /// A shell that sets and removes keys which leave `remainder` when divided by 10, over and over.
    /// - Returns: for each key the value last acknowledged; nil when it was removed.
    private static func write(port: Int, remainder: Int, seed: UInt64, until end: Date) throws -> [Int: Int?] {
        var random = RandomNumbers(seed: seed)
        let shell = try Conversation(["connect", "127.0.0.1:\(port)", "--rw", "--continue", "--timeout", "60"])
        var last: [Int: Int?] = [:]
        var value = 0
        while Date() < end {
            let key = random.below(300) * 10 + remainder
            let removes = (last[key] ?? nil) != nil && random.oneIn(3)
            value += 1
            let edit = removes ? "unset '//tree[\(key)]'" : "set '//tree[\(key)]' \(value)"
            var answer = try shell.say("begin\n\(edit)\ncommit -y")
            // Another's change to the same part of the tree: made again on what is there now, as often as needed.
            while !answer.contains("committed ") {
                guard answer.contains("conflict") else { throw PseudoTerminal.Failure(description: answer) }
                answer = try shell.say("retry\ncommit -y")
            }
            last[key] = .some(removes ? nil : value)
        }
        shell.close()
        return last
    }
}

/// A shell that is fed lines and whose answers are read, errors among them.
private final class Conversation {
    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()
    private var count = 0

    init(_ arguments: [String]) throws {
        // A shell that has ended is told by its output.
        signal(SIGPIPE, SIG_IGN)
        process.executableURL = BuiltProgram.zeoshell.url
        process.arguments = arguments
        process.environment = [
            "PATH": "/usr/bin:/bin", "TZ": "UTC", "XDG_STATE_HOME": NSTemporaryDirectory() + "race-\(UUID())",
        ]
        process.standardInput = input
        process.standardOutput = output
        process.standardError = output
        try process.run()
    }

    deinit {
        close()
        if let state = process.environment?["XDG_STATE_HOME"] { try? FileManager.default.removeItem(atPath: state) }
    }

    /// What the shell has to say to some lines.
    func say(_ lines: String) throws -> String {
        count += 1
        let end = "answer-\(count)-ends"
        try input.fileHandleForWriting.write(contentsOf: Data("\(lines)\n!echo \(end)\n".utf8))
        var answer = ""
        while !answer.contains(end) {
            let data = output.fileHandleForReading.availableData
            guard !data.isEmpty else { throw PseudoTerminal.Failure(description: "the shell ended: \(answer)") }
            answer += String(decoding: data, as: UTF8.self)
        }
        return answer
    }

    func close() {
        try? input.fileHandleForWriting.close()
        process.waitUntilExit()
    }
}
