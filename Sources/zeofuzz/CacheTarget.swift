import ClientCache
import Foundation
import ZODB

/// A client cache file of any generation: looked at, opened, used and opened again.
struct CacheTarget: Target {
    let name = "cache"
    private let folder: URL
    private let file: URL

    init() throws {
        let memory = URL(filePath: "/dev/shm")
        let parent =
            FileManager.default.isWritableFile(atPath: memory.path) ? memory : FileManager.default.temporaryDirectory
        folder = parent.appending(path: "zeofuzz-\(ProcessInfo.processInfo.processIdentifier)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        // So that both files of a pair are looked for.
        file = folder.appending(path: "c-0.zec")
    }

    func run(_ input: [UInt8]) -> String? {
        do {
            for name in (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? [] {
                try? FileManager.default.removeItem(at: folder.appending(path: name))
            }
            try Data(input).write(to: file)
        } catch {
            return "cannot write to \(folder.path): \(error)"
        }
        let survey = try? CacheSurvey(of: file.path)
        for entry in survey?.entries.prefix(1000) ?? [] {
            guard let data = try? survey?.data(of: entry), data.count == entry.size else { return "data of an entry" }
        }
        let source = CacheSource(server: "db1:8800", storage: "1")
        // The second time with another size, as a user may.
        for size in [input.count, input.count / 2 + 64] {
            guard case .opened(let cache, _)? = try? CacheFile.open(file.path, size: size, for: source) else {
                return nil
            }
            if let complaint = use(cache, survey) { return complaint }
        }
        return nil
    }

    private func use(_ cache: CacheFile, _ survey: CacheSurvey?) -> String? {
        let known = cache.sample(.max)
        for (oid, serial) in known.prefix(1000) {
            guard let revision = cache.revision(of: oid, at: .latest) else { continue }
            if revision.serial != serial { return "\(oid) is of \(revision.serial), not \(serial)" }
        }
        cache.adopt()
        let now = max(cache.lastTransaction, known.map(\.serial).max() ?? .none).successor
        for (number, entry) in known.prefix(200).enumerated() {
            if number.isMultiple(of: 3) { cache.invalidate(entry.oid, in: now) }
            if number.isMultiple(of: 5) { cache.forgetCurrent([entry.oid]) }
        }
        cache.move(to: now)
        for number in 0..<20 {
            let data = Array(repeating: UInt8(number), count: number * number * 3)
            cache.insert(
                Revision(data: data, serial: now, next: nil), ObjectID(rawValue: UInt64(number) &+ 0xffff_0000))
        }
        let failure = cache.failure
        cache.close()
        // What was found to be damaged while it was used is given up; anything else is whole.
        guard failure == nil, let again = try? CacheSurvey(of: file.path) else { return nil }
        let damage = again.problems.filter { survey?.problems.contains($0) != true }
        return damage.first.map { "after use: \($0.error)" }
    }
}
