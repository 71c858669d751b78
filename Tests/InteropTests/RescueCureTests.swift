import Foundation
import TestSupport
import Testing

/// Sites that Zope broke, cured by the program offline; Zope looks at what came of it.
@Suite("Rescue: what is cured", .needs(.zope5))
struct RescueCureTests {
    /// The site, and the lines that cure it.
    static let cures: [(name: String, lines: [String])] = [
        ("no-manager", ["rescue no-manager --user admin -y"]),
        ("no-user", ["passwd admin --create --role Manager --password-file PASSWORD -y"]),
        ("lost-hook", ["rescue access-rule"]),
        ("other-user-folder", ["rescue user-folder -y"]),
        (
            "lost-user-folder",
            ["rescue user-folder -y", "passwd admin --create --role Manager --password-file PASSWORD -y"]
        ),
        (
            "lost-user-table",
            ["rescue user-folder -y", "passwd admin --create --role Manager --password-file PASSWORD -y"]
        ),
        ("lost-user", ["rescue user-folder -y"]),
        ("pluggable", ["passwd admin --password-file PASSWORD -y"]),
        ("lost-plugin", ["rescue user-folder -y"]),
        ("no-plugin-manager", ["rescue no-manager --user admin --all -y"]),
        ("permissions", ["rescue permissions"]),
        ("virtual-hosts", ["rescue virtual-hosts"]),
        ("lost-object", ["rescue broken-objects"]),
        ("metadata", ["rescue folder-metadata --all"]),
        ("locks", ["rescue locks --all"]),
    ]

    @Test("every site that Zope broke is whole again, and nothing else has changed")
    func cured() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "zeoshell-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let secret = folder.appending(path: "password").path
        try "adminpw\n".write(toFile: secret, atomically: true, encoding: .utf8)
        #expect(Set(Self.cures.map(\.name)) == Set(BrokenSites.names))

        var sick: [String] = []
        for (name, lines) in Self.cures {
            let path = folder.appending(path: "\(name).fs").path
            try FileManager.default.copyItem(atPath: try BrokenSites.path(name), toPath: path)
            sick.append(try BrokenSites.path(name))
            var arguments = ["connect", path, "--rw", "-c", "begin"]
            for line in lines { arguments += ["-c", line.replacing("PASSWORD", with: secret)] }
            let outcome = try BuiltProgram.zeoshell.run(arguments + ["-c", "commit -y"])
            #expect(outcome.status == 0, "\(name): \(outcome.output)\(outcome.errors)")
        }
        let before = try BrokenSites.verdicts(sick)
        let after = try BrokenSites.verdicts(Self.cures.map { folder.appending(path: "\($0.name).fs").path })
        for (name, _) in Self.cures {
            let broken = try #require(before[try BrokenSites.path(name)])
            let whole = try #require(after[folder.appending(path: "\(name).fs").path])
            // What Zope knows of its troubles is fewer than ours; but it must know that they are gone.
            #expect(!broken.problems.isEmpty || !broken.adminMayManage || name == "pluggable", "\(name)")
            #expect(whole.problems == [], "\(name)")
            #expect(whole.adminMayManage, "\(name)")
            #expect(whole.changed.count <= 6 && !whole.changed.isEmpty, "\(name): \(whole.changed)")
        }
    }
}
