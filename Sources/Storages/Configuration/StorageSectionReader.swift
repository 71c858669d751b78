internal import ZConfig

/// What a section such as `<filestorage>` or `<zeoclient>` says.
struct StorageSectionReader {
    let host: ConfigurationHost
    /// Of the whole file: it makes the caches of all `<zeoclient>`s persistent.
    let clientName: String?

    func isStorage(_ section: ConfigurationSection) -> Bool {
        Self.known.contains(section.type) || Self.reason(section.type) != nil
    }

    private static let known: Set<String> = [
        "filestorage", "zeoclient", "clientstorage", "blobstorage", "demostorage", "zlibstorage", "serverzlibstorage",
    ]

    private static func reason(_ type: String) -> (why: String, advice: String)? {
        switch type {
        case "relstorage":
            (
                "its records are in an SQL database, which zeoshell cannot read",
                "RelStorage's own zodbconvert makes a Data.fs of it, which zeoshell opens"
            )
        case "mappingstorage", "temporarystorage":
            (
                "it is kept in the memory of the process that has it",
                "its ZEO server can be connected to, if there is one"
            )
        case "fullstorage", "minimalstorage":
            ("Berkeley DB storages are gone since ZODB 3.9", "copy the data to a FileStorage with an older ZODB")
        case "zrs": ("replication by zc.zrs is not known here", "the Data.fs named in it can be opened by its path")
        default: nil
        }
    }

    func content(_ section: ConfigurationSection) throws(AddressError) -> ConfiguredDatabase.Content {
        let keys = SectionKeys(section)
        switch section.type {
        case "filestorage": return .storage(try file(keys))
        case "zeoclient", "clientstorage": return .storage(try client(keys))
        // Compressed records are read as they come.
        case "zlibstorage", "serverzlibstorage": return try base(section)
        case "blobstorage":
            let (directory, place) = try keys.required("blob-dir")
            return try base(section).map { $0.set("blob-dir", host.expandingTilde(directory), at: place) }
        case "demostorage": return try demo(section)
        default:
            let (why, advice) =
                Self.reason(section.type) ?? (
                    "storages of this kind are not known here",
                    "the Data.fs or the server behind it can be opened by its address"
                )
            return unsupported(section, why, advice: advice)
        }
    }

    private func unsupported(
        _ section: ConfigurationSection, _ why: String, advice: String
    ) -> ConfiguredDatabase.Content {
        .unsupported(AddressError("\(section.location)", "<\(section.type)>: \(why)", advice: advice))
    }

    /// What is in a storage that lies around another.
    private func base(_ section: ConfigurationSection) throws(AddressError) -> ConfiguredDatabase.Content {
        guard let inner = section.sections.first else {
            throw AddressError(
                "\(section.location)", "<\(section.type)> has no storage in it", advice: "it lies around another one")
        }
        guard section.sections.count == 1 else {
            throw AddressError(
                "\(section.sections[1].location)", "a second storage in <\(section.type)>",
                advice: "the first is at \(inner.location)")
        }
        return try content(inner)
    }

    private func file(_ keys: SectionKeys) throws(AddressError) -> ConfiguredStorage {
        let (path, _) = try keys.required("path")
        var storage = ConfiguredStorage(.file(host.expandingTilde(path)))
        if let (directory, place) = keys.text("blob-dir") {
            storage.set("blob-dir", host.expandingTilde(directory), at: place)
        }
        if try keys.isOn("read-only") { storage.readOnlyAt = keys.text("read-only")?.place }
        return storage
    }

    /// Changes over a base, which nobody may write to: they are laid over it here, too. Changes in a file of their own are not
    /// seen then, and to pretend otherwise would be wrong.
    private func demo(_ section: ConfigurationSection) throws(AddressError) -> ConfiguredDatabase.Content {
        let changes = section.sections.first { $0.name == "changes" }
        let bases = section.sections.filter { $0.name != "changes" }
        if let changes, !["mappingstorage", "temporarystorage"].contains(changes.type) {
            return unsupported(
                section,
                "its changes are kept in a storage of their own, and zeoshell cannot lay one over the other",
                advice: "open what lies below by its address, with --overlay")
        }
        guard let base = bases.first else {
            return unsupported(section, "without a base it is in memory alone", advice: "there is nothing to open")
        }
        guard bases.count == 1 else {
            throw AddressError(
                "\(bases[1].location)", "a second base in <demostorage>", advice: "the first is at \(base.location)")
        }
        return try content(base).map { $0.set("overlay", "yes", at: "\(section.location)") }
    }

