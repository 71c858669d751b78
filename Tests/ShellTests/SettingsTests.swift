import ArgumentParser
import Foundation
import Storages
import TestSupport
import Testing
import ZODB

@testable import Shell

/// A home directory with configuration files in it.
final class Home {
    let url = FileManager.default.temporaryDirectory.appending(path: "home-\(UUID().uuidString)")
    var variables: [String: String] = [:]

    init() throws {
        try FileManager.default.createDirectory(
            at: url.appending(path: "config/zeoshell"), withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    var environment: Environment {
        let variables = self.variables.merging([
            "HOME": url.path, "XDG_CONFIG_HOME": url.appending(path: "config").path,
        ]) { own, _ in own }
        return Environment { variables[$0] }
    }

    var systemFile: String { url.appending(path: "system").path }

    func path(_ name: String) -> String { url.appending(path: "config/zeoshell/\(name)").path }

    /// - Returns: its path.
    @discardableResult
    func write(_ name: String, _ text: String) throws -> String {
        try text.write(toFile: path(name), atomically: true, encoding: .utf8)
        return path(name)
    }

    func settings(_ words: [String] = [], _ target: String? = nil) throws -> EffectiveSettings {
        let destination = try target.map { try NamedDatabases(environment).find($0) }
        return try EffectiveSettings(environment, words: words, destination: destination, systemFile: systemFile)
    }

    /// `30 of /home/…/config:1`, without the home.
    func told(_ name: String, _ words: [String] = [], _ target: String? = nil) throws -> String? {
        let setting = try #require(Setting.named(name))
        return try settings(words, target).value(setting).map {
            "\($0.text) of \($0.origin)".replacing(url.path, with: "~")
        }
    }
}

@Suite("Settings")
struct SettingsTests {
    private let home: Home

    init() throws { home = try Home() }

    private func failure(_ body: () throws -> Void) -> ShellFailure? {
        do {
            try body()
            return nil
        } catch {
            return ShellFailure(error)
        }
    }

    @Test("the first that says something holds: option, environment, service, user, system")
    func precedence() throws {
        try "timeout = 1\nrealm = system\nutc = yes\n".write(toFile: home.systemFile, atomically: true, encoding: .utf8)
        #expect(try home.told("timeout") == "1 of ~/system:1")
        try home.write("config", "# mine\n\ntimeout = 2\nssh = me@here\n")
        #expect(try home.told("timeout") == "2 of ~/config/zeoshell/config:3")
        try home.write("services", "[prod]\naddress = db1:8800\ntimeout = 3\nstorage = main\n")
        #expect(try home.told("timeout") == "2 of ~/config/zeoshell/config:3")
        #expect(try home.told("timeout", [], "prod") == "3 of ~/config/zeoshell/services:3")
        home.variables["ZEOSHELL_TIMEOUT"] = "4"
        #expect(try home.told("timeout", [], "prod") == "4 of environment ZEOSHELL_TIMEOUT")
        #expect(try home.told("timeout", ["prod", "--timeout", "5"], "prod") == "5 of option --timeout")
        #expect(try home.told("timeout", ["prod", "--timeout=5"], "prod") == "5 of option --timeout")
        #expect(try home.told("timeout", ["--", "--timeout", "5"], "prod") == "4 of environment ZEOSHELL_TIMEOUT")
        #expect(try home.told("realm", [], "prod") == "system of ~/system:2")
        #expect(try home.told("cert", [], "prod") == nil)
    }

    @Test("what is set becomes options before those that were typed; a typed one is left alone")
    func words() throws {
        try home.write("config", "timeout = 2\noverlay = yes\nutc = yes\nssh = me@here\n")
        #expect(
            try home.settings(["db1:1"]).words(isServer: true, mayWrite: true) == [
                "--overlay", "--timeout=2", "--ssh=me@here",
            ])
        #expect(
            try home.settings(["--timeout", "9"]).words(isServer: true, mayWrite: true) == [
                "--overlay", "--ssh=me@here",
            ])
        // Of a file nothing is said that only servers have.
        #expect(try home.settings().words(isServer: false, mayWrite: true) == ["--overlay"])
        home.variables["ZEOSHELL_OVERLAY"] = "no"
        home.variables["ZEOSHELL_PASSWORD"] = "geheim"
        #expect(try home.settings().words(isServer: false, mayWrite: true) == [])
    }

