import ArgumentParser
import Glibc
import LineEditing
import Storages
import Synchronization
import Testing
import ZODB

@testable import Shell

/// A storage whose transactions a test makes up.
private final class MemoryStorage: RemoteStorage, SharedStorage, TransactionLogStorage {
    let name = "memory"
    private let state = Mutex((transactions: [TransactionSummary](), fresh: [Invalidation](), isConnected: true))

    func commit(_ user: String, oids: [UInt64] = [0]) -> TransactionID {
        state.withLock { state in
            let tid = TransactionID(rawValue: 0x0400_0000_0000_0000 + UInt64(state.transactions.count))
            state.transactions.append(TransactionSummary(tid: tid, user: Array(user.utf8)))
            state.fresh.append(Invalidation(tid: tid, oids: oids.map { ObjectID(rawValue: $0) }))
            return tid
        }
    }

    func disconnect() { state.withLock { $0.isConnected = false } }

    var isConnected: Bool { state.withLock { $0.isConnected } }
    func ping() throws(StorageError) -> Duration { .milliseconds(3) }
    func information() throws(StorageError) -> StorageInformation {
        StorageInformation(kind: "Memory", storageName: "m", objectCount: 12_345, size: 2048)
    }
    func lastTransaction() throws(StorageError) -> TransactionID {
        state.withLock { $0.transactions.last?.tid ?? .none }
    }
    func load(_ oid: ObjectID, at tid: TransactionID) throws(StorageError) -> Revision { throw .noSuchObject(oid) }
    func close() {}
    func poll() throws(StorageError) -> [Invalidation] {
        state.withLock { state in
            defer { state.fresh = [] }
            return state.fresh
        }
    }
    func transactionLog() throws(StorageError) -> any Cursor<TransactionSummary> {
        ArrayCursor(state.withLock { $0.transactions.reversed() })
    }
    func transactions(
        from first: TransactionID, through last: TransactionID
    ) throws(StorageError) -> any Cursor<TransactionSummary> {
        ArrayCursor(state.withLock { $0.transactions.filter { first <= $0.tid && $0.tid <= last } })
    }
    func records(
        of tid: TransactionID
    ) throws(StorageError) -> (transaction: TransactionSummary, records: any Cursor<TransactionRecord>) {
        throw .noSuchTransaction(tid)
    }
}

/// A session on a `MemoryStorage`, and what its commands write.
private struct Fixture {
    let storage = MemoryStorage()
    let session: Session

    init() throws {
        _ = storage.commit("first")
        let storage = storage
        session = Session(
            mode: .script, terminal: Terminal(), environment: Environment { ["ZEOSHELL_VAR_site": "/Plone"][$0] },
            interruption: Interruption(), progress: Progress { _ in }, opener: { _, _, _ in storage })
        try session.open(StorageAddress(.server(host: "db1", port: 8800)), OpeningOptions())
    }

    func text(_ report: Report, _ format: OutputFormat = .plain) throws -> String {
        var bytes: [UInt8] = []
        let output = Output { bytes += $0 }
        try Rendering(format: format, zone: .utc).write(report, to: output)
        try output.flush()
        return String(decoding: bytes, as: UTF8.self)
    }

    func prompt() -> String { Prompt(session, isUTF8: true).text(Style(usesColor: false)) }
}

@Suite("A session")
struct SessionTests {
    @Test("looks at the moment it was opened until it is refreshed, and the prompt says what is new")
    func snapshot() throws {
        let fixture = try Fixture()
        let opened = fixture.session.snapshot
        #expect(fixture.prompt() == "db1:8800 / › ")
        _ = fixture.storage.commit("mary", oids: [1, 2])
        let last = fixture.storage.commit("bob", oids: [2])
        try fixture.session.poll()
        try fixture.session.poll()
        #expect(fixture.session.at == opened)
        #expect(fixture.prompt() == "db1:8800 / ↻2 › ")
        #expect(try fixture.text(LogCommand.parse([]).run(in: fixture.session), .jsonl).contains("mary") == false)
        let report = try fixture.text(RefreshCommand.parse([]).run(in: fixture.session))
        #expect(report.hasPrefix("transactions\t2\nobjects\t2\ntid\t\(last.hex)\n"))
        #expect(fixture.session.at == last)
        #expect(fixture.prompt() == "db1:8800 / › ")
        #expect(try fixture.text(LogCommand.parse([]).run(in: fixture.session)).split(separator: "\n").count == 3)
    }

