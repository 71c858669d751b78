import ArgumentParser
import Foundation
import ZODB
import ZODBFile

/// Commits per second to a Data.fs on this disk: ours, Python's, and the most that the disk allows, in turn.
struct Commits: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "commits",
        abstract: "Measure commits per second to a Data.fs, beside Python's FileStorage and the disk's limit.",
        discussion: """
            Writes files of its own into a directory, and removes them. We flush each transaction twice: before it is \
            marked as complete, and after. Python flushes once, and so do we when asked to. The limits write the same \
            bytes and flush as often, with nothing else done. Then several of ours commit at once, as clients of a \
            server do. Medians of the runs; ratios are of one run each.
            """)

    @Option(help: "A directory on the disk to be measured.")
    var directory = "."

    @Option(help: "A Python with ZODB; without one it is left out.")
    var python: String?

    @Option(help: "Runs of each row.")
    var runs = 5

    @Option(help: "Only these rows, separated by commas: 1x100, 10x1000, 100x1000, 1x1000000, pipelined.")
    var rows: String?

    func run() throws {
        let wanted = rows.map { Set($0.split(separator: ",").map(String.init)) }
        print(
            "commits a second, flushed twice and once; ratios to Python (above 1: ours is faster); microseconds of CPU")
        print(
            "objects x bytes     ours limit | ours limit python | twice (min..max)  once (min..max)   | CPU ours python"
        )
        for row in CommitRow.all where wanted?.contains(row.name) ?? true {
            var results: [[CommitRow.Side: CommitRow.Result]] = []
            for run in 0..<runs {
                var result: [CommitRow.Side: CommitRow.Result] = [:]
                let sides = CommitRow.Side.allCases.filter { $0 != .python || python != nil }
                for side in run.isMultiple(of: 2) ? sides : sides.reversed() {
                    result[side] = try row.measure(side, in: directory, python: python ?? "")
                }
                results.append(result)
            }
            print(line(row, results))
        }
        guard wanted?.contains("pipelined") ?? true else { return }
        print("committers at once, 10x1000: commits a second, microseconds of CPU")
        for row in PipelineRow.all {
            let results = try (0..<runs).map { _ in try row.measure(in: directory) }
            let (rate, cpu) = (median(results.map(\.rate)) ?? 0, median(results.map(\.cpu)) ?? 0)
            print(String(format: "%10d %10.0f %8.0f", row.committers, rate, cpu))
        }
    }

    private func median(_ values: [Double]) -> Double? { values.isEmpty ? nil : values.sorted()[values.count / 2] }

    private func line(_ row: CommitRow, _ results: [[CommitRow.Side: CommitRow.Result]]) -> String {
        func text(_ value: Double?, _ width: Int, _ digits: Int = 0) -> String {
            let text = value.map { String(format: "%.\(digits)f", $0) } ?? "-"
            return String(repeating: " ", count: max(0, width - text.count)) + text
        }
        func rate(_ side: CommitRow.Side) -> Double? { median(results.compactMap { $0[side]?.rate }) }
        func cpu(_ side: CommitRow.Side) -> Double? { median(results.compactMap { $0[side]?.cpu }) }
        func ratio(_ side: CommitRow.Side) -> String {
            let ratios = results.compactMap { result in
                result[.python].flatMap { (result[side]?.rate ?? 0) / $0.rate }
            }.sorted()
            guard let least = ratios.first, let most = ratios.last else { return text(nil, 17) }
            return "\(text(median(ratios), 5, 2)) (\(text(least, 0, 2))..\(text(most, 0, 2)))"
        }
        let name = row.name + String(repeating: " ", count: max(0, 18 - row.name.count))
        return name + text(rate(.ours), 6) + text(rate(.twoFlushes), 6) + " |"
            + text(rate(.oursFlushedOnce), 5) + text(rate(.oneFlush), 6) + text(rate(.python), 7) + " |"
            + "\(ratio(.ours)) \(ratio(.oursFlushedOnce)) |" + text(cpu(.ours), 9) + text(cpu(.python), 7)
    }
}
