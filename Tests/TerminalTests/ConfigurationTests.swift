import Foundation
import TestSupport
import Testing

/// A home with the configuration files of a test in it.
struct ConfiguredHome {
    let url = FileManager.default.temporaryDirectory.appending(path: "configured-\(UUID().uuidString)")

    init(_ files: [String: String]) throws {
        let folder = url.appending(path: ".config/zeoshell")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        for (name, text) in files {
            try text.write(to: folder.appending(path: name), atomically: true, encoding: .utf8)
        }
    }

    func path(_ name: String) -> String { url.appending(path: ".config/zeoshell/\(name)").path }

    func run(
        _ arguments: [String], input: String? = "", environment: [String: String] = [:]
    ) throws -> BuiltProgram.Outcome {
        try BuiltProgram.zeoshell.run(
            arguments, input: input, environment: ["HOME": url.path].merging(environment) { $1 })
    }

    func remove() { try? FileManager.default.removeItem(at: url) }
}

@Suite("Configuration of the program")
struct ConfigurationTests {
    private static let file = SampleData.path("fs/zope5.fs")

    private func with<Result>(_ files: [String: String], _ body: (ConfiguredHome) throws -> Result) throws -> Result {
        let home = try ConfiguredHome(files)
        defer { home.remove() }
        return try body(home)
    }

    private static func zopeConf(_ path: String = file) -> String {
        "instancehome /srv\n<zodb_db main>\n  <filestorage>\n    path \(path)\n  </filestorage>\n  mount-point /\n</zodb_db>\n"
    }

    @Test("what is set shapes answers, and options are stronger")
    func output() throws {
        try with(["config": "output = json\n"]) { home throws in
            #expect(try home.run(["get", Self.file, "/site/.title"]).output == "\"The Site\"\n")
            #expect(try home.run(["get", Self.file, "/site/.title", "-o", "plain"]).output == "The Site\n")
            let environment = ["ZEOSHELL_OUTPUT": "plain"]
            #expect(try home.run(["get", Self.file, "/site/.title"], environment: environment).output == "The Site\n")
            let failed = try home.run(["get", Self.file, "/nowhere"])
            #expect(failed.errors.hasPrefix("{\"error\":"))
        }
    }

    @Test("a configuration that is wrong is told with its line: exit code 2; help works all the same")
    func wrong() throws {
        try with(["config": "\nout = json\n"]) { home throws in
            let outcome = try home.run(["get", Self.file, "/site/.title"])
            #expect(outcome.status == 2)
            #expect(outcome.errors.contains("\(home.path("config")):2: unknown key 'out'"), "\(outcome.errors)")
            #expect(try home.run(["help", "configuration"]).status == 0)
            #expect(try home.run(["connect", Self.file, "-c", "pwd"]).status == 2)
        }
    }

    @Test("-C opens what a zope.conf names, in every way of saying it")
    func zopeConf() throws {
        try with(["zope.conf": Self.zopeConf()]) { home throws in
            let conf = home.path("zope.conf")
            for words in [
                ["get", "-C", conf, "/site/.title"], ["get", "/site/.title", "-C", conf],
                ["-C", conf, "get", "/site/.title"],
                ["get", "-C", conf, "--db", "main", "/site/.title"], ["connect", "-C", conf, "-c", "get /site/.title"],
                ["-C", conf, "-c", "get /site/.title"], ["get", "zconfig:\(conf)#main", "/site/.title"],
            ] {
                let outcome = try home.run(words)
                #expect(outcome.output == "The Site\n", "\(words): \(outcome.errors)")
            }
            let wrong = try home.run(["get", "-C", conf, "--db", "other", "/"])
            #expect(wrong.status == 2)
            #expect(wrong.errors.contains("there are: main (/)"))
        }
    }

    @Test("-C takes a pipe of the system's shell, and a pipe that nobody writes to ends it with a word")
    func pipe() throws {
        try with(["zope.conf": Self.zopeConf()]) { home throws in
            let line = "'\(BuiltProgram.zeoshell.url.path)' get -C"
            func run(_ rest: String) throws -> BuiltProgram.Outcome {
                try BuiltProgram(url: URL(filePath: "/bin/bash")).run(
                    ["-c", "\(line) \(rest)"], environment: ["HOME": home.url.path])
            }
            let piped = try run("<(cat '\(home.path("zope.conf"))') /site/.title")
            #expect(piped.output == "The Site\n", "\(piped.errors)")
            try #require(mkfifo(home.path("pipe"), 0o600) == 0)
            let lonely = try run("'\(home.path("pipe"))' /site/.title")
            #expect(lonely.status == 2)
            #expect(lonely.errors.contains("nobody writes to it"), "\(lonely.errors)")
        }
    }

