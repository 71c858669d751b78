import ArgumentParser
import Backup
import Foundation
import Synchronization
import ZODB
import ZODBFile

/// A pack or a backup that kills its own process at one of its steps: what a test of crashes looks at.
///
/// Unlike an error at that step, a kill gives nobody an occasion to clear up.
struct KilledJob: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "killed-job", abstract: "Pack or back up a Data.fs, and be killed at a step.", shouldDisplay: false
    )

    enum Job: String, ExpressibleByArgument { case pack, backup }

    @Argument(help: "pack or backup.")
    var job: Job

    @Argument(help: "A Data.fs.")
    var file: String

    @Option(help: "The step before which it is killed, from 0; the number of steps is printed when there are fewer.")
    var step: Int

    @Option(help: "The blob directory.")
    var blobDir: String?

    @Option(help: "The repository, of a backup.")
    var repository: String?

    @Flag(help: "A compressed backup.")
    var compressed = false

    @Flag(help: "A full backup.")
    var full = false

    @Option(help: "How many full backups to keep.")
    var keep: Int?

    func run() throws {
        let steps = Steps(killingBefore: step)
        switch job {
        case .pack:
            var options = FileStorage.Options(blobDirectory: blobDir, isWritable: true)
            options.packStep = { _ in steps.pass() }
            let storage = try FileStorage(file, options: options)
            try storage.pack(to: storage.lastTransaction(), PackOptions())
            storage.close()
        case .backup:
            guard let repository else { throw ValidationError("a backup needs --repository") }
            let storage = try FileStorage(file, options: .init(blobDirectory: blobDir))
            var options = BackupOptions()
            (options.isCompressed, options.isFull) = (compressed, full)
            options.retention = Retention(chains: keep)
            options.gate = { _ in steps.pass() }
            _ = try storage.backUp(to: repository, options)
            storage.close()
        }
        print(steps.count)
    }

    private final class Steps: Sendable {
        private let last: Int
        private let passed = Mutex(0)

        init(killingBefore last: Int) { self.last = last }

        var count: Int { passed.withLock { $0 } }

        func pass() {
            let isLast = passed.withLock { passed in
                passed += 1
                return passed > last
            }
            if isLast { kill(getpid(), SIGKILL) }
        }
    }
}
