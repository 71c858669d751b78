internal import ZODB

/// Who has a Data.fs open for writing.
package enum DataFileUser {
    /// The process that has the lock on the file; nil when nobody has, or the system does not tell.
    package static func process(writingTo path: String) -> Int32? {
        guard let identity = FileIdentity(path: path), let process = DataFile.lockHolder(of: identity) else {
            return nil
        }
        return Int32(exactly: process)
    }
}
