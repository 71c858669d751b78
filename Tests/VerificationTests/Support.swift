import Foundation
import TestSupport
import Testing
import Verification
import ZODB

/// A folder that goes with the last reference to it.
final class ScratchFolder: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appending(path: "verify-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { "\(path)/\(name)" }

    /// - Returns: the path.
    @discardableResult
    func write(_ bytes: [UInt8], to name: String = "Data.fs") throws -> String {
        try Data(bytes).write(to: URL(filePath: file(name)))
        return file(name)
    }

    /// - Returns: the path of the copy.
    func copy(_ sample: String, to name: String = "Data.fs") throws -> String {
        try FileManager.default.copyItem(atPath: SampleData.path(sample), toPath: file(name))
        return file(name)
    }
}

/// Whether all cases are to be tried; a sample of them otherwise.
let testsAll = ProcessInfo.processInfo.environment["ZEOSHELL_TEST_ALL"] == "1"

func verify(
    _ path: String, _ level: VerificationLevel = .deep, _ change: (inout VerificationOptions) -> Void = { _ in }
) throws -> VerificationResult {
    var options = VerificationOptions()
    options.level = level
    change(&options)
    return try FileVerification(path, options: options).run()
}

extension VerificationResult {
    /// Warnings and damage.
    var findings: [Defect] { list.defects.filter { $0.severity > .note } }

    func figure(_ name: String) -> Int? { figures.first { $0.name == name }?.count }
}
