internal import ObjectGraph
internal import ZODB

/// Looks more closely at trees and folders.
struct DeepVerification {
    private let workspace: Workspace
    private let options: VerificationOptions

    init(_ workspace: Workspace, _ options: VerificationOptions) {
        (self.workspace, self.options) = (workspace, options)
    }

    /// - Parameters:
    ///   - trees: objects of classes of trees, and of their parts.
    ///   - folders: objects that have attributes of folders.
    func run(trees: [ObjectID], folders: [ObjectID], _ result: inout VerificationResult) throws(StorageError) {
        var found: [Defect] = []
        var check = try TreeCheck(workspace) { found.append($0) }
        try check.run(trees) { options.progress?("trees", $0, nil, "trees") }
        for defect in found { result.list.add(defect) }
        result.note("trees", check.count)
        var count = 0
        for (index, oid) in folders.enumerated() {
            if index.isMultiple(of: 64) { options.progress?("folders", index, folders.count, "objects") }
            try workspace.interruption.check()
            do throws(StorageError) {
                let place = Place.object(oid, at: workspace.at)
                count += 1
                for finding in try workspace.folderFindings(at: place) {
                    result.list.add(Defect(.folder, oid: oid, finding.what))
                }
            } catch {
                // A folder whose parts cannot be read has been told of as such.
                switch error {
                case .noSuchObject, .noRevision, .corrupt: continue
                default: throw error
                }
            }
        }
        result.note("folders", count)
    }
}
