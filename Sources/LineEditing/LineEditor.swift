/// Where lines come from: a terminal with editing, or a pipe.
///
/// One thread's; not Sendable.
public protocol LineEditor: AnyObject {
    /// The next line without its line end, or nil at the end of input (Ctrl-D, a closed pipe).
    ///
    /// `prompt` may hold SGR sequences (`ESC [ … m`); they take no room. A reader that shows no prompt ignores it.
    func readLine(prompt: String) throws(LineEditingError) -> String?
    /// Notes a line in the history; lines that start with a space are not noted.
    func remember(_ line: String)
    /// The remembered lines, oldest first.
    var history: [String] { get }
}

/// Why there is no line.
public enum LineEditingError: Error, Hashable, Sendable {
    /// Ctrl-C: forget this line, show a new prompt.
    case cancelled
    /// The program was asked to end (SIGTERM, SIGHUP).
    case terminated
    /// Reading failed; the error number.
    case io(errno: Int32)
}

/// What happened, apart from a key being pressed, while an editor waited for input.
public enum EditorEvent: Hashable, Sendable {
    case interrupt
    case terminate
    case resize
    /// The program was stopped (Ctrl-Z) and goes on.
    case resume
}

/// A source of events that can wake a waiting editor: signals, in practice.
public protocol EditorEventSource: AnyObject {
    /// Becomes readable when there is an event; -1 when there never is one.
    var descriptor: Int32 { get }
    /// The next event, or nil.
    func next() -> EditorEvent?
}

/// What could stand at the cursor.
public struct Completions: Sendable {
    public struct Candidate: Hashable, Sendable {
        /// The text to put into the line, quoted as the line's grammar wants it.
        public var insertion: String
        /// What the list shows; must not hold control characters.
        public var display: String
        /// A remark for the list; empty for none.
        public var note: String
        /// Nothing more belongs to this word: a space follows.
        public var isWhole: Bool

        public init(_ insertion: String, display: String? = nil, note: String = "", isWhole: Bool = true) {
            self.insertion = insertion
            self.display = display ?? insertion
            self.note = note
            self.isWhole = isWhole
        }
    }

    /// How many bytes (UTF-8) before the cursor a candidate replaces.
    public var replacing: Int
    public var candidates: [Candidate]
    /// Not all candidates are here: time, or the limit, ran out.
    public var isPartial: Bool

    public init(replacing: Int, candidates: [Candidate], isPartial: Bool = false) {
        self.replacing = replacing
        self.candidates = candidates
        self.isPartial = isPartial
    }

    public static let none = Completions(replacing: 0, candidates: [])

    /// What all candidates begin with, in whole characters.
    public var commonPrefix: String {
        guard var prefix = candidates.first?.insertion[...] else { return "" }
        for candidate in candidates.dropFirst() {
            var end = prefix.startIndex
            var other = candidate.insertion.startIndex
            while end < prefix.endIndex, other < candidate.insertion.endIndex, prefix[end] == candidate.insertion[other]
            {
                end = prefix.index(after: end)
                other = candidate.insertion.index(after: other)
            }
            prefix = prefix[..<end]
        }
        return String(prefix)
    }
}

/// Finds completions for `line`, of which the first `cursor` bytes (UTF-8) stand before the cursor; must return by
/// `deadline` with what it has.
public typealias Completer = (_ line: String, _ cursor: Int, _ deadline: ContinuousClock.Instant) -> Completions
