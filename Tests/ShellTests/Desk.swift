import ArgumentParser
import Foundation
import ObjectGraph
import Storages
import Synchronization
import ZODB

@testable import Shell

/// A session that may write, on a database in memory with a few things in it, and a second client of the same.
final class Desk {
    let look: Look
    let database: MemoryStorage
    /// What questions are answered with, and the questions.
    let answers = Mutex([String]())
    let questions = Mutex([String]())
    let state = FileManager.default.temporaryDirectory.appending(path: "desk-\(UUID().uuidString)")

    var session: Session { look.session }
    var journalFile: URL { state.appending(path: "zeoshell/journal") }
    var prompt: String { Prompt(session, isUTF8: true).text(Style(usesColor: false)) }

    /// - Parameters:
    ///   - isWritable: as `--rw`.
    ///   - answers: nil when nobody can be asked.
    ///   - services: the services file.
    init(
        _ mode: Session.Mode = .interactive, isWritable: Bool = true, answers: [String]? = [], services: String = ""
    ) throws {
        let database = MemoryStorage("db1")
        self.database = database
        try Self.commit(
            [
                0: Made.root([("a", Made.reference(1, "app.Thing")), ("b", Made.reference(2, "app.Thing"))]),
                1: Self.thing("first"), 2: Self.thing("second"),
            ], to: database, user: "/ setup")
        try FileManager.default.createDirectory(at: state, withIntermediateDirectories: true)
        let file = state.appending(path: "services")
        try services.write(to: file, atomically: true, encoding: .utf8)
        look = try Look(
            StorageAddress(.server(host: "db1", port: 8800)), mode,
            environment: [
                "XDG_STATE_HOME": state.path, "LOGNAME": "mary", "ZEOSHELL_SERVICES": file.path,
            ], options: OpeningOptions(isWritable: isWritable)
        ) { _, options, _ in MemoryStorage(sharing: database, isWritable: options.isWritable) }
        if let answers {
            self.answers.withLock { $0 = answers }
            session.questions = Questions { [unowned self] question in
                self.questions.withLock { $0.append(question) }
                return self.answers.withLock { $0.isEmpty ? nil : $0.removeFirst() }
            }
        }
    }

    deinit { try? FileManager.default.removeItem(at: state) }

    func run(_ line: String) -> Look.Outcome { look.run(line) }

    static func thing(_ title: String) -> [UInt8] {
        Made.record("app.Thing", Made.dict([("title", Made.text(title)), ("count", [UInt8(ascii: "K"), 7])]))
    }

    /// What another client writes.
    @discardableResult
    static func commit(
        _ records: [UInt64: [UInt8]], to database: MemoryStorage, user: String = "/ bob", note: String = "theirs"
    ) throws -> TransactionID {
        let storage = MemoryStorage(sharing: database)
        let transaction = try storage.begin(
            TransactionMetadata(user: Array(user.utf8), description: Array(note.utf8)))
        for (oid, data) in records {
            let oid = ObjectID(rawValue: oid)
            let serial = try? storage.load(oid, at: .latest).serial
            try transaction.store(data, for: oid, basedOn: serial ?? .none)
        }
        _ = try transaction.vote()
        return try transaction.finish()
    }

    /// Stages a thing's title, as an editing command does.
    @discardableResult
    func stage(_ oid: UInt64, _ title: String, path: String? = nil, options: [String] = []) throws -> Report {
        session.line = "stage \(oid) \(title)"
        let oid = ObjectID(rawValue: oid)
        return try session.edit(try EditOptions.parse(options)) {
            try session.workspace.stage(Self.thing(title), for: oid)
            session.note(path ?? "/\(oid)", of: oid)
            return .nothing
        }
    }

    /// The titles that a new reader finds.
    func titles() throws -> [String] {
        let workspace = try Workspace(MemoryStorage(sharing: database))
        return try [UInt64(1), 2].map { number in
            try workspace.subject(of: .object(ObjectID(rawValue: number), at: workspace.at)).text(of: "title") ?? "?"
        }
    }

    func journal() throws -> [Substring] {
        guard let text = try? String(contentsOf: journalFile, encoding: .utf8) else { return [] }
        return text.split(separator: "\n")
    }
}
