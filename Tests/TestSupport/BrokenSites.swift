import Foundation

/// Sites in every kind of trouble, made by Zope itself of a healthy sample when first asked for: `python/breaksite.py`.
public enum BrokenSites {
    /// What is broken; the functions of the script.
    public static let names = [
        "no-manager", "no-user", "lost-hook", "other-user-folder", "lost-user-folder", "lost-user-table", "lost-user",
        "pluggable", "lost-plugin", "no-plugin-manager", "permissions", "virtual-hosts", "lost-object", "metadata",
        "locks",
    ]
    /// A manager of the sites that have one.
    public static let admin = (name: "admin", password: "adminpw")

    /// A file of its own for each name; not to be changed. Needs `PythonPeer.zope5`.
    public static func path(_ name: String) throws -> String { try folder.get().appending(path: "\(name).fs").path }

    /// What Zope finds wrong in a site, what the last transaction changed, and whether `admin` may manage it.
    public struct Verdict: Sendable {
        public var problems: [String]
        public var changed: [Int]
        public var adminMayManage: Bool
    }

    /// Lets Zope look at files.
    public static func verdicts(_ paths: [String]) throws -> [String: Verdict] {
        let output = try run("checksite.py", paths)
        let result = try JSONValue(parsing: Array(output.utf8))
        var verdicts: [String: Verdict] = [:]
        for member in result.members {
            verdicts[member.key] = Verdict(
                problems: member.value["problems"]?.elements.compactMap(\.string) ?? ["?"],
                changed: member.value["changed"]?.elements.compactMap(\.int) ?? [],
                adminMayManage: member.value["admin"] == .bool(true))
        }
        return verdicts
    }

    /// Not by its path: its folder would come first where Python looks for modules.
    private static func run(_ script: String, _ arguments: [String]) throws -> String {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "python")
        return try PythonPeer.zope5.run(
            "import runpy, sys; script = sys.argv.pop(1); runpy.run_path(script, run_name='__main__')",
            [folder.appending(path: script).path] + arguments)
    }

    private static let folder = Result { () throws -> URL in
        let folder = FileManager.default.temporaryDirectory.appending(path: "zeoshell-sites-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        toRemove = folder.path
        atexit { if let path = BrokenSites.toRemove { try? FileManager.default.removeItem(atPath: path) } }
        _ = try run("breaksite.py", [SampleData.path("rescue/lost-password-zope5.fs"), folder.path] + names)
        return folder
    }

    private nonisolated(unsafe) static var toRemove: String?
}
