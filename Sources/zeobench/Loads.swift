import ArgumentParser
import Foundation

/// What a load of a current revision costs, without the disk.
struct Loads: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "loads",
        abstract: "Measure the CPU time of one load from a Data.fs that is open for writing.",
        discussion: """
            Writes a file of its own into a directory, \(LoadRow.objects) objects of \(LoadRow.size) bytes, and removes it. \
            The bytes themselves are not looked at. Medians of the runs.
            """)

    @Option(help: "A directory for the file.")
    var directory = "."

    @Option(help: "Runs of each row.")
    var runs = 5

    func run() throws {
        let folder = "\(directory)/zeobench-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try LoadRow.make("\(folder)/Data.fs")
        for way in LoadRow.Way.allCases {
            let times = try (0..<runs).map { _ in try LoadRow.measure(way, "\(folder)/Data.fs") }.sorted()
            print("\(way.rawValue): \(Int(times[runs / 2].rounded())) ns")
        }
    }
}
