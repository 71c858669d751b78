internal import ZODB

/// The file of a blob in a transaction in progress.
struct StagedBlob {
    /// Where its bytes are until the vote.
    var temporaryPath: String
    /// Where they are from then on.
    var path: String
    /// Whether the file belongs to somebody else until it is moved.
    var isAdopted = false
    /// Whether it is at `path` now.
    var isPlaced = false
}

extension FileTransaction {
    func storeBlob(
        _ data: [UInt8], for oid: ObjectID, basedOn serial: TransactionID, contents: any Cursor<[UInt8]>
    ) throws(StorageError) {
        // The record first: a conflict is found before the blob is read.
        try store(data, for: oid, basedOn: serial)
        try attempt { () throws(StorageError) in
            let directory = try blobDirectory()
            let file = try directory.temporaryFile(calls: storage.calls)
            note(file.path, for: oid, in: directory)
            var size = 0
            while let chunk = try contents.next() {
                try file.write(chunk, at: size)
                size += chunk.count
            }
            try file.sync()
        }
    }

    /// Gives the object's new revision the blob of an older one.
    func copyBlob(of oid: ObjectID, from serial: TransactionID) throws(StorageError) {
        let directory = try blobDirectory()
        let source = try directory.open(oid, serial: serial, calls: storage.calls)
        let file = try directory.temporaryFile(calls: storage.calls)
        note(file.path, for: oid, in: directory)
        let size = try source.size()
        try source.copy(0..<size, to: file, at: 0)
        guard try file.size() == size else {
            throw .io("\(source.path): it became shorter while it was copied", errno: 5)
        }
        try file.sync()
    }

    func note(_ temporaryPath: String, for oid: ObjectID, in directory: BlobDirectory, isAdopted: Bool = false) {
        if let earlier = stagedBlobs[oid], !earlier.isAdopted { Directories.remove(earlier.temporaryPath) }
        stagedBlobs[oid] = StagedBlob(
            temporaryPath: temporaryPath, path: directory.path(of: oid, serial: tid), isAdopted: isAdopted)
    }

    func blobDirectory() throws(StorageError) -> BlobDirectory {
        guard let blobs = storage.blobs else {
            throw .unsupported("\(storage.name) was opened without a blob directory")
        }
        return blobs
    }

    /// Puts the blobs where they belong. Before the transaction is on the disk: without it nobody looks there, and there
    /// must be no record whose blob is missing.
    func voteBlobs() throws(StorageError) {
        var directories: Set<String> = []
        for oid in stagedBlobs.keys.sorted() {
            guard let blob = stagedBlobs[oid] else { continue }
            let directory = Directories.parent(of: blob.path)
            try Directories.make(directory)
            try Directories.protect(blob.temporaryPath)
            try Directories.rename(blob.temporaryPath, to: blob.path)
            stagedBlobs[oid]?.isPlaced = true
            directories.insert(directory)
        }
        for directory in directories.sorted() { try Directories.sync(directory) }
    }

    func removeBlobs() {
        for blob in stagedBlobs.values where blob.isPlaced || !blob.isAdopted {
            Directories.remove(blob.isPlaced ? blob.path : blob.temporaryPath)
        }
        stagedBlobs = [:]
    }
}
