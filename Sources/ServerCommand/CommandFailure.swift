internal import ArgumentParser

/// Why a command of `zeoserver` did nothing: where, what, and what to try; told in one line, as `zeoshell` does.
struct CommandFailure: Error, Hashable, CustomStringConvertible {
    var place: String?
    var what: String
    var advice: String?

    init(at place: String? = nil, _ what: String, advice: String? = nil) {
        self.place = place
        self.what = what
        self.advice = advice
    }

    var description: String { (place.map { "\($0): " } ?? "") + what + (advice.map { " (\($0))" } ?? "") }
}

extension ParsableCommand {
    /// Does what a command is for; what keeps it from being done is told, and ends the program.
    /// - Parameter fileFailure: the exit code for a file that cannot be read or written.
    func telling(fileFailure: Int32 = ProgramExit.usage, _ body: () throws -> Void) throws {
        func end(_ error: any Error, _ code: Int32) -> ExitCode {
            StandardError.write("zeoserver: \(Self._commandName): \(error)\n")
            return ExitCode(code)
        }
        do {
            try body()
        } catch let error as CommandFailure {
            throw end(error, ProgramExit.usage)
        } catch let error as FileFailure {
            throw end(error, fileFailure)
        }
    }
}
