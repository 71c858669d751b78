import ArgumentParser
import Foundation
import Synchronization

/// The iteration under way, for the message that a crash or hang leaves.
let currentIteration = Atomic<UInt64>(0)

@main
struct Zeofuzz: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "zeofuzz",
        abstract: "Feed damaged input to the readers, and stop at the first crash, hang or greed.",
        discussion: """
            Every input is made from a seed and a number: `zeofuzz pickle FILE … --seed 1 --from 4711 --count 1` makes \
            that one again. Files are inputs to start from: a Data.fs gives each of its records to `pickle`, and itself \
            to `file`.
            """)

    enum TargetName: String, ExpressibleByArgument, CaseIterable { case pickle, file, wire, server, cache }

    @Argument(
        help: """
            What to feed: pickle (parser, scanner, text, JSON), file (Data.fs, .index), wire (messages of \
            servers), server (messages of clients), cache (client cache files).
            """)
    var target: TargetName

    @Argument(help: "Files to start from.")
    var files: [String]

    @Option(help: "With server: feed the server at this port of this machine, beside a client that behaves.")
    var port: Int?

    @Option(help: "Stop after so many seconds.")
    var seconds = 60.0

    @Option(help: "Stop after so many inputs.")
    var count: UInt64 = .max

    @Option(help: "The seed; with the number of an input it makes the input.")
    var seed: UInt64 = 1

    @Option(help: "The number of the first input.")
    var from: UInt64 = 0

    @Option(help: "The longest input in bytes.")
    var maximum = 1 << 16

    @Option(help: "Memory above that at the start, in MB, that no input may need.")
    var memory = 64.0

    @Flag(help: "Write the input that failed to this folder as zeofuzz-SEED-NUMBER.")
    var keep = false

    func run() throws {
        let seeds = try Seeds.load(files, for: self.target)
        guard !seeds.isEmpty else { throw ValidationError("no input to start from in \(files)") }
        let target: any Target =
            switch self.target {
            case .pickle: PickleTarget()
            case .file: try FileTarget(seeds: seeds)
            case .wire: WireTarget()
            case .cache: try CacheTarget()
            case .server:
                if let port { try LiveServerTarget(port: port, seed: seed) } else { ServerTarget() }
            }
        Self.catchCrashes()
        // What a first pass allocates for good (buffers that are reused) is not the inputs' doing.
        for bytes in seeds.prefix(200) { _ = target.run(bytes) }
        try Self.resetPeakMemory()
        let baseline = Self.peakMemory()
        let start = ContinuousClock.now
        var iteration = from
        var slowest = (seconds: 0.0, iteration: UInt64(0))
        var bytes = 0
        while iteration - from < count, Self.elapsed(start) < seconds {
            let input = makeInput(iteration, seeds)
            bytes += input.count
            currentIteration.store(iteration, ordering: .relaxed)
            alarm(20)
            let before = ContinuousClock.now
            if let problem = target.run(input) { try fail(problem, iteration, input) }
            let took = Self.elapsed(before)
            if took > slowest.seconds { slowest = (took, iteration) }
            if iteration.isMultiple(of: 64), Self.peakMemory() - baseline > memory {
                try fail(
                    "memory grew by \(Self.peakMemory() - baseline) MB within the last 64 inputs", iteration, input)
            }
            iteration += 1
        }
        alarm(0)
        print(
            """
            \(target.name): \(iteration - from) inputs, \(bytes >> 20) MB, in \(Int(Self.elapsed(start))) s, from \
            \(seeds.count) seeds; slowest \(Int(slowest.seconds * 1000)) ms (number \(slowest.iteration)); \
            peak memory \(Int(Self.peakMemory() - baseline)) MB above the start; no crash, no hang, no difference
            """)
    }

    private func makeInput(_ iteration: UInt64, _ seeds: [[UInt8]]) -> [UInt8] {
        var mutator = Mutator(seed: seed &* 1_000_003 &+ iteration)
        let base = seeds[mutator.below(seeds.count)]
        let other = seeds[mutator.below(seeds.count)]
        return mutator.mutate(base, with: other, maximum: maximum)
    }

    private func fail(_ problem: String, _ iteration: UInt64, _ input: [UInt8]) throws {
        if keep { try Data(input).write(to: URL(filePath: "zeofuzz-\(seed)-\(iteration)")) }
        print("seed \(seed), number \(iteration), \(input.count) bytes: \(problem)")
        throw ExitCode(1)
    }

    private static func elapsed(_ start: ContinuousClock.Instant) -> Double {
        let duration = ContinuousClock.now - start
        return Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
    }

    /// The largest resident size since `resetPeakMemory`, in MB.
    private static func peakMemory() -> Double {
        guard let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8),
            let line = status.split(separator: "\n").first(where: { $0.hasPrefix("VmHWM:") }),
            let kilobytes = line.split(separator: " ").dropLast().last.flatMap({ Double($0) })
        else { return 0 }
        return kilobytes / 1024
    }

    /// Makes the kernel forget the peak so far: loading the seeds takes more than any input.
    private static func resetPeakMemory() throws {
        try "5".write(toFile: "/proc/self/clear_refs", atomically: false, encoding: .utf8)
    }

    /// A trap, a fault or 20 seconds without an end: write the number of the input, and die with status 70.
    private static func catchCrashes() {
        for number in [SIGILL, SIGSEGV, SIGBUS, SIGFPE, SIGTRAP, SIGABRT, SIGALRM] {
            signal(number) { _ in
                // Only what a signal handler may do: no allocation, write, exit.
                var value = currentIteration.load(ordering: .relaxed)
                withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 21) { digits in
                    var first = 20
                    digits[first] = 10
                    repeat {
                        first -= 1
                        digits[first] = UInt8(48 + value % 10)
                        value /= 10
                    } while value > 0
                    _ = write(2, digits.baseAddress.map { $0 + first }, 21 - first)
                }
                _exit(70)
            }
        }
    }
}
