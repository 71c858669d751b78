internal import Logging
internal import ServerConfiguration
internal import ZConfig
internal import ZEOServer
internal import ZODB
internal import ZODBFile

/// Why a storage cannot be served: where it is configured, and what is wrong.
struct StorageOpeningError: Error, CustomStringConvertible {
    enum Reason {
        case storage(StorageError)
        /// The configuration is right, and this server has no such storage.
        case unsupported(String)
        /// A file or directory is not there, and is not to be made: what it is to be, and why it is not made.
        case missing(String, what: String, because: String)
    }

    let name: String
    let location: SourceLocation?
    let reason: Reason

    var description: String {
        let place = location.map { "\($0): " } ?? ""
        switch reason {
        case .storage(.locked(let what)):
            return "\(place)storage '\(name)' is in use: \(what) is locked by another process; stop that server first"
        case .storage(.corrupt(let what, let error)):
            return "\(place)storage '\(name)' cannot be opened: \(what): \(error); nothing was written to it. "
                + "Copy the file before anything else; 'zeoshell info COPY' and 'zeoshell log COPY' tell what can be read of it"
        case .storage(let error): return "\(place)storage '\(name)' cannot be opened: \(error)"
        case .unsupported(let text): return "\(place)storage '\(name)' cannot be served: \(text)"
        case .missing(let path, let what, let why):
            return "\(place)storage '\(name)' cannot be opened: there is no \(what) \(path), and none is made, "
                + "\(why); is the path right?"
        }
    }

    /// Of the program that ends with this.
    var exitCode: Int32 {
        if case .unsupported = reason { ProgramExit.usage } else { ProgramExit.failure }
    }
}

/// Opens the storages that a configuration names.
struct StorageOpener {
    let logger: Logger
    /// Raised, it ends the scan of a file without an index.
    let interruption: Interruption
    /// Nothing is made, locked or written: to see whether all could be opened.
    var isTrial = false

    /// Opens all of them; when one fails, those before it are closed.
    func open(_ storages: [NamedStorage]) throws(StorageOpeningError) -> [StorageServer.Served] {
        var opened: [StorageServer.Served] = []
        for storage in storages {
            do throws(StorageOpeningError) {
                opened.append(
                    .init(name: storage.name, storage: try open(storage), isReadOnly: storage.storage.isReadOnly))
            } catch {
                for one in opened { one.storage.close() }
                throw error
            }
        }
        return opened
    }

    private func open(_ named: NamedStorage) throws(StorageOpeningError) -> any Storage {
        do throws(Failure) {
            return try open(named.storage, Place(storage: named.name))
        } catch {
            throw StorageOpeningError(name: named.name, location: named.location, reason: error.reason)
        }
    }

    private struct Failure: Error {
        var reason: StorageOpeningError.Reason

        init(_ reason: StorageOpeningError.Reason) { self.reason = reason }
    }

    /// What a storage is opened for.
    private struct Place {
        /// What clients call the storage that it is part of.
        let storage: String
        var blobDirectory: String?
        /// What a demo storage shows through: only read, and nothing without its file.
        var isBase = false
        /// Whose file it is, when it is made.
        var generation = PythonGeneration.python3
    }

    private func open(_ settings: StorageSettings, _ place: Place) throws(Failure) -> any Storage {
        switch settings {
        case .file(let file): return try open(file, place)
        case .blob(let directory, let base):
            guard case .file = base.records else {
                throw Failure(.unsupported("a <blobstorage> keeps blobs beside a <filestorage> only"))
            }
            var place = place
            place.blobDirectory = directory
            return try open(base, place)
        case .mapping(let name), .temporary(let name): return MemoryStorage(name)
        case .demo(let demo): return try open(demo, place)
        case .zlib(_, isForServer: true, let base): return try open(base, place)
        case .zlib(_, isForServer: false, _):
            throw Failure(
                .unsupported(
                    "<zlibstorage> compresses in the server; use <serverzlibstorage> here, and <zlibstorage> in the "
                        + "clients"))
        }
    }

    private func open(_ file: FileStorageSettings, _ place: Place) throws(Failure) -> any Storage {
        let isReadOnly = file.isReadOnly || place.isBase
        let blobs = file.blobDirectory ?? place.blobDirectory
        try requirePresence(of: file, blobs)
        if isTrial { return try Self.attempt { () throws(StorageError) in try tried(file, isReadOnly) } }
        let files = NewFiles(file.path, blobs)
        var options = FileStorage.Options(
            blobDirectory: blobs, isWritable: !isReadOnly, newFileGeneration: isReadOnly ? nil : place.generation,
            interruption: interruption, progress: progress(of: file.path))
        options.quota = file.quota
        options.adviceWhenDisplaced = "do not restart the server: its file is still open, see its log"
        options.packCollectsGarbage = file.packCollectsGarbage
        options.packKeepsOld = file.packKeepsOld
        do throws(StorageError) {
            if file.create, !isReadOnly { try EmptiedFile.empty(file.path, options, logger) }
            if place.isBase, files.isFileNew {
                // Python's server makes it, too, and there are configurations that count on that.
                var making = options
                making.isWritable = true
                making.newFileGeneration = place.generation
                try FileStorage(file.path, options: making).close()
            }
            let storage = try FileStorage(file.path, options: options)
            files.note(in: logger, storage: place.storage, isBase: place.isBase)
            return storage
        } catch {
            throw Failure(.storage(error))
        }
    }

