internal import ArgumentParser
internal import Storages

/// Which of several servers will do.
struct ReachOptions: ParsableArguments {
    @Flag(
        name: .customLong("read-only-fallback"),
        help: "With --rw, take a server that lets nobody write until one is found that does.")
    var fallsBackToReading = false

    func apply(to options: inout OpeningOptions) {
        if fallsBackToReading { options.fallsBackToReading = true }
    }
}
