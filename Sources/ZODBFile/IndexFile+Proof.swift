package import ZODB

extension IndexFile {
    /// Whether committed transactions are gone from the end of a data file: its `.index`, which is written for complete
    /// transactions only, covers bytes that are no complete transaction, or are not there at all.
    ///
    /// Right also while a server writes to the file.
    /// - Parameter end: where the last complete transaction was found to end; the file may end there, too.
    /// - Returns: how many bytes the index covers, when that is proof; nil otherwise, and when there is no index.
    /// - Throws: `io`, `interrupted`.
    package static func committedEnd(behind end: Int, in file: DataFile) throws(StorageError) -> Int? {
        guard let covered = try coveredEnd(path(forDataFile: file.path)), covered > end else { return nil }
        // A pack puts another file in this one's place, and its index there a moment later.
        guard FileIdentity(path: file.path) == file.identity else { return nil }
        guard try isIndex(of: file, upTo: end) else { return nil }
        // A commit may have been finished meanwhile, and the index written behind it.
        do throws(StorageError) {
            var scanner = try FileScanner(file, from: end, to: try file.size(), .endOfFile)
            while try scanner.nextTransaction() {}
            return scanner.completeEnd < covered ? covered : nil
        } catch .corrupt {
            return covered
        }
    }

    /// How many entries are looked at.
    private static let sample = 100

    /// Whether the index that lies beside a file is that of this file, and not of the one that it was before an older copy
    /// took its place: what it has before `end` is there.
    private static func isIndex(of file: DataFile, upTo end: Int) throws(StorageError) -> Bool {
        guard case .index(let index, _) = try read(path(forDataFile: file.path)) else { return false }
        let chains = RecordChains(file, end: end)
        let distance = max(1, index.count / sample)
        var (entries, number) = (index.entries(), 0)
        while let entry = entries.next() {
            number += 1
            guard number.isMultiple(of: distance), entry.position < end else { continue }
            guard try chains.isRecord(of: entry.oid, at: UInt64(entry.position)) else { return false }
        }
        return true
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
    /// Where the last complete transaction ends, as it was last looked at, and what lies behind it; nil when nothing does.
    package func committedEnd() throws(StorageError) -> (end: Int, tail: FileTail?, file: DataFile) {
        let view = try view()
        return (view.end.position, view.end.tail, view.file)
    }
}
