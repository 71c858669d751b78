/// The variables of the environment that are meant for this program alone.
enum ProgramVariables {
    static let prefix = "ZEOSHELL_"

    /// Those that stand for no option.
    private static let others = ["ZEOSHELL_SERVICES", "ZEOSHELL_PAGER", "ZEOSHELL_COMPLETION_TIME"]

    /// A sentence for each that nobody asks for: what it was meant to set is not set.
    static func unknown(_ environment: Environment) -> [String] {
        let known = Setting.all.map(\.variable) + others
        return environment.names.sorted().filter { name in
            name.hasPrefix(prefix) && !name.hasPrefix("ZEOSHELL_VAR_") && !known.contains(name)
        }.map { name in
            let near = Suggestions.nearest(
                String(name.dropFirst(prefix.count)), among: known.map { String($0.dropFirst(prefix.count)) })
            let advice =
                near.first.map { "did you mean \(prefix)\($0) ?" } ?? "'help configuration' tells what can be set"
            return "\(TerminalText.escaped(name)) is no variable of zeoshell, and sets nothing (\(advice))"
        }
    }
}
