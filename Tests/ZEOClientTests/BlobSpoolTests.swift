import Dispatch
import Testing
import ZODB

@testable import ZEOClient

@Suite("Blobs on their way")
struct BlobSpoolTests {
    @Test("what comes faster than it is read comes out whole, whatever the pace", arguments: [0, 1, 3])
    func order(readsBetween: Int) throws {
        let spool = BlobSpool(temporaryDirectory: "/tmp")
        let interruption = Interruption()
        var expected: [UInt8] = [], found: [UInt8] = []
        spool.start()
        try spool.waitForStart(Patience(interruption: interruption))
        // 2,000 chunks of 5,900 bytes: most of them beyond what is kept in memory.
        for number in 0..<2000 {
            let chunk = [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: 5900)
            spool.append(chunk)
            expected += chunk
            for _ in 0..<readsBetween where found.count < expected.count {
                found += try #require(try spool.next(Patience(interruption: interruption)))
            }
        }
        spool.finish(.success(()))
        let start = ContinuousClock.now
        while let chunk = try spool.next(Patience(interruption: interruption)) { found += chunk }
        #expect(found == expected)
        // What is here is not waited for: 2,000 waits would take a hundred seconds.
        #expect(ContinuousClock.now - start < .seconds(60))
        #expect(try spool.next(Patience(interruption: interruption)) == nil)
    }

    @Test("a reader waits for what another thread brings")
    func waiting() throws {
        let spool = BlobSpool(temporaryDirectory: "/tmp")
        let brought = DispatchQueue(label: "test")
        brought.async {
            spool.start()
            for number in 0..<50 { spool.append([UInt8(number)]) }
            spool.finish(.success(()))
        }
        let interruption = Interruption()
        try spool.waitForStart(Patience(interruption: interruption))
        var found: [UInt8] = []
        while let chunk = try spool.next(Patience(interruption: interruption)) { found += chunk }
        #expect(found == (0..<50).map { UInt8($0) })
    }

    @Test("a missing blob, a lost connection and an impatient user are errors")
    func errors() {
        let missing = BlobSpool(temporaryDirectory: "/tmp")
        missing.finish(.failure(.noBlob(.root, serial: .none, "gone")))
        #expect(throws: StorageError.noBlob(.root, serial: .none, "gone")) {
            try missing.waitForStart(Patience(interruption: Interruption()))
        }

        let lost = BlobSpool(temporaryDirectory: "/tmp")
        lost.start()
        lost.append([1])
        lost.finish(.failure(.interrupted))
        #expect(throws: StorageError.interrupted) {
            #expect(try lost.next(Patience(interruption: Interruption())) == [1])
            _ = try lost.next(Patience(interruption: Interruption()))
        }

        let slow = BlobSpool(temporaryDirectory: "/tmp")
        let interruption = Interruption()
        interruption.raise()
        #expect(throws: StorageError.interrupted) { try slow.waitForStart(Patience(interruption: interruption)) }
    }

    @Test("no room for the file is the reader's error, not the connection's")
    func noRoom() throws {
        let spool = BlobSpool(temporaryDirectory: "/nowhere")
        spool.start()
        for _ in 0..<100 { spool.append([UInt8](repeating: 1, count: 59_000)) }
        spool.finish(.success(()))
        #expect(throws: StorageError.self) {
            while try spool.next(Patience(interruption: Interruption())) != nil {}
        }
        spool.giveUp()
        spool.append([1])
    }
}
