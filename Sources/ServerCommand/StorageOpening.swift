internal import Logging
internal import ServerConfiguration
internal import ZConfig
internal import ZEOServer
internal import ZODB
internal import ZODBFile

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// Why a storage cannot be served: where it is configured, and what is wrong.
struct StorageOpeningError: Error, CustomStringConvertible {
    enum Reason {
        case storage(StorageError)
        /// The configuration is right, and this server has no such storage.
        case unsupported(String)
    }

    let name: String
    let location: SourceLocation?
    let reason: Reason

    var description: String {
        let place = location.map { "\($0): " } ?? ""
        switch reason {
        case .storage(.locked(let what)):
            return "\(place)storage '\(name)' is in use: \(what) is locked by another process; stop that server first"
        case .storage(let error): return "\(place)storage '\(name)' cannot be opened: \(error)"
        case .unsupported(let text): return "\(place)storage '\(name)' cannot be served: \(text)"
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
            return try open(named.storage, blobDirectory: nil)
        } catch {
            let reason: StorageOpeningError.Reason =
                switch error {
                case .storage(let error): .storage(error)
                case .unsupported(let text): .unsupported(text)
                }
            throw StorageOpeningError(name: named.name, location: named.location, reason: reason)
        }
    }

    private enum Failure: Error {
        case storage(StorageError)
        case unsupported(String)
    }

    private func open(_ settings: StorageSettings, blobDirectory: String?) throws(Failure) -> any Storage {
        switch settings {
        case .file(let file): return try open(file, blobDirectory: blobDirectory)
        case .blob(let directory, let base):
            guard case .file = base.records else {
                throw .unsupported("a <blobstorage> keeps blobs beside a <filestorage> only")
            }
            return try open(base, blobDirectory: directory)
        case .mapping(let name), .temporary(let name): return MemoryStorage(name)
        case .demo(let demo): return try open(demo)
        case .zlib(_, isForServer: true, let base): return try open(base, blobDirectory: blobDirectory)
        case .zlib(_, isForServer: false, _):
            throw .unsupported(
                "<zlibstorage> compresses in the server; use <serverzlibstorage> here, and <zlibstorage> in the clients"
            )
        }
    }

    private func open(_ file: FileStorageSettings, blobDirectory: String?) throws(Failure) -> any Storage {
        var options = FileStorage.Options(
            blobDirectory: file.blobDirectory ?? blobDirectory, isWritable: !file.isReadOnly,
            newFileGeneration: file.isReadOnly ? nil : .python3, interruption: interruption,
            progress: progress(of: file.path))
        options.quota = file.quota
        options.packCollectsGarbage = file.packCollectsGarbage
        options.packKeepsOld = file.packKeepsOld
        do throws(StorageError) {
            if file.create { try EmptiedFile.empty(file.path, options, logger) }
            return try FileStorage(file.path, options: options)
        } catch {
            throw .storage(error)
        }
    }

    private func open(_ demo: DemoStorageSettings) throws(Failure) -> any Storage {
        switch demo.changes?.records {
        case nil, .mapping, .temporary: break
        default: throw .unsupported("the changes of a <demostorage> are kept in memory only")
        }
        let base = try demo.base.map { (base) throws(Failure) in
            try makeIfMissing(base)
            return try open(base.asBase, blobDirectory: nil)
        }
        do throws(StorageError) {
            return try OverlayStorage(over: base ?? MemoryStorage(demo.name ?? "Demo Storage"))
        } catch {
            throw .storage(error)
        }
    }

    /// A base is opened for reading; where Python makes its file, it must be there before.
    private func makeIfMissing(_ settings: StorageSettings) throws(Failure) {
        guard case .file(let file) = settings.records, !file.isReadOnly, access(file.path, F_OK) != 0 else { return }
        try open(file, blobDirectory: nil).close()
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
        case .mapping, .temporary, .demo: return []
        }
    }

    /// Nobody can write to it, whatever the server allows.
    fileprivate var isReadOnly: Bool {
        if case .file(let file) = records { file.isReadOnly } else { false }
    }

    /// The same, never written to: as the base of a demo storage.
    fileprivate var asBase: StorageSettings {
        switch self {
        case .file(var file):
            file.isReadOnly = true
            return .file(file)
        case .blob(let directory, let base): return .blob(directory: directory, base: base.asBase)
        case .zlib(let compresses, let isForServer, let base):
            return .zlib(compresses: compresses, isForServer: isForServer, base: base.asBase)
        case .mapping, .temporary, .demo: return self
        }
    }
}
