internal import ZODB

/// What to try when a server does not let us in, or we do not trust it.
extension ShellFailure {
    init(_ failure: LoginFailure, at address: String) {
        let advice: String
        switch failure {
        case .wanted:
            advice =
                "--username NAME; the password is asked for, or comes by --login-password-fd N or ZEOSHELL_PASSWORD"
        case .unknownKind: advice = "copy the Data.fs, or ask for a server without it, for this machine alone"
        case .otherRealm(_, let found): advice = "--realm '\(found)', if that is the right server; or leave --realm out"
        case .noSuchUser: advice = "the server's authentication-database lists its users, in lines of 'NAME: HASH'"
        case .wrongPassword: advice = "type it again; whoever keeps the server can give you a new one: zeoserver passwd"
        case .refused:
            advice =
                "--username NAME, if it has logins; else the <role> sections of its configuration decide, and its log says "
                + "who was refused and why"
        case .unproven: advice = "try again; if it happens again, do not trust the network in between"
        }
        switch failure {
        case .wanted: self.init("login-wanted", .refused, at: address, failure.description, advice: advice)
        case .unproven: self.init("unproven", .connection, at: address, failure.description, advice: advice)
        default: self.init("login-refused", .refused, at: address, failure.description, advice: advice)
        }
    }

    init(_ failure: TLSFailure, at address: String) {
        let (code, advice): (String, String?)
        var place = address
        var what = failure.description
        switch failure {
        case .file(let file, let path, let problem):
            (code, advice) = ("tls-file", Self.advice(file, path, problem))
            (place, what) = (path, problem.text(of: file))
        case .plainServer: (code, advice) = ("tls-plain", "leave --tls, --cert and --ca out")
        case .noAnswer:
            (code, advice) = ("silent", "is this the server's port, and does it speak TLS? --timeout waits longer")
        case .unknownAuthority:
            (code, advice) = ("tls-certificate", "--ca FILE names the authority that made it, if you trust that one")
        case .selfSigned:
            (code, advice) = ("tls-certificate", "--ca FILE with this certificate itself in it, if you trust it")
        case .expired:
            (code, advice) = ("tls-certificate", "the server needs a new one; is this machine's clock right?")
        case .notYetValid: (code, advice) = ("tls-certificate", "are the clocks of both machines right?")
        case .otherName(let expected, let names):
            // This machine by another of its names is the likeliest.
            let own = ["localhost", "127.0.0.1", "::1"]
            let likely = own.contains(expected) ? names.first(where: own.contains) : nil
            (code, advice) = (
                "tls-certificate",
                (likely ?? names.first).map { "--server-name '\($0)', if that is the right server" }
                    ?? "--no-check-hostname, if you must"
            )
        case .certificateRefused, .hungUp(hasCertificate: true):
            (code, advice) = (
                "tls-refused",
                "the server's log says why; `authenticate` in its <ssl> has to name ours or its authority"
            )
        case .certificateWanted, .hungUp(hasCertificate: false):
            (code, advice) = ("tls-refused", "--cert FILE, and --key FILE")
        case .closed:
            (code, advice) = ("tls", "the server's log says why; is this its port for TLS?")
        case .other: (code, advice) = ("tls", "the server's log may say more")
        }
        self.init(code, .connection, at: place, what, advice: advice)
        if case .file = failure { exitCode = .environment }
    }

    private static func advice(_ file: TLSFile, _ path: String, _ problem: TLSFileProblem) -> String? {
        let flag =
            switch file {
            case .certificate: "--cert"
            case .key: "--key"
            case .authorities: "--ca"
            }
        let quoted = Words.quoted(path)
        return switch problem {
        case .unreadable: "\(flag) takes a file that you can read"
        case .exposed: "chmod 600 \(quoted)"
        case .notPEM(isBinary: true):
            file == .key
                ? "openssl pkey -inform DER -in \(quoted) -out key.pem; or openssl pkcs12 -nodes -in \(quoted) -out both.pem"
                : "openssl x509 -inform DER -in \(quoted) -out cert.pem; or openssl pkcs12 -nodes -in \(quoted) -out both.pem"
        case .notPEM: file == .key ? "--key FILE names the file that it is in" : "\(flag) takes a PEM file"
        case .needsPassphrase: "--key-password-fd N, or ZEOSHELL_KEY_PASSWORD"
        case .wrongPassphrase: "type it again, or decrypt a copy: openssl pkey -in \(quoted)"
        case .otherCertificate: "--key FILE names the key that was made with the certificate"
        case .noCertificate: "--cert FILE"
        case .noHashes: "openssl rehash \(quoted), or name the file: --ca FILE"
        case .isDirectory: "name the file in it"
        }
    }
}
