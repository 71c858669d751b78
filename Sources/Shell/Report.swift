public import ZODB

/// What a command answers: a value, not text. A renderer makes text or JSON of it.
public struct Report {
    public enum Body {
        case nothing
        /// Many things of one kind.
        case table(Table)
        /// The facts about one thing, in order.
        case record([Field])
        /// What a job did: in a pipe one line of text, for people and machines the facts.
        case result(String, [Field])
        /// The facts about one thing, and what it consists of: `name` is what JSON calls the rows.
        case detailed([Field], name: String, Table)
        /// Texts that are more than a table's cell, such as objects written out.
        case documents(any Cursor<Document>, isList: Bool)
        /// The same of what happens while it is written: each goes out at once, in JSON an object a line.
        case liveDocuments(any Cursor<Document>)
        /// Values alone, as they are: a text, a number, a file's content.
        case values(any Cursor<Value>, isList: Bool)
        /// Bytes as they are: a blob's content.
        case bytes(any Cursor<[UInt8]>)
        /// The same of what is not asked for piece by piece, but writes: it passes on what the function it is given throws.
        case stream((_ write: @escaping ([UInt8]) throws -> Void) throws -> Void)
    }

    public var body: Body
    /// Asked once the body has been written: what else is to be said, and whether the answer is no.
    public var conclusion: () -> Conclusion
    /// What a person at a terminal sees instead of the body: something that takes over the screen, until it is left.
    var screen: ((_ style: Style, _ zone: LocalTime) throws -> ExitCode)?

    public init(_ body: Body, conclusion: @escaping () -> Conclusion = { Conclusion() }) {
        self.body = body
        self.conclusion = conclusion
    }

    public static var nothing: Report { Report(.nothing) }

    /// Somebody waits for what is yet to happen: no pager, no limit that was not asked for.
    var isLive: Bool {
        switch body {
        case .table(let table): table.isLive
        case .liveDocuments: true
        default: false
        }
    }

    /// A remark alone; it goes to standard error.
    public static func message(_ text: String) -> Report {
        Report(.nothing) { Conclusion(messages: [Message(text)]) }
    }

    public static func table(_ columns: [Column], _ rows: [[Cell]]) -> Report {
        Report(.table(Table(columns, ArrayCursor(rows))))
    }

    public static func record(_ fields: [Field]) -> Report { Report(.record(fields)) }

    public static func document(_ document: Document) -> Report {
        Report(.documents(ArrayCursor([document]), isList: false))
    }
}

extension Report {
    /// What is said after the body.
    public struct Conclusion {
        public var messages: [Message]
        /// Nothing found, a difference, a problem: exit code 1.
        public var isNegative: Bool
        /// What could not be shown, each told as an error; the last one's exit code is the command's.
        public var failures: [ShellFailure]
        /// The command's exit code, whatever the rest says: for those whose exit codes have meanings of their own.
        public var exitCode: ExitCode?

        public init(messages: [Message] = [], isNegative: Bool = false, failures: [ShellFailure] = []) {
            self.messages = messages
            self.isNegative = isNegative
            self.failures = failures
        }
    }

    /// A remark to the person; never data.
    public struct Message: Hashable, Sendable {
        public enum Severity: String, Sendable { case note, warning }
        public var severity: Severity
        public var text: String

        public init(_ text: String, severity: Severity = .note) {
            self.severity = severity
            self.text = text
        }
    }

    /// One column. `name` is stable: scripts and `--fields` use it.
    public struct Column: Hashable, Sendable {
        public enum Visibility: Sendable {
            case always
            /// In tables for people only when asked for; in machine formats always.
            case detail
        }

        public var name: String
        public var title: String
        public var visibility: Visibility
        public var tone: Tone
        /// May be cut to fit the screen.
        public var isFlexible: Bool

        public init(
            _ name: String, title: String? = nil, visibility: Visibility = .always, tone: Tone = .plain,
            isFlexible: Bool = false
        ) {
            self.name = name
            self.title = title ?? name
            self.visibility = visibility
            self.tone = tone
            self.isFlexible = isFlexible
        }
    }

    public struct Table {
        public var columns: [Column]
        public var rows: any Cursor<[Cell]>
        /// How many rows there are, when that is known without reading them.
        public var total: Int?
        /// The column that people want to see alone, its values side by side, as `ls` shows names.
        public var compactColumn: String?
        /// Rows come as something happens: each goes out at once, and JSON is an object a line.
        public var isLive = false

        public init(
            _ columns: [Column], _ rows: any Cursor<[Cell]>, total: Int? = nil, compactColumn: String? = nil
        ) {
            self.columns = columns
            self.rows = rows
            self.total = total
            self.compactColumn = compactColumn
        }
    }

    public struct Field: Hashable, Sendable {
        public var column: Column
        public var cell: Cell

        public init(_ column: Column, _ cell: Cell) {
            self.column = column
            self.cell = cell
        }

        public init(_ name: String, title: String? = nil, _ cell: Cell) {
            self.init(Column(name, title: title), cell)
        }
    }

    /// A value alone.
    public struct Value {
        /// Shown above it when there are several.
        public var title: String?
        /// Read once.
        public var bytes: any Cursor<[UInt8]>
        /// It takes a line end, when it has none.
        public var isText: Bool
        /// A complete JSON value; nil for the bytes in base64: `{"@b": "…"}`.
        public var json: String?

        public init(title: String?, bytes: any Cursor<[UInt8]>, isText: Bool, json: String?) {
            (self.title, self.bytes, self.isText, self.json) = (title, bytes, isText, json)
        }
    }

    /// A text for people, and the same as a JSON value.
    public struct Document: Hashable, Sendable {
        /// Shown above the text when there are several.
        public var title: String?
        public var text: String
        /// A complete JSON value.
        public var json: String

        public init(title: String? = nil, text: String, json: String) {
            self.title = title
            self.text = text
            self.json = json
        }
    }
}

/// One value of a report, typed: the format decides how it is written.
public indirect enum Cell: Hashable, Sendable {
    case none
    /// Any text, also from a database: renderers make it harmless.
    case text(String)
    /// A text, and a remark to it that only people are shown.
    case remarked(String, remark: String)
    /// A text that says that something is wrong.
    case alert(String)
    case integer(Int)
    /// Bytes.
    case size(Int)
    case boolean(Bool)
    case seconds(Double)
    /// Parts of a hundred, told to a tenth.
    case percent(Double)
    /// When a transaction was: its tid read as a time.
    case time(TransactionID)
    case tid(TransactionID)
    case oid(ObjectID)
    case list([Cell])
    /// A value in two notations: for people, and JSON.
    case value(text: String, json: String)
}

/// What a text is, for its colour.
public enum Tone: Hashable, Sendable {
    case plain, dim, strong, name, path, alert, heading, prompt, promptMark, danger
}

/// A cursor that asks a closure.
public final class ClosureCursor<Element>: Cursor {
    private let body: () throws(StorageError) -> Element?
    private var isAtEnd = false

    public init(_ body: @escaping () throws(StorageError) -> Element?) { self.body = body }

    public func next() throws(StorageError) -> Element? {
        guard !isAtEnd else { return nil }
        isAtEnd = true
        guard let element = try body() else { return nil }
        isAtEnd = false
        return element
    }
}

extension ClosureCursor {
    /// A cursor that is made when its first element is asked for.
    convenience init(deferred make: @escaping () throws(StorageError) -> any Cursor<Element>) {
        var made: (any Cursor<Element>)?
        self.init { () throws(StorageError) in
            if let made { return try made.next() }
            let cursor = try make()
            made = cursor
            return try cursor.next()
        }
    }
}
