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
    @Option(help: "What the passwords of a new file are for: authentication-realm, and `realm` of the clients.")
    var realm = "ZEO"
    @Flag(name: .shortAndLong, help: "Delete the user.") var delete = false

    func run() throws {
        do {
            try change()
        } catch let error as PasswordDatabaseError {
            throw ValidationError("\(file): \(error)")
        } catch let error as FileFailure {
            throw ValidationError("\(error)")
        }
    }

    private func change() throws {
        let isThere = PrivateFile.exists(file)
        guard let user else {
            let database = try PasswordDatabase(contentsOf: file)
            if let realm = database.realm { print("realm \(realm)") }
            for user in database.users { print(user) }
            return
        }
        var database = PasswordDatabase(realm: realm)
        if isThere { database = try PasswordDatabase(contentsOf: file) }
        if delete {
            guard database.remove(user) else { throw ValidationError("\(file): there is no user '\(user)'") }
        } else {
            if database.realm == nil { database.realm = realm }
            try database.set(user, password: try PasswordInput.read(for: user))
        }
        try PrivateFile.replace(file, Array(database.text.utf8))
    }
}