    @Test("says in its prompt that the connection is lost, and that it looks at the past")
    func marks() throws {
        let fixture = try Fixture()
        fixture.session.path = "/Plone"
        fixture.session.past = TransactionID(unixTime: 1_790_848_800)
        fixture.session.settings.usesUTC = true
        #expect(fixture.prompt() == "db1:8800 /Plone @2026-10-01 10:00 › ")
        fixture.session.past = nil
        fixture.storage.disconnect()
        #expect(fixture.prompt() == "db1:8800 /Plone OFFLINE ?› ")
        #expect(Prompt(fixture.session, isUTF8: false).text(Style(usesColor: false)) == "db1:8800 /Plone OFFLINE ?> ")
    }

    @Test("shows no control character of a path in its prompt")
    func harmlessPrompt() throws {
        let fixture = try Fixture()
        fixture.session.path = "/a\u{1b}]0;x\u{7}"
        #expect(fixture.prompt() == "db1:8800 /a\\x1b]0;x\\x07 › ")
    }

    @Test("begins with two lines: what was opened, and what to type")
    func banner() throws {
        let fixture = try Fixture()
        let lines = Banner.lines(fixture.session)
        #expect(lines.count == 2)
        #expect(lines[0].hasPrefix("db1:8800: Memory · 12,345 objects · 2.0 K · last commit 2025-04-11 "))
        #expect(lines[0].hasSuffix("by first · read-only"))
        #expect(lines[1].hasPrefix("help · ls · find · log"))
    }

    @Test("lists transactions newest first, between two times")
    func log() throws {
        let fixture = try Fixture()
        _ = fixture.storage.commit("mary")
        _ = try fixture.session.refresh()
        func users(_ arguments: String...) throws -> String {
            let report = try LogCommand.parse(arguments).run(in: fixture.session)
            var rendering = Rendering(format: .plain)
            rendering.fields = ["user"]
            var text = ""
            let output = Output { text += String(decoding: $0, as: UTF8.self) }
            try rendering.write(report, to: output)
            try output.flush()
            return text
        }
        #expect(try users() == "mary\nfirst\n")
        #expect(try users("--since", "0400000000000001") == "mary\n")
        #expect(try users("--until", "0400000000000000") == "first\n")
        #expect(try users("--since", "yesterday") == "")
        #expect(throws: ShellFailure.self) { try users("--since", "~1") }
        #expect(throws: WhenError.self) { try users("--until", "soon") }
    }

    @Test("reads a user that is not UTF-8 as Latin-1, and says so to people")
    func latin1() {
        #expect(TransactionText.cell([0x4d, 0xfc, 0x6c]) == .remarked("Mül", remark: "Latin-1?"))
        #expect(TransactionText.cell(Array("Mül".utf8)) == .text("Mül"))
        #expect(JSONCells.value(TransactionText.cell([0x4d, 0xfc, 0x6c])) == "\"Mül\"")
    }

    @Test("is needed: without a storage a command says how to open one")
    func notConnected() throws {
        let session = Session(
            mode: .interactive, terminal: Terminal(), environment: Environment { _ in nil },
            interruption: Interruption(),
            progress: Progress { _ in }, opener: { _, _, _ in throw StorageError.interrupted })
        #expect(throws: ShellFailure("not-connected", .usage, "no storage is open", advice: "connect ADDRESS")) {
            try InfoCommand.parse([]).run(in: session)
        }
        #expect(Prompt(session, isUTF8: true).text(Style(usesColor: false)) == "zeoshell › ")
    }
}

@Suite("Completion")
struct CompletionTests {
    private func complete(_ line: String, _ session: Session) -> [String] {
        Completion(session).completions(line, line.utf8.count).candidates.map(\.insertion)
    }

    @Test("offers commands, options, formats, times and transactions")
    func kinds() throws {
        let fixture = try Fixture()
        #expect(complete("inf", fixture.session) == ["info"])
        #expect(complete("  ref", fixture.session) == ["referrers", "refresh", "refs"])
        #expect(complete("log --si", fixture.session) == ["--since"])
        #expect(complete("log --since yes", fixture.session) == ["yesterday"])
        #expect(complete("log -o js", fixture.session) == ["json", "jsonl"])
        #expect(complete("show 04", fixture.session) == ["0400000000000000"])
        #expect(complete("help saf", fixture.session) == ["safety"])
        #expect(complete("lo", fixture.session) == ["load-dump", "log"])
        #expect(complete("log | gr", fixture.session) == [])
        #expect(complete("!l", fixture.session) == [])
    }

