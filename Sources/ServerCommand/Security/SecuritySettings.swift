internal import Logging
internal import ServerConfiguration
internal import ZEOServer

extension ServicePolicy {
    /// Takes up what the configuration says of TLS, roles and logins.
    /// - Throws: `ServerTLSError`, `SecuritySettingsError`, `FileFailure` or `PasswordDatabaseError`: the files are
    ///   read now.
    mutating func secure(by settings: ServerSettings, logger: Logger) throws {
        if let tls = settings.tls { self.tls = try ServerTLS(tls) }
        if let authentication = settings.authentication {
            logins = try DigestLogins(authentication, logger: logger)
        }
        if settings.roles != nil {
            authorization = { client, storage in
                ZEOServer.Permissions(
                    settings.permissions(of: ServerConfiguration.ClientIdentity(client), storage: storage))
            }
        }
    }
}

extension ServerTLS {
    init(_ settings: TLSSettings) throws {
        var password: [UInt8]?
        if let file = settings.passwordFile {
            // The end of the line is the editor's, not the password's.
            let bytes = try PrivateFile.contents(file)
            password = bytes.last == UInt8(ascii: "\n") ? bytes.dropLast() : bytes
        }
        let trust: Trust =
            switch settings.authenticate {
            case .file(let path): .file(path)
            case .directory(let path): .directory(path)
            case .dynamic: .nobody
            }
        try self.init(
            certificates: settings.certificate, key: settings.key, password: password, clients: trust)
    }
}

extension DigestLogins {
    init(_ settings: DigestAuthentication, logger: Logger) throws {
        let file: PasswordFile
        do {
            file = try PasswordFile(settings.database, logger: logger)
        } catch let error as PasswordDatabaseError {
            throw FileFailure("authentication-database \(settings.database)", error.description)
        }
        if let wanted = settings.realm, let found = file.realm, wanted != found {
            throw SecuritySettingsError.otherRealm(settings.database, wanted: wanted, found: found)
        }
        guard let realm = settings.realm ?? file.realm else { throw SecuritySettingsError.noRealm(settings.database) }
        self.init(realm: realm) { file.hash(of: $0) }
    }
}

extension ServerConfiguration.ClientIdentity {
    fileprivate init(_ client: ZEOServer.ClientIdentity) {
        self.init(
            address: client.address,
            subject: client.certificate?.subject.map { .init(type: $0.type, value: $0.value) },
            fingerprint: client.certificate?.fingerprint, user: client.user)
    }
}

extension ZEOServer.Permissions {
    fileprivate init(_ permissions: ServerConfiguration.Permissions) {
        self = []
        let pairs: [(ServerConfiguration.Permissions, ZEOServer.Permissions)] = [
            (.read, .read), (.write, .write), (.undo, .undo), (.pack, .pack), (.admin, .admin),
        ]
        for (theirs, ours) in pairs where permissions.contains(theirs) { insert(ours) }
    }
}

enum SecuritySettingsError: Error, Hashable, CustomStringConvertible {
    case otherRealm(String, wanted: String, found: String)
    case noRealm(String)

    var description: String {
        switch self {
        case .otherRealm(let path, let wanted, let found):
            "authentication-realm is '\(wanted)', and the passwords in \(path) are for the realm '\(found)'"
        case .noRealm(let path): "\(path) names no realm: authentication-realm has to"
        }
    }
}