    @Test("Ctrl-C and SIGTERM end the waiting for a pipe", arguments: zip([SIGINT, SIGTERM], [Int32(130), 143]))
    func interrupted(signal: Int32, status: Int32) throws {
        try with([:]) { home throws in
            try #require(mkfifo(home.path("pipe"), 0o600) == 0)
            // A writer that says nothing: opened for both, for there is no reader yet.
            let writer = open(home.path("pipe"), O_RDWR | O_CLOEXEC)
            defer { close(writer) }
            let program = try RunningProgram(
                .zeoshell, ["get", "-C", home.path("pipe"), "/"], environment: ["HOME": home.url.path])
            usleep(1_000_000)
            program.signal(signal)
            #expect(try program.end() == status)
            #expect(program.errorText.contains("interrupted"), "\(program.errorText)")
        }
    }

    @Test("config tells the rules of a service, and a mistyped variable is told of")
    func rules() throws {
        let services =
            "[prod]\naddress = db1:8800\nenv = production\nreadonly = always\ninit = cd /site\ncert = c.pem\n"
        try with(["services": services]) { home throws in
            let outcome = try home.run(
                ["config", "--show-origin", "prod"], environment: ["ZEOSHELL_TIMOUT": "3", "ZEOSHELL_RW": "yes"])
            let file = home.path("services")
            for line in [
                "env\tproduction\t\(file):1", "readonly\talways\t\(file):1", "init\tcd /site\t\(file):5",
                "tls\tyes\tcert, \(file):6", "rw\tno\t\(file):1", "timeout\t10, its greeting 5\tdefault",
            ] {
                #expect(outcome.output.contains(line + "\n"), "\(line): \(outcome.output)")
            }
            #expect(outcome.errors.contains("ZEOSHELL_TIMOUT") && outcome.errors.contains("ZEOSHELL_TIMEOUT"))
            let other = try home.run(["config", "prd"])
            #expect(other.status == 2 && other.errors.contains("did you mean prod ?"), "\(other.errors)")
            let first = try home.run(["prdo"])
            #expect(first.status == 2 && first.errors.contains("did you mean prod ?"), "\(first.errors)")
        }
    }

    @Test("an option that is mistyped is told with one that is near, or with none")
    func guesses() throws {
        try with([:]) { home throws in
            for (option, told) in [
                ("--tiemout=3", "Did you mean '--timeout'?"), ("--jsom", "Did you mean '-o json'?"),
                ("--read-only", "'--read-only': without --rw nothing is written"), ("--qqqqqq", "'--qqqqqq' (see"),
            ] {
                let outcome = try home.run(["ls", Self.file, option])
                #expect(outcome.status == 2)
                #expect(outcome.errors.contains(told), "\(outcome.errors)")
            }
        }
    }

    @Test("an edit by -C is described without the file, as any other is")
    func edit() throws {
        try with([:]) { home throws in
            let copy = home.url.appending(path: "Data.fs").path
            try FileManager.default.copyItem(atPath: Self.file, toPath: copy)
            try Self.zopeConf(copy).write(toFile: home.path("zope.conf"), atomically: true, encoding: .utf8)
            let outcome = try home.run(["set", "-C", home.path("zope.conf"), "--rw", "-y", "/site/.title", "7"])
            #expect(outcome.status == 0, "\(outcome.errors)")
            let log = try home.run(["log", copy, "--limit", "1", "--fields", "description"])
            #expect(log.output == "set /site/.title 7\n")
        }
    }