    @Test("offers paths, quoted as the word was begun")
    func paths() throws {
        let fixture = try Fixture()
        fixture.session.completePath = { prefix, _ in
            let names = ["/My Site", "/My Shop", "/news"].filter { $0.hasPrefix(prefix) }
            let candidates = names.map {
                Session.PathCandidate(path: $0, name: String($0.dropFirst()), isContainer: $0 != "/news")
            }
            return (candidates, true)
        }
        let completion = Completion(fixture.session)
        func word(_ line: String) -> [String] {
            guard let word = WordAtCursor(line, cursor: line.utf8.count) else { return [] }
            return fixture.session.completePath?(word.text, 10).names.map {
                word.candidate(Completion.Choice(text: $0.path, isWhole: !$0.isContainer)).insertion
            } ?? []
        }
        #expect(word("cat /My") == ["/My\\ Site", "/My\\ Shop"])
        #expect(word("cat /My\\ S") == ["/My\\ Site", "/My\\ Shop"])
        #expect(word("cat \"/My S") == ["\"/My Site", "\"/My Shop"])
        #expect(word("cat '/n") == ["'/news'"])
        #expect(WordAtCursor("cat x \"/My S", cursor: 12)?.length == 6)
        #expect(WordAtCursor("cat x \"/My S", cursor: 12)?.before == ["cat", "x"])
        #expect(completion.completions("inf", 3).replacing == 3)
    }
}

@Suite("Help")
struct HelpTests {
    @Test(
        "every command explains itself, with its options and its related commands", arguments: CommandTable.all.indices)
    func commands(index: Int) {
        let command = CommandTable.all[index]
        let text = HelpText.document(of: command, width: 80).text
        #expect(text.hasPrefix("\(command.name): \(command.summary)\n\n  \(command.name)"))
        #expect(text.contains("Output options"))
        #expect(text.contains("--fields"))
    }

    @Test("names no command or alias twice")
    func unique() {
        let names = CommandTable.all.flatMap { $0.names }
        #expect(Set(names).count == names.count)
    }

    @Test("lists every command on one screen")
    func overview() {
        let text = HelpText.overview()
        for command in CommandTable.all {
            // Those of two words share a line with the first of theirs.
            let words = command.name.split(separator: " ")
            let pattern = words.count == 1 ? " \(words[0]) " : words[1]
            #expect(text.split(separator: "\n").contains { $0.contains(" \(words[0]) ") && $0.contains(pattern) })
        }
        #expect(text.split(separator: "\n", omittingEmptySubsequences: false).count <= 72)
        #expect(text.split(separator: "\n").allSatisfy { $0.count <= 90 })
    }

    @Test("finds a command of two words by either", arguments: [("cache", "cache stat"), ("clear", "cache clear")])
    func families(word: String, name: String) throws {
        let text = try Desk().run("help \(word)").output
        #expect(text.hasPrefix("\(name): "))
        #expect(try Desk().run("help stat").output.contains("See also: cache stat"))
        #expect(try Desk().run("help cache stat").output.contains("See also: stat, cache clear"))
    }

    @Test("what is to be typed is said as it is typed there")
    func advice() {
        let text = "see 'help dates', 'info' and Zope's own 'status'"
        #expect(Suggestions.advice(text, in: .interactive) == text)
        #expect(Suggestions.advice(text, in: .script) == "see 'zeoshell help dates', 'info' and Zope's own 'status'")
        #expect(
            Suggestions.advice(text, in: .oneShot)
                == "see 'zeoshell help dates', 'zeoshell info' and Zope's own 'status'")
    }

    @Test("topics fit the screen", arguments: HelpTopic.allCases)
    func topics(topic: HelpTopic) {
        #expect(topic.text.split(separator: "\n").allSatisfy { $0.count <= 120 })
    }

    @Test(
        "maps what psql and sqlite3 hands type",
        arguments: [
            ("\\q", ["quit"]), ("\\?", ["help"]), ("\\i x", ["source", "x"]), (".quit", ["quit"]),
            (".mode csv", ["set-option", "output", "csv"]),
            ("\\d /x", ["ls", "-l", "/x"]), ("log ?", ["help", "log"]), ("?", ["help"]),
            ("\\x", ["set-option", "output", "vertical"]),
            ("ls .title", ["ls", ".title"]),
        ])
    func translation(line: String, words: [String]) throws {
        let fixture = try Fixture()
        #expect(try Translation.words(Words.split(line).words, in: fixture.session) == words)
    }
}

