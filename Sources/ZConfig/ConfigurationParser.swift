extension ConfigurationDocument {
    /// Reads a file and all that it includes.
    ///
    /// - Throws: `ConfigurationError` with the line it is about; when the file itself cannot be read, with line 0.
    public init(path: String, host: ConfigurationHost) throws(ConfigurationError) {
        var parser = ConfigurationParser(host: host)
        try parser.read(IncludePath.normalized(path), from: SourceLocation(file: path, line: 0))
        self = parser.document
    }

    /// Reads of a file what can be read: lines that are wrong are passed over, and a section ends where any other would end,
    /// and at the latest with its file. To find a thing or two in a configuration that is wrong elsewhere.
    ///
    /// - Throws: `ConfigurationError` when the file itself cannot be read.
    public init(passingOverErrorsIn path: String, host: ConfigurationHost) throws(ConfigurationError) {
        var parser = ConfigurationParser(host: host, isLenient: true)
        try parser.read(IncludePath.normalized(path), from: SourceLocation(file: path, line: 0))
        self = parser.document
    }

    /// Reads a text as if it were the contents of the file at `path`, which need not exist.
    public init(_ bytes: [UInt8], path: String, host: ConfigurationHost) throws(ConfigurationError) {
        var parser = ConfigurationParser(host: host)
        try parser.parse(bytes, of: path)
        self = parser.document
    }
}

/// Text to a tree of sections, line by line.
///
/// Source: ZConfig 4.3, `ZConfig/cfgparser.py`; what it does with odd lines is done here too.
struct ConfigurationParser {
    /// Deeper nesting is no configuration any more, and a tree without a limit could exhaust the stack.
    static let sectionLimit = 100
    /// Files that are read where errors are passed over: then a file that includes itself twice would multiply without end.
    static let lenientFileLimit = 200
    /// Paths by way of a symbolic link to its own directory never repeat: the cycle check alone would not end.
    static let includeLimit = 50

    private let host: ConfigurationHost
    private let isLenient: Bool
    private var substitution: Substitution
    private var imports: [ConfigurationImport] = []
    /// The open sections, outermost first; the first is the document, which nothing closes.
    private var open: [ConfigurationSection]
    /// The files being read, each included by the one before.
    private var files: [String] = []
    private var readCount = 0
    private var location = SourceLocation(file: "", line: 0)

    init(host: ConfigurationHost, isLenient: Bool = false) {
        self.host = host
        self.isLenient = isLenient
        substitution = Substitution(variable: host.variable)
        open = []
    }

    var document: ConfigurationDocument { ConfigurationDocument(root: open[0], imports: imports) }

    mutating func read(_ path: String, from includer: SourceLocation) throws(ConfigurationError) {
        let bytes: [UInt8]
        do throws(UnreadableFile) {
            bytes = try host.readFile(path)
        } catch {
            throw ConfigurationError(.unreadable(path, why: error.why), at: includer)
        }
        try parse(bytes, of: path)
    }