    // MARK: A client of a server

    private func client(_ keys: SectionKeys) throws(AddressError) -> ConfiguredStorage {
        var addresses: [String] = []
        for server in keys.all("server") {
            let place = "\(server.location)"
            let address = try SectionKeys.value(server.value, .connectionAddress, key: "server", at: place)
            if case .internet(_, nil) = address {
                throw AddressError(place, "server \(server.value): no port", advice: "HOST:PORT")
            }
            addresses.append(address.description)
        }
        guard !addresses.isEmpty else {
            throw AddressError(keys.place, "<\(keys.section.type)> has no 'server'", advice: "Zope needs one, too")
        }
        var storage = ConfiguredStorage(.servers(addresses))
        let name = keys.text("storage")
        if let name { storage.set("storage", name.value, at: name.place) }
        if let (seconds, place) = try keys.value("wait-timeout", .integer), seconds > 0 {
            storage.set("timeout", "\(seconds)", at: place)
        }
        // A directory that is not shared is the client's own cache of blobs.
        if try keys.isOn("shared-blob-dir"), let (directory, place) = keys.text("blob-dir") {
            storage.set("blob-dir", host.expandingTilde(directory), at: place)
        }
        if try keys.isOn("read-only") { storage.readOnlyAt = keys.text("read-only")?.place }
        if let (isOn, place) = try keys.value("read-only-fallback", .boolean), isOn {
            storage.set("read-only-fallback", "yes", at: place)
        }
        for key in ["username", "password", "realm"] {
            if let (value, place) = keys.text(key) { storage.set(key, value, at: place) }
        }
        if let ssl = keys.section.sections.first(where: { $0.type == "ssl" }) { try tls(SectionKeys(ssl), &storage) }
        if let path = cacheFile(keys, storage: name?.value ?? "1") {
            storage.remarks.append(
                "the site's own cache is \(path): zeoshell keeps out of it, for one process alone may have it; --cache FILE "
                    + "keeps another")
        }
        return storage
    }

    private func tls(_ keys: SectionKeys, _ storage: inout ConfiguredStorage) throws(AddressError) {
        storage.set("tls", "yes", at: keys.place)
        for (key, name) in [("certificate", "cert"), ("key", "key"), ("authenticate", "ca")] {
            guard let (path, place) = keys.text(key), path != "DYNAMIC" else { continue }
            storage.set(name, host.expandingTilde(path), at: place)
        }
        if let (name, place) = keys.text("server-hostname") { storage.set("server-name", name, at: place) }
        if let (checks, place) = try keys.value("check-hostname", .boolean), !checks {
            storage.set("no-check-hostname", "yes", at: place)
        }
        if let (function, _) = keys.text("password-function") {
            storage.remarks.append(
                "the key's pass phrase comes from the Python function \(function), which is not run here: type it when asked, "
                    + "or give it by --key-password-fd")
        }
    }

    /// Where ZEO keeps what this client has loaded; nil: nowhere.
    ///
    /// Source: ZEO 6.2, `ClientStorage.open_cache`; ZODB3 3.8, `ClientStorage.__init__`.
    private func cacheFile(_ keys: SectionKeys, storage: String) -> String? {
        if let path = keys.text("cache-path")?.value { return path }
        guard let client = keys.text("client")?.value ?? clientName else { return nil }
        return (keys.text("var").map { host.expandingTilde($0.value) + "/" } ?? "") + "\(client)-\(storage).zec"
    }
}

extension ConfiguredDatabase.Content {
    fileprivate func map(_ change: (inout ConfiguredStorage) -> Void) -> Self {
        guard case .storage(var storage) = self else { return self }
        change(&storage)
        return .storage(storage)
    }
}
