internal import ObjectGraph
internal import ZODB

/// Looks for objects that would lose something when another one is removed.
struct OutsideReferrers {
    private let session: Session

    /// How long a server's objects are gone through: they come one by one.
    private static let patience = Duration.seconds(3)

    init(_ session: Session) { self.session = session }

    struct Result {
        /// How many objects refer to it, apart from its container and what lies in it.
        var count = 0
        /// Why there may be more; nil when all objects were looked at.
        var incompleteness: String?
    }

    /// - Throws: `StorageError`, but not for a storage that cannot list its objects.
    func count(of place: Place) throws -> Result {
        let workspace = try session.workspace
        let deadline = workspace.storage is any RemoteStorage ? ContinuousClock.now + Self.patience : nil
        var result = Result()
        var read = 0
        do throws(StorageError) {
            let referrers = try workspace.referrers(of: [place.node.oid]) {
                read = $0
                session.progress.update("looking for referrers", $0, "objects")
            } isWanted: {
                deadline.map { ContinuousClock.now < $0 } ?? true
            }
            let inside = Set(place.way.map(\.node.oid))
            while let referrer = try referrers.next() {
                guard !referrer.references.allSatisfy(\.isUpward), !inside.contains(referrer.oid),
                    workspace.stagedObject(referrer.oid) == nil
                else { continue }
                result.count += 1
            }
        } catch {
            guard case .unsupported(let why) = error else { throw error }
            result.incompleteness = why
            return result
        }
        if let deadline, ContinuousClock.now >= deadline {
            result.incompleteness = "only \(counted(read, "object")) in \(Self.patience.components.seconds) s"
        }
        return result
    }
}
