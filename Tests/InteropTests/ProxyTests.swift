import Foundation
import TestSupport
import Testing
import ZEOClient
import ZEOProtocol
import ZODB

/// Somebody between client and server delays, splits, drops and cuts. `ZEOSHELL_PROXY_SECONDS=600` for the long version,
/// `ZEOSHELL_PROXY_SEED=N` for one that was printed.
@Suite("A connection that fails", .serialized)
struct ProxyTests {
    private static let environment = ProcessInfo.processInfo.environment
    /// For all makes of servers together.
    static let seconds =
        environment["ZEOSHELL_PROXY_SECONDS"].flatMap(Double.init) ?? (OwnTests.everything ? 120 : 12)

    static let makes =
        OwnTests.everything
        ? ServerMake.python + Generation.allCases.map { .own($0) } : ServerMake.few + [.own(.v5), .own(.v201)]

    private static let stride = OwnTests.everything ? 1 : 6

    static func seed() -> UInt64 {
        environment["ZEOSHELL_PROXY_SEED"].flatMap(UInt64.init) ?? UInt64.random(in: 0..<1_000_000)
    }

    /// Of all that a client does, something.
    static let script: [FaultyWork.Step] = [
        .readOld, .hearOfOther, .change, .conflict, .readNew, .create, .undo, .history, .log, .records, .changeSeveral,
    ]

    @Test("cut at every message, whichever way it goes: no wrong answer, no lost edit", arguments: makes)
    func everyMessage(_ make: ServerMake) throws {
        let seed = Self.seed()
        let work = try FaultyWork(make.serve(), seed: seed)
        for direction in FaultProxy.Direction.allCases {
            // In a short run some of them, others each time.
            var number = Int(seed % UInt64(Self.stride))
            while true {
                // Before it, and in the middle of it.
                let hits = work.proxy.hits
                let bytes = number.isMultiple(of: 2) ? 0 : 5
                try Self.note(seed, make, "\(direction) \(number)") {
                    try work.reconnect([.init(.cut(direction, message: number, bytes: bytes))])
                    try work.run(Self.script)
                }
                // As many messages as there are.
                if work.proxy.hits == hits { break }
                number += Self.stride
            }
            #expect(number > 20, "\(direction)")
        }
        try work.checkFile()
        print("\(make): cut at every message, seed \(seed): \(work.tally)")
    }

    @Test("whatever happens at whatever byte: no wrong answer, no lost edit, no wait without a word", arguments: makes)
    func anything(_ make: ServerMake) throws {
        let seed = Self.seed()
        var random = RandomNumbers(seed: seed)
        let work = try FaultyWork(make.serve(), seed: seed &+ 1)
        let end = Date().addingTimeInterval(Self.seconds / Double(Self.makes.count))
        print("\(make): anything, seed \(seed)")
        var rounds = 0
        repeat {
            let plans = (0...random.below(3)).map { _ in Self.plan(&random) }
            work.cacheCapacity = random.oneIn(2) ? 0 : 1 << 20
            try Self.note(seed, make, "\(plans)") {
                try work.reconnect(plans)
                try work.runRandom(6)
            }
            rounds += 1
        } while Date() < end
        try work.checkFile()
        print("\(make): anything, seed \(seed): \(rounds) rounds, \(work.tally)")
    }

    private static func plan(_ random: inout RandomNumbers) -> FaultProxy.Plan {
        let direction: FaultProxy.Direction = random.oneIn(2) ? .toServer : .toClient
        let message = random.below(30)
        let pieces = random.oneIn(3) ? 1 + random.below(40) : nil
        let fault: FaultProxy.Fault?
        switch random.below(20) {
        case 0..<6: fault = .cut(direction, message: message, bytes: random.oneIn(2) ? 0 : random.below(60))
        case 6..<8: fault = .cut(direction, message: message, bytes: .max)
        case 8..<12: fault = .cutAtByte(direction, random.below(random.oneIn(3) ? 300_000 : 3000))
        case 12..<15: fault = .delay(direction, message: message, seconds: Double(random.below(300)) / 1000)
        case 15: fault = .delay(direction, message: message, seconds: 5)
        case 16: fault = .swallow(direction, message: message, seconds: Double(1 + random.below(9)))
        case 17: fault = random.oneIn(2) ? .mute(seconds: 2) : .mute(seconds: 6)
        case 18: fault = .refuse
        default: fault = nil
        }
        return .init(fault, pieces: pieces)
    }

    /// Says with what it can be had again.
    private static func note(_ seed: UInt64, _ make: ServerMake, _ what: String, _ body: () throws -> Void) throws {
        do {
            try body()
        } catch {
            Issue.record("\(make), ZEOSHELL_PROXY_SEED=\(seed), \(what): \(error)")
            throw error
        }
    }
}
