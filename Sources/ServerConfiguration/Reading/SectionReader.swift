internal import ZConfig

/// Takes a section apart by key, and knows in the end what nobody asked for.
struct SectionReader {
    let section: ConfigurationSection
    private let keys: [String: [ConfigurationKey]]
    private var known: Set<String> = []
    private var knownSections: Set<String> = []

    /// - Throws: `SettingsError` when a key is none: `[a-zA-Z][-._a-zA-Z0-9]*`, in any case.
    init(_ section: ConfigurationSection) throws(SettingsError) {
        self.section = section
        for key in section.keys where !Self.isKey(key.key) {
            throw SettingsError(.malformedKey(key.key), at: key.location)
        }
        keys = Dictionary(grouping: section.keys) { $0.key.lowercased() }
    }

    private static func isKey(_ text: String) -> Bool {
        for (index, scalar) in text.unicodeScalars.enumerated() {
            switch scalar {
            case "a"..."z", "A"..."Z": continue
            case "0"..."9", "-", ".", "_": if index == 0 { return false }
            default: return false
            }
        }
        return true
    }

    /// For messages: `<zeo>`.
    var title: String { section.type.isEmpty ? "the configuration" : "<\(section.type)>" }

    func error(_ reason: SettingsError.Reason, of key: String? = nil) -> SettingsError {
        SettingsError(reason, at: key.flatMap { keys[$0]?.last?.location } ?? section.location)
    }

    func location(of key: String) -> SourceLocation? { keys[key]?.last?.location }

    // MARK: Keys

    /// All values of a key, in order.
    mutating func values<Value>(
        _ key: String, _ type: ValueType<Value>
    ) throws(SettingsError) -> [(value: Value, location: SourceLocation)] {
        known.insert(key)
        var values: [(value: Value, location: SourceLocation)] = []
        for one in keys[key] ?? [] {
            do throws(ValueError) {
                values.append((try type(one.value), one.location))
            } catch {
                throw SettingsError(.value(key: key, error), at: one.location)
            }
        }
        return values
    }

    /// The value of a key that is there at most once.
    mutating func value<Value>(_ key: String, _ type: ValueType<Value>) throws(SettingsError) -> Value? {
        let values = try values(key, type)
        guard values.count < 2 else {
            throw SettingsError(.repeatedKey(key, first: values[0].location), at: values[1].location)
        }
        return values.first?.value
    }

    mutating func required<Value>(_ key: String, _ type: ValueType<Value>) throws(SettingsError) -> Value {
        guard let value = try value(key, type) else { throw error(.missingKey(key, section: title)) }
        return value
    }

    /// An optional text that is as good as absent when it is empty.
    mutating func text(_ key: String, _ type: ValueType<String> = .string) throws(SettingsError) -> String? {
        try value(key, type).flatMap { $0.isEmpty ? nil : $0 }
    }

    /// Whether a key is there whose value does not matter.
    mutating func has(_ key: String) throws(SettingsError) -> Bool { try value(key, .string) != nil }

    // MARK: Sections

    /// The sections of these types, in order.
    mutating func sections(_ types: some Sequence<String>) -> [ConfigurationSection] {
        let types = Set(types)
        knownSections.formUnion(types)
        return section.sections.filter { types.contains($0.type) }
    }

    /// The section of these types, of which there is at most one.
    mutating func section(_ types: String...) throws(SettingsError) -> ConfigurationSection? {
        let found = sections(types)
        guard found.count < 2 else {
            throw SettingsError(.repeatedSection(found[1].type, first: found[0].location), at: found[1].location)
        }
        return found.first
    }

    // MARK: The end

    /// - Throws: `SettingsError` for the first key or section that nobody asked for.
    func finish() throws(SettingsError) {
        if let key = section.keys.first(where: { !known.contains($0.key.lowercased()) }) {
            let nearest = NearestName.of(key.key.lowercased(), among: known)
            throw SettingsError(.unknownKey(key.key, section: title, nearest: nearest), at: key.location)
        }
        if let other = section.sections.first(where: { !knownSections.contains($0.type) }) {
            let nearest = NearestName.of(other.type, among: knownSections)
            throw SettingsError(.unknownSection(other.type, in: title, nearest: nearest), at: other.location)
        }
    }
}