    @Test("leave to write that is set holds only where writing is possible")
    func writing() throws {
        home.variables["ZEOSHELL_RW"] = "yes"
        #expect(try home.settings().words(isServer: true, mayWrite: true) == ["--rw"])
        #expect(try home.settings().words(isServer: true, mayWrite: false) == [])
        try home.write(
            "services", "[a]\naddress = db1:8800\nreadonly = always\n[b]\naddress = db2:1\nreadonly = never\n")
        #expect(try NamedDatabases(home.environment).find("a").mayWrite == false)
        #expect(try NamedDatabases(home.environment).find("db1:8800").mayWrite == false)
        #expect(try NamedDatabases(home.environment).find("repozo:/backup").mayWrite == false)
        #expect(try home.told("rw", [], "b") == "yes of environment ZEOSHELL_RW")
        home.variables = [:]
        #expect(try home.told("rw", [], "b") == "yes of ~/config/zeoshell/services:6")
    }

    @Test("paths begin at home with ~, and else at the file that has them; those of the environment stay")
    func paths() throws {
        try home.write("config", "cert = ~/me.pem\nkey = keys/me.key\nca = /etc/ca.pem\n")
        let settings = try home.settings()
        #expect(settings.text("cert") == home.url.path + "/me.pem")
        #expect(settings.text("key") == home.path("keys/me.key"))
        #expect(settings.text("ca") == "/etc/ca.pem")
        home.variables["ZEOSHELL_KEY"] = "keys/me.key"
        #expect(try home.settings().text("key") == "keys/me.key")
        try home.write(
            "services",
            "[a]\naddress = data/Data.fs\nblobs = shared:~/blobs\n[b]\naddress = ~/x.fs\n[c]\naddress = db1:1\n")
        let services = try Services(home.environment)
        #expect(services.service(named: "a")?.address == home.path("data/Data.fs"))
        #expect(services.service(named: "a")?.settings.text("blob-dir") == home.url.path + "/blobs")
        #expect(services.service(named: "b")?.address == home.url.path + "/x.fs")
        #expect(services.service(named: "c")?.address == "db1:1")
    }

    @Test(
        "an address with a scheme has its path relative to the services file, too",
        arguments: [
            ("zconfig:etc/zope.conf#main", "zconfig:DIRetc/zope.conf#main"),
            ("zconfig:/zope.conf", "zconfig:/zope.conf"),
            ("zconfig:~/zope.conf", "zconfig:HOME/zope.conf"), ("zconfig:~joe/zope.conf", "zconfig:~joe/zope.conf"),
            ("file:Data.fs", "file:DIRData.fs"), ("file:///Data.fs", "file:///Data.fs"),
            ("repozo:backups@yesterday", "repozo:DIRbackups@yesterday"),
            ("demo:(zconfig:zope.conf)/(memory://)", "demo:(zconfig:DIRzope.conf)/(memory://)"),
            ("demo:(file:Data (1).fs)/(file:new.fs)", "demo:(file:DIRData (1).fs)/(file:DIRnew.fs)"),
            ("zeo://db1:1?storage=main", "zeo://db1:1?storage=main"),
        ])
    func schemes(text: String, expected: String) throws {
        try home.write("services", "[a]\naddress = \(text)\n")
        let whole = expected.replacing("DIR", with: home.path("") + "/").replacing("HOME", with: home.url.path)
        #expect(try Services(home.environment).service(named: "a")?.address == whole)
    }

    @Test("a directory with characters that mean something in an address is written so that they mean nothing")
    func encodedDirectory() throws {
        let odd = home.url.appending(path: "50% #1?").path
        try FileManager.default.createDirectory(atPath: odd, withIntermediateDirectories: true)
        try "<zodb>\n<filestorage>\npath /a.fs\n</filestorage>\n</zodb>\n".write(
            toFile: odd + "/zope.conf", atomically: true, encoding: .utf8)
        try "[a]\naddress = zconfig:zope.conf\n".write(toFile: odd + "/services", atomically: true, encoding: .utf8)
        home.variables["ZEOSHELL_SERVICES"] = odd + "/services"
        #expect(try NamedDatabases(home.environment).find("a").address == StorageAddress(.file("/a.fs")))
    }

