internal import ArgumentParser
internal import ZODB

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// What a job is called, for `--single`: letters, digits, `.`, `_` and `-`.
struct JobName: ExpressibleByArgument {
    let text: String

    init?(argument: String) {
        let isPlain = argument.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                true
            default: false
            }
        }
        guard isPlain, !argument.isEmpty, argument.utf8.count <= 100, !argument.hasPrefix(".") else { return nil }
        text = argument
    }
}

/// The lock of `--single NAME`: as long as it lives, no other run of that name begins.
///
/// The system gives the lock back when the process ends, however it ends. The file stays: that it is there means nothing.
final class SingleRun {
    private let descriptor: Int32

    /// - Parameter line: what is run, for whoever finds the lock taken.
    /// - Throws: `ShellFailure`: `already-running` when another run has the lock; `io`.
    init(_ name: JobName, _ environment: Environment, line: String) throws {
        let path = Self.directory(environment) + "/zeoshell/single/\(name.text)"
        FilePaths.makeDirectories(of: path)
        // Commands that we start must not keep the lock: it is closed in them.
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else {
            throw ShellFailure(
                "io", .environment, at: path,
                "\(StorageError.io("the lock of --single cannot be made there", errno: errno))",
                advice: "set XDG_STATE_HOME to a directory that can be written to")
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let number = errno
            defer { close(descriptor) }
            guard number == EWOULDBLOCK else { throw ShellFailure(.io(path, errno: number)) }
            throw ShellFailure(
                "already-running", .alreadyRunning, at: name.text,
                "another run of this name is under way" + Self.note(descriptor), advice: "nothing was done")
        }
        let note = "process \(getpid()), since \(Self.now()): \(line)\n"
        _ = ftruncate(descriptor, 0)
        _ = Array(note.utf8).withUnsafeBytes { pwrite(descriptor, $0.baseAddress, $0.count, 0) }
    }

    deinit { close(descriptor) }

    /// As `Environment.stateDirectory`; where the environment says nothing, in the account's home.
    private static func directory(_ environment: Environment) -> String {
        environment.stateDirectory() ?? accountHome() + "/.local/state"
    }

    /// What the other run wrote: `: process 123, since …`.
    private static func note(_ descriptor: Int32) -> String {
        var bytes = [UInt8](repeating: 0, count: 500)
        let count = pread(descriptor, &bytes, bytes.count, 0)
        guard count > 0 else { return "" }
        let line = bytes[..<count].split(separator: 10, omittingEmptySubsequences: true).first ?? []
        return ": " + String(decoding: line, as: UTF8.self)
    }

    private static func now() -> String {
        TransactionID(unixTime: wallClock()).map { TimeText.local($0, .system) } ?? "?"
    }
}
