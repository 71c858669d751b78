internal import ZConfig

extension SettingsReader {
    /// `<zeo>`, without storages.
    mutating func zeo(_ section: ConfigurationSection) throws(SettingsError) -> ServerSettings {
        var reader = try SectionReader(section)
        let addresses = try reader.values("address", .bindingAddress)
        guard !addresses.isEmpty else { throw reader.error(.missingKey("address", section: reader.title)) }
        for (address, location) in addresses {
            if case .internet(let host, nil) = address {
                warn("'\(host)' is a host without a port; the system will choose one", at: location)
            }
        }
        var settings = ServerSettings(addresses: addresses.map(\.value), storages: [])
        settings.isReadOnly = try reader.value("read-only", .boolean) ?? false
        settings.invalidationQueueSize = try reader.value("invalidation-queue-size", .count) ?? 100
        settings.invalidationAge = try reader.value("invalidation-age", .seconds)
        settings.transactionTimeout = try timeout(&reader)
        settings.pidFile = try reader.text("pid-filename", host.pathInExistingDirectory)
        if settings.pidFile == nil, !settings.isReadOnly { settings.pidFile = Self.instancePIDFile(host) }
        settings.monitorAddress = try reader.value("monitor-address", .bindingAddress)
        settings.authentication = try authentication(&reader)
        settings.clientConflictResolution = try reader.value("client-conflict-resolution", .boolean) ?? false
        settings.usesMessagePack = try reader.value("msgpack", .boolean) ?? Self.environmentWantsMessagePack(host)
        if let dropping = try reader.value("drop-cache-rather-verify", .boolean), dropping {
            warn(
                "'drop-cache-rather-verify' has no effect: it was given by ZEO 4 to clients that are away for too long; "
                    + "a client of today drops its cache by itself", at: reader.location(of: "drop-cache-rather-verify")
            )
        }
        if let ssl = try reader.section("ssl") { settings.tls = try tls(ssl) }
        settings.httpAddress = try reader.value("http-address", .bindingAddress)
        settings.limits = try limits(&reader)
        let roles = reader.sections(["role"])
        try reader.finish()
        if !roles.isEmpty {
            settings.roles = []
            for role in roles { settings.roles?.append(try self.role(role)) }
        }
        return settings
    }

    /// runzeo's own default: beside the data, where `INSTANCE_HOME` says which instance it is.
    static func instancePIDFile(_ host: ConfigurationHost) -> String? {
        host.variable("INSTANCE_HOME").flatMap { home in
            home.isEmpty ? nil : (home.utf8.last == UInt8(ascii: "/") ? home : home + "/") + "var/ZEO.pid"
        }
    }

    static func environmentWantsMessagePack(_ host: ConfigurationHost) -> Bool {
        host.variable("ZEO_MSGPACK").map { !$0.isEmpty } ?? false
    }

    private mutating func timeout(_ reader: inout SectionReader) throws(SettingsError) -> Double? {
        guard let seconds = try reader.value("transaction-timeout", .integer) else { return nil }
        guard seconds > 0 else {
            warn(
                "'transaction-timeout \(seconds)' is no time to wait; there is no timeout",
                at: reader.location(of: "transaction-timeout"))
            return nil
        }
        return Double(seconds)
    }

    private mutating func authentication(
        _ reader: inout SectionReader
    ) throws(SettingsError) -> DigestAuthentication? {
        let wanted = try reader.text("authentication-protocol")
        let database = try reader.text("authentication-database")
        let realm = try reader.text("authentication-realm")
        guard let wanted else {
            for key in ["authentication-database", "authentication-realm"] {
                guard let location = reader.location(of: key) else { continue }
                warn(
                    "'\(key)' has no effect without 'authentication-protocol digest': nobody needs to log in",
                    at: location)
            }
            return nil
        }
        guard wanted == "digest" else {
            throw reader.error(
                .contradiction("expected authentication-protocol digest, the only one there is, found '\(wanted)'"),
                of: "authentication-protocol")
        }
        guard let database else { throw reader.error(.missingKey("authentication-database", section: reader.title)) }
        return DigestAuthentication(database: database, realm: realm)
    }

    private func limits(_ reader: inout SectionReader) throws(SettingsError) -> ServerLimits {
        var limits = ServerLimits()
        limits.message = try reader.value("message-limit", .byteSize.atLeast(1))
        limits.received = try reader.value("receive-limit", .byteSize.atLeast(1))
        limits.messageTimeout = try reader.value("message-timeout", .timeInterval.atLeast(1))
        limits.connections = try reader.value("connection-limit", .integer.atLeast(1))
        limits.outbox = try reader.value("outbox-limit", .byteSize.atLeast(1))
        limits.idleTimeout = try reader.value("idle-timeout", .timeInterval.atLeast(1))
        limits.handshakeTimeout = try reader.value("handshake-timeout", .timeInterval.atLeast(1))
        limits.slowCommit = try reader.value("slow-commit", .seconds)
        return limits
    }

    // MARK: TLS

    private mutating func tls(_ section: ConfigurationSection) throws(SettingsError) -> TLSSettings {
        var reader = try SectionReader(section)
        let host = host
        let file = host.existingPath.filter("the path of a file that exists") { !host.isDirectory($0) }
        for key in ["certificate", "key", "password-file", "authenticate"] {
            let path = try reader.value(key, .string).map(host.expandingTilde)
            guard let path, let obstacle = host.obstacle(path) else { continue }
            throw reader.error(
                .contradiction(
                    "\(key): \(path): \(obstacle); the user that the server runs as has to be able to read it, and to "
                        + "enter its directory"),
                of: key)
        }
        let certificate = try reader.required("certificate", file)
        let key = try reader.value("key", file)
        let passwordFile = try reader.value("password-file", file)
        if let function = try reader.text("password-function"), passwordFile == nil {
            throw reader.error(
                .contradiction(
                    "password-function: \(function) is a function of a Python program, which does not run here; "
                        + "put the key's password into a file that only the server may read, and its path into "
                        + "'password-file'"),
                of: "password-function")
        }
        let authenticate = try reader.required("authenticate", .string)
        try reader.finish()
        return TLSSettings(
            certificate: certificate, key: key, passwordFile: passwordFile,
            authenticate: try clientAuthentication(authenticate, reader))
    }

    private mutating func clientAuthentication(
        _ text: String, _ reader: SectionReader
    ) throws(SettingsError) -> TLSSettings.ClientAuthentication {
        if host.isDirectory(text) { return .directory(text) }
        if text == "DYNAMIC" {
            warn(
                "'authenticate DYNAMIC' leaves it to a Python program to add certificates; here none is added, so that "
                    + "no client can connect: name a file or a directory of certificates",
                at: reader.location(of: "authenticate"))
            return .dynamic
        }
        guard host.exists(text) else {
            let error = ValueError(expectation: "a file or a directory of certificates, or DYNAMIC", found: text)
            throw reader.error(.value(key: "authenticate", error), of: "authenticate")
        }
        return .file(text)
    }
}

extension ValueType<Int> {
    /// A number of things.
    static var count: Self { integer.atLeast(0) }

    func atLeast(_ limit: Int) -> Self {
        filter("\(expectation), \(limit) or more") { $0 >= limit }
    }
}

extension ValueType<Double> {
    /// A time in seconds, with decimals if need be.
    static var seconds: Self { float.filter("a time in seconds") { $0 >= 0 && $0.isFinite } }
}