@Suite("Progress")
struct ProgressTests {
    @Test("is told after the first second, five times a second, and taken away before other output")
    func line() {
        let clock = Mutex(ContinuousClock.now)
        let written = Mutex<[String]>([])
        let progress = Progress(now: { clock.withLock { $0 } }, write: { text in written.withLock { $0.append(text) } })
        progress.begin(.line)
        func after(_ milliseconds: Int, _ done: Int) {
            clock.withLock { $0 = $0.advanced(by: .milliseconds(milliseconds)) }
            progress.update("reading", done, "objects", of: 40_000)
        }
        after(900, 9000)
        after(1100, 20_000)
        after(50, 20_500)
        after(200, 22_500)
        progress.clear()
        progress.clear()
        #expect(
            written.withLock { $0 } == [
                "\rreading: 20,000 of 40,000 objects, 50 %, 10,000 a second, 2.00 s left\u{1b}[K",
                "\rreading: 22,500 of 40,000 objects, 56 %, 10,000 a second, 1.75 s left\u{1b}[K", "\r\u{1b}[K",
            ])
    }

    @Test("is a JSON object a second for schedulers")
    func json() {
        let clock = Mutex(ContinuousClock.now)
        let written = Mutex<[String]>([])
        let progress = Progress(now: { clock.withLock { $0 } }, write: { text in written.withLock { $0.append(text) } })
        progress.begin(.json)
        for step in 1...30 {
            clock.withLock { $0 = $0.advanced(by: .milliseconds(100)) }
            progress.update("reading", step, "bytes")
        }
        #expect(written.withLock { $0.count } == 3)
        #expect(
            written.withLock { $0.first } == #"{"progress":{"phase":"reading","done":10,"unit":"bytes","seconds":1}}"#
                + "\n")
    }
}

@Suite("Signals", .serialized)
struct SignalTests {
    /// Puts the handlers back that the test runner had. A broken pipe stays ignored: other tests of this process, and the
    /// network library, count on that.
    private func restore() {
        for number in [SIGINT, SIGTERM, SIGHUP, SIGWINCH, SIGCONT, SIGALRM] { signal(number, SIG_DFL) }
        signal(SIGPIPE, SIG_IGN)
    }

    @Test("work with a deadline is told to stop, and what comes after it is not")
    func deadline() {
        let signals = Signals()
        defer { restore() }
        let interruption = signals.interruption
        let start = ContinuousClock.now
        let wasStopped = signals.limited(until: start.advanced(by: .milliseconds(100))) {
            while !interruption.isRaised, start.duration(to: .now) < .seconds(30) { usleep(1000) }
            return interruption.isRaised
        }
        #expect(wasStopped)
        #expect(start.duration(to: .now) >= .milliseconds(100))
        #expect(!interruption.isRaised)
        #expect(signals.next() == nil)
        // A deadline that was met does not ring later.
        signals.limited(until: .now.advanced(by: .milliseconds(20))) {}
        usleep(50_000)
        #expect(!interruption.isRaised)
    }

    @Test("Ctrl-C raises the interruption and wakes who waits for a key, until it is cleared")
    func interrupt() {
        let signals = Signals()
        defer { restore() }
        raise(SIGINT)
        #expect(signals.interruption.isRaised)
        var waiting = pollfd(fd: signals.descriptor, events: Int16(POLLIN), revents: 0)
        #expect(poll(&waiting, 1, 0) == 1)
        #expect(signals.next() == .interrupt)
        #expect(signals.next() == nil)
        #expect(poll(&waiting, 1, 0) == 0)
        raise(SIGINT)
        signals.clear()
        #expect(!signals.interruption.isRaised)
        #expect(signals.next() == nil)
        raise(SIGWINCH)
        #expect(signals.next() == .resize)
    }
}
