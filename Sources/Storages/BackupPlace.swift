/// `DIR@WHEN`: a repository of backups, and which state of it.
public enum BackupPlace {
    /// - Parameter exists: whether there is something at a path: a directory may have an `@` in its name.
    public static func split(
        _ text: String, exists: (String) -> Bool = FileKind.exists
    ) -> (directory: String, moment: String?) {
        guard let mark = text.lastIndex(of: "@"), !exists(text) else { return (text, nil) }
        return (String(text[..<mark]), String(text[text.index(after: mark)...]))
    }
}
