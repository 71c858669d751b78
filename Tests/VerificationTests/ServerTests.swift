import Foundation
import Storages
import TestSupport
import Testing
import Verification
import ZODB

@Suite("Databases behind servers", .serialized)
struct ServerTests {
    private func verify(
        _ address: String, _ change: (inout VerificationOptions) -> Void = { _ in }
    ) throws -> VerificationResult {
        var options = VerificationOptions()
        (options.level, options.includesHistory) = (.deep, false)
        change(&options)
        let storage = try openStorage(
            StorageAddress(parsing: address), options: OpeningOptions(), interruption: Interruption()
        ) { _ in }
        defer { storage.close() }
        return try StorageVerification(storage, options: options).run()
    }

    /// Of the samples of dangling references the reference must be found, of the others nothing.
    private func check(_ address: (String) -> String) throws {
        let site = try verify(address("site"))
        #expect(site.findings.isEmpty)
        #expect(site.figure("folders") ?? 0 > 0 && site.figure("trees") ?? 0 > 0)
        let trees = try verify(address("trees"))
        #expect(trees.findings.isEmpty)
        #expect(trees.figure("trees") ?? 0 > 100)
        let dangling = try verify(address("refs"))
        let reference = try #require(dangling.findings.first { $0.kind == .reference })
        #expect(reference.target == ObjectID(rawValue: 0xdead))
        #expect(reference.path != nil)
        #expect(dangling.list.damageCount == 1)
        let history = try verify(address("undo")) { $0.includesHistory = true }
        #expect(history.findings.isEmpty)
        #expect(history.figure("transactions") == 19)
        #expect(history.figure("records_read") ?? 0 > 20)
    }

    private static let files = [
        "site": "fs/zope5.fs", "trees": "fs/py3-zodb6-btrees.fs", "refs": "fs/py3-zodb6-refs.fs", "undo": "fs/undo.fs",
    ]

    @Test(
        "Behind a server of Python's the same is found as in the file, history included.",
        .enabled(if: PythonPeer.zeo6.isReady, Comment(rawValue: PythonPeer.zeo6.reason)))
    func pythonServer() throws {
        let server = try PythonServer(.zeo6, serving: Self.files.mapValues(SampleData.path))
        guard case .port(let port) = server.address else { return }
        try check { "zeo://127.0.0.1:\(port)?storage=\($0)" }
    }

    @Test("Behind our own server too, and a verification goes on there where another was stopped.")
    func ownServer() throws {
        let folder = try ScratchFolder()
        var sections = ""
        for (name, file) in Self.files {
            sections += "<filestorage \(name)>\n  path \(try folder.copy(file, to: "\(name).fs"))\n</filestorage>\n"
        }
        let server = try ZEOServerProcess(storages: sections)
        let address = { (name: String) in "zeo://127.0.0.1:\(server.port)?storage=\(name)" }
        try check(address)

        let whole = try verify(address("site"))
        let stop = Interruption()
        let told = Told()
        var last: VerificationCheckpoint?
        do {
            _ = try verify(address("site")) {
                $0.interruption = stop
                $0.progress = { phase, done, _, _ in if phase == "objects", done > 50 { stop.raise() } }
                $0.checkpoint = { told.set($0) }
            }
        } catch StorageError.interrupted {
            last = told.last
        }
        let stopped = try #require(last)
        let checkpoint = try #require(VerificationCheckpoint(parsing: stopped.bytes))
        let rest = try verify(address("site")) { $0.start = checkpoint }
        #expect(rest.figures == whole.figures)
        #expect(rest.list.defects == whole.list.defects)
    }
}

/// The checkpoint told last.
private final class Told: @unchecked Sendable {
    // @unchecked: only the verification's own thread tells, and the test looks when it has ended.
    private(set) var last: VerificationCheckpoint?
    func set(_ checkpoint: VerificationCheckpoint) { last = checkpoint }
}
