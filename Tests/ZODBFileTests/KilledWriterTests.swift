import Foundation
import TestSupport
import Testing
import ZODB
import ZODBFile

@Suite("A writer that is killed", .enabled(if: PythonPeer.zeo6.isReady, "\(PythonPeer.zeo6.reason)"))
struct KilledWriterTests {
    private static let program = BuiltProgram.zeoshell.url.deletingLastPathComponent().appending(path: "zeobench")

    /// Lets a process commit for a while, and kills it; the number of the last commit that it had acknowledged.
    private func kill(after delay: Int, _ path: String, size: Int) throws -> Int? {
        let process = Process()
        process.executableURL = Self.program
        process.arguments = ["commit-loop", path, "--size", "\(size)"]
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        // The time counts from its first commit: how long a start takes is not the question.
        var text = output.fileHandleForReading.availableData
        usleep(UInt32(delay))
        Foundation.kill(process.processIdentifier, SIGKILL)
        text += output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        // The last line may be cut; it was written after the commit all the same.
        let lines = String(decoding: text, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
        return lines.dropLast().last.flatMap { $0.split(separator: " ").last.flatMap { Int($0) } }
    }

    @Test("Python finds every acknowledged transaction, and none in part; the next writer goes on")
    func killed() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("Data.fs")
        var generator = SeededGenerator.announced("kill")
        let code =
            PythonJudge.prelude + """
                if sys.argv[2] == 'no index':
                    import os
                    if os.path.exists(path + '.index'):
                        os.remove(path + '.index')
                # Read-only first: what a crash left behind the last transaction is not to be looked at.
                for read_only in (True, False):
                    fs = FileStorage(path, read_only=read_only)
                    print(' '.join(fs.load(p64(oid))[0].split(b' ')[0].decode() for oid in range(5)))
                    fs.close()
                fs = FileStorage(path)
                previous = None
                for txn in fs.iterator():
                    records = [(record.oid, record.data) for record in txn]
                    assert len(records) == 5, records
                    assert all(data.split(b' ')[0] == txn.description for _, data in records), txn.description
                    assert previous is None or int(txn.description) == previous + 1
                    previous = int(txn.description)
                """
        var last = 0
        for round in 0..<14 {
            let size = round.isMultiple(of: 3) ? 200 : 100_000
            let acknowledged = try kill(after: Int.random(in: 0..<60_000, using: &generator), path, size: size)
            // A third of the rounds ours reopens the file first, and a third the next writer does, without Python.
            if round % 3 == 1 { try FileStorage(path, options: .init(isWritable: true)).close() }
            guard round % 3 != 2 else {
                last = max(last, acknowledged ?? 0)
                continue
            }
            let lines = try PythonPeer.zeo6.run(code, [path, Bool.random(using: &generator) ? "index" : "no index"])
                .split(separator: "\n")
            #expect(lines.count == 2)
            for line in lines {
                let numbers = line.split(separator: " ").compactMap { Int($0) }
                let number = try #require(numbers.first)
                #expect(numbers == [Int](repeating: number, count: 5))
                #expect(
                    (max(last, acknowledged ?? 0)...max(last, acknowledged ?? 0) + 1).contains(number), "round \(round)"
                )
                last = number
            }
        }
        #expect(last > 14)
    }
}
