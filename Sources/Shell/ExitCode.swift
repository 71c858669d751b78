/// How a run ended, as the program's exit status.
public enum ExitCode: Int32, Sendable {
    case done = 0
    /// Done, and the answer is no: nothing found, a difference, a problem.
    case negative = 1
    /// Wrong usage: an unknown command or option, bad syntax.
    case usage = 2
    /// A script stopped at an error.
    case scriptStopped = 3
    /// Cannot connect, connection lost, no answer in time.
    case connection = 4
    /// Refused: read-only, no permission, a confirmation is missing.
    case refused = 5
    /// A conflict, or a precondition that does not hold: trying again makes sense.
    case conflict = 6
    /// The data: a missing object, a record that cannot be decoded, a corrupt file.
    case data = 7
    /// The surroundings: no such file, disk full, file locked.
    case environment = 8
    /// `--single NAME`: another run of that name is under way, and this one did nothing.
    case alreadyRunning = 9
    /// Answered from a cache, as of its last contact with the server: the server is away.
    case away = 10
    case interrupted = 130
    case terminated = 143
}
