import Foundation
import ServerConfiguration
import TestSupport
import Testing
import ZConfig

@Suite("A new instance")
struct InstanceFilesTests {
    private let root = FileManager.default.temporaryDirectory.appending(path: "new-\(UUID().uuidString)").path

    private func write(_ instance: InstanceFiles) throws {
        for directory in instance.directories {
            try FileManager.default.createDirectory(
                atPath: "\(root)/\(directory.path)", withIntermediateDirectories: true,
                attributes: [.posixPermissions: Int(directory.mode)])
        }
        for file in instance.files {
            let path = "\(root)/\(file.path)"
            try file.contents.write(toFile: path, atomically: false, encoding: .utf8)
            try FileManager.default.setAttributes([.posixPermissions: Int(file.mode)], ofItemAtPath: path)
        }
    }

    private func settings() throws -> ServerSettings {
        try ServerSettings.parse(path: "\(root)/etc/zeo.conf", host: .system(environment: [:]))
    }

    @Test("is read without a warning, and with every setting that is offered in it")
    func settingsOffered() throws {
        defer { try? FileManager.default.removeItem(atPath: root) }
        try write(try InstanceFiles(home: root))
        let plain = try settings()
        #expect(plain.warnings.isEmpty)
        #expect(plain.addresses == [.internet(host: "127.0.0.1", port: 9999)])
        #expect(plain.pidFile == "\(root)/var/ZEO.pid")
        #expect(plain.roles == nil)
        #expect(plain.storages.map(\.name) == ["1"])
        #expect(plain.storages[0].storage == .file(FileStorageSettings(path: "\(root)/var/Data.fs")))
        #expect(plain.runner?.program == ["\(root)/bin/runzeo"])

        // A setting has no space behind its '#', or the two of a key inside of a section that is itself offered.
        let path = "\(root)/etc/zeo.conf"
        let text = try String(contentsOfFile: path, encoding: .utf8)
        let all = text.replacing(/(?m)^( *)#(<|[a-z]|  [a-z])/) { "\($0.output.1)\($0.output.2)" }
        try all.write(toFile: path, atomically: false, encoding: .utf8)
        let full = try settings()
        #expect(full.warnings.isEmpty)
        #expect(full.isReadOnly)
        #expect(full.roles?.map(\.name) == ["application", "maintenance"])
        #expect(full.limits.outbox == 256 << 20)
        #expect(full.log?.files.first?.rotation == .size(limit: 10 << 20, oldFiles: 5))
        #expect(full.runner?.user == "zope")
    }

    @Test("is one for Python's runzeo, too", .enabled(if: PythonPeer.zeo6.isReady, "\(PythonPeer.zeo6.reason)"))
    func python() throws {
        defer { try? FileManager.default.removeItem(atPath: root) }
        try write(try InstanceFiles(home: root + "/", address: "[::1]:8100", hasBlobs: true))
        let one = JudgeTests.Case(arguments: ["-C", "\(root)/etc/zeo.conf"])
        let answer = try JudgeScript("zeoconf_judge.py").answers(.zeo6, "settings", [one])[0]
        let theirs = try #require(answer["settings"], "\(answer)")
        let difference = JudgedSettings.difference(try settings(), from: theirs)
        #expect(difference == nil)
    }

    @Test("has programs that call the server with its configuration")
    func programs() throws {
        defer { try? FileManager.default.removeItem(atPath: root) }
        try write(try InstanceFiles(home: root, program: "\(root)/bin/zeoserver"))
        try "#!/bin/sh\nprintf '%s|' \"$@\"\n".write(
            toFile: "\(root)/bin/zeoserver", atomically: false, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: "\(root)/bin/zeoserver")
        let conf = "\(root)/etc/zeo.conf"
        for (name, arguments, called) in [
            ("runzeo", [], "-C|\(conf)|"), ("runzeo", ["-a", "a b"], "-C|\(conf)|-a|a b|"),
            ("zeoctl", [], "status|-C|\(conf)|"), ("zeoctl", ["start"], "start|-C|\(conf)|"),
            ("zeoctl", ["logtail", "x y"], "logtail|-C|\(conf)|x y|"),
        ] {
            let outcome = try BuiltProgram(url: URL(filePath: "\(root)/bin/\(name)")).run(arguments)
            #expect(outcome.output == called)
        }
    }

    @Test("has the unit of systemd that is shipped, but for who runs it and where")
    func units() throws {
        let deploy = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../deploy")
        for (name, isTemplate) in [("zeoserver.service", false), ("zeoserver@.service", true)] {
            let shipped = try String(contentsOf: deploy.appending(path: name), encoding: .utf8)
            #expect(shipped == ServiceUnit.system(isTemplate: isTemplate).text)
        }
        func unit(_ home: String, _ address: String = "1") throws -> String {
            try #require(
                try InstanceFiles(home: home, address: address).files.first { $0.path == "etc/zeoserver.service" }
            ).contents
        }
        let lines = Set(ServiceUnit.system(isTemplate: false).text.split(separator: "\n"))
        let own = try unit("/srv/zeo").split(separator: "\n").filter { !lines.contains($0) }
        #expect(
            own == [
                "# systemctl link /srv/zeo/etc/zeoserver.service && systemctl enable --now zeoserver",
                "Description=ZEO storage server of /srv/zeo", "ExecStart=/srv/zeo/bin/runzeo",
                "# The owner of var/ and log/, and not root:", "#User=zope", "WorkingDirectory=/srv/zeo",
                "# And every other place that the configuration names:",
                "ReadWritePaths=/srv/zeo/var /srv/zeo/log",
            ])
        #expect(try unit("/home/zope/zeo").contains("ProtectHome=read-only\n"))
        #expect(try unit("/tmp/zeo").contains("PrivateTmp=no\n"))
        #expect(try unit("/srv/zeo", "/run/zeo/sock").contains("ReadWritePaths=/srv/zeo/var /srv/zeo/log /run/zeo\n"))
        #expect(try unit("/srv/zeo", "/srv/zeo/var/sock").contains("ReadWritePaths=/srv/zeo/var /srv/zeo/log\n"))
    }

    @Test(
        "is refused where its files could not name it",
        arguments: [
            "relative", "/with space", "/a\nb", "/it's", "/$HOME", "/100%", "/back\\slash",
        ])
    func unusable(home: String) {
        #expect(throws: SettingsError.self) { try InstanceFiles(home: home) }
    }

    @Test("is refused with what is no address", arguments: ["h:x", "", "two words", "1:2:3:x y"])
    func noAddress(address: String) {
        #expect(throws: SettingsError.self) { try InstanceFiles(home: "/srv/zeo", address: address) }
    }
}
