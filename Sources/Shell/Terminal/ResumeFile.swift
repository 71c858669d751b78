internal import Verification
internal import ZODB

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// The file of `verify --resume`: how far a verification has come.
final class ResumeFile: Sendable {
    private let path: String
    /// What an earlier run left there; nil when there is none, or it is something else.
    let found: VerificationCheckpoint?

    /// - Throws: `ShellFailure` when the file is there, and is something else.
    init(_ path: String) throws {
        self.path = path
        guard NewFile.exists(path) else {
            found = nil
            // That it cannot be written is said now, not after an hour.
            try NewFile(beside: path).finish(replacing: false)
            return
        }
        let file = try FileBytes(path)
        let bytes = try file.bytes(in: 0..<file.count)
        found = VerificationCheckpoint(parsing: bytes)
        guard found != nil || bytes.isEmpty else {
            throw ShellFailure(
                "not-a-file", .environment, at: path, "it is no file of --resume, and would be overwritten",
                advice: "give another name")
        }
    }

    func write(_ checkpoint: VerificationCheckpoint) {
        // Without it the next run begins earlier: no reason to stop this one.
        guard let file = try? NewFile(beside: path), (try? file.write(checkpoint.bytes)) != nil else { return }
        try? file.finish(replacing: true)
    }

    /// The work is done, and the file with it.
    func finish() throws {
        guard unlink(path) == 0 || errno == ENOENT else { throw ShellFailure(.io(path, errno: errno)) }
    }
}
