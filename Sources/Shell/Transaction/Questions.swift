internal import LineEditing
internal import Storages
internal import ZODB

/// Asks the person at the terminal. Questions go to standard error: standard output is for data.
public struct Questions {
    /// The answer; nil at the end of input.
    public typealias Ask = (_ question: String) throws -> String?

    private let ask: Ask
    private let askSecretly: Ask

    /// - Parameter secretly: asks for what must not be seen while it is typed.
    public init(_ ask: @escaping Ask, secretly: Ask? = nil) {
        self.ask = ask
        askSecretly = secretly ?? ask
    }

    /// Asks on the process's own terminal.
    static func atTerminal(_ signals: Signals?) -> Questions {
        let reader = PlainLineReader(events: signals)
        func ask(_ question: String) throws -> String? {
            Diagnostics.write(question)
            do throws(LineEditingError) {
                return try reader.readLine(prompt: "")
            } catch {
                if case .io(let number) = error { throw StorageError.io("reading an answer", errno: number) }
                Diagnostics.write("\n")
                throw StorageError.interrupted
            }
        }
        return Questions(ask, secretly: { question in try withoutEcho { try ask(question) } })
    }

    /// - Returns: as it was typed; empty at the end of input.
    func secret(_ question: String) throws -> String { try askSecretly(question + " ") ?? "" }

    /// - Returns: without spaces around it; empty at the end of input.
    func answer(_ question: String) throws -> String {
        guard let answer = try ask(question + " ") else {
            Diagnostics.write("\n")
            return ""
        }
        return answer.trimmed
    }
}

/// Leave to do something, from whoever has to give it.
struct Confirmation {
    let session: Session

    /// Asks a question whose answer is yes or no.
    /// - Parameter isGiven: yes has been said beforehand, by `flag`.
    /// - Throws: `ShellFailure` when the answer is no, or nobody can be asked: exit code 5.
    func require(_ question: String, isGiven: Bool, flag: String = "-y") throws {
        if isGiven { return }
        guard let questions = session.questions else { throw Self.missing(question, flag) }
        session.progress.clear()
        guard Self.isYes(try questions.answer(TerminalText.escaped(question) + " [y/N]")) else { throw Self.refused }
    }

    /// Asks for leave to change the database: by yes, or for production by its name.
    /// - Parameters:
    ///   - question: `Commit 3 objects to prod?`
    ///   - more: shows more, when the answer is `diff`.
    func requireForDatabase(_ question: String, _ choices: CommitChoices, more: (() throws -> Void)? = nil) throws {
        // An overlay's commits go nowhere.
        let isProduction = session.service?.isProduction == true && session.writingMode != .overlay
        let rule = session.service?.productionRule
        let database = rule?.name ?? session.databaseName
        if let name = choices.confirmedName {
            guard name == database || name == session.address?.description else {
                throw ShellFailure(
                    "wrong-database", .refused, at: session.databaseName,
                    rule.map { "[\($0.name)], a service of the same database, says env = production" }
                        ?? "this is not '\(name)'",
                    advice: rule.map { "--yes-on \($0.name)" }
                        ?? "--yes-on takes the name of the database that is open")
            }
            return
        }
        if choices.isConfirmed, !isProduction { return }
        let flag = isProduction ? "--yes-on \(database)" : "-y"
        guard let questions = session.questions else { throw Self.missing(question, flag) }
        session.progress.clear()
        let hint =
            isProduction
            ? " This is production\(rule.map { " by \($0.place)" } ?? ""): type its name, \(database), or no"
            : more == nil ? " [y/N]" : " [y/N/diff]"
        while true {
            let answer = try questions.answer(TerminalText.escaped(question + hint))
            if let more, ["d", "diff"].contains(answer.lowercased()) {
                try more()
                continue
            }
            guard isProduction ? answer == database : Self.isYes(answer) else { throw Self.refused }
            return
        }
    }

    static func isYes(_ answer: String) -> Bool { ["y", "yes"].contains(answer.lowercased()) }

    private static var refused: ShellFailure {
        ShellFailure("not-confirmed", .refused, "not confirmed: nothing was done")
    }

    private static func missing(_ question: String, _ flag: String) -> ShellFailure {
        ShellFailure(
            "not-confirmed", .refused, "nobody is there to be asked: \(question)", advice: "\(flag) answers beforehand")
    }
}