    @Test("no home, no files: nothing is set, and nothing is wrong")
    func homeless() throws {
        let settings = try EffectiveSettings(Environment { _ in nil }, systemFile: home.systemFile)
        for setting in Setting.all { #expect(settings.value(setting) == nil, "\(setting.name)") }
    }

    @Test(
        "a configuration that is not understood is refused, with file and line",
        arguments: [
            ("timeout = soon\n", ":1", "timeout is seconds, more than 0, not 'soon'"),
            ("\noutput = xml\n", ":2", "output is table"), ("utc = maybe\n", ":1", "yes or no"),
            ("timout = 3\n", ":1", "did you mean 'timeout'"), ("nonsense\n", ":1", "neither [NAME] nor KEY = VALUE"),
            ("[prod]\n", ":1", "no [NAME]"), ("[]\n", ":1", "no [NAME]"),
            ("utc = yes\nutc = no\n", ":2", "first is line 1"),
            ("password = x\n", ":1", "does not belong into a file"), ("cert =\n", ":1", "a path"),
            ("utc = yes\u{0}\n", ":1", "control character"), ("cache-size = 20X\n", ":1", "a size"),
            ("limit = -1\n", ":1", "whole number"), ("= 3\n", ":1", "unknown key ''"),
        ])
    func wrong(text: String, line: String, what: String) throws {
        let path = try home.write("config", text)
        let failure = try #require(failure { _ = try home.settings() })
        #expect(failure.place == path + line)
        #expect(failure.what.contains(what), "\(failure.what)")
        #expect(failure.exitCode == .usage)
        #expect(!failure.what.contains("'x'"))
    }

    @Test("what is no text, too long, or cannot be read is refused")
    func unreadable() throws {
        try Data([0x75, 0xff, 0x0a]).write(to: URL(filePath: home.path("config")))
        #expect(failure { _ = try home.settings() }?.what.contains("UTF-8") == true)
        try Data(repeating: 35, count: 2 << 20).write(to: URL(filePath: home.path("config")))
        #expect(failure { _ = try home.settings() }?.exitCode == .environment)
        try FileManager.default.removeItem(atPath: home.path("config"))
        try FileManager.default.createDirectory(atPath: home.path("config"), withIntermediateDirectories: true)
        #expect(failure { _ = try home.settings() }?.exitCode == .environment)
    }

    @Test("a pipe or a device in the place of a file of ours is told of, and not waited for; /dev/null is an empty one")
    func noFiles() throws {
        try #require(mkfifo(home.path("config"), 0o600) == 0)
        let failure = try #require(failure { _ = try home.settings() })
        #expect(failure.exitCode == .environment)
        #expect(failure.place == home.path("config") && failure.what.contains("found a pipe"))
        unlink(home.path("config"))
        home.variables["ZEOSHELL_SERVICES"] = "/dev/zero"
        #expect(self.failure { _ = try Services(home.environment) }?.what.contains("found a device") == true)
        home.variables["ZEOSHELL_SERVICES"] = "/dev/null"
        #expect(try Services(home.environment).names.isEmpty)
    }

    @Test("variables that are meant for this program and set nothing are told of, with what they may have meant")
    func unknownVariables() {
        let names = [
            "ZEOSHELL_TIMOUT", "ZEOSHELL_TIMEOUT", "ZEOSHELL_VAR_x", "ZEOSHELL_PAGER", "ZEOSHELL_WHATEVER", "PATH",
        ]
        let environment = Environment(names: { names }, { _ in "1" })
        let told = ProgramVariables.unknown(environment)
        #expect(told.count == 2)
        #expect(told.first?.contains("ZEOSHELL_TIMOUT") == true && told.first?.contains("ZEOSHELL_TIMEOUT ?") == true)
        #expect(told.last?.contains("ZEOSHELL_WHATEVER") == true)
        #expect(Environment.process.names.contains("PATH"))
    }

    @Test("what is told is what will be used")
    func used() throws {
        try home.write(
            "services",
            "[a]\naddress = db1:1\ncert = /c.pem\n[b]\naddress = db2:1\nreadonly = always\n"
                + "[c]\naddress = db3:1\ntls = yes\n")
        home.variables["ZEOSHELL_RW"] = "yes"
        func used(_ name: String, _ target: String) throws -> String? {
            let destination = try NamedDatabases(home.environment).find(target)
            let setting = try #require(Setting.named(name))
            return try home.settings([], target).used(setting, for: destination).map {
                "\($0.text) of \($0.origin)".replacing(home.url.path, with: "~")
            }
        }
        #expect(try used("tls", "a") == "yes of cert, ~/config/zeoshell/services:3")
        #expect(try used("tls", "b") == nil)
        #expect(try used("tls", "c") == "yes of ~/config/zeoshell/services:9")
        #expect(try used("rw", "a") == "yes of environment ZEOSHELL_RW")
        #expect(try used("rw", "b") == "no of ~/config/zeoshell/services:4")
    }

    @Test("a variable that is wrong is told by its name; a secret never")
    func variables() throws {
        home.variables["ZEOSHELL_COLOR"] = "green"
        let failure = try #require(failure { _ = try home.settings() })
        #expect(failure.place == "ZEOSHELL_COLOR")
        #expect(failure.what.contains("auto, always, never, not 'green'"))
    }

    @Test("answers are shown as is set")
    func output() throws {
        try home.write(
            "config", "output = json\ncolor = never\nlimit = 3\nutc = yes\nwide = on\nquiet = true\nprogress = json\n")
        var settings = Session.Settings()
        settings.apply(try home.settings())
        #expect(settings.format == .json)
        #expect(settings.color == .never)
        #expect(settings.limit == 3)
        #expect(settings.usesUTC && settings.isWide && settings.isQuiet)
        #expect(settings.progress == .json)
    }

    @Test(
        "a service that is not understood is refused, with file and line",
        arguments: [
            ("[a]\naddress = x:1\nenvironment = production\n", ":3", "unknown key 'environment'"),
            ("address = x:1\n", ":1", "a key before the first [NAME]"),
            ("[a]\naddress = x:1\nreadonly = yes\n", ":3", "default, always or never"),
            ("# only\n[a]\n", ":2", "[a] has no address"), ("[a]\nnonsense\n", ":2", "neither [NAME] nor KEY = VALUE"),
            ("[a]\naddress = x:1\n[a]\naddress = x:2\n", ":3", "a second [a]; the first is line 1"),
            ("[a]\naddress = x:1\naddress = x:2\n", ":3", "the first is line 2"),
            ("[a]\naddress = x:1\nenv = live\n", ":3", "production, staging"),
            ("[a]\naddress = x:1\npassword = p\n", ":3", "does not belong into a file"),
            ("[a]\naddress = x:1\nrw = yes\n", ":3", "unknown key 'rw'"), ("[a\n", ":1", "no [NAME]"),
            ("[a]\naddress = x:1\nblobs = shared:\n", ":3", "a directory"),
        ])
    func wrongService(text: String, line: String, what: String) throws {
        let path = try home.write("services", text)
        let failure = try #require(failure { _ = try Services(home.environment) })
        #expect(failure.place == path + line)
        #expect(failure.what.contains(what), "\(failure.what)")
    }

    @Test("a service may be a database of a zope.conf, and has its rules by whatever way it is reached")
    func configured() throws {
        let conf = try home.write(
            "zope.conf",
            "<zodb_db main>\n<zeoclient>\nserver db1:8100\nstorage main\nusername zope\n</zeoclient>\n</zodb_db>\n")
        try home.write("services", "[prod]\naddress = zconfig:\(conf)#main\nenv = production\nusername = admin\n")
        let found = try NamedDatabases(home.environment).find("prod")
        #expect(found.address == StorageAddress(.server(host: "db1", port: 8100)))
        #expect(try home.told("storage", [], "prod") == "main of ~/config/zeoshell/zope.conf:4")
        #expect(try home.told("username", [], "prod") == "admin of ~/config/zeoshell/services:4")
        #expect(try home.told("username", [], "zconfig:\(conf)") == "zope of ~/config/zeoshell/zope.conf:5")
        let address = try StorageAddress(parsing: "zeo://db1:8100?storage=main")
        #expect(Services.isProduction(at: address, home.environment))
    }

    @Test("of several services of one database the strictest rules hold, by whatever name, and it is told whose")
    func severalServices() throws {
        let path = try home.write(
            "services",
            """
            [archive]
            address = db1:8800
            readonly = always
            [dev]
            address = zeo://DB1:8800
            readonly = never
            [far]
            address = db1:8800
            ssh = ops@far
            [other]
            address = db1:8800
            storage = other
            [prod]
            address = db1:8800,db2:8800
            env = production

            """)
        let dev = try NamedDatabases(home.environment).find("dev")
        #expect(dev.service?.name == "dev" && dev.service?.isProduction == true && !dev.mayWrite)
        #expect(dev.service?.productionRule?.name == "prod")
        let failure = try #require(failure { try dev.requireWritable() })
        #expect(failure.what == "[archive], a service of the same database, says readonly = always")
        #expect(failure.advice?.contains("\(path):1") == true)
        let prod = try NamedDatabases(home.environment).find("prod")
        #expect(prod.service?.productionRule == nil && prod.service?.readOnlyRule?.name == "archive")
        // Through a tunnel it is another machine's, and another storage is another database.
        for name in ["far", "other"] {
            let found = try NamedDatabases(home.environment).find(name)
            #expect(found.mayWrite && found.service?.isProduction == false, "\(name)")
        }
    }

    @Test("what is wrong with another service does not matter; its configuration is read only where it has rules")
    func otherServices() throws {
        let pipe = home.path("pipe.conf")
        try #require(mkfifo(pipe, 0o600) == 0)
        try home.write("wrong.conf", "<zodb>\n")
        let conf = try home.write(
            "zope.conf", "<zodb>\n<zeoclient>\nserver db1:8100\n</zeoclient>\n</zodb>\n")
        try home.write(
            "services",
            """
            [hanging]
            address = zconfig:pipe.conf
            env = production
            [gone]
            address = zconfig:gone.conf
            readonly = always
            [wrong]
            address = zconfig:wrong.conf
            readonly = always
            [strict]
            address = zconfig:zope.conf
            readonly = always
            [plain]
            address = db1:8100
            """)
        for text in ["plain", "db1:8100", "zconfig:\(conf)"] {
            let found = try NamedDatabases(home.environment).find(text)
            #expect(found.service?.readOnlyRule?.name ?? found.service?.name == "strict", "\(text)")
            #expect(!found.mayWrite, "\(text)")
        }
        #expect(failure { _ = try NamedDatabases(home.environment).find("gone") }?.what.contains("cannot read") == true)
    }

    @Test("a service that is mistyped is told with its name, and where services are defined")
    func mistyped() throws {
        let path = try home.write("services", "[production]\naddress = db1:1\n[staging]\naddress = db2:1\n")
        func advice(_ text: String) throws -> String {
            try #require(failure { _ = try NamedDatabases(home.environment).find(text) }?.advice)
        }
        #expect(try advice("prodution").hasPrefix("did you mean production ?"))
        #expect(try advice("prod").hasPrefix("did you mean production ?"))
        #expect(try advice("prodution").contains(path))
        #expect(try advice("db9").contains("'services' lists"))
        #expect(try advice("db9").contains("db9:8800"))
        #expect(try !advice("db9:x").contains("services"))
        try home.write("services", "")
        #expect(try advice("production").hasPrefix("for a server add its port, as in production:8800"))
    }

    @Test("a demo address is an overlay over what it lies around")
    func demo() throws {
        let found = try NamedDatabases(home.environment).find("demo:(zeo://db1:8100?storage=a)/(memory://)")
        #expect(found.address.description == "db1:8100")
        #expect(try home.told("overlay", [], "demo:(file:///a.fs)/(memory://)") == "yes of demo:")
    }
}

extension Services {
    fileprivate static func isProduction(at address: StorageAddress, _ environment: Environment) -> Bool {
        (try? Services(environment).service(at: address, environment))?.isProduction ?? false
    }
}

@Suite("Words that connect")
struct ConnectionWordTests {
    private let home: Home

