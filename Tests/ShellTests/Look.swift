import ArgumentParser
import Storages
import TestSupport
import ZODB
import ZODBFile

@testable import Shell

/// A session on a sample file, or on any storage, and what its lines write.
struct Look {
    let session: Session
    private let runner: CommandRunner

    struct Outcome {
        var output = ""
        var errors = ""
        var code = ExitCode.done

        var lines: [String] {
            output.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init)
        }
    }

    /// - Parameter file: below `sample-data`: `fs/zope5.fs`.
    init(_ file: String, mode: Session.Mode = .script) throws {
        let path = SampleData.path(file)
        try self.init(StorageAddress(parsing: path), mode) {
            try openStorage($0, options: $1, interruption: $2) { _ in }
        }
    }

    init(_ storage: any Storage, mode: Session.Mode = .script) throws {
        try self.init(StorageAddress(.server(host: "db1", port: 8800)), mode) { _, _, _ in storage }
    }

    init(
        _ address: StorageAddress, _ mode: Session.Mode, environment: [String: String] = [:],
        options: OpeningOptions = OpeningOptions(), _ opener: @escaping Session.Opener
    ) throws {
        session = Session(
            mode: mode, terminal: Terminal(), environment: Environment { environment[$0] },
            interruption: Interruption(),
            progress: Progress { _ in }, opener: opener)
        session.settings.usesUTC = true
        session.settings.color = .never
        runner = CommandRunner(session: session, signals: nil)
        try session.open(address, options)
    }

    /// Runs a line as the prompt would; its output goes to a pipe, unless `width` makes it a screen.
    func run(_ line: String, width: Int? = nil) -> Outcome {
        var outcome = Outcome()
        var bytes: [UInt8] = []
        let output = Output { bytes += $0 }
        session.line = line
        do {
            session.inputLine = try Words.split(line) { session.variable($0) }
            let words = try Translation.words(session.inputLine.words, in: session)
            guard let name = words.first, let (type, arguments) = CommandTable.find(leading: words) else {
                throw Suggestions.unknown(words.first ?? "", line)
            }
            let conclusion = try run(type, arguments, width, output)
            for message in conclusion.messages { outcome.errors += message.text + "\n" }
            for failure in conclusion.failures {
                outcome.errors += Diagnostics.text(failure, command: name, format: .plain) + "\n"
            }
            outcome.code = conclusion.failures.last?.exitCode ?? (conclusion.isNegative ? .negative : .done)
        } catch {
            let failure = ShellFailure(error)
            outcome.errors += Diagnostics.text(failure, command: nil, format: .plain) + "\n"
            outcome.code = failure.exitCode
        }
        try? output.flush()
        outcome.output = String(decoding: bytes, as: UTF8.self)
        return outcome
    }

    private func run<Command: ShellCommand>(
        _ type: Command.Type, _ arguments: [String], _ width: Int?, _ output: Output
    ) throws -> Report.Conclusion {
        let parsed = try session.prompted(type, arguments)
        let report = try parsed.command.run(in: session)
        var rendering = runner.rendering(parsed.output, isTerminal: width != nil)
        if let width { rendering.width = width }
        try rendering.write(report, to: output)
        return report.conclusion()
    }
}
