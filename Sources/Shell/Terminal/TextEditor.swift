internal import ZODB

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// The person's own editor: `$VISUAL`, `$EDITOR`, or `vi`.
struct TextEditor {
    private let environment: Environment

    init(_ environment: Environment) { self.environment = environment }

    /// Lets a text be edited, in a file that only its owner may read and that is gone afterwards.
    /// - Parameter line: where to begin, for a text that came back with an error.
    func edit(_ text: String) throws -> String {
        // An editor that was chosen may be one that needs no person.
        guard let editor = environment["VISUAL"] ?? environment["EDITOR"] ?? (isatty(0) == 1 ? "vi" : nil) else {
            throw ShellFailure(
                "not-confirmed", .refused, "nobody is there to edit",
                advice: "$EDITOR names a program that needs nobody")
        }
        let path = try keep(text)
        defer { unlink(path) }
        let status = Child.run("\(editor) \(Words.quoted(path))")
        guard status == 0 else {
            throw ShellFailure(
                "editor", .environment, at: editor, "the editor ended with status \(status)",
                advice: "$EDITOR names it; nothing was changed")
        }
        let bytes = try FilePaths.read(path)
        guard let edited = String(validating: bytes, as: UTF8.self) else {
            throw ShellFailure("editor", .usage, at: editor, "what came back is not UTF-8: nothing was changed")
        }
        return edited
    }

    /// Writes a text to a new file that only its owner may read; its path.
    func keep(_ text: String) throws -> String {
        let directory = environment["TMPDIR"] ?? "/tmp"
        var name = Array("\(directory)/zeoshell-XXXXXX".utf8CString)
        let descriptor = mkstemp(&name)
        let path = String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        guard descriptor >= 0 else { throw ShellFailure(.io(path, errno: errno)) }
        defer { close(descriptor) }
        do {
            try Output.write(Array(text.utf8), to: descriptor)
        } catch {
            unlink(path)
            throw error
        }
        return path
    }
}
