internal import Synchronization
public import ZODB

extension FileStorage {
    /// What the file is. Counting the objects needs the index; when damage keeps it from being built, that is said
    /// among the details.
    public func information() throws(StorageError) -> StorageInformation {
        let damage = try damageInTheWay()
        let state = state.withLock { $0 }
        var details: [StorageInformation.Detail] = []
        details.append(.init("index", damage.map { "none: \($0)" } ?? Self.text(of: state.indexOrigin, indexPath)))
        if let tail = state.end?.tail {
            details.append(.init("after the last transaction", tail.description))
        }
        if let writer {
            let obstacle = writer.core.withLock { $0.obstacle }
            details.append(.init("writing", obstacle ?? "locked by this process"))
            if let rescued = writer.rescuedTail.withLock({ $0 }) {
                details.append(.init("cut off when it was opened", "\(rescued.tail); saved in \(rescued.path)"))
            }
        }
        if state.timeReductions > 0 {
            details.append(.init("transactions out of order", "\(state.timeReductions)"))
        }
        if state.replacements > 0 {
            details.append(.init("replaced while open", "\(state.replacements) times, by a pack it seems"))
        }
        if let blobs {
            let layouts = blobs.layouts.count == 1 ? blobs.layouts[0].rawValue : "no .layout file"
            details.append(.init("blobs", "\(blobs.path) (\(layouts))"))
        }
        let magic =
            switch state.generation {
            case .python2: "FS21"
            case .python3: "FS30"
            case nil: "empty"
            }
        let size = try state.file?.size() ?? 0
        return StorageInformation(
            kind: "FileStorage \(magic)", storageName: name, objectCount: state.index?.count,
            size: min(state.end?.position ?? size, size), generation: state.generation, details: details)
    }

    /// Builds the index; what is wrong with the file when that cannot be done.
    private func damageInTheWay() throws(StorageError) -> StorageError? {
        do throws(StorageError) {
            try requireIndex()
            return nil
        } catch .corrupt(let what, let error) {
            return .corrupt(what, error)
        }
    }

    private static func text(of origin: IndexOrigin, _ path: String) -> String {
        switch origin {
        case .none: "not needed yet"
        case .file(let position): "\(path), up to offset \(position)"
        case .scan(let reason): "by a scan; \(path): \(reason)"
        }
    }
}
