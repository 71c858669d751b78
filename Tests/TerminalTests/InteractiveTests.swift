import Foundation
import TestSupport
import Testing

@Suite("At a terminal", .serialized)
struct InteractiveTests {
    @Test("a session begins with a banner and a prompt, answers, recalls a line, and quits")
    func session() throws {
        // Wide enough for the banner to be one line wherever the sources lie.
        let shell = try Shell(columns: 400)
        try shell.terminal.wait(for: "FileStorage FS30 · 117 objects · 203 K ·")
        try shell.terminal.wait(for: "last commit 2026-11-20 23:24 by / admin: delete deleted_later · read-only")
        try shell.terminal.wait(for: "help · ls · find · log")
        try shell.waitForPrompt()
        shell.terminal.send("info --fields python\n")
        try shell.terminal.wait(for: "python  3")
        try shell.waitForPrompt()
        shell.terminal.send("log --limit 1\n")
        try shell.terminal.wait(for: "040d271cfd719c55  2026-11-20 23:24:59 +0000  / admin  delete deleted_later")
        try shell.waitForPrompt()
        shell.terminal.send("\u{1b}[A\u{1b}[A")
        try shell.terminal.waitForLine("\(Shell.prompt) info --fields python")
        shell.terminal.send("\u{1b}[B")
        try shell.terminal.waitForLine("\(Shell.prompt) log --limit 1")
        shell.terminal.send("\u{15}quit\n")
        #expect(try shell.terminal.exitStatus() == 0)
        #expect(shell.terminal.isCooked)
    }

    @Test("Ctrl-\\ is not the end")
    func quitSignal() throws {
        let shell = try Shell()
        try shell.waitForPrompt()
        shell.terminal.send("\u{1c}")
        shell.terminal.send("info --fields kind\n")
        try shell.terminal.wait(for: "kind  FileStorage FS30")
        try shell.waitForPrompt()
        shell.terminal.send("quit\n")
        #expect(try shell.terminal.exitStatus() == 0)
    }

    @Test("Ctrl-C forgets the line, Ctrl-D leaves")
    func control() throws {
        let shell = try Shell()
        try shell.waitForPrompt()
        shell.terminal.send("frobnicate")
        try shell.terminal.waitForLine("\(Shell.prompt) frobnicate")
        shell.terminal.send("\u{3}")
        try shell.terminal.wait(for: "frobnicate^C")
        try shell.waitForPrompt()
        shell.terminal.send("\u{3}")
        shell.terminal.send("info --fields kind\n")
        try shell.terminal.wait(for: "kind  FileStorage FS30")
        try shell.waitForPrompt()
        #expect(!shell.terminal.screen.text.contains("unknown command"))
        shell.terminal.send("\u{4}")
        #expect(try shell.terminal.exitStatus() == 0)
    }

    @Test("Ctrl-C ends a running command and keeps the prompt")
    func interruption() throws {
        let shell = try Shell()
        try shell.waitForPrompt()
        shell.terminal.send("!echo sleeping; exec sleep 600\n")
        try shell.terminal.wait(for: "line 'sleeping'") { $0.lines.contains("sleeping") }
        shell.terminal.send("\u{3}")
        try shell.waitForPrompt()
        shell.terminal.send("info --fields kind\n")
        try shell.terminal.wait(for: "kind  FileStorage FS30")
    }

