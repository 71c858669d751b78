extension StorageAddress {
    /// - Parameter exists: whether there is something at a path; asked only about words that might be anything.
    /// - Throws: `AddressError` when the text has none of the forms, or a URI has a key that is not known.
    public init(
        parsing text: String, exists: (String) -> Bool = FileKind.exists
    ) throws(AddressError) {
        guard !text.isEmpty else {
            throw AddressError("''", "an address is empty", advice: "write HOST:PORT or the path of a Data.fs")
        }
        guard !text.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7f }) else {
            throw AddressError("address", "holds a control character", advice: "write HOST:PORT or a path")
        }
        if let uri = try Self.uri(text) {
            self = uri
        } else if let servers = try Self.list(text, exists: exists) {
            self.init(servers)
        } else if let location = try Self.hostAndPort(text, exists: exists) {
            self.init(location)
        } else if text.contains("/") || text.hasSuffix(".fs") || exists(text) {
            self.init(.path(text))
        } else {
            throw AddressError(
                text, "neither HOST:PORT nor an existing file",
                advice: "for a server add its port, as in \(text):8800; for a file give its path")
        }
    }

    // MARK: HOST:PORT

    static func hostAndPort(
        _ text: String, exists: (String) -> Bool
    ) throws(AddressError) -> Location? {
        let host: Substring
        let port: Substring
        if text.hasPrefix("[") {
            guard let close = text.firstIndex(of: "]") else {
                throw AddressError(text, "the bracket is not closed", advice: "write [2001:db8::1]:8800")
            }
            host = text[text.index(after: text.startIndex)..<close]
            let rest = text[text.index(after: close)...]
            guard rest.hasPrefix(":"), rest.count > 1 else {
                throw AddressError(text, "no port after the address", advice: "write [\(host)]:8800")
            }
            port = rest.dropFirst()
            guard host.contains(":"), host.allSatisfy({ $0.isHexDigit || ":.%".contains($0) || $0.isLetter }) else {
                throw AddressError(text, "not an IPv6 address in the brackets", advice: "write [2001:db8::1]:8800")
            }
        } else {
            guard let colon = text.lastIndex(of: ":"), !text.contains("/") else { return nil }
            host = text[..<colon]
            port = text[text.index(after: colon)...]
            if host.contains(":") {
                throw AddressError(text, "an IPv6 address needs brackets", advice: "write [\(host)]:\(port)")
            }
            if !(port.allSatisfy(\.isNumber) && !port.isEmpty), exists(text) { return nil }
        }
        guard !host.isEmpty else {
            throw AddressError(
                text, "no host before the port", advice: "write localhost:\(port.isEmpty ? "PORT" : port)")
        }
        guard host.allSatisfy({ !$0.isWhitespace && $0 != "@" }) else {
            throw AddressError(text, "'\(host)' is not a host name", advice: "write HOST:PORT")
        }
        return .server(host: String(host), port: try number(port, of: text))
    }

    private static func number(_ port: Substring, of text: String) throws(AddressError) -> Int {
        guard let number = Int(port), (1...65_535).contains(number), port.allSatisfy(\.isNumber) else {
            throw AddressError(text, "'\(port)' is not a port", advice: "a port is a number from 1 to 65535")
        }
        return number
    }

    // MARK: URIs

    private static func uri(_ text: String) throws(AddressError) -> StorageAddress? {
        if text.hasPrefix("zeo://") { return try zeo(text, rest: text.dropFirst(6)) }
        if text.hasPrefix("file://") { return try file(text, rest: text.dropFirst(7)) }
        if text.hasPrefix("file:") { return try file(text, rest: text.dropFirst(5)) }
        if text.hasPrefix("repozo:") {
            let (directory, moment) = BackupPlace.split(String(text.dropFirst(7)))
            guard !directory.isEmpty else {
                throw AddressError(
                    text, "no directory", advice: "write repozo:/backup/site, with @WHEN for an older state")
            }
            var address = StorageAddress(.backup(directory))
            address.moment = moment
            return address
        }
        if text.hasPrefix("memory:") {
            throw AddressError(
                text, "a database in memory is seen by its own process alone",
                advice: "demo:(file:///srv/Data.fs)/(memory://) keeps changes to a file in memory")
        }
        guard let colon = text.range(of: "://") else { return nil }
        throw AddressError(
            text, "storages of the kind '\(text[..<colon.lowerBound])' cannot be opened",
            advice:
                "zeo://HOST:PORT, file:///PATH, zconfig:///etc/zope.conf#main, demo:(…)/(memory://) and repozo:DIR can")
    }

    private static func zeo(_ text: String, rest: Substring) throws(AddressError) -> StorageAddress {
        let (place, query) = try split(rest, of: text)
        var address: StorageAddress
        if place.hasPrefix("/") {
            address = StorageAddress(.socket(try decoded(place, of: text)))
        } else {
            let end = place.firstIndex(of: "/") ?? place.endIndex
            guard place[end...].count <= 1 else {
                throw AddressError(
                    text, "'\(place[end...])' after the port means nothing",
                    advice: "the storage's name goes into the query: ?storage=NAME")
            }
            var server = place[..<end]
            if server.hasSuffix("]") || !server.contains(":") { server += ":\(defaultPort)" }
            let only = { (_: String) in false }
            let several = try list(String(server), exists: only)
            guard let location = try several == nil ? hostAndPort(String(server), exists: only) : several else {
                throw AddressError(text, "no host", advice: "write zeo://HOST:PORT")
            }
            address = StorageAddress(location)
        }
        for (key, value) in query {
            switch key {
            case "storage": address.storageName = value
            case "wait_timeout", "timeout": address.timeout = try seconds(value, key: key, of: text)
            case "blob_dir": address.blobDirectory = value
            case "password":
                throw AddressError(
                    "zeo://\(place)", "a password in an address is seen by everybody on this machine",
                    advice: "leave it out: it is asked for, or $ZEOSHELL_PASSWORD has it")
            case _ where try address.takeCommon(key, value, of: text): continue
            case _ where zeoSettings.contains(option(key)): try address.take(option(key), value, of: text)
            case _ where zeoKeysWithoutEffect.contains(key): continue
            default: throw unknown(key, of: text, known: ["storage", "wait_timeout", "blob_dir"] + zeoSettings)
            }
        }
        return address
    }

    private static func file(_ text: String, rest: Substring) throws(AddressError) -> StorageAddress {
        let (place, query) = try split(rest, of: text)
        guard !place.isEmpty else {
            throw AddressError(text, "no path", advice: "write file:///srv/Data.fs")
        }
        var address = StorageAddress(.file(try decoded(place, of: text)))
        for (key, value) in query {
            switch key {
            case "blobstorage_dir": address.blobDirectory = value
            case _ where try address.takeCommon(key, value, of: text): continue
            case _ where fileKeysWithoutEffect.contains(key): continue
            default: throw unknown(key, of: text, known: ["blobstorage_dir"])
            }
        }
        return address
    }

    /// zodburi's keys that say how a ZODB connection caches, waits or writes: nothing to us, but not wrong.
    static let commonKeysWithoutEffect: Set<String> = [
        "connection_cache_size", "connection_cache_size_bytes", "connection_historical_cache_size",
        "connection_historical_cache_size_bytes", "connection_historical_pool_size", "connection_historical_timeout",
        "connection_large_record_size", "connection_pool_size", "connection_pool_timeout", "database_name",
    ]
    private static let zeoKeysWithoutEffect = commonKeysWithoutEffect.union([
        "cache_size", "client", "var", "wait", "shared_blob_dir", "min_disconnect_poll",
        "max_disconnect_poll", "wait_for_server_on_startup", "drop_cache_rather_verify", "blob_cache_size",
        "blob_cache_size_check",
    ])
    private static let fileKeysWithoutEffect = commonKeysWithoutEffect.union([
        "create", "quota", "blobstorage_layout", "pack_gc", "pack_keep_old",
    ])

    static func unknown(_ key: String, of text: String, known: [String]) -> AddressError {
        AddressError(text, "unknown key '\(key)' in the query", advice: "known: " + known.joined(separator: ", "))
    }

    private static func seconds(_ value: String, key: String, of text: String) throws(AddressError) -> Double {
        guard let seconds = Double(value), seconds > 0, seconds.isFinite else {
            throw AddressError(text, "\(key)=\(value) is not a time", advice: "a number of seconds")
        }
        return seconds
    }

    static func split(
        _ rest: Substring, of text: String
    ) throws(AddressError) -> (place: Substring, query: [(key: String, value: String)]) {
        let parts = rest.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)[0]
            .split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        var query: [(key: String, value: String)] = []
        for pair in parts.count > 1 ? parts[1].split(separator: "&") : [] {
            let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let value = sides.count > 1 ? sides[1] : ""
            query.append((try decoded(sides[0], of: text), try decoded(value, of: text)))
        }
        return (parts[0], query)
    }

    /// `%41` → `A`.
    static func decoded(_ part: Substring, of text: String) throws(AddressError) -> String {
        var bytes: [UInt8] = []
        var rest = part.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16), rest.count >= 2,
                value >= 0x20
            else {
                throw AddressError(text, "'%' is not followed by two digits", advice: "write %25 for a percent sign")
            }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension StringProtocol {
    /// Where `text` first stands. (The standard library's own needs a newer module than we want here.)
    fileprivate func range(of text: String) -> Range<Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(text) { return start..<index(start, offsetBy: text.count) }
            start = index(after: start)
        }
        return nil
    }
}
