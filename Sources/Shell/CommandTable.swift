/// Every command, in the order in which help lists them within their group.
///
/// The prompt, `zeoshell NAME …`, help and completion all read this list: a new command is one file, and one line here.
public enum CommandTable {
    public static var all: [any ShellCommand.Type] {
        [
            // move
            CdCommand.self,
            PwdCommand.self,
            // look
            LsCommand.self,
            TreeCommand.self,
            CatCommand.self,
            GetCommand.self,
            StatCommand.self,
            FileCommand.self,
            DisCommand.self,
            BlobCommand.self,
            InfoCommand.self,
            DuCommand.self,
            // search
            FindCommand.self,
            GrepCommand.self,
            RefsCommand.self,
            ReferrersCommand.self,
            UsersCommand.self,
            VerifyCommand.self,
            // change
            SetCommand.self,
            UnsetCommand.self,
            RemoveCommand.self,
            MoveCommand.self,
            CopyCommand.self,
            MakeFolderCommand.self,
            EditCommand.self,
            ExportCommand.self,
            ImportCommand.self,
            PasswdCommand.self,
            RescueCommand.self,
            // transaction
            ModeCommand.self,
            BeginCommand.self,
            StatusCommand.self,
            SavepointCommand.self,
            RollbackCommand.self,
            CommitCommand.self,
            AbortCommand.self,
            RetryCommand.self,
            PlanCommand.self,
            ApplyCommand.self,
            JournalCommand.self,
            // history
            LogCommand.self,
            ShowCommand.self,
            DiffCommand.self,
            BlameCommand.self,
            BisectCommand.self,
            UndoCommand.self,
            RevertCommand.self,
            DumpCommand.self,
            LoadDumpCommand.self,
            // server
            ServerInfoCommand.self,
            ClientsCommand.self,
            PingCommand.self,
            WatchCommand.self,
            TopCommand.self,
            CacheStatCommand.self,
            CacheClearCommand.self,
            PackCommand.self,
            CheckCommand.self,
            RefreshCommand.self,
            // backup
            BackupCommand.self,
            BackupVerifyCommand.self,
            BackupRestoreCommand.self,
            BackupListCommand.self,
            // shell
            HelpCommand.self,
            ConnectCommand.self,
            ServicesCommand.self,
            ConfigCommand.self,
            CompletionCommand.self,
            ManCommand.self,
            HistoryCommand.self,
            SourceCommand.self,
            TimingCommand.self,
            SetOptionCommand.self,
            QuitCommand.self,
        ]
    }

    /// The command of this name or alias.
    static func find(_ name: String) -> (any ShellCommand.Type)? { all.first { $0.names.contains(name) } }

    /// The command that the words begin with, and the words after its name, which may be of two: `backup verify`.
    static func find(leading words: [String]) -> (command: any ShellCommand.Type, arguments: [String])? {
        for count in [2, 1] where words.count >= count {
            if let command = find(words.prefix(count).joined(separator: " ")) {
                return (command, Array(words.dropFirst(count)))
            }
        }
        return nil
    }
}