    init() throws { home = try Home() }

    private func session() -> Session {
        Session(
            mode: .oneShot, terminal: Terminal(), environment: home.environment, interruption: Interruption(),
            progress: Progress { _ in }
        ) { _, _, _ in throw StorageError.interrupted }
    }

    private func words(_ words: [String]) throws -> (line: OneShot<LsCommand>, typed: [String]) {
        let found = try session().connectionWords(words) { try OneShot<LsCommand>.parse($0).address }
        return (try OneShot<LsCommand>.parse(found.all), found.typed)
    }

    @Test("-C stands for the address, wherever it stands; the operands stay where they are")
    func configuration() throws {
        let conf = try home.write(
            "zope.conf", "<zodb_db main>\n<filestorage>\npath /a.fs\nblob-dir /b\n</filestorage>\n</zodb_db>\n")
        for typed in [
            ["-C", conf, "/Plone", "-l"], ["/Plone", "-l", "-C", conf], ["-C\(conf)", "-l", "/Plone"],
            ["--configure=\(conf)", "-l", "/Plone"], ["-l", "--configure", conf, "--db", "main", "/Plone"],
            ["-l", "-C", conf, "--db=main", "--", "/Plone"],
        ] {
            let (line, words) = try words(typed)
            #expect(line.command.paths == ["/Plone"], "\(typed)")
            #expect(line.connection.blobDirectory == "/b", "\(typed)")
            #expect(line.address.hasPrefix("zconfig:\(conf)"), "\(typed)")
            #expect(!words.contains("-C"))
        }
        let own = try words(["-C", conf, "--blob-dir", "/mine", "/"])
        #expect(own.line.connection.blobDirectory == "/mine")
    }