    /// Into the section that is open: what this text opens it must close.
    mutating func parse(_ bytes: [UInt8], of path: String) throws(ConfigurationError) {
        let includer = location
        files.append(path)
        defer {
            files.removeLast()
            location = includer
        }
        if open.isEmpty {
            open.append(ConfigurationSection(type: "", name: nil, location: SourceLocation(file: path, line: 0)))
        }
        let depth = open.count
        // Lines end at a line feed alone: a carriage return is white space before it.
        let feed = UInt8(ascii: "\n")
        let lines = (bytes.last == feed ? bytes.dropLast() : bytes[...])
            .split(separator: feed, omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() {
            location = SourceLocation(file: path, line: index + 1)
            do throws(ConfigurationError) {
                guard let text = String(validating: line, as: UTF8.self) else { throw self.error(.notUTF8) }
                try parse(line: text[...].unicodeScalars.stripped(), outermost: depth)
            } catch {
                guard isLenient else { throw error }
            }
        }
        if open.count > depth, let section = open.last {
            guard isLenient else { throw error(.unclosedSection(section.type, opened: section.location)) }
            close(downTo: depth)
        }
    }

    private func error(_ reason: ConfigurationError.Reason) -> ConfigurationError {
        ConfigurationError(reason, at: location)
    }

    private mutating func parse(
        line: Substring.UnicodeScalarView, outermost: Int
    ) throws(ConfigurationError) {
        switch line.first {
        case nil, "#": return
        case "<":
            guard line.last == ">", line.count > 1 else { throw error(.unclosedBracket(line.text)) }
            let inside = line.dropFirst().dropLast()
            if inside.first == "/" {
                try close(inside.dropFirst().droppingTrailingSpace().text.lowercased(), outermost: outermost)
            } else {
                try start(inside)
            }
        case "%": try directive(line.dropFirst())
        default:
            guard let (key, value) = Self.keyAndValue(line) else { throw error(.malformedLine(line.text)) }
            open[open.count - 1].keys.append(
                ConfigurationKey(key: key, value: try replaced(value), location: location))
        }
    }

    /// A key ends at white space, or before a bracket, which belongs to the value then.
    private static func keyAndValue(_ line: Substring.UnicodeScalarView) -> (key: String, value: String)? {
        let (key, rest) = line.split { $0.isPythonSpace || $0 == "(" || $0 == ")" }
        return key.isEmpty ? nil : (key.text, rest.droppingSpace().text)
    }

    private func replaced(_ text: String) throws(ConfigurationError) -> String {
        do throws(SubstitutionError) {
            return try substitution.replace(text)
        } catch {
            throw self.error(.substitution(error, in: text))
        }
    }

    // MARK: Sections

    private mutating func start(_ inside: Substring.UnicodeScalarView) throws(ConfigurationError) {
        let isEmpty = inside.last == "/"
        let text = (isEmpty ? inside.dropLast() : inside).droppingTrailingSpace()
        let words = text.split(whereSeparator: \.isPythonSpace)
        guard let first = text.first, !first.isPythonSpace, words.count <= 2, !text.contains("("), !text.contains(")")
        else { throw error(.malformedSectionHeader(inside.text)) }
        guard open.count <= Self.sectionLimit else { throw error(.tooDeep(limit: Self.sectionLimit, what: "sections")) }
        let type = words[0].text.lowercased()
        let name = words.count == 2 ? words[1].text.lowercased() : nil
        if let name, name == "*" || name == "+" { throw error(.reservedSectionName(name)) }
        open.append(ConfigurationSection(type: type, name: name, location: location))
        if isEmpty { try close(type, outermost: 1) }
    }

    private mutating func close(_ type: String, outermost: Int) throws(ConfigurationError) {
        guard open.count > outermost, let section = open.last else {
            throw error(.unexpectedSectionEnd(found: type))
        }
        guard !isLenient else { return closeAnyhow(type, outermost) }
        open.removeLast()
        guard section.type == type else {
            throw error(.unbalancedSectionEnd(expected: section.type, opened: section.location, found: type))
        }
        if let name = section.name, let first = open[open.count - 1].sections.first(where: { $0.name == name }) {
            throw ConfigurationError(.repeatedSectionName(name, first: first.location), at: section.location)
        }
        open[open.count - 1].sections.append(section)
    }

    /// Closes the innermost section of this type, and those in it that were not closed; without one, the innermost of all,
    /// whose name has been written in two ways.
    private mutating func closeAnyhow(_ type: String, _ outermost: Int) {
        let found = open.indices.last { $0 >= outermost && open[$0].type == type }
        close(downTo: found ?? open.count - 1)
    }

    /// Until so many sections are open, the document counted.
    private mutating func close(downTo count: Int) {
        while open.count > count, let section = open.popLast() { open[open.count - 1].sections.append(section) }
    }

    // MARK: Directives

    private mutating func directive(_ rest: Substring.UnicodeScalarView) throws(ConfigurationError) {
        guard let (name, argument) = Self.keyAndValue(rest), ["define", "import", "include"].contains(name) else {
            throw error(.unknownDirective(rest.text))
        }
        guard !argument.isEmpty else { throw error(.missingArgument(directive: name)) }
        switch name {
        case "define": try define(argument)
        case "import": imports.append(ConfigurationImport(package: try replaced(argument), location: location))
        default: try include(try replaced(argument))
        }
    }

    /// The same definition may be repeated. ZConfig compares what the first became with what the second says before
    /// anything is replaced in it, so that one with a `$` in it cannot; so it is here.
    private mutating func define(_ argument: String) throws(ConfigurationError) {
        let (word, rest) = argument[...].unicodeScalars.split(before: \.isPythonSpace)
        let (name, value) = (word.text.lowercased(), rest.droppingSpace().text)
        if let old = substitution.definitions[name], old != value {
            throw error(.redefinition(name: name, value: old, new: value))
        }
        guard Substitution.isName(name) else { throw error(.notAName(name)) }
        substitution.definitions[name] = try replaced(value)
    }

    private mutating func include(_ address: String) throws(ConfigurationError) {
        guard let path = IncludePath(address, from: location.file)?.path else {
            throw error(.unsupportedInclude(address))
        }
        guard !files.contains(path) else { throw error(.cycle(files + [path])) }
        readCount += 1
        guard files.count < Self.includeLimit, !isLenient || readCount < Self.lenientFileLimit else {
            throw error(.tooDeep(limit: Self.includeLimit, what: "files"))
        }
        try read(path, from: location)
    }
}
