import Foundation
import Synchronization
import TestSupport
import Testing
import ZODB
import ZODBFile

@testable import ClientCache

/// What really happened: every revision of every object, and up to where.
private struct Truth {
    var serials: [ObjectID: [TransactionID]] = [:]
    var last = TransactionID.none

    /// An object whose data, and whose oid, read as free blocks with a block of another object among them: whoever takes a
    /// wrong size and comes out anywhere in it finds a revision that never was.
    static let trap = ObjectID(0x3131_3131_3131_3131)

    static func data(_ oid: ObjectID, _ serial: TransactionID) -> [UInt8] {
        if oid == trap {
            let wrong = Array("wrong".utf8), other = ObjectID(5)
            let block =
                CacheFormat.sizeBytes(CacheFormat.objectOverhead + wrong.count) + other.bytes
                + TransactionID(0x040d_2700_0000_0000).bytes + TransactionID.none.bytes + [0, 0]
                + CacheFormat.sizeBytes(wrong.count) + wrong + other.bytes
            let before = 150 + Int(serial.rawValue % 200)
            return Array(repeating: 0x31, count: before) + [0x61] + block + Array(repeating: 0x31, count: 20)
        }
        var random = RandomNumbers(seed: oid.rawValue &* 31 &+ serial.rawValue)
        return (0..<random.below(90)).map { _ in
            // As much as possible looks like the beginning of a block.
            random.oneIn(3) ? [0x61, 0x66, 0x31, 0][random.below(4)] : UInt8(random.below(256))
        }
    }

    func revision(_ oid: ObjectID, at tid: TransactionID) -> Revision? {
        guard let serials = serials[oid], let index = serials.lastIndex(where: { $0 <= tid }) else { return nil }
        let next = index + 1 < serials.count ? serials[index + 1] : nil
        return Revision(data: Self.data(oid, serials[index]), serial: serials[index], next: next)
    }
}

/// Every write that a file gets.
private final class Tape: Sendable {
    struct Write {
        var offset: Int
        var bytes: [UInt8]
        /// Everything that had been committed when the write was made.
        var truth: Truth
    }

    let writes = Mutex<[Write]>([])
    let truth = Mutex(Truth())

    var calls: FileCalls {
        FileCalls(write: { [self] descriptor, buffer, offset in
            let bytes = unsafe [UInt8](buffer)
            let truth = truth.withLock { $0 }
            writes.withLock { $0.append(Write(offset: offset, bytes: bytes, truth: truth)) }
            return unsafe FileCalls.systemWrite(descriptor, buffer, offset)
        })
    }
}

@Suite("A cache file cut off anywhere")
struct CutTests {
    /// Takes part in a database's life: commits by others, loads, own commits, catching up.
    private static func live(_ ring: inout CacheRing, _ tape: Tape, _ random: inout RandomNumbers) throws {
        let oids = (0..<8).map { ObjectID(UInt64($0)) } + [Truth.trap, Truth.trap]
        for _ in 0..<6 {
            switch random.below(3) {
            case 0:
                // Somebody commits; the cache hears of it.
                let changed = Set(oids.filter { _ in random.oneIn(4) }).sorted()
                let tid = tape.truth.withLock { truth -> TransactionID in
                    // Tids that differ in more bytes than the last.
                    truth.last = TransactionID(
                        rawValue: max(truth.last.rawValue, 0x040d_26ff_ffff_0000)
                            + UInt64(1 << random.below(34)))
                    for oid in changed { truth.serials[oid, default: []].append(truth.last) }
                    return truth.last
                }
                for oid in changed { try ring.end(oid, at: tid) }
                try ring.move(to: tid)
            case 1:
                let oid = oids[random.below(oids.count)]
                let truth = tape.truth.withLock { $0 }
                let at = random.oneIn(3) ? truth.serials[oid]?.first ?? truth.last : truth.last
                if let revision = truth.revision(oid, at: at) { try ring.insert(revision, oid) }
            default:
                let oid = oids[random.below(oids.count)]
                let truth = tape.truth.withLock { $0 }
                if random.oneIn(6) { try ring.forget(oid) }
                guard let found = try ring.revision(of: oid, at: truth.last) else { continue }
                #expect(found == truth.revision(oid, at: truth.last))
            }
        }
    }

    /// What a client would read from the file as it was cut, before and after it has caught up.
    private static func judge(_ path: String, _ truth: Truth, _ where: String) throws -> Bool {
        guard let file = try? DataFile(path, .writing), var ring = try? CacheRing(opening: file, size: file.size()),
            CacheFile.doubt(ring.lastTransaction, nil) == nil
        else { return false }
        #expect(ring.lastTransaction <= truth.last)
        let known = ring.lastTransaction
        for oid in truth.serials.keys {
            for tid in truth.serials.values.joined() where tid <= known {
                guard let found = try ring.revision(of: oid, at: tid), let right = truth.revision(oid, at: tid) else {
                    continue
                }
                guard found.serial == right.serial, found.data == right.data,
                    found.next == nil || found.next == right.next
                else {
                    Issue.record("\(`where`): \(oid) at \(tid) is \(found), not \(right)")
                    return true
                }
            }
        }
        for (oid, serials) in truth.serials where serials.contains(where: { $0 > known }) { try ring.forget(oid) }
        for oid in truth.serials.keys {
            guard let found = try ring.revision(of: oid, at: .latest) else { continue }
            #expect(found == truth.revision(oid, at: .latest), "\(`where`)")
        }
        return true
    }

