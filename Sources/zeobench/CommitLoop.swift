import ArgumentParser
import Foundation
import ZODB
import ZODBFile

/// Commits to a Data.fs until it is killed: what a test of crashes kills.
///
/// Each transaction writes its number into every object; a line with the tid and the number follows when the storage
/// has said that it is committed. So whoever reads the lines knows what must be in the file.
struct CommitLoop: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "commit-loop", abstract: "Commit to a Data.fs until killed, printing what is committed.",
        shouldDisplay: false)

    @Argument(help: "A Data.fs; made when there is none.")
    var file: String

    @Option(help: "Objects that each transaction writes.")
    var objects = 5

    @Option(help: "The most bytes that an object has; the sizes change from transaction to transaction.")
    var size = 20_000

    func run() throws {
        let storage = try FileStorage(file, options: .init(isWritable: true, newFileGeneration: .python3))
        var serial = TransactionID.none
        var number = 0
        if let revision = try? storage.load(.root, at: .latest) {
            serial = revision.serial
            number = Int(String(decoding: revision.data.prefix { $0 != UInt8(ascii: " ") }, as: UTF8.self)) ?? 0
        }
        while true {
            number += 1
            let transaction = try storage.begin(.init(description: Array("\(number)".utf8)))
            for oid in 0..<UInt64(objects) {
                let filler = String(repeating: "x", count: number * 7919 % max(1, size))
                try transaction.store(
                    Array("\(number) \(filler)".utf8), for: ObjectID(rawValue: oid), basedOn: serial)
            }
            _ = try transaction.vote()
            serial = try transaction.finish()
            FileHandle.standardOutput.write(Data("\(serial) \(number)\n".utf8))
        }
    }
}
