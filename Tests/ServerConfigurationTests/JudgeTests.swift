import Foundation
import ServerConfiguration
import TestSupport
import Testing
import ZConfig

/// Real ZEO servers say what a configuration means.
@Suite("Server configurations, judged by ZEO")
struct JudgeTests {
    struct Case: Encodable {
        var arguments: [String]
        var env: [String: String] = ["SITE": "example"]
    }

    private static let peers = PythonPeer.all.filter(\.isReady)
    private static let judge = JudgeScript("zeoconf_judge.py")
    private static let reason: Comment = "needs Pythons with ZEO: run `make peers`"

    /// Every file that ZEO 5 and 6 take, too.
    private static let common = Instance.names().filter {
        !["zeo-4.conf", "zeoserver.conf", "zodb-3.2-zeoctl.conf"].contains($0)
    }

    @Test(
        "the files that mkzeoinst, Plone and administrators wrote mean what they mean to ZEO",
        .enabled(if: !peers.isEmpty, reason), arguments: peers)
    func corpus(peer: PythonPeer) throws {
        let instance = try Instance()
        try instance.takeCertificates(of: peer)
        #expect(Self.common.count > 8)
        let cases = try Self.common.map { name in
            Case(arguments: ["-C", try instance.write(try Instance.text(name), to: "etc/\(name)")])
        }
        for (one, answer) in zip(cases, try Self.judge.answers(peer, "settings", cases)) {
            let settings = try ServerSettings.parse(path: one.arguments[1], host: .system(environment: one.env))
            let theirs = try #require(answer["settings"], "\(one.arguments[1]): \(answer)")
            let difference = JudgedSettings.difference(settings, from: theirs)
            #expect(difference == nil, "\(one.arguments[1])")
        }
    }

    @Test(
        "what is wrong for ZEO is refused, and what is not is taken: files with a line lost, doubled or misspelt",
        .enabled(if: !peers.isEmpty, reason), arguments: peers)
    func mutations(peer: PythonPeer) throws {
        let instance = try Instance()
        try instance.takeCertificates(of: peer)
        var random = RandomNumbers(seed: 2003)
        var cases: [Case] = []
        for name in Self.common {
            let lines = try Instance.text(name).split(separator: "\n", omittingEmptySubsequences: true).map(String.init)
            for number in 0..<25 {
                let text = Mutation.random(of: lines, &random).joined(separator: "\n")
                cases.append(Case(arguments: ["-C", try instance.write(text, to: "etc/\(number)-\(name)")]))
            }
        }
        let answers = try Self.judge.answers(peer, "settings", cases)
        var (taken, refused) = (0, 0)
        for (one, answer) in zip(cases, answers) {
            let text = try String(contentsOfFile: one.arguments[1], encoding: .utf8)
            var difference: String?
            do {
                let settings = try ServerSettings.parse(path: one.arguments[1], host: .system(environment: one.env))
                taken += 1
                if let theirs = answer["settings"] {
                    difference = JudgedSettings.difference(settings, from: theirs)
                } else if let error = answer["error"]?.string, !Mutation.isAlsoTaken(settings, error) {
                    difference = "refused by ZEO: \(error)"
                }
            } catch {
                refused += 1
                if answer["error"] == nil, !Mutation.isAlsoRefused(error) { difference = "taken by ZEO: \(error)" }
            }
            #expect(difference == nil, "\(text)")
        }
        #expect(taken > 50)
        #expect(refused > 50)
    }

    @Test(
        "the command line wins over the file, as with runzeo",
        .enabled(if: !peers.isEmpty, reason), arguments: peers)
    func commandLine(peer: PythonPeer) throws {
        let instance = try Instance()
        let file = try instance.write(try Instance.text("zope-2.8.conf"))
        let home = ["INSTANCE_HOME": instance.root, "ZEO_MSGPACK": "1"]
        let lines: [([String], [String: String])] = [
            (["-a", "8800", "-f", "Data.fs"], [:]),
            (["-a", "8800", "-f", "Data.fs", "-f", "b/Other.fs", "-t", "2.5"], home),
            (["-C", file, "-a", "[::1]:1", "-t", "7", "--pid-file", "x.pid"], [:]),
            (["-C", file, "-f", "Data.fs"], [:]),
            (["-C", file], home), (["-a", "8800"], [:]), (["-f", "Data.fs"], [:]), ([], [:]),
            (["-a", "h:x", "-f", "Data.fs"], [:]), (["-a", "8800", "-f", "x", "-t", "soon"], [:]),
            (["-C", instance.root + "/gone.conf"], [:]),
        ]
        let answers = try Self.judge.answers(peer, "settings", lines.map { Case(arguments: $0.0, env: $0.1) })
        for (line, answer) in zip(lines, answers) {
            var options = ServerOptions()
            for (name, value) in zip(line.0, line.0.dropFirst()) {
                switch name {
                case "-C": options.configurationPath = value
                case "-a": options.addresses.append(value)
                case "-f": options.filenames.append(value)
                case "-t": options.timeout = value
                case "--pid-file": options.pidFile = value
                default: continue
                }
            }
            guard var theirs = answer["settings"] else {
                #expect(throws: SettingsError.self) {
                    try ServerSettings.parse(options, host: .system(environment: line.1))
                }
                continue
            }
            // runzeo asks for the default of the pid file only when it writes it.
            if theirs["pid_file"] == .null, let root = line.1["INSTANCE_HOME"] {
                theirs = .object(
                    theirs.members.filter { $0.key != "pid_file" } + [.init("pid_file", .string("\(root)/var/ZEO.pid"))]
                )
            }
            let settings = try ServerSettings.parse(options, host: .system(environment: line.1))
            let difference = JudgedSettings.difference(settings, from: Self.withPackDefaults(theirs))
            #expect(difference == nil, "\(line)")
        }
    }

    /// Storages of the command line have no configuration to say what a pack does by default.
    private static func withPackDefaults(_ value: JSONValue) -> JSONValue {
        switch value {
        case .object(let members):
            .object(
                members.map { member in
                    ["key pack_gc", "key pack_keep_old"].contains(member.key) && member.value == .null
                        ? .init(member.key, .bool(true)) : .init(member.key, withPackDefaults(member.value))
                })
        case .array(let elements): .array(elements.map(withPackDefaults))
        default: value
        }
    }
}
