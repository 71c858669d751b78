import ArgumentParser
import Foundation
import ZODB
import ZODBFile

/// Packs a Data.fs: what a pack costs beside nobody else. Memory and time are the caller's to measure.
struct PackRow: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pack", abstract: "Pack a Data.fs where it lies, and print what each phase took.",
        discussion: "The file is changed: give a copy.")

    @Argument(help: "A Data.fs, which is packed.")
    var file: String

    @Option(help: "Its blob directory.")
    var blobs: String?

    @Option(help: "The time packed to, in seconds since 1970; by default now.")
    var time: Double?

    @Flag(inversion: .prefixedNo, help: "Drop what nothing refers to.")
    var gc = true

    @Flag(inversion: .prefixedNo, help: "Keep the file as it was as FILE.old.")
    var old = true

    @Option(help: "Bytes read and written in a second.")
    var throttle: Int?

    func run() throws {
        let storage = try FileStorage(file, options: .init(blobDirectory: blobs, isWritable: true))
        defer { storage.close() }
        guard let tid = TransactionID(unixTime: time ?? Date().timeIntervalSince1970) else {
            throw ValidationError("no time to pack to")
        }
        let phases = Phases()
        let summary = try storage.pack(
            to: tid,
            PackOptions(collectsGarbage: gc, keepsOld: old, bytesPerSecond: throttle) { phases.note($0) })
        let outcome =
            switch summary.outcome {
            case .packed: "packed"
            case .nothingToDo(let reason): "nothing to do: \(reason)"
            }
        print(
            "\(outcome): \(summary.objectsBefore ?? 0) to \(summary.objectsAfter ?? 0) objects, \(summary.bytesBefore ?? 0) "
                + "to \(summary.bytesAfter ?? 0) bytes, \(summary.danglingCount) dangling, \(summary.rescued) rescued, "
                + "\(summary.blobsRemoved) blobs removed; began at seconds: \(phases.text)")
    }
}

/// When each phase began. `@unchecked`: the pack tells it on one thread, and has ended when it is read.
private final class Phases: @unchecked Sendable {
    private var starts: [(PackProgress.Phase, Double)] = []

    func note(_ progress: PackProgress) {
        if starts.last?.0 != progress.phase { starts.append((progress.phase, progress.elapsed)) }
    }

    var text: String { starts.map { "\($0.0.rawValue) \(String(format: "%.2f", $0.1))" }.joined(separator: ", ") }
}
