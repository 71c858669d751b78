import Foundation

/// A piece of work that both sides can do, as one process each.
struct CompareRow {
    let name: String
    /// Done over ZEO, against a Python server that serves the file read-only.
    let isRemote: Bool
    /// The program beside us, and its arguments; `{fs}`, `{address}`, `{oid}` are put in.
    let ours: [String]
    /// A Python program; it finds the file, address and oid in `sys.argv[1:]`.
    let python: String

    static let all = [
        CompareRow(
            name: "root", isRemote: false, ours: ["zeoshell", "ls", "{fs}", "//"],
            python: """
                from ZODB.FileStorage import FileStorage
                from ZODB.DB import DB
                with DB(FileStorage(fs, read_only=True)).transaction() as c: print(sorted(c.root()))
                """),
        CompareRow(
            name: "tail", isRemote: false, ours: ["zeoshell", "log", "{fs}", "--limit", "10"],
            python: """
                import ZODB.scripts.fstail
                ZODB.scripts.fstail.main(fs, 10)
                """),
        CompareRow(
            name: "undolog", isRemote: false, ours: ["zeoshell", "log", "{fs}", "--limit", "10"],
            python: """
                from ZODB.FileStorage import FileStorage
                for d in FileStorage(fs, read_only=True).undoLog(0, 10): print(d['time'], d['user_name'], d['description'])
                """),
        CompareRow(
            name: "history", isRemote: false, ours: ["zeoshell", "log", "{fs}", "#0x{oid}", "--limit", "20"],
            python: """
                from ZODB.FileStorage import FileStorage
                for d in FileStorage(fs, read_only=True).history(bytes.fromhex(oid), size=20): print(d['time'], d['size'])
                """),
        CompareRow(
            name: "index", isRemote: false, ours: ["zeobench", "index", "{fs}"],
            python: """
                import os, tempfile
                from ZODB.FileStorage import FileStorage
                link = os.path.join(tempfile.mkdtemp(), 'Data.fs')
                os.symlink(fs, link)
                print(len(FileStorage(link, read_only=True)))
                """),
        CompareRow(
            name: "walk", isRemote: false, ours: ["zeobench", "walk", "{fs}"],
            python: """
                from ZODB.FileStorage import FileIterator
                print(sum(1 for t in FileIterator(fs) for r in t))
                """),
        CompareRow(
            name: "decode", isRemote: false, ours: ["zeobench", "decode", "{fs}"],
            python: """
                from io import BytesIO
                from ZODB._compat import PersistentUnpickler
                from ZODB.broken import find_global
                from ZODB.FileStorage import FileIterator
                known = {}
                def find(module, name):
                    try: return known[module, name]
                    except KeyError:
                        c = known[module, name] = find_global(module, name)
                        return c
                n = 0
                for t in FileIterator(fs):
                    for r in t:
                        if r.data:
                            u = PersistentUnpickler(find, lambda ref: None, BytesIO(r.data))
                            u.load(); u.load()
                        n += 1
                print(n)
                """),
        CompareRow(
            name: "classes", isRemote: false, ours: ["zeobench", "classes", "{fs}"],
            python: """
                import ZODB.scripts.analyze
                ZODB.scripts.analyze.report(ZODB.scripts.analyze.analyze(fs))
                """),
        CompareRow(
            name: "verify", isRemote: false, ours: ["zeoshell", "verify", "{fs}", "--structure"],
            python: """
                import ZODB.scripts.fstest
                ZODB.scripts.fstest.check(fs)
                """),
        CompareRow(
            name: "references", isRemote: false, ours: ["zeoshell", "verify", "{fs}", "--current"],
            python: """
                import ZODB.scripts.fsrefs
                ZODB.scripts.fsrefs.main(fs)
                """),
        CompareRow(
            name: "zeo-root", isRemote: true, ours: ["zeoshell", "ls", "{address}", "//"],
            python: """
                import ZEO
                host, port = address.rsplit(':', 1)
                with ZEO.DB((host, int(port)), wait_timeout=60).transaction() as c: print(sorted(c.root()))
                """),
    ]
}

/// Where things are, and the server for the rows that need one.
struct CompareContext {
    let file: String
    let python: String
    let bin: String
    /// An object with history, 16 digits.
    let oid: String
    private var address = ""
    private var server: Process?

    init(file: String, python: String, bin: String, needsServer: Bool) throws {
        (self.file, self.python, self.bin) = (URL(filePath: file).path, python, bin)
        oid = "0000000000000001"
        guard needsServer else { return }
        let port = UInt16.random(in: 20_000..<30_000)
        address = "127.0.0.1:\(port)"
        let configuration = FileManager.default.temporaryDirectory.appending(path: "zeobench-\(port).conf")
        let text = """
            <zeo>
              address \(address)
              read-only true
            </zeo>
            <filestorage 1>
              path \(self.file)
              read-only true
            </filestorage>
            """
        try text.write(to: configuration, atomically: true, encoding: .utf8)
        let process = Process()
        process.executableURL = URL(filePath: python)
        process.arguments = ["-m", "ZEO.runzeo", "-C", configuration.path]
        process.standardError = FileHandle.nullDevice
        try process.run()
        server = process
        // The first answer tells that the server is up.
        for _ in 0..<100 {
            if (try? Measurement([bin + "/zeoshell", "ping", address])) != nil { return }
            Thread.sleep(forTimeInterval: 0.1)
        }
    }

    mutating func stop() {
        server?.terminate()
        server?.waitUntilExit()
        server = nil
    }

    func ours(_ row: CompareRow) -> [String] {
        [bin + "/" + row.ours[0]]
            + row.ours.dropFirst().map {
                $0.replacing("{fs}", with: file).replacing("{address}", with: address).replacing("{oid}", with: oid)
            }
    }

    func theirs(_ row: CompareRow) -> [String] {
        [python, "-c", "import sys; fs, address, oid = sys.argv[1:]\n" + row.python, file, address, oid]
    }
}
