/// `<runner>`: how zdaemon starts, watches and stops the server, for whoever takes its place.
///
/// Source: zdaemon 5.2, `component.xml`.
public struct RunnerSettings: Hashable, Sendable {
    /// The command line, word by word.
    public var program: [String]
    public var socketName = "zdsock"
    /// In the background; else in the terminal.
    public var isDaemon = true
    /// The working directory of a daemon.
    public var directory: String?
    /// In seconds, and how many times in a row the program is started again after it crashed.
    public var backoffLimit = 10
    /// It is started again for ever.
    public var forever = false
    /// Ends that are meant: it is not started again after these.
    public var exitCodes = [0, 2]
    /// Its exit status says whether the program is up; nil: it is as soon as it runs.
    public var startTestProgram: [String]?
    /// In seconds, with `startTestProgram`.
    public var startTimeout = 300
    /// In seconds, between SIGTERM and SIGKILL.
    public var stopTimeout = 300
    /// A name or a number, when root starts it.
    public var user: String?
    public var umask = 0o22
    /// The one who watches stays when the program has been stopped.
    public var hangsAround = false
    public var defaultsToInteractive = true
    /// What `logtail` shows; the runner does not write it.
    public var logFile: String?
    /// Where a daemon's output goes.
    public var transcript: String?
    public var prompt: String?
    /// The runner's own log; nil: it uses the server's.
    public var log: LogSettings?
    /// `<environment>`: for the program.
    public var environment: [String: String] = [:]

    public init(program: [String]) { self.program = program }
}
