import ArgumentParser

/// Benchmarks: for users who want to know what their machine and file do, and for each change of ours.
@main
struct Zeobench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "zeobench",
        abstract: "Measure what zeoshell's core does with a Data.fs, and compare it with Python on the same file.",
        discussion: """
            index, walk, decode, classes and documents do one thing once and print what they counted, so that any \
            tool can time them. compare runs rows of ours and of Python in turn and prints the ratios; quote those, \
            since the clock of a shared machine measures its neighbours. commits measures how fast transactions are \
            written, beside Python and beside what the disk allows; zeo-commits the same over ZEO; server measures zeoserver beside Python's.
            """,
        subcommands: [
            IndexRow.self, WalkRow.self, DecodeRow.self, ClassesRow.self, DocumentsRow.self, EditRow.self, PackRow.self,
            Compare.self,
            Commits.self, Loads.self, CommitLoop.self, KilledJob.self, ServerCommits.self, ServerRows.self,
        ])
}
