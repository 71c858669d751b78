internal import CLibEdit

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// Lines from a terminal, edited by libedit: history, search (Ctrl-R), completion (Tab), `~/.editrc`.
///
/// Signals are the program's own affair: libedit installs no handlers, the editor hears of them from its
/// `EditorEventSource` while it waits for a key.
public final class LibeditEditor: LineEditor {
    private let editor: OpaquePointer
    private let past: OpaquePointer
    private let file: HistoryFile?
    private let events: (any EditorEventSource)?
    private let completer: Completer
    /// How long a completion may take.
    private let patience: Duration

    public private(set) var history: [String]
    /// What libedit asked for last; it keeps the pointer until the next call.
    private var prompt: UnsafeMutablePointer<CChar>?
    /// Why the last read of a key returned none.
    private var failure: LineEditingError?

    /// Nil when libedit does not know the terminal.
    ///
    /// - Parameters:
    ///   - historyPath: where lines are kept from one run to the next; nil: nowhere.
    ///   - patience: how long a completion may take before it has to show what it has.
    public init?(
        historyPath: String?, patience: Duration, events: (any EditorEventSource)?,
        completer: @escaping Completer
    ) {
        guard let editor = libedit_start("zeoshell") else { return nil }
        guard let past = history_init() else {
            el_end(editor)
            return nil
        }
        self.editor = editor
        self.past = past
        self.events = events
        self.completer = completer
        self.patience = patience
        file = historyPath.map { HistoryFile(path: $0) }
        history = file?.load() ?? []
        setUp()
    }

    deinit {
        history_end(past)
        el_end(editor)
        free(prompt)
    }

    private func setUp() {
        // Unretained: the editor lives no longer than this object, and calls back only within its calls.
        libedit_set_client_data(editor, Unmanaged.passUnretained(self).toOpaque())
        libedit_set_signal_handling(editor, 0)
        libedit_set_prompt(editor, { LibeditEditor.of($0)?.prompt }, Self.mark)
        libedit_set_read_function(editor) { LibeditEditor.of($0)?.readKey(into: $1) ?? -1 }
        libedit_set_editor(editor, "emacs")
        libedit_add_function(editor, "complete", "Complete the word") { editor, _ in
            LibeditEditor.of(editor)?.complete() ?? UInt8(CC_ERROR)
        }
        for (key, function) in Self.keys { libedit_bind(editor, key, function) }
        libedit_history_set_size(past, 10_000)
        libedit_set_history(editor, past)
        for line in history { libedit_history_enter(past, line) }
        el_source(editor, nil)
    }

    /// Between two of these a prompt's text takes no room on the screen.
    private static let mark: CChar = 1

    private static let keys = [
        ("^I", "complete"), ("^R", "em-inc-search-prev"), ("^W", "ed-delete-prev-word"),
        ("\\e[1;5D", "ed-prev-word"), ("\\e[1;5C", "em-next-word"), ("\\e[3~", "ed-delete-next-char"),
        ("\\e[H", "ed-move-to-beg"), ("\\e[F", "ed-move-to-end"), ("\\e[1~", "ed-move-to-beg"),
        ("\\e[4~", "ed-move-to-end"),
    ]

    private static func of(_ editor: OpaquePointer?) -> LibeditEditor? {
        guard let editor, let data = libedit_client_data(editor) else { return nil }
        return Unmanaged<LibeditEditor>.fromOpaque(data).takeUnretainedValue()
    }

    public func readLine(prompt: String) throws(LineEditingError) -> String? {
        free(self.prompt)
        self.prompt = strdup(PromptText.marked(prompt, mark: "\u{1}"))
        failure = nil
        // libedit itself would show the prompt first: a key pressed in between were the terminal's, not ours.
        libedit_prepare_terminal(editor, 1)
        var count: Int32 = 0
        let line = el_gets(editor, &count)
        if let failure {
            put(failure == .cancelled ? "^C\n" : "\n", to: 1)
            throw failure
        }
        guard let line, count > 0 else { return nil }
        var text = String(cString: line)
        if text.utf8.last == 10 { text.removeLast() }
        return text
    }

    public func remember(_ line: String) {
        guard HistoryFile.remembers(line, after: history.last) else { return }
        history.append(line)
        libedit_history_enter(past, line)
        file?.append(line)
    }

    /// One character of input, or -1 with the reason in `failure`; 0 at the end of input.
    private func readKey(into character: UnsafeMutablePointer<wchar_t>?) -> Int32 {
        var bytes: [UInt8] = []
        while true {
            switch nextInput(0, events) {
            case .byte(let byte):
                bytes.append(byte)
                guard let scalar = Self.scalar(bytes) else { continue }
                character?.pointee = wchar_t(scalar.value)
                return 1
            case .end:
                return 0
            case .event(.resize):
                el_resize(editor)
                redraw()
            case .event(.resume):
                // Whoever ran meanwhile may have changed the terminal's modes.
                libedit_prepare_terminal(editor, 0)
                libedit_prepare_terminal(editor, 1)
                redraw()
            case .event(.interrupt):
                failure = .cancelled
                return -1
            case .event(.terminate):
                failure = .terminated
                return -1
            case .failed(let number):
                failure = .io(errno: number)
                return -1
            }
        }
    }

    /// The character that `bytes` spell, nil while they are only its beginning, U+FFFD when they spell none.
    private static func scalar(_ bytes: [UInt8]) -> Unicode.Scalar? {
        let length =
            switch bytes[0] {
            case 0xc2...0xdf: 2
            case 0xe0...0xef: 3
            case 0xf0...0xf4: 4
            default: 1
            }
        guard bytes.count >= length else { return nil }
        return String(decoding: bytes, as: UTF8.self).unicodeScalars.first
    }

    private func redraw() {
        put("\r\u{1b}[K", to: 1)
        libedit_refresh(editor)
    }
}

extension LibeditEditor {
    private func complete() -> UInt8 {
        guard let info = el_line(editor)?.pointee, let start = info.buffer, let cursor = info.cursor else {
            return UInt8(CC_ERROR)
        }
        let length = start.distance(to: info.lastchar)
        let line = UnsafeRawBufferPointer(start: start, count: max(0, length))
        let found = completer(
            String(decoding: line, as: UTF8.self), start.distance(to: cursor), .now.advanced(by: patience))
        guard !found.candidates.isEmpty else { return UInt8(CC_REFRESH_BEEP) }
        let before = line.prefix(start.distance(to: cursor))
        guard found.replacing >= 0, found.replacing <= before.count else { return UInt8(CC_ERROR) }
        let typed = String(decoding: before.suffix(found.replacing), as: UTF8.self)

        var text = found.commonPrefix
        if found.candidates.count == 1, !found.isPartial, found.candidates[0].isWhole { text += " " }
        if text != typed, text.utf8.count >= typed.utf8.count || found.candidates.count == 1 {
            // Characters, not bytes: libedit counts wide ones.
            el_deletestr(editor, Int32(typed.unicodeScalars.count))
            return el_insertstr(editor, text) == 0 ? UInt8(CC_REFRESH) : UInt8(CC_REFRESH_BEEP)
        }
        put("\n" + CandidateList(found, width: Self.terminalWidth).text, to: 1)
        return UInt8(CC_REDISPLAY)
    }

    private static var terminalWidth: Int {
        var size = winsize()
        return ioctl(1, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
    }
}