    @Test(
        "half of it is refused", arguments: [["-C"], ["/", "--db", "x"], ["a:1", "--offline"], ["-C", "/a", "--db"]])
    func half(typed: [String]) {
        #expect(throws: (any Error).self) { try words(typed) }
    }

    @Test("a word after -- is a word")
    func ended() throws {
        let (line, _) = try words(["db1:1", "--", "-C"])
        #expect(line.address == "db1:1")
        #expect(line.command.paths == ["-C"])
    }

    @Test("typed options hold against what is set")
    func typed() throws {
        try home.write("config", "timeout = 2\nblob-dir = /set\noverlay = yes\n")
        let (line, typed) = try words(["db1:1", "--timeout", "7"])
        #expect(line.connection.timeout == 7)
        #expect(line.connection.blobDirectory == "/set")
        #expect(line.connection.isOverlay)
        #expect(typed == ["db1:1", "--timeout", "7"])
    }

    @Test("a password of a zope.conf or of the environment is at hand, and no word")
    func secrets() throws {
        let conf = try home.write(
            "zope.conf",
            "<zodb_db main>\n<zeoclient>\nserver db1:1\nusername zope\npassword geheim\nrealm r\n</zeoclient>\n</zodb_db>\n"
        )
        func login(_ words: [String]) throws -> String? {
            let settings = try home.settings(words, "zconfig:\(conf)")
            #expect(!settings.words(isServer: true, mayWrite: true).contains { $0.contains("geheim") })
            return settings.login.map { "\($0.user):\($0.password):\($0.realm ?? "")" }
        }
        #expect(try login([]) == "zope:geheim:r")
        #expect(try login(["--username", "other"]) == nil)
        home.variables["ZEOSHELL_PASSWORD"] = "mine"
        #expect(try login([]) == "zope:mine:r")
        #expect(try login(["--username", "other"]) == "other:mine:r")
        try home.write("config", "realm = r\ncache-size = 1M\n")
        #expect(try home.settings().words(isServer: true, mayWrite: true) == [])
    }

    @Test("what only servers have is said of a path when it is at the other end of a tunnel")
    func tunnel() throws {
        try home.write("services", "[far]\naddress = /run/far/zeo.sock\nssh = ops@far\n")
        #expect(try NamedDatabases(home.environment).find("far").isServer)
        let here = try NamedDatabases(home.environment).find("/run/far/zeo.sock")
        #expect(!here.isServer)
    }

    @Test("nothing is to be written where a zope.conf says so, and it is said where")
    func readOnly() throws {
        let conf = try home.write(
            "zope.conf", "<zodb_db main>\n<filestorage>\npath /a.fs\nread-only yes\n</filestorage>\n</zodb_db>\n")
        let found = try NamedDatabases(home.environment).find("zconfig:\(conf)")
        let failure = #expect(throws: ShellFailure.self) { try found.requireWritable() }
        #expect(failure?.place == "\(conf):4")
        #expect(failure?.exitCode == .refused)
    }
}
