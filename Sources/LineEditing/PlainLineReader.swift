/// Lines without editing: from a pipe, a file, or a terminal that can do nothing (`TERM=dumb`).
///
/// Bytes that are not UTF-8 become U+FFFD. Reads a byte at a time: what it did not return stays for a child process.
public final class PlainLineReader: LineEditor {
    private let descriptor: Int32
    private let showsPrompt: Bool
    private let events: (any EditorEventSource)?
    public private(set) var history: [String] = []
    private var ended = false

    /// - Parameter showsPrompt: whether someone is there to see it; it goes to standard output, without colours.
    public init(descriptor: Int32 = 0, showsPrompt: Bool = false, events: (any EditorEventSource)? = nil) {
        self.descriptor = descriptor
        self.showsPrompt = showsPrompt
        self.events = events
    }

    public func readLine(prompt: String) throws(LineEditingError) -> String? {
        if ended { return nil }
        if showsPrompt { put(PromptText.plain(prompt), to: 1) }
        var line: [UInt8] = []
        while true {
            switch nextInput(descriptor, events) {
            case .byte(10):
                return String(decoding: line.last == 13 ? line.dropLast() : line[...], as: UTF8.self)
            case .byte(let byte):
                line.append(byte)
            case .end:
                ended = true
                return line.isEmpty ? nil : String(decoding: line, as: UTF8.self)
            case .event(.interrupt):
                if showsPrompt { put("\n", to: 1) }
                throw .cancelled
            case .event(.terminate): throw .terminated
            case .event(.resize), .event(.resume): continue
            case .failed(let number): throw .io(errno: number)
            }
        }
    }

    public func remember(_ line: String) {
        if HistoryFile.remembers(line, after: history.last) { history.append(line) }
    }
}
