internal import ZODB

/// A server that goes away and comes back.
extension Session {
    /// What is known of the server's absence; nil while it is there, and of a file.
    var absence: Absence? { ((try? storage) as? any CachingStorage)?.absence }

    /// What is to be said before the next command's answer: of the cache, and of the server.
    func remarks() -> [Report.Message] { serverRemarks.messages(self) }

    /// The exit code of a program that ends with `code`: answers that came from a cache, as of its last contact with the
    /// server, are not what a job may take for today's. Where the server has been there in this session, and is back, it answered
    /// as of its moment all the same.
    func exitCode(_ code: ExitCode) -> ExitCode {
        guard mode != .interactive, wasAway, code == .done || code == .negative else { return code }
        return beganAway || absence != nil ? .away : code
    }
}
