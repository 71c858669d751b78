internal import ZODB
internal import ZODBFile

/// Compares the revisions of blobs that a database has with the files of its blob directory: both ways.
struct BlobCheck {
    /// Blobs of later transactions are not looked at.
    let last: TransactionID
    let options: VerificationOptions
    /// Whether the revisions are all that there are; of current ones alone nobody can tell which files are orphaned.
    var isComplete = true

    func run(_ blobs: [BlobRevision], _ result: inout VerificationResult) throws(StorageError) {
        result.note("blobs", blobs.count)
        guard let path = options.blobDirectory else {
            if !blobs.isEmpty {
                result.list.add(
                    Defect(
                        .unchecked, .note,
                        "\(blobs.count) revisions of blobs, whose files were not looked for: say where with --blob-dir")
                )
            }
            return
        }
        let listing = try BlobListing(path)
        for (index, blob) in blobs.enumerated() {
            if index.isMultiple(of: 256) {
                try options.interruption.check()
                options.progress?("blobs", index, blobs.count, "blobs")
            }
            guard !listing.has(blob.oid, serial: blob.serial) else { continue }
            result.list.add(
                Defect(
                    .missingBlob, oid: blob.oid, tid: blob.serial,
                    "the blob's file is missing: \(listing.expectedPath(blob.oid, serial: blob.serial))"))
        }
        guard isComplete else { return }
        let known = Set(blobs)
        var files = 0
        while let entry = try listing.next() {
            files += 1
            if files.isMultiple(of: 256) {
                try options.interruption.check()
                options.progress?("blob files", files, nil, "files")
            }
            guard let oid = entry.oid, let serial = entry.serial else {
                result.list.add(Defect(.orphanedBlob, .warning, "\(path)/\(entry.name) is no blob's file"))
                continue
            }
            // Written since the file was looked at.
            if serial > last { continue }
            if !known.contains(BlobRevision(oid: oid, serial: serial)) {
                result.list.add(
                    Defect(
                        .orphanedBlob, .warning, oid: oid, tid: serial,
                        "\(path)/\(entry.name) belongs to no revision that the database has"))
            }
        }
        result.note("blob_files", files)
    }
}