    /// The file as it is, or, of one that is not there, an empty storage that says so.
    /// - Throws: `io` when it could not be opened.
    private func tried(_ file: FileStorageSettings, _ isReadOnly: Bool) throws(StorageError) -> any Storage {
        if !isReadOnly {
            for path in [file.path, file.path + ".lock"] {
                if let number = FileAccess.obstacle(toWriting: path) { throw .io(number.path, errno: number.errno) }
            }
        }
        guard !FileAccess.isMissing(file.path) else { return MemoryStorage("\(file.path), which will be made") }
        return try FileStorage(file.path, options: .init(interruption: interruption))
    }

    /// - Throws: `missing` when a file or directory is not there that is not to be made: an empty database in the place
    ///   of the one that was meant would be served without anybody noticing.
    private func requirePresence(
        of file: FileStorageSettings, _ blobs: String?
    ) throws(Failure) {
        guard file.isReadOnly else { return }
        let why = "because of 'read-only true'"
        if FileAccess.isMissing(file.path) { throw Failure(.missing(file.path, what: "file", because: why)) }
        if let blobs, FileAccess.isMissing(blobs) {
            throw Failure(.missing(blobs, what: "directory of blobs", because: why))
        }
    }

    /// Changes are kept where the section called `changes` says, else in memory.
    private func open(_ demo: DemoStorageSettings, _ place: Place) throws(Failure) -> any Storage {
        var below = place
        below.isBase = true
        let base = try demo.base.map { (base) throws(Failure) in try open(base, below) }
        let bottom = base ?? MemoryStorage(demo.name ?? "Demo Storage")
        do throws(Failure) {
            return try layer(demo.changes, over: bottom, place)
        } catch {
            bottom.close()
            throw error
        }
    }

    private func layer(
        _ changes: StorageSettings?, over base: any Storage, _ place: Place
    ) throws(Failure) -> any Storage {
        switch changes?.records {
        case nil, .mapping, .temporary:
            return try Self.attempt { () throws(StorageError) in try OverlayStorage(over: base) }
        case .file(let file) where !file.isReadOnly && !place.isBase:
            var place = place
            if !isTrial {
                place.generation = try Self.attempt { () throws(StorageError) in
                    try base.information().generation ?? .python3
                }
            }
            guard let changes else { break }
            let opened = try open(changes, place)
            // In a trial, one that is not there yet.
            guard let file = opened as? FileStorage else { return opened }
            do throws(Failure) {
                return try Self.attempt { () throws(StorageError) in try LayeredStorage(file, over: base) }
            } catch {
                file.close()
                throw error
            }
        default: break
        }
        throw Failure(
            .unsupported("the changes of a <demostorage> are kept in memory, or in a file that can be written to"))
    }

    private static func attempt<Value>(_ body: () throws(StorageError) -> Value) throws(Failure) -> Value {
        do throws(StorageError) {
            return try body()
        } catch {
            throw Failure(.storage(error))
        }
    }

    /// Notes in the log how far the scan of a large file has come, every ten percent.
    private func progress(of path: String) -> @Sendable (ScanProgress) -> Void {
        let logger = logger
        let noted = LastTenth()
        return { progress in
            guard let tenth = noted.advance(progress.done, of: progress.total) else { return }
            logger.info("\(path): \(progress.task), \(tenth * 10)% of \(progress.total) bytes")
        }
    }
}

extension StorageSettings {
    /// What the records are in, below blobs and compression.
    fileprivate var records: StorageSettings {
        switch self {
        case .blob(_, let base), .zlib(_, _, let base): base.records
        case .file, .mapping, .temporary, .demo: self
        }
    }

    /// Where it writes: the directories of its files.
    var directories: [String] {
        switch self {
        case .file(let file):
            let folder = file.path.lastIndex(of: "/").map { String(file.path[...$0]) } ?? "."
            return file.isReadOnly ? [] : [folder] + (file.blobDirectory.map { [$0] } ?? [])
        case .blob(let directory, let base): return base.directories + [directory]
        case .zlib(_, _, let base): return base.directories
        case .demo(let demo): return demo.changes?.directories ?? []
        case .mapping, .temporary: return []
        }
    }

    /// Nobody can write to it, whatever the server allows.
    fileprivate var isReadOnly: Bool {
        if case .file(let file) = records { file.isReadOnly } else { false }
    }
}
