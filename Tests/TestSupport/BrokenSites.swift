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

    private static let folder = Result { () throws -> URL in
        let folder = FileManager.default.temporaryDirectory.appending(path: "zeoshell-sites-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        toRemove = folder.path
        atexit { if let path = BrokenSites.toRemove { try? FileManager.default.removeItem(atPath: path) } }
        let script = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "python/breaksite.py")
        try PythonPeer.zope5.run(
            "import runpy, sys; script = sys.argv.pop(1); runpy.run_path(script, run_name='__main__')",
            [script.path, SampleData.path("rescue/lost-password-zope5.fs"), folder.path] + names)
        return folder
    }

    private nonisolated(unsafe) static var toRemove: String?
}
