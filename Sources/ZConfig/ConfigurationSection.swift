/// A configuration read to its end: every `%include` is in its place, every `$name` replaced.
///
/// Nothing in it is checked against a schema: which sections and keys there may be, and what their values mean, is the
/// business of the program that is configured.
public struct ConfigurationDocument: Hashable, Sendable {
    /// What is outside every section: its type is empty.
    public let root: ConfigurationSection
    /// What `%import` named, in order, repetitions included.
    public let imports: [ConfigurationImport]
}

/// `%import package`: in Python it adds that package's section types; here it is only recorded.
public struct ConfigurationImport: Hashable, Sendable {
    public let package: String
    public let location: SourceLocation
}

/// `<type name> … </type>`, or the whole document.
public struct ConfigurationSection: Hashable, Sendable {
    /// Lower-cased; empty for the document.
    public let type: String
    /// Lower-cased; nil when there is none.
    public let name: String?
    /// Where it starts.
    public let location: SourceLocation
    /// In the order of the file, repetitions included.
    public internal(set) var keys: [ConfigurationKey] = []
    /// In the order of the file. No two of them bear the same name, whatever their types: ZConfig refuses that.
    public internal(set) var sections: [ConfigurationSection] = []

    init(type: String, name: String?, location: SourceLocation) {
        self.type = type
        self.name = name
        self.location = location
    }
}

/// `key value`.
public struct ConfigurationKey: Hashable, Sendable {
    /// As it is written: most sections take any case, an `<environment>` does not.
    public let key: String
    /// Without the white space around it, `$name` replaced; empty when there is none.
    public let value: String
    public let location: SourceLocation

    public init(key: String, value: String, location: SourceLocation) {
        self.key = key
        self.value = value
        self.location = location
    }
}
