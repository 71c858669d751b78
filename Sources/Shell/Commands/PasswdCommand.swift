internal import ArgumentParser
internal import ObjectGraph
internal import ZODB

struct PasswdCommand: EditingCommand {
    static let name = "passwd"
    static let summary = "give a user of a site a new password"
    static let synopsis = "USER [--folder PATH] [--password-file FILE | --password-fd N] [--role ROLE]… [--create]"
    static let operands: [OperandKind] = [.other]
    static let discussion = """
        The password is typed twice, and not shown; or read from a file or an open descriptor. It is never a part of the
        command, and neither history nor journal sees it. What is stored is its salted hash, {SSHA}, which every Zope
        reads. The user is one of a classic user folder or of a PluggableAuthService, by login name or id.
        Nothing is written before 'commit'; then the new password counts at once, also in a Zope that runs.
        """
    static let examples = [
        CommandExample("passwd admin", "of the application's own user folder"),
        CommandExample("passwd bob --folder /site", "of the one that guards /site"),
        CommandExample("passwd admin --role Manager", "who becomes a manager, if he was none"),
        CommandExample("passwd rescuer --create --role Manager", "a new user"),
        CommandExample("passwd admin --password-file /run/secrets/zope -y", "in a script"),
    ]

    @Argument(help: "Login name, or id.") var user: String
    @Option(help: ArgumentHelp("The user folder, or what it guards; / when left out.", valueName: "path"))
    var folder: String?
    @Option(
        name: .customLong("password-file"),
        help: ArgumentHelp("The password is the only line of this file.", valueName: "file"))
    var passwordFile: String?
    @Option(
        name: .customLong("password-fd"),
        help: ArgumentHelp("The password is a line that this descriptor gives.", valueName: "n"))
    var passwordDescriptor: Int?
    @Option(
        name: .customLong("role"),
        help: ArgumentHelp("A role that the user gets besides; may be repeated.", valueName: "role"))
    var roles: [String] = []
    @Flag(help: "Make the user, who must not be there yet.") var create = false
    @OptionGroup var editing: EditOptions

    func validate() throws {
        guard passwordFile == nil || passwordDescriptor == nil else {
            throw ValidationError("--password-file and --password-fd: one of them")
        }
    }

    func edit(_ session: Session) throws -> Report {
        let place = try session.place(folder ?? "/")
        let workspace = try session.workspace
        guard let folder = try workspace.userFolder(at: place) else {
            throw ShellFailure(
                "no-user-folder", .data, at: place.description, "no user folder there that can be read",
                advice: "'users /' finds those there are, 'rescue user-folder' what is wrong with one")
        }
        let entry = try workspace.user(user, in: folder)
        if entry == nil, !create {
            throw ShellFailure(
                "no-such-user", .data, at: folder.place.description, "no user '\(user)'",
                advice: "'users' lists them, --create makes one")
        }
        if entry != nil, create {
            throw ShellFailure(
                "exists", .refused, at: folder.place.description, "user '\(user)' is there already",
                advice: "leave out --create")
        }
        let hash = PasswordHash(try secret(for: entry?.login ?? user, in: folder, session))
        let remedy: Remedy?
        if let entry {
            remedy = try workspace.passwordRemedy(hash, for: entry, in: folder, granting: roles)
        } else {
            remedy = try workspace.newUserRemedy(user, hash, roles: roles, in: folder)
        }
        guard let remedy else {
            throw ShellFailure(
                "unsupported", .refused, at: folder.place.description,
                "this user folder keeps no \(entry == nil ? "users" : "roles") in the database",
                advice: "'ls \(folder.place)' shows its plugins")
        }
        try session.stage(remedy, at: folder.place)
        return Report(.nothing) { Self.conclusion(remedy, entry, roles, folder) }
    }

    private func secret(for user: String, in folder: UserFolder, _ session: Session) throws -> [UInt8] {
        if let passwordFile { return try Secret.file(passwordFile) }
        if let passwordDescriptor { return try Secret.descriptor(passwordDescriptor) }
        guard let questions = session.questions else {
            throw ShellFailure(
                "no-password", .refused, at: user, "nobody is there to type a password",
                advice: "--password-file FILE, or --password-fd N")
        }
        session.progress.clear()
        return try Secret.typed(
            TerminalText.escaped("New password for \(user) in \(folder.place):"), questions)
    }

    private static func conclusion(
        _ remedy: Remedy, _ user: UserEntry?, _ roles: [String], _ folder: UserFolder
    ) -> Report.Conclusion {
        var messages = [Report.Message("staged: \(remedy.what) in \(folder.place); 'commit' writes it")]
        let all = (user?.roles ?? []) + roles
        if !all.contains("Manager") {
            let text = all.isEmpty ? "no roles" : "the roles " + all.joined(separator: ", ")
            messages.append(Report.Message("the user has \(text), not Manager: --role Manager gives it"))
        }
        if let domains = user?.domains, !domains.isEmpty {
            messages.append(
                Report.Message("the user may log in only from \(domains.joined(separator: ", "))", severity: .warning))
        }
        return Report.Conclusion(messages: messages)
    }
}