    @Test("config tells where each value comes from, and shows no secret")
    func origins() throws {
        let files = [
            "config": "timeout = 30\n", "services": "[prod]\naddress = db1:8800\nstorage = main\nusername = me\n",
            "zope.conf":
                "<zodb_db main>\n<zeoclient>\nserver db1:8100\nusername zope\npassword geheim\nclient c1\n</zeoclient>\n</zodb_db>\n",
        ]
        try with(files) { home throws in
            let environment = ["ZEOSHELL_PASSWORD": "geheimer"]
            let all = try home.run(["config", "--show-origin"], environment: environment).output
            #expect(all.contains("timeout\t30\t\(home.path("config")):1\n"))
            #expect(all.contains("password\t(set, not shown)\tenvironment ZEOSHELL_PASSWORD\n"))
            #expect(all.contains("color\tauto\tdefault\n"))
            let prod = try home.run(["config", "--show-origin", "prod", "--timeout", "5"]).output
            #expect(prod.contains("address\tdb1:8800\tprod\n"))
            #expect(prod.contains("storage\tmain\t\(home.path("services")):3\n"))
            #expect(prod.contains("timeout\t5\toption --timeout\n"))
            let conf = try home.run(["config", "--show-origin", "-C", home.path("zope.conf")])
            #expect(conf.output.contains("username\tzope\t\(home.path("zope.conf")):4\n"))
            #expect(conf.output.contains("password\t(set, not shown)\t\(home.path("zope.conf")):5\n"))
            #expect(conf.errors.contains("c1-1.zec"))
            for text in [all, prod, conf.output, conf.errors] { #expect(!text.contains("geheim")) }
            #expect(try home.run(["config"]).output.contains("timeout\t30\n"))
            let session = try home.run(
                ["connect", Self.file, "--timeout", "7", "-c", "config --show-origin"])
            #expect(session.output.contains("timeout\t7\toption --timeout\n"), "\(session.errors)")
        }
    }

    @Test("services are listed by name, for people and for scripts")
    func services() throws {
        let services = "[prod]\naddress = db1:8800\nenv = production\n[dev]\naddress = localhost:1\nreadonly = never\n"
        try with(["services": services]) { home throws in
            #expect(try home.run(["services", "--fields", "name"]).output == "dev\nprod\n")
            let origin = home.path("services")
            #expect(
                try home.run(["services"]).output
                    == "dev\tlocalhost:1\t\t\tnever\t\(origin):4\nprod\tdb1:8800\t\tproduction\tdefault\t\(origin):1\n")
        }
    }

    // MARK: The beginning of a session

    @Test("an interactive session begins with rc, then the init lines of its service; a line that fails is told")
    func startup() throws {
        let files = [
            "rc": "# mine\nset-option output json\n\nnonsense\npwd\n",
            "services": "[site]\naddress = \(Self.file)\ninit = cd /site\ninit = get .title\n",
        ]
        try with(files) { home throws in
            let shell = try Shell("site", environment: ["HOME": home.url.path], columns: 160)
            try shell.terminal.waitForLine("site /site FILE ›")
            let text = String(decoding: shell.terminal.transcript, as: UTF8.self)
            #expect(text.contains("\(home.path("rc")):4: this line failed; the session goes on"))
            #expect(text.contains("\"The Site\""))
            shell.terminal.send("quit\n")
            #expect(try shell.terminal.exitStatus() == 0)

            let plain = try Shell("site", arguments: ["--no-rc"], environment: ["HOME": home.url.path], columns: 160)
            try plain.terminal.waitForLine("site / FILE ›")
            plain.terminal.send("quit\n")
            #expect(try plain.terminal.exitStatus() == 0)
            #expect(!String(decoding: plain.terminal.transcript, as: UTF8.self).contains("rc:4"))
        }
    }

    @Test("rc is not for -c and -f, unless --rc is said")
    func scripts() throws {
        try with(["rc": "cd /site\n"]) { home throws in
            let line = "get .title"
            #expect(try home.run(["connect", Self.file, "-c", line]).status != 0)
            #expect(try home.run(["connect", Self.file, "--rc", "-c", line]).output == "The Site\n")
            #expect(try home.run(["connect", Self.file, "-f", "-"], input: line).status != 0)
            #expect(try home.run(["connect", Self.file, "--rc", "-f", "-"], input: line).output == "The Site\n")
            #expect(try home.run(["connect", Self.file, "--rc", "--no-rc"]).status == 2)
        }
    }

    @Test("an rc that cannot be read keeps nobody out")
    func unreadable() throws {
        try with(["rc": "pwd\u{0}\n"]) { home throws in
            let outcome = try home.run(["connect", Self.file, "--rc", "-c", "get /site/.title"])
            #expect(outcome.status == 0)
            #expect(outcome.output == "The Site\n")
            #expect(outcome.errors.contains("\(home.path("rc")):1: not text"))
        }
    }
}
