internal import ZConfig

extension SettingsReader {
    static let storageTypes: Set<String> = [
        "filestorage", "blobstorage", "mappingstorage", "temporarystorage", "demostorage", "zlibstorage",
        "serverzlibstorage",
    ]

    /// Storages that Python's server serves, and why this one does not.
    static let unservableStorages: [String: String] = [
        "zeoclient": "it is a client of another ZEO server; connect the clients to that server itself",
        "clientstorage": "it is a client of another ZEO server; connect the clients to that server itself",
        "relstorage": "its records are in an SQL database, which the clients can reach without a ZEO server",
        "fullstorage":
            "Berkeley DB storages are gone since ZODB 3.9; copy the data to a FileStorage with an older ZODB",
        "minimalstorage":
            "Berkeley DB storages are gone since ZODB 3.9; copy the data to a FileStorage with an older ZODB",
        "zrs": "replication by zc.zrs is not supported; name the storage inside of it, and replicate by other means",
    ]

    /// The storages of a server by their names: one of them may have none and is called `1`.
    mutating func named(_ sections: [ConfigurationSection]) throws(SettingsError) -> [NamedStorage] {
        var storages: [NamedStorage] = []
        var unnamed: SourceLocation?
        for section in sections {
            if section.name == nil {
                guard unnamed == nil else {
                    throw SettingsError(.unnamedStorages(first: unnamed), at: section.location)
                }
                unnamed = section.location
            }
            storages.append(
                NamedStorage(name: section.name ?? "1", storage: try storage(section), location: section.location))
        }
        guard storages.count(where: { $0.name == "1" }) < 2 else {
            throw SettingsError(.secondStorage1, at: unnamed)
        }
        return storages
    }

    private mutating func storage(_ section: ConfigurationSection) throws(SettingsError) -> StorageSettings {
        var reader = try SectionReader(section)
        let storage: StorageSettings
        switch section.type {
        case "filestorage": storage = .file(try file(&reader))
        case "blobstorage":
            let directory = try reader.required("blob-dir", .string)
            storage = .blob(directory: directory, base: try base(&reader))
        case "mappingstorage": storage = .mapping(name: try reader.value("name", .string) ?? "Mapping Storage")
        case "temporarystorage": storage = .temporary(name: try reader.value("name", .string) ?? "Temporary Storage")
        case "demostorage": storage = .demo(try demo(&reader))
        case "zlibstorage", "serverzlibstorage":
            let compresses = try reader.value("compress", .boolean) ?? true
            let isForServer = section.type == "serverzlibstorage"
            storage = .zlib(compresses: compresses, isForServer: isForServer, base: try base(&reader))
        default:
            let why = Self.unservableStorages[section.type] ?? "it is not known"
            throw SettingsError(.cannotBeServed(section.type, because: why), at: section.location)
        }
        try reader.finish()
        return storage
    }

    private mutating func file(_ reader: inout SectionReader) throws(SettingsError) -> FileStorageSettings {
        let path = try reader.required("path", host.pathInExistingDirectory)
        guard !path.isEmpty else {
            let error = ValueError(expectation: "the path of a file", found: path)
            throw reader.error(.value(key: "path", error), of: "path")
        }
        var file = FileStorageSettings(path: path)
        file.blobDirectory = try reader.text("blob-dir", host.pathInExistingDirectory)
        file.create = try reader.value("create", .boolean) ?? false
        file.isReadOnly = try reader.value("read-only", .boolean) ?? false
        file.quota = try reader.value("quota", .byteSize)
        file.packCollectsGarbage = try reader.value("pack-gc", .boolean) ?? true
        file.packKeepsOld = try reader.value("pack-keep-old", .boolean) ?? true
        try ignore("packer", in: &reader, "it is a Python function; the server packs by itself")
        if file.create {
            guard !file.isReadOnly else {
                throw reader.error(
                    .contradiction("'create' empties the file, and 'read-only' forbids it"), of: "create")
            }
            warn("'create' empties the file each time the server starts", at: reader.location(of: "create"))
        }
        return file
    }

    private mutating func demo(_ reader: inout SectionReader) throws(SettingsError) -> DemoStorageSettings {
        var demo = DemoStorageSettings(name: try reader.text("name"))
        try ignore("quota", in: &reader, "demo storages have none since ZODB 3.9")
        for section in reader.sections(Self.storageTypes.union(Self.unservableStorages.keys)) {
            if section.name == "changes" {
                demo.changes = try storage(section)
            } else if demo.base == nil {
                demo.base = try storage(section)
            } else {
                throw SettingsError(
                    .contradiction("a <demostorage> has one base; the storage for its changes is called 'changes'"),
                    at: section.location)
            }
        }
        return demo
    }

    /// The one storage inside of another.
    private mutating func base(_ reader: inout SectionReader) throws(SettingsError) -> StorageSettings {
        let sections = reader.sections(Self.storageTypes.union(Self.unservableStorages.keys))
        guard let base = sections.first else {
            // What may be there is rather a wrong name than none.
            try reader.finish()
            throw reader.error(.missingSection("a storage such as <filestorage> in it", in: reader.title))
        }
        guard sections.count == 1 else {
            throw SettingsError(.repeatedSection(sections[1].type, first: base.location), at: sections[1].location)
        }
        return try storage(base)
    }
}
