internal import Storages
internal import ZODB

/// The prompt's text: `Data.fs /Plone FILE ›`, `db1:8800 /Plone OFFLINE ?›`, `db1:8800 /Plone @2026-10-01 10:00 ›`.
///
/// Words and marks, and colour besides: colour is never the only sign.
struct Prompt {
    var name: String?
    var path: String
    var isFile: Bool
    /// What may be done besides reading: `RW`, `OVERLAY`.
    var writing: String?
    /// Objects staged.
    var staged: Int
    /// Others have changed what is staged, or a commit failed.
    var isInConflict: Bool
    var isProduction: Bool
    var isConnected: Bool
    /// The moment of the past looked at.
    var past: String?
    /// Transactions that others committed since our snapshot.
    var news: Int
    /// Arrows may be shown as arrows.
    var isUTF8: Bool

    init(_ session: Session, isUTF8: Bool) {
        name = session.address.map { _ in session.databaseName }
        path = session.path
        isFile = (try? session.storage).map { !($0 is any RemoteStorage) } ?? false
        switch session.writingMode {
        case .readOnly: writing = nil
        case .readWrite: writing = "RW"
        case .overlay: writing = "OVERLAY"
        }
        staged = session.stagedCount
        isInConflict = !session.transaction.conflicts.isEmpty || session.transaction.doubt != nil
        isProduction = session.service?.isProduction ?? false
        isConnected = session.isConnected
        past = session.past.map { TimeText.short($0, session.settings.usesUTC ? .utc : .system) }
        news = session.news.count
        self.isUTF8 = isUTF8
    }

    func text(_ style: Style) -> String {
        let end = isUTF8 ? "›" : ">"
        guard let name else { return "zeoshell \(end) " }
        let nameTone: Tone = isProduction && writing == "RW" ? .danger : .prompt
        var parts = [style.text(TerminalText.escaped(name), nameTone), TerminalText.escaped(path)]
        if isFile { parts.append("FILE") }
        if !isConnected { parts.append(style.text("OFFLINE", .alert)) }
        if let writing { parts.append(style.text(writing, .alert)) }
        if let past { parts.append(style.text("@" + past, .promptMark)) }
        if news > 0 { parts.append(style.text((isUTF8 ? "↻" : "+") + String(news), .promptMark)) }
        if staged > 0 { parts.append(style.text("*" + String(staged), .promptMark)) }
        let marks = (isInConflict ? "!" : "") + (isConnected ? "" : "?")
        parts.append(style.text(marks, .alert) + end)
        return parts.joined(separator: " ") + " "
    }
}

/// What an interactive session begins with: what was opened, and what to type.
enum Banner {
    static func report(_ session: Session) -> Report {
        Report(.nothing) { Report.Conclusion(messages: lines(session).map { Report.Message($0) }) }
    }

    /// Two lines. What cannot be told is left out: the commands will say why.
    static func lines(_ session: Session) -> [String] {
        guard let address = session.address, let storage = try? session.storage else { return [] }
        var facts: [String] = []
        if let information = try? storage.information() {
            facts.append(information.kind)
            if let count = information.objectCount { facts.append("\(grouped(count)) objects") }
            if let size = information.size { facts.append(CellText.humanSize(size)) }
        }
        if session.snapshot != .none {
            var commit = "last commit " + TimeText.short(session.snapshot, session.settings.usesUTC ? .utc : .system)
            if let latest = try? TransactionText.latest(storage) {
                let people = CellText(isForPeople: true, zone: .system)
                let user = people.text(TransactionText.cell(latest.user)).trimmed
                let what = TransactionText.cell(latest.description)
                let text = TerminalText.cut(
                    people.text(what).split(separator: "\n").first.map(String.init) ?? "", to: 40)
                if !user.isEmpty { commit += " by \(user)" }
                if !text.isEmpty { commit += ": \(text)" }
            }
            facts.append(commit)
        } else {
            facts.append("empty")
        }
        facts.append(session.writingMode.title)
        if session.service?.isProduction == true { facts.append("production") }
        return [
            (session.service.map { "\($0.name), " } ?? "") + "\(address.description): "
                + facts.joined(separator: " · "),
            "help · ls · find · log — Tab completes, Ctrl-C cancels, Ctrl-D leaves",
        ]
    }
}
