internal import ZConfig

/// Finds the databases of a configuration.
struct DatabaseReader {
    let host: ConfigurationHost
    let isOffline: Bool

    func databases(_ document: ConfigurationDocument) throws(AddressError) -> [ConfiguredDatabase] {
        let root = document.root
        let sections = root.sections.filter { $0.type == "zodb_db" || $0.type == "zodb" }
        if !sections.isEmpty {
            guard !isOffline else {
                throw AddressError(
                    "\(root.location)", "--offline means the files of a zeo.conf",
                    advice: "leave it out: what a zope.conf names is opened as it is named")
            }
            let client = SectionKeys(root).text("zeo-client-name")?.value
            let storages = StorageSectionReader(host: host, clientName: client)
            var databases: [ConfiguredDatabase] = []
            for section in sections { databases.append(try database(section, storages)) }
            return databases
        }
        let storages = StorageSectionReader(host: host, clientName: nil)
        if let zeo = root.sections.first(where: { $0.type == "zeo" }), !isOffline {
            return try ServerReader(host: host).databases(zeo, root.sections.filter(storages.isStorage))
        }
        var databases: [ConfiguredDatabase] = []
        for section in root.sections where storages.isStorage(section) {
            databases.append(
                ConfiguredDatabase(name: section.name ?? "1", content: try storages.content(section)))
        }
        return databases
    }

    private func database(
        _ section: ConfigurationSection, _ storages: StorageSectionReader
    ) throws(AddressError) -> ConfiguredDatabase {
        let keys = SectionKeys(section)
        // `virtual:real`: the place in the site, and the place in the database.
        let mounts = keys.all("mount-point").map { String($0.value.split(separator: ":").first ?? "") }
        let content: ConfiguredDatabase.Content
        switch section.sections.count {
        case 0: throw AddressError(keys.place, "<\(section.type)> has no storage in it", advice: "Zope needs one, too")
        case 1: content = try storages.content(section.sections[0])
        default:
            throw AddressError(
                "\(section.sections[1].location)", "a second storage in <\(section.type)>",
                advice: "the first is at \(section.sections[0].location)")
        }
        return ConfiguredDatabase(name: section.name ?? "main", mountPoints: mounts, content: content)
    }
}

/// The server of a `zeo.conf`, as a client sees it.
struct ServerReader {
    let host: ConfigurationHost

    func databases(
        _ zeo: ConfigurationSection, _ sections: [ConfigurationSection]
    ) throws(AddressError) -> [ConfiguredDatabase] {
        let keys = SectionKeys(zeo)
        var server = ConfiguredStorage(.servers([try address(keys)]))
        if zeo.sections.contains(where: { $0.type == "ssl" }) {
            server.set("tls", "yes", at: keys.place)
            server.remarks.append(
                "the server speaks TLS: who connects needs a certificate that its 'authenticate' knows (--cert, --key), and "
                    + "the authority of the server's own (--ca)")
        }
        if let login = keys.text("authentication-protocol") {
            server.remarks.append("the server asks for a login (\(login.value)): --username")
        }
        if try keys.isOn("read-only") { server.readOnlyAt = keys.text("read-only")?.place }
        return sections.map { section in
            var storage = server
            let name = section.name ?? "1"
            storage.set("storage", name, at: "\(section.location)")
            return ConfiguredDatabase(name: name, content: .storage(storage))
        }
    }

    /// Where a client on this machine finds it: whoever listens everywhere listens here.
    private func address(_ keys: SectionKeys) throws(AddressError) -> String {
        let (text, place) = try keys.required("address")
        switch try SectionKeys.value(text, .bindingAddress, key: "address", at: place) {
        case .unixSocket(let path): return path
        case .internet(_, nil):
            throw AddressError(
                place, "address \(text): no port", advice: "the server takes any that is free; its log says which")
        case .internet(let host, let port?):
            let here = ["", "0.0.0.0", "::"].contains(host) ? "localhost" : host
            return SocketAddress.internet(host: here, port: port).description
        }
    }
}