    @Test("whatever write it ends in, and at whatever byte, nothing wrong is read from it", arguments: 0..<4)
    func cuts(_ seed: UInt64) throws {
        let scratch = try Scratch()
        let tape = Tape()
        var random = RandomNumbers(seed: seed)
        let size = 1500
        try CacheRing.make(try DataFile(scratch.path(), .creating(permissions: 0o600)), size: size)
        var image = try scratch.bytes()
        let file = try DataFile(scratch.path(), .writing, calls: tape.calls)
        var ring = try CacheRing(opening: file, size: size)
        var cuts = 0, believed = 0
        for _ in 0..<14 {
            tape.writes.withLock { $0 = [] }
            try Self.live(&ring, tape, &random)
            for write in tape.writes.withLock({ $0 }) {
                for count in 0..<write.bytes.count {
                    if count > 0 { image[write.offset + count - 1] = write.bytes[count - 1] }
                    // Inside of long data, a sample.
                    if write.bytes.count > 24, count > 12, count < write.bytes.count - 12, count % 7 != 0 { continue }
                    try scratch.write(image, "cut.zec")
                    cuts += 1
                    if try Self.judge(scratch.path("cut.zec"), write.truth, "seed \(seed), cut \(cuts)") {
                        believed += 1
                    }
                }
                image[write.offset + write.bytes.count - 1] = write.bytes[write.bytes.count - 1]
            }
            #expect(try scratch.bytes() == image)
        }
        #expect(cuts > 500)
        // It would be safe, and of no use, to believe nothing.
        #expect(believed * 2 > cuts, "\(believed) of \(cuts)")
    }

    @Test(
        "nor does Python read anything wrong from it",
        .enabled(if: PythonPeer.zeo6.isReady, Comment(rawValue: PythonPeer.zeo6.reason)))
    func python() throws {
        let scratch = try Scratch()
        let tape = Tape()
        var random = RandomNumbers(seed: 11)
        let size = 1500
        try CacheRing.make(try DataFile(scratch.path(), .creating(permissions: 0o600)), size: size)
        var image = try scratch.bytes()
        let file = try DataFile(scratch.path(), .writing, calls: tape.calls)
        var ring = try CacheRing(opening: file, size: size)
        for _ in 0..<20 { try Self.live(&ring, tape, &random) }
        var cuts = 0
        for write in tape.writes.withLock({ $0 }) {
            let count = random.below(write.bytes.count)
            for index in 0..<count { image[write.offset + index] = write.bytes[index] }
            try scratch.write(image, "\(cuts).zec")
            var lines: [String] = []
            for (oid, serials) in write.truth.serials {
                for serial in serials {
                    let next = write.truth.revision(oid, at: serial)?.next ?? .none
                    lines.append("\(oid.hex) \(serial.hex) \(next.hex) \(sha1(Truth.data(oid, serial)))")
                }
            }
            try scratch.write(Array(lines.joined(separator: "\n").utf8), "\(cuts).txt")
            for index in write.bytes.indices { image[write.offset + index] = write.bytes[index] }
            cuts += 1
        }
        let told = try PythonPeer.zeo6.run(
            """
            import sys, hashlib, logging
            from ZEO.cache import ClientCache
            logging.disable(logging.CRITICAL)
            read = wrong = 0
            for n in range(int(sys.argv[2])):
                name = '%s/%d' % (sys.argv[1], n)
                truth = {}
                with open(name + '.txt') as f:
                    for line in f.read().splitlines():
                        oid, serial, next, digest = line.split()
                        truth.setdefault(bytes.fromhex(oid), []).append(
                            (bytes.fromhex(serial), bytes.fromhex(next), digest))
                cache = ClientCache(name + '.zec', \(size))
                last = cache.getLastTid()
                # The server does not know such a tid, and the cache is given up.
                if last and last[:1] != b'\\0':
                    for oid, revisions in truth.items():
                        known = [r for r in revisions if r[0] <= last]
                        # What came later the server tells.
                        if known and len(known) == len(revisions):
                            found = cache.load(oid)
                            if found is not None:
                                read += 1
                                right = known[-1]
                                wrong += (found[1], hashlib.sha1(found[0]).hexdigest()) != (right[0], right[2])
                        for serial, next, digest in known:
                            if next == b'\\0' * 8 or next > last:
                                continue
                            found = cache.loadBefore(oid, next)
                            if found is not None:
                                read += 1
                                wrong += (hashlib.sha1(found[0]).hexdigest(), found[1]) != (digest, serial)
                cache.close()
            print(read, wrong)
            """, [scratch.folder.path, "\(cuts)"])
        let counts = told.split { $0.isWhitespace }.compactMap { Int($0) }
        #expect(cuts > 200 && counts.count == 2 && counts[0] > cuts && counts[1] == 0, "\(cuts) cuts: \(told)")
    }
}
