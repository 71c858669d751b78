internal import ZODB
internal import ZODBFile

/// Everything that is written into a repository, or removed from it, goes through here.
///
/// A file is written under another name and renamed when it is whole and on the disk, so that at any moment every file
/// with a proper name is a whole one.
final class RepositoryWriter {
    /// Called before each change, with words about it; a test ends a backup at any of them.
    typealias Gate = (String) throws(StorageError) -> Void

    let path: String
    private let gate: Gate

    init(_ path: String, gate: @escaping Gate) {
        self.path = path
        self.gate = gate
    }

    /// What all of ours begin with while they are written.
    static let temporaryPrefix = "tmp.zeoshell."

    func file(_ name: String) -> String { "\(path)/\(name)" }

    /// A new file, to be placed as `name`.
    func begin(_ name: String) throws(StorageError) -> DataFile {
        try gate("begin \(name)")
        return try DataFile(file(Self.temporaryPrefix + name), .replacing(permissions: 0o666))
    }

    func write(_ bytes: UnsafeRawBufferPointer, to file: DataFile, at offset: Int) throws(StorageError) {
        try gate("write \(file.path)")
        try unsafe file.write(bytes, at: offset)
    }

    /// Flushes it to the disk.
    func sync(_ file: DataFile) throws(StorageError) {
        try gate("sync \(file.path)")
        try file.sync()
    }

    /// Gives a file that was written and flushed its name.
    func place(_ name: String) throws(StorageError) {
        try gate("place \(name)")
        try Directories.rename(file(Self.temporaryPrefix + name), to: file(name))
        try gate("flush the directory after \(name)")
        try Directories.sync(path)
    }

    /// Writes a whole file in place of one that may be there.
    func write(_ bytes: [UInt8], as name: String) throws(StorageError) {
        let file = try begin(name)
        try write(bytes, to: file, at: 0)
        try sync(file)
        try place(name)
    }

    func write(_ bytes: [UInt8], to file: DataFile, at offset: Int) throws(StorageError) {
        try gate("write \(file.path)")
        try file.write(bytes, at: offset)
    }

    func remove(_ name: String) throws(StorageError) {
        try gate("remove \(name)")
        Directories.remove(file(name))
    }

    /// After an error: nothing is left of a file that was begun.
    func giveUp(_ name: String) { try? remove(Self.temporaryPrefix + name) }

    /// Makes a temporary name a second one of a file elsewhere; false where that cannot be done.
    func link(_ path: String, as name: String) throws(StorageError) -> Bool {
        try gate("link \(name)")
        let temporary = file(Self.temporaryPrefix + name)
        Directories.remove(temporary)
        return Directories.link(path, as: temporary)
    }

    /// Something is about to be written elsewhere than by this object.
    func requireStep(_ what: String) throws(StorageError) { try gate(what) }

    func makeDirectory(_ name: String) throws(StorageError) {
        try gate("make \(name)")
        try Directories.make(file(name))
    }

    func syncDirectory(_ name: String) throws(StorageError) {
        try gate("flush \(name)")
        try Directories.sync(file(name))
    }

    func rename(_ name: String, to target: String) throws(StorageError) {
        try gate("rename \(name) to \(target)")
        try Directories.rename(file(name), to: file(target))
    }
}
