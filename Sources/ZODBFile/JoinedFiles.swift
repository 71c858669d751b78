internal import ZODB

/// Files read as if they were one, one behind the other: a backup's pieces, where they lie.
struct JoinedFiles: Sendable {
    private let pieces: [(file: DataFile, range: Range<Int>)]
    /// In bytes, together.
    let size: Int

    init(_ files: [DataFile], upTo limit: Int) throws(StorageError) {
        var pieces: [(file: DataFile, range: Range<Int>)] = []
        var end = 0
        for file in files {
            let (next, isTooLong) = end.addingReportingOverflow(try file.size())
            guard !isTooLong else { throw .unsupported("\(file.path): too long for what precedes it") }
            pieces.append((file, end..<next))
            end = next
        }
        self.pieces = pieces
        size = min(end, max(limit, 0))
    }

    /// Fills `buffer` from `offset` on; fewer bytes only where the last file ends.
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(StorageError) -> Int {
        let end = offset + min(buffer.count, max(0, size - offset))
        var place = offset
        var index = pieceIndex(at: offset)
        while place < end, index < pieces.count {
            let (file, range) = pieces[index]
            let part = place - offset..<min(range.upperBound, end) - offset
            let wanted = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[part])
            let count = try unsafe file.read(into: wanted, at: place - range.lowerBound)
            place += count
            // It has become shorter than it was.
            guard count == wanted.count else { break }
            index += 1
        }
        return place - offset
    }

    /// The first piece that reaches beyond `offset`.
    private func pieceIndex(at offset: Int) -> Int {
        var (low, high) = (0, pieces.count)
        while low < high {
            let middle = (low + high) / 2
            if pieces[middle].range.upperBound <= offset { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
