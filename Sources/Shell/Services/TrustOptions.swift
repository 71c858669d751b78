internal import ArgumentParser
internal import Storages
internal import ZODB

/// What proves to a server who we are, and to us that it is the one.
///
/// Passwords are no options: whoever looks at the processes of the machine would see them.
struct TrustOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Whom to log in as, where a server asks (up to ZEO 4).", valueName: "name"))
    var username: String?

    @Option(
        name: .customLong("login-password-fd"),
        help: ArgumentHelp("The login's password is a line that this descriptor gives.", valueName: "n"))
    var passwordDescriptor: Int?

    @Option(help: ArgumentHelp("The realm that the server's passwords have to be for.", valueName: "realm"))
    var realm: String?

    @Flag(name: .customLong("tls"), help: "Speak TLS, as servers from ZEO 5 on can; the other options of TLS mean it.")
    var usesTLS = false

    @Option(
        name: .customLong("cert"),
        help: ArgumentHelp("Our certificate, which the server asks for: a PEM file.", valueName: "file"))
    var certificate: String?

    @Option(
        name: .customLong("key"),
        help: ArgumentHelp("Its private key: a PEM file (in that of the certificate).", valueName: "file"))
    var key: String?

    @Option(
        name: .customLong("key-password-fd"),
        help: ArgumentHelp("The key's pass phrase is a line that this descriptor gives.", valueName: "n"))
    var keyPasswordDescriptor: Int?

    @Option(
        name: .customLong("ca"),
        help: ArgumentHelp(
            "Who may vouch for the server: a PEM file, or a directory of them (those of the system).",
            valueName: "file|directory"))
    var authorities: String?

    @Option(
        name: .customLong("server-name"),
        help: ArgumentHelp("The name in the server's certificate (the host of the address).", valueName: "name"))
    var serverName: String?

    @Flag(name: .customLong("no-check-hostname"), help: "Take the server's certificate whatever name is in it.")
    var ignoresServerName = false

    @Option(
        name: .customLong("ssh"),
        help: ArgumentHelp(
            "Reach the server through ssh to this host; the address is as seen from there.", valueName: "user@host"))
    var ssh: String?

    /// The environment's variables that hold what options must not.
    static let passwordVariable = "ZEOSHELL_PASSWORD"
    static let keyPasswordVariable = "ZEOSHELL_KEY_PASSWORD"

    func validate() throws {
        if passwordDescriptor != nil, passwordDescriptor == keyPasswordDescriptor {
            throw ValidationError("--login-password-fd and --key-password-fd: two descriptors")
        }
    }

    private var mentionsTLS: Bool {
        usesTLS || certificate != nil || key != nil || keyPasswordDescriptor != nil || authorities != nil
            || serverName != nil || ignoresServerName
    }

    /// Puts into `options` what the flags say, over what a service or a configuration has put there before; then what is
    /// secret: from a descriptor, from the environment, or from the person at the terminal.
    /// - Parameter place: what is opened, for questions.
    /// - Throws: `ShellFailure` for what does not fit together, and when there is a password missing and nobody to be asked.
    func apply(to options: inout OpeningOptions, for place: StorageAddress, in session: Session) throws {
        options.tunnelMayAsk = session.questions != nil
        guard place.mayBeServer(through: ssh ?? options.tunnel) else { return try refuse(place) }
        options.tunnel = ssh ?? options.tunnel
        try applyTLS(&options, session)
        try applyLogin(&options, place, session)
    }

    /// A file of this machine is asked nothing; who says otherwise is told.
    private func refuse(_ place: StorageAddress) throws {
        let flags: [(String, Bool)] = [
            ("--ssh", ssh != nil), ("--username", username != nil), ("--tls and its like", mentionsTLS),
        ]
        guard let flag = flags.first(where: \.1)?.0 else { return }
        throw ShellFailure(
            "usage", .usage, at: place.description, "\(flag): only servers know that, and this is a file",
            advice: "leave it out, or name a server: HOST:PORT")
    }

    private func applyTLS(_ options: inout OpeningOptions, _ session: Session) throws {
        guard mentionsTLS || options.tls != nil else { return }
        var tls = options.tls ?? TLSSettings()
        if let certificate { (tls.certificate, tls.key) = (certificate, key) }
        if let key { tls.key = key }
        if let authorities { tls.authorities = authorities }
        if let serverName { tls.serverName = serverName }
        if ignoresServerName { tls.checksServerName = false }
        tls.certificate = tls.certificate.map { expanded($0, session) }
        tls.key = tls.key.map { expanded($0, session) }
        tls.authorities = tls.authorities.map { expanded($0, session) }
        if let keyPasswordDescriptor {
            let option = "--key-password-fd"
            tls.passphrase = text(try Secret.descriptor(keyPasswordDescriptor, of: option))
        } else if tls.passphrase == nil, try tls.keyIsEncrypted() {
            let file = tls.key ?? tls.certificate ?? ""
            tls.passphrase =
                try session.environment[Self.keyPasswordVariable]
                ?? ask(
                    "Pass phrase of \(file):", "\(file) is encrypted, and nobody is there to type its pass phrase",
                    "--key-password-fd N, or \(Self.keyPasswordVariable)", session)
        }
        options.tls = tls
    }

    private func applyLogin(_ options: inout OpeningOptions, _ place: StorageAddress, _ session: Session) throws {
        let given = options.login
        guard let user = username ?? given?.user else {
            let flag = realm != nil ? "--realm" : "--login-password-fd"
            guard realm == nil, passwordDescriptor == nil else {
                throw ShellFailure.usage("\(flag) is about a login, and there is no user", advice: "--username NAME")
            }
            return
        }
        // A password that was found with another name is not of this one.
        let known = username == nil || username == given?.user ? given?.password ?? "" : ""
        let password: String
        if let passwordDescriptor {
            password = text(try Secret.descriptor(passwordDescriptor, of: "--login-password-fd"))
        } else if !known.isEmpty {
            password = known
        } else {
            password =
                try session.environment[Self.passwordVariable]
                ?? ask(
                    "Password of \(user) at \(place):", "no password for \(user), and nobody is there to type one",
                    "--login-password-fd N, or \(Self.passwordVariable)", session)
        }
        options.login = Credentials(user: user, password: password, realm: realm ?? given?.realm)
    }

    private func ask(_ question: String, _ what: String, _ advice: String, _ session: Session) throws -> String {
        guard let questions = session.questions else { throw ShellFailure("no-password", .usage, what, advice: advice) }
        session.progress.clear()
        return try questions.secret(TerminalText.escaped(question))
    }

    private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    /// At the prompt nobody else expands it.
    private func expanded(_ path: String, _ session: Session) -> String {
        guard path.hasPrefix("~/"), let home = session.environment["HOME"] else { return path }
        return home + path.dropFirst(1)
    }
}

extension StorageAddress {
    /// Whether a server may be there: of a path that is none of this machine's sockets, only at the other end of a tunnel.
    fileprivate func mayBeServer(through tunnel: String?) -> Bool {
        switch location {
        case .server, .servers, .socket: true
        case .path: dataFile == nil || tunnel != nil
        case .file, .backup: false
        }
    }
}

extension Session {
    /// Tells what is worth knowing of the connection that was made, once.
    func noteConnection() {
        guard !settings.isQuiet, let remote = try? storage as? any RemoteStorage else { return }
        for remark in remote.remarks { Diagnostics.write("zeoshell: \(remark)\n") }
    }
}
