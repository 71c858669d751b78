internal import Logging

/// Which files of a storage are not there before it is opened, to be told when they have been made: a wrong path shows as an
/// empty database.
struct NewFiles {
    private let path: String
    let isFileNew: Bool
    /// nil: it is there, or there is to be none.
    private let newBlobDirectory: String?
    /// A file that lies beside a data file, though there is none.
    private let orphan: String?

    init(_ path: String, _ blobDirectory: String?) {
        self.path = path
        isFileNew = FileAccess.isMissing(path)
        newBlobDirectory = blobDirectory.flatMap { FileAccess.isMissing($0) ? $0 : nil }
        orphan = isFileNew ? [".index", ".old"].map { path + $0 }.first { !FileAccess.isMissing($0) } : nil
    }

    /// Says what was made.
    func note(in logger: Logger, storage: String, isBase: Bool) {
        if isFileNew {
            let text = "storage \(storage): made a new, empty data file \(path)"
            if let orphan {
                logger.warning("\(text), though there is \(orphan): was the file moved?")
            } else if isBase {
                logger.warning("\(text), as the base of a <demostorage>, which only reads it: is the path right?")
            } else {
                logger.notice("\(text)")
            }
        }
        guard let newBlobDirectory else { return }
        let text = "storage \(storage): made a new, empty directory for blobs, \(newBlobDirectory)"
        if isFileNew {
            logger.notice("\(text)")
        } else {
            logger.warning("\(text); the blobs of what is in \(path) are not there: is the path right?")
        }
    }
}
