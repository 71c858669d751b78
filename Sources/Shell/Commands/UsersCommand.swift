internal import ArgumentParser
internal import ObjectGraph
internal import ZODB

struct UsersCommand: ShellCommand {
    static let name = "users"
    static let summary = "list the users of every user folder below an object"
    static let synopsis = "[PATH…]"
    static let group = CommandGroup.search
    static let operands: [OperandKind] = [.path]
    static let discussion = """
        Classic user folders and the user managers of a PluggableAuthService, with the roles that its role managers give.
        Passwords are never shown, only how they are kept: SSHA, SHA, CRYPT, clear text.
        Exit code 1 when there are none.
        """
    static let examples = [
        CommandExample("users /", "of the whole application"),
        CommandExample("users / -o jsonl | jq -r 'select(.password == \"clear text\").user'", "whom to warn"),
    ]

    @Argument(help: "Where to look; where we are when left out.") var paths: [String] = []

    func run(in session: Session) throws -> Report {
        let operands = try session.places(paths)
        let workspace = try session.workspace
        let progress = session.progress
        var folders: (any Cursor<UserFolder>)?
        var users: (any Cursor<UserEntry>)?
        var count = 0
        let rows = ClosureCursor<[Cell]> { () throws(StorageError) in
            while true {
                if let user = try users?.next() {
                    count += 1
                    progress.update("listing", count, "users")
                    return Self.row(user)
                }
                users = nil
                if let folder = try folders?.next() {
                    users = try workspace.users(of: folder)
                    continue
                }
                guard let place = try operands.next() else { return nil }
                folders = workspace.userFolders(below: place)
            }
        }
        return Report(.table(Report.Table(Self.columns, rows))) {
            var conclusion = operands.conclusion
            if count == 0 { conclusion.isNegative = true }
            return conclusion
        }
    }

    private static let columns = [
        Report.Column("user", tone: .name), Report.Column("roles", isFlexible: true),
        Report.Column("domains", isFlexible: true), Report.Column("password"), Report.Column("path", tone: .path),
        Report.Column("id", visibility: .detail),
    ]

    private static func row(_ user: UserEntry) -> [Cell] {
        let scheme: Cell =
            switch user.passwordScheme {
            case .named(let name): .text(name)
            case .clearText: .alert("clear text")
            case .none: .text("none")
            }
        return [
            .text(user.login), .list(user.roles.map { .text($0) }), .list(user.domains.map { .text($0) }), scheme,
            .text(user.folder.description), .text(user.id),
        ]
    }
}
