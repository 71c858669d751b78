internal import ObjectGraph
internal import ZODB

/// The places that a command's operands name, in order, patterns spelled out as the cursor advances.
///
/// It also gathers what went wrong on the way: a pattern that matches nothing, a place that cannot be read. The others
/// are shown all the same, and the command ends with `conclusion`.
final class Operands: Cursor {
    struct Source {
        var text: String
        var hasPatterns: Bool
        var places: any Cursor<Place>
        var count = 0
    }

    /// There may be more than one place: each wants to be told by its path.
    let isMany: Bool
    /// The place given last was found by a pattern.
    var isMatch: Bool { source < sources.count && sources[source].hasPatterns }
    private var sources: [Source]
    private var source = 0
    private var failures: [ShellFailure] = []
    private var unmatched: [String] = []

    init(_ sources: [Source]) {
        self.sources = sources
        isMany = sources.count > 1 || sources.contains { $0.hasPatterns }
    }

    func next() throws(StorageError) -> Place? {
        while source < sources.count {
            if let place = try sources[source].places.next() {
                sources[source].count += 1
                return place
            }
            if sources[source].count == 0 { unmatched.append(sources[source].text) }
            source += 1
        }
        return nil
    }

    /// The next place for which `body` has an answer. What cannot be read is noted, and the next place tried.
    func next<Result>(_ body: (Place) throws(StorageError) -> Result?) throws(StorageError) -> Result? {
        while let place = try next() {
            do throws(StorageError) {
                if let result = try body(place) { return result }
            } catch {
                guard error.leavesOthersReadable else { throw error }
                note(error, at: place)
            }
        }
        return nil
    }

    /// Notes that a place could not be read.
    func note(_ error: StorageError, at place: Place) {
        failures.append(ShellFailure(.unreadable(place, error), path: place.description))
    }

    /// Notes that a place is not of the kind that is wanted.
    func note(_ failure: ShellFailure) { failures.append(failure) }

    /// What is to be said when all has been shown.
    var conclusion: Report.Conclusion {
        Report.Conclusion(
            messages: unmatched.map { Report.Message("\($0): nothing matches") }, isNegative: !unmatched.isEmpty,
            failures: failures)
    }
}
