/// What a `zope.conf`, a `zeo.conf` or an address in the form of a URI says about reaching a storage.
public struct ConfiguredStorage: Hashable, Sendable {
    public enum Place: Hashable, Sendable {
        /// One server, at one or more addresses, each as `StorageAddress` reads it: the first that will do is taken.
        case servers([String])
        /// The path of a Data.fs.
        case file(String)
    }

    public var place: Place
    /// Everything else, by the names of the shell's options.
    public var settings: [ConfiguredSetting] = []
    /// Where it says that nothing is to be written: then nothing is.
    public var readOnlyAt: String?
    /// What somebody who uses the file should be told.
    public var remarks: [String] = []

    public init(_ place: Place) { self.place = place }

    /// - Throws: `AddressError` when a server's address has no form that can be connected to.
    public func address() throws(AddressError) -> StorageAddress {
        switch place {
        case .servers(let texts): try StorageAddress(parsing: texts.joined(separator: ","), exists: { _ in false })
        case .file(let path): StorageAddress(.file(path))
        }
    }

    mutating func set(_ name: String, _ value: String, at place: String) {
        settings.append(ConfiguredSetting(name: name, value: value, place: place))
    }
}

/// `storage = main`, and which line says so.
public struct ConfiguredSetting: Hashable, Sendable {
    /// That of the option without its dashes; `password` alone is none.
    public var name: String
    public var value: String
    /// `etc/zope.conf:12`
    public var place: String

    public init(name: String, value: String, place: String) {
        self.name = name
        self.value = value
        self.place = place
    }
}

/// A database of a configuration.
public struct ConfiguredDatabase: Hashable, Sendable {
    public enum Content: Hashable, Sendable {
        case storage(ConfiguredStorage)
        /// Why it cannot be opened, the line of the storage, and what to do about it.
        case unsupported(AddressError)
    }

    /// Lower-cased, as ZConfig has it; `main` or `1` where the section has none.
    public var name: String
    /// Where Zope shows it: `/`, `/temp_folder`.
    public var mountPoints: [String] = []
    public var content: Content
}
