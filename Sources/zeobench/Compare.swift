import ArgumentParser
import Foundation

/// Runs rows of ours and of Python in turn, and prints medians and ratios.
struct Compare: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compare",
        abstract: "Compare with Python on the same file, interleaved, as ratios (above 1: ours is faster).",
        discussion: """
            The Python must have ZODB (and ZEO for the rows over the network); what it runs is printed with --show. \
            Each run does A then B, the next B then A. Process times, from start to end, with the page cache warm.
            """)

    @Argument(help: "A Data.fs with its .index.")
    var file: String

    @Option(help: "A Python with ZODB and ZEO installed.")
    var python: String

    @Option(help: "Where zeoshell and zeobench are; by default beside this program.")
    var bin: String?

    @Option(help: "Runs of each row; the medians count.")
    var runs = 5

    @Option(help: "Only these rows, separated by commas.")
    var rows: String?

    @Flag(help: "Print the commands instead of running them.")
    var show = false

    func run() throws {
        let folder = bin ?? URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent().path
        let wanted = rows.map { Set($0.split(separator: ",").map(String.init)) }
        let selected = CompareRow.all.filter { wanted?.contains($0.name) ?? true }
        guard !selected.isEmpty else {
            throw ValidationError("no such row; there are \(CompareRow.all.map(\.name).joined(separator: ", "))")
        }
        var context = try CompareContext(
            file: file, python: python, bin: folder, needsServer: selected.contains { $0.isRemote })
        defer { context.stop() }
        print("row            ours s   python s   ratio (min..max)   cpu ratio   ours MB  python MB")
        for row in selected {
            let (ours, theirs) = (context.ours(row), context.theirs(row))
            if show {
                print("\(row.name)\n  \(ours.joined(separator: " "))\n  \(theirs.joined(separator: " "))")
                continue
            }
            print(try measure(row, ours, theirs))
        }
    }

    private func measure(_ row: CompareRow, _ ours: [String], _ theirs: [String]) throws -> String {
        var (a, b): ([Measurement], [Measurement]) = ([], [])
        for run in 0..<runs {
            if run.isMultiple(of: 2) {
                a.append(try Measurement(ours))
                b.append(try Measurement(theirs))
            } else {
                b.append(try Measurement(theirs))
                a.append(try Measurement(ours))
            }
        }
        let ratios = zip(a, b).map { $1.wall / $0.wall }
        let cpu = zip(a, b).map { $1.cpu / max($0.cpu, 1e-6) }
        func text(_ value: Double, _ width: Int) -> String {
            let digits = value < 1 ? 4 : value < 100 ? 2 : 0
            let text = String(format: "%.\(digits)f", value)
            return String(repeating: " ", count: max(1, width - text.count)) + text
        }
        let name = row.name + String(repeating: " ", count: max(1, 13 - row.name.count))
        let range = "(\(String(format: "%.1f", ratios.min() ?? 0))..\(String(format: "%.1f", ratios.max() ?? 0)))"
        return name + text(median(a.map(\.wall)), 9) + text(median(b.map(\.wall)), 11) + text(median(ratios), 8) + " "
            + range + text(median(cpu), 12) + text(median(a.map(\.megabytes)), 10)
            + text(median(b.map(\.megabytes)), 11)
    }

    private func median(_ values: [Double]) -> Double {
        let sorted = values.sorted()
        guard !sorted.isEmpty else { return 0 }
        let middle = sorted.count / 2
        return sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
    }
}
