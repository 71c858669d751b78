internal import ZConfig

extension SettingsReader {
    /// `<role NAME>`.
    mutating func role(_ section: ConfigurationSection) throws(SettingsError) -> Role {
        var reader = try SectionReader(section)
        guard let name = section.name else {
            throw reader.error(.contradiction("<role> needs a name: <role NAME>"))
        }
        let permissions = try reader.values("allow", .permissions)
        guard !permissions.isEmpty else { throw reader.error(.missingKey("allow", section: "<role \(name)>")) }
        var members = try reader.values("certificate", .subject)
        members += try reader.values("fingerprint", .fingerprint)
        members += try reader.values("address", .clientAddress)
        members += try reader.values("user", .clientName)
        let storages = try reader.values("storage", .string.map { $0.lowercased() }).map(\.value)
        try reader.finish()
        if members.isEmpty {
            warn("nobody has the role '\(name)': it names no certificate, address or user", at: section.location)
        }
        return Role(
            name: name, permissions: permissions.reduce(into: []) { $0.formUnion($1.value) },
            members: members.map(\.value), storages: storages.isEmpty ? nil : Set(storages))
    }

    /// What a role asks for that the rest of the configuration rules out.
    mutating func checkRoles(_ settings: ServerSettings, at location: SourceLocation) {
        for role in settings.roles ?? [] {
            for member in role.members {
                switch member {
                case .certificate, .fingerprint:
                    if settings.tls == nil {
                        warn("role '\(role.name)': no client has a certificate without <ssl>", at: location)
                    }
                case .user(let name):
                    if settings.authentication == nil {
                        warn(
                            "role '\(role.name)': nobody logs in as '\(name)' without authentication-protocol",
                            at: location)
                    }
                case .address, .unixSocket, .everybody: break
                }
            }
            let known = Set(settings.storages.map(\.name))
            for storage in (role.storages ?? []).sorted() where !known.contains(storage) {
                warn("role '\(role.name)': there is no storage '\(storage)'", at: location)
            }
        }
    }
}

extension ValueType<Permissions> {
    /// `read, write`: names with commas or spaces between them.
    static var permissions: Self {
        Self("some of read, write, undo, pack, admin, or all") { text in
            let words = text.split { $0 == "," || $0 == " " || $0 == "\t" }.map { $0.lowercased() }
            var permissions: Permissions = []
            for word in words {
                guard let known = Permissions.names.first(where: { $0.name == word }) else { return nil }
                permissions.formUnion(known.permissions)
            }
            return words.isEmpty ? nil : permissions
        }
    }
}

extension ValueType<Role.Member> {
    /// `CN=zope1.example.org, O=Example` or `*`.
    static var subject: Self {
        Self("attributes of a certificate's subject such as CN=zope1, O=Example, or *") { text in
            guard text != "*" else { return .certificate([]) }
            var attributes: [Role.SubjectAttribute] = []
            for part in text.split(separator: ",", omittingEmptySubsequences: false) {
                let sides = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                guard sides.count == 2 else { return nil }
                let (type, value) = (trimmed(sides[0]), trimmed(sides[1]))
                guard !type.isEmpty, !value.isEmpty else { return nil }
                attributes.append(Role.SubjectAttribute(type: type.uppercased(), value: value))
            }
            return .certificate(attributes)
        }
    }

    /// `AB:CD:…` or `abcd…`, 32 bytes; `sha256:` may stand before it.
    static var fingerprint: Self {
        Self("the SHA-256 of a certificate: 64 hexadecimal digits, with or without colons") { text in
            var digits = text.lowercased()
            if digits.hasPrefix("sha256:") { digits.removeFirst("sha256:".count) }
            let hex = digits.utf8.filter { $0 != UInt8(ascii: ":") }
            guard hex.count == 64 else { return nil }
            let bytes = stride(from: 0, to: 64, by: 2).map { start in
                let pair = hex[start..<start + 2]
                return pair.contains(UInt8(ascii: "+")) || pair.contains(UInt8(ascii: "-"))
                    ? nil : UInt8(String(decoding: pair, as: UTF8.self), radix: 16)
            }
            return bytes.contains(nil) ? nil : .fingerprint(bytes.compactMap(\.self))
        }
    }

    /// `10.0.0.0/8`, `unix` or `*`.
    static var clientAddress: Self {
        Self("an address or a range such as 10.0.0.0/8 (without bits behind the prefix), unix, or *") { text in
            switch text.lowercased() {
            case "*": .everybody
            case "unix": .unixSocket
            default: AddressRange(text).map(Role.Member.address)
            }
        }
    }

    static var clientName: Self { Self("a user's name") { $0.isEmpty ? nil : .user($0) } }

    private static func trimmed(_ text: Substring) -> String {
        let head = text.drop { $0 == " " || $0 == "\t" }
        return String(head.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
    }
}
