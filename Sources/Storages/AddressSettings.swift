/// What a URI says besides the place.
extension StorageAddress {
    /// Options that an address of a server may have, too: with `_` for `-`, as zodburi writes.
    static let zeoSettings = [
        "username", "realm", "read-only-fallback", "cache", "tls", "cert", "key", "ca", "server-name",
        "no-check-hostname",
        "ssh",
    ]

    /// `server_name` → `server-name`.
    static func option(_ key: String) -> String { String(key.map { $0 == "_" ? "-" : $0 }) }

    mutating func take(_ option: String, _ value: String, of text: String) throws(AddressError) {
        let switches = ["read-only-fallback", "tls", "no-check-hostname"]
        let value = switches.contains(option) ? try Self.boolean(value, key: option, of: text) ? "yes" : "no" : value
        settings.append(ConfiguredSetting(name: option, value: value, place: "\(option) in the address"))
    }

    /// Keys that addresses of all kinds have.
    /// - Returns: whether it is one of them.
    mutating func takeCommon(_ key: String, _ value: String, of text: String) throws(AddressError) -> Bool {
        switch key {
        case "read_only": isReadOnly = try Self.boolean(value, key: key, of: text)
        case "demostorage":
            // It means itself, without a value.
            let isOn = try Self.boolean(value.isEmpty ? "1" : value, key: key, of: text)
            settings.append(
                ConfiguredSetting(name: "overlay", value: isOn ? "yes" : "no", place: "demostorage in the address"))
        default: return false
        }
        return true
    }

    /// A switch as zodburi writes it: `1`, `true`, `yes`, `on`, and their contraries.
    ///
    /// Source: zodburi 3.0, `zodburi/datatypes.py`.
    static func boolean(_ value: String, key: String, of text: String) throws(AddressError) -> Bool {
        switch value.lowercased() {
        case "1", "true", "yes", "y", "on", "t": return true
        case "0", "false", "no", "n", "off", "f": return false
        default: throw AddressError(text, "\(key)=\(value) is no switch", advice: "write \(key)=1 or \(key)=0")
        }
    }
}
