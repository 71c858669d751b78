internal import ZConfig

/// The keys of a section that one asks for; what else is there does not matter.
struct SectionKeys {
    let section: ConfigurationSection

    init(_ section: ConfigurationSection) { self.section = section }

    var place: String { "\(section.location)" }

    func all(_ key: String) -> [ConfigurationKey] { section.keys.filter { $0.key.lowercased() == key } }

    /// nil when it is not there, or empty.
    func text(_ key: String) -> (value: String, place: String)? {
        all(key).last.flatMap { $0.value.isEmpty ? nil : ($0.value, "\($0.location)") }
    }

    /// - Throws: `AddressError` when it is none of what a value of this type can be.
    func value<Value>(
        _ key: String, _ type: ValueType<Value>
    ) throws(AddressError) -> (value: Value, place: String)? {
        guard let (text, place) = text(key) else { return nil }
        return (try Self.value(text, type, key: key, at: place), place)
    }

    func isOn(_ key: String) throws(AddressError) -> Bool { try value(key, .boolean)?.value ?? false }

    /// - Throws: `AddressError` when it is not there.
    func required(_ key: String) throws(AddressError) -> (value: String, place: String) {
        guard let found = text(key) else {
            throw AddressError(place, "<\(section.type)> has no '\(key)'", advice: "Zope needs it, too")
        }
        return found
    }

    static func value<Value>(
        _ text: String, _ type: ValueType<Value>, key: String, at place: String
    ) throws(AddressError) -> Value {
        do throws(ValueError) {
            return try type(text)
        } catch {
            throw AddressError(place, "\(key): \(error)", advice: "Zope would not take it either")
        }
    }
}