    @Test("Tab completes a command, an option and a value, and lists what there is when it cannot decide")
    func completion() throws {
        let shell = try Shell()
        try shell.waitForPrompt()
        shell.terminal.send("refr\t")
        try shell.terminal.waitForLine("\(Shell.prompt) refresh")
        shell.terminal.send("\u{15}log --unt\t")
        try shell.terminal.waitForLine("\(Shell.prompt) log --until")
        shell.terminal.send("yes\t")
        try shell.terminal.waitForLine("\(Shell.prompt) log --until yesterday")
        shell.terminal.send("\u{15}log -o js\t")
        try shell.terminal.waitForLine("\(Shell.prompt) log -o json")
        shell.terminal.send("\t")
        try shell.terminal.wait(for: "json   jsonl")
        try shell.terminal.waitForLine("\(Shell.prompt) log -o json")
        shell.terminal.send("l --limit 1\n")
        try shell.terminal.wait(for: #""description":"delete deleted_later""#)
        try shell.waitForPrompt()
        shell.terminal.send("show 040d271cfd71\t")
        try shell.terminal.waitForLine("\(Shell.prompt) show 040d271cfd719c55")
    }

    @Test("lines are kept for the next session, except those that start with a space, for their owner alone")
    func history() throws {
        let shell = try Shell()
        try shell.waitForPrompt()
        shell.terminal.send("info --fields kind\n")
        try shell.terminal.wait(for: "kind  FileStorage FS30")
        shell.terminal.send(" help paths\n")
        try shell.terminal.wait(for: "Paths name objects")
        shell.terminal.send("quit\n")
        _ = try shell.terminal.exitStatus()
        #expect(try String(contentsOf: shell.historyFile, encoding: .utf8) == "info --fields kind\nquit\n")
        let attributes = try FileManager.default.attributesOfItem(atPath: shell.historyFile.path)
        #expect(attributes[.posixPermissions] as? Int == 0o600)

        let next = try Shell(home: shell.home)
        try next.waitForPrompt()
        next.terminal.send("\u{12}fie")
        try next.terminal.wait(for: "info --fields kind")
        next.terminal.send("\n")
        try next.terminal.wait(for: "kind  FileStorage FS30")
    }

    @Test("a line may be longer than the screen is wide, and be edited in its middle")
    func longLine() throws {
        let shell = try Shell(columns: 50)
        try shell.waitForPrompt()
        shell.terminal.send("!echo 'one two three four five six seven eight nine te'")
        shell.terminal.send("\u{1b}[Dn")
        shell.terminal.send("\n")
        try shell.terminal.wait(for: "line") {
            $0.lines.contains("one two three four five six seven eight nine ten")
        }
        try shell.waitForPrompt()
        shell.terminal.send("!printf '%s|' ä漢é\u{1b}[D\u{1b}[D\u{1b}[Dx \n")
        try shell.terminal.wait(for: "x|ä漢é|")
    }

    @Test("tables are cut to the screen, also when its size changes")
    func resizing() throws {
        let shell = try Shell(rows: 40, columns: 100)
        try shell.waitForPrompt()
        shell.terminal.send("log --limit 3\n")
        try shell.terminal.wait(for: "/ admin  pluggable auth service")
        try shell.waitForPrompt()
        shell.terminal.resize(rows: 40, columns: 70)
        shell.terminal.send("log --limit 3\n")
        try shell.terminal.wait(for: "/ admin  pluggable auth …")
    }

    @Test("what is longer than a screen goes through the pager, what is shorter does not")
    func pager() throws {
        let shell = try Shell(environment: ["ZEOSHELL_PAGER": "sed 's/^/P:/'", "PAGER": "false"], rows: 12)
        try shell.waitForPrompt()
        shell.terminal.send("log\n")
        try shell.terminal.wait(for: "P:040d271cfbe5e499")
        try shell.waitForPrompt()
        shell.terminal.send("log --limit 1\n")
        try shell.terminal.wait(for: "line") { $0.lines.contains { $0.hasPrefix("040d271cfd719c55") } }
    }

    @Test("colours are used, unless NO_COLOR says no")
    func colours() throws {
        let shell = try Shell()
        try shell.waitForPrompt()
        shell.terminal.send("log --limit 1\n")
        try shell.terminal.wait(for: "040d271cfd719c55")
        try shell.waitForPrompt()
        let text = String(decoding: shell.terminal.transcript, as: UTF8.self)
        #expect(text.contains("\u{1b}[32mzope5.fs\u{1b}[0m"))
        #expect(text.contains("\u{1b}[34m040d271cfd719c55\u{1b}[0m"))
        let plain = try Shell(environment: ["NO_COLOR": "1"])
        try plain.waitForPrompt()
        plain.terminal.send("log --limit 1\n")
        try plain.terminal.wait(for: "040d271cfd719c55")
        try plain.waitForPrompt()
        #expect(!String(decoding: plain.terminal.transcript, as: UTF8.self).contains("\u{1b}[3"))
    }

    @Test("a terminal that can do nothing gets plain lines and no control sequences")
    func dumb() throws {
        let shell = try Shell(environment: ["TERM": "dumb"])
        try shell.waitForPrompt()
        shell.terminal.send("info --fields kind\n")
        try shell.terminal.wait(for: "kind  FileStorage FS30")
        try shell.waitForPrompt()
        shell.terminal.send("nonsense\u{3}")
        try shell.waitForPrompt()
        shell.terminal.send("quit\n")
        #expect(try shell.terminal.exitStatus() == 0)
        #expect(!shell.terminal.transcript.contains(0x1b))
    }

    @Test("SIGTERM ends the program with 143 and leaves the terminal as it was")
    func termination() throws {
        let shell = try Shell()
        try shell.waitForPrompt()
        #expect(!shell.terminal.isCooked)
        shell.terminal.signal(SIGTERM)
        #expect(try shell.terminal.exitStatus() == 143)
        #expect(shell.terminal.isCooked)
    }

    @Test(
        "SIGTERM is heard while a pager has the terminal, also one that does not read, and one that is deaf",
        arguments: [
            "stty -icanon -echo; echo paging; cat > /dev/null; sleep 600", "stty -icanon -echo; echo paging; sleep 600",
            "stty -icanon -echo; trap '' TERM; echo paging; while :; do sleep 1; done",
        ])
    func terminationInPager(pager: String) throws {
        let shell = try Shell(environment: ["ZEOSHELL_PAGER": pager])
        try shell.waitForPrompt()
        // More than a pipe holds.
        shell.terminal.send("get /site/big_file\n")
        try shell.terminal.wait(for: "paging")
        shell.terminal.signal(SIGTERM)
        #expect(try shell.terminal.exitStatus() == 143)
        #expect(shell.terminal.isCooked)
    }

    @Test("SIGTERM is heard while a command of the system's shell runs")
    func terminationInCommand() throws {
        let shell = try Shell()
        try shell.waitForPrompt()
        shell.terminal.send("!echo sleeping; sleep 600\n")
        try shell.terminal.wait(for: "line 'sleeping'") { $0.lines.contains("sleeping") }
        shell.terminal.signal(SIGTERM)
        #expect(try shell.terminal.exitStatus() == 143)
        #expect(shell.terminal.isCooked)
    }

    @Test("what others commit shows in the prompt, and on refresh")
    func news() throws {
        let bytes = try SampleData.bytes("fs/zope5.fs")
        // The last transaction: 2,599 bytes, and the 8 that say so again.
        let before = bytes.count - 2599
        let directory = FileManager.default.temporaryDirectory.appending(path: "news-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        let file = directory.appending(path: "zope5.fs")
        try Data(bytes[..<before]).write(to: file)
        let shell = try Shell(file.path)
        try shell.waitForPrompt()
        let handle = try FileHandle(forWritingTo: file)
        try handle.seekToEnd()
        try handle.write(contentsOf: Data(bytes[before...]))
        try handle.close()
        shell.terminal.send("\n")
        try shell.terminal.wait(for: "others committed 1 transaction (1 object); 'refresh' looks at the new state")
        try shell.waitForPrompt("zope5.fs / FILE ↻1 ›")
        shell.terminal.send("log --limit 1\n")
        try shell.terminal.wait(for: "040d271cfd6f0399")
        shell.terminal.send("refresh\n")
        try shell.terminal.wait(for: "new transactions  1")
        try shell.waitForPrompt()
        shell.terminal.send("log --limit 1\n")
        try shell.terminal.wait(for: "040d271cfd719c55  2026")
    }
}
