internal import ArgumentParser

/// `zeoserver passwd`: who may log in.
struct PasswdCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "passwd", _superCommandName: ServerProgram.name,
        abstract: "Adds, changes or deletes a user in a file for authentication-database.",
        discussion: """
            The password is asked for twice on a terminal, or read from a line of standard input. A server takes up \
            the change at once.
            """)

    @Argument(help: "The file; it is made when there is none.") var file: String
    @Argument(help: "The user; without one, the users are listed.") var user: String?
    @Option(help: "What the passwords of a new file are for: authentication-realm, and `realm` of the clients (ZEO).")
    var realm: String?
    @Flag(name: .shortAndLong, help: "Delete the user.") var delete = false

    func run() throws {
        try telling {
            do {
                try change()
            } catch let error as PasswordDatabaseError {
                throw CommandFailure(at: file, "\(error)", advice: error.advice)
            }
        }
    }

    private func change() throws {
        guard let user else {
            guard realm == nil, !delete else {
                throw CommandFailure(
                    "\(delete ? "--delete" : "--realm") goes with a user", advice: "zeoserver passwd FILE USER")
            }
            let database = try PasswordDatabase(contentsOf: file)
            if let realm = database.realm { print("realm \(realm)") }
            for user in database.users { print(user) }
            return
        }
        var database = PasswordDatabase()
        if PrivateFile.exists(file) { database = try PasswordDatabase(contentsOf: file) }
        if let known = database.realm, let realm, realm != known {
            throw CommandFailure(
                at: file, "its passwords are for the realm '\(known)', not '\(realm)': nothing was changed",
                advice: "leave --realm out, or make a new file: each hash has the realm in it")
        }
        if delete {
            guard database.remove(user) else {
                throw CommandFailure(
                    at: file, "there is no user '\(user)'", advice: "'zeoserver passwd \(file)' lists those there are")
            }
        } else {
            if database.realm == nil { try database.set(realm: realm ?? "ZEO") }
            try database.set(user, password: try PasswordInput.read(for: user))
        }
        try PrivateFile.replace(file, Array(database.text.utf8))
    }
}
