internal import ByteCoding
package import ZODB

/// A Data.fs by an index that is at hand: for reading what can be read of a file that no storage would open.
///
/// It takes no lock, and looks at nothing behind `end`.
package final class IndexedFile: Storage {
    package let name: String
    private let index: FileIndex
    private let end: Int
    private let last: TransactionID
    private let generation: PythonGeneration?
    private let reader: RecordReader

    /// - Parameters:
    ///   - index: where each object's current record begins.
    ///   - end: where the last complete transaction ends.
    package init(
        _ file: DataFile, index: FileIndex, end: Int, last: TransactionID, generation: PythonGeneration?,
        interruption: Interruption? = nil
    ) {
        name = file.path
        (self.index, self.end, self.last, self.generation) = (index, end, last, generation)
        reader = RecordReader(file: file, end: end, interruption: interruption)
    }

    package func information() throws(StorageError) -> StorageInformation {
        StorageInformation(
            kind: "FileStorage", storageName: name, objectCount: index.count, size: end, generation: generation)
    }

    package func lastTransaction() throws(StorageError) -> TransactionID { last }

    package func load(_ oid: ObjectID, at tid: TransactionID) throws(StorageError) -> Revision {
        guard let position = index.position(of: oid) else { throw .noSuchObject(oid) }
        return try reader.revision(of: oid, from: position, at: tid)
    }

    package func close() {}
}

/// Where the data of single records is: what back pointers lead to.
package struct RecordChains {
    private let reader: RecordReader

    /// - Parameter end: where the file, or what is believed of it, ends.
    package init(_ file: DataFile, end: Int) { reader = RecordReader(file: file, end: end) }

    /// Where the record with the data of the record of `oid` at `position` begins; nil when the object does not exist
    /// there.
    /// - Throws: `corrupt` when the chain does not lead to records of the object, each before the one that names it.
    package func holder(of oid: ObjectID, at position: Int) throws(StorageError) -> Int? {
        let record = try reader.read(at: position, oid: oid, withData: false)
        return try reader.holder(of: record, withData: false)?.header.position
    }

    /// The data of the record of `oid` at `position`, through its back pointers; nil when the object does not exist there.
    package func data(of oid: ObjectID, at position: Int) throws(StorageError) -> [UInt8]? {
        try reader.data(of: try reader.read(at: position, oid: oid, withData: true))
    }

    /// The transaction whose record the record of `oid` at `position` points back to; nil when it points nowhere.
    package func dataTransaction(of oid: ObjectID, at position: Int) throws(StorageError) -> TransactionID? {
        try reader.target(of: try reader.read(at: position, oid: oid, withData: false))?.header.serial
    }

    /// Whether a record of `oid` begins at `position`.
    package func isRecord(of oid: ObjectID, at position: UInt64) throws(StorageError) -> Bool {
        guard let position = Int(exactly: position) else { return false }
        do throws(StorageError) {
            _ = try reader.read(at: position, oid: oid, withData: false)
            return true
        } catch .corrupt {
            return false
        }
    }
}
