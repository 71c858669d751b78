package import ZODB

extension IndexFile {
    /// Whether committed transactions are gone from the end of a data file: its `.index`, which is written for complete
    /// transactions only, covers bytes that are no complete transaction, or are not there at all.
    ///
    /// Right also while a server writes to the file.
    /// - Parameter tail: what was found behind the last complete transaction.
    /// - Returns: how many bytes the index covers, when that is proof; nil otherwise, and when there is no index.
    /// - Throws: `io`, `interrupted`.
    package static func committedEnd(behind tail: FileTail, in file: DataFile) throws(StorageError) -> Int? {
        guard let covered = try coveredEnd(path(forDataFile: file.path)), covered > tail.position else { return nil }
        // A pack puts another file in this one's place, and its index there a moment later.
        guard FileIdentity(path: file.path) == file.identity else { return nil }
        // A commit may have been finished meanwhile, and the index written behind it.
        do throws(StorageError) {
            var scanner = try FileScanner(file, from: tail.position, to: try file.size(), .endOfFile)
            while try scanner.nextTransaction() {}
            return scanner.completeEnd < covered ? covered : nil
        } catch .corrupt {
            return covered
        }
    }

    /// How many bytes of the data file an index covers; nil when it cannot be read.
    private static func coveredEnd(_ path: String) throws(StorageError) -> Int? {
        do throws(StorageError) {
            let file = try DataFile(path)
            let size = try file.size()
            var reader = try ChunkedIndexReader(file, size: size, expected: 512)
            if let position = try reader.coveredEnd() { return position }
        } catch .interrupted {
            throw .interrupted
        } catch {
            return nil
        }
        // A form of before.
        guard case .index(_, let position) = try read(path) else { return nil }
        return position
    }
}

extension FileStorage {
    /// What lies behind the last complete transaction, as it was last looked at; nil when nothing does.
    package func tail() throws(StorageError) -> (tail: FileTail, file: DataFile)? {
        let view = try view()
        return view.end.tail.map { ($0, view.file) }
    }
}
