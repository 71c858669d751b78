/// A reference as the JSON notation has it: `{"@ref": [oid, class]}`.
public struct JSONReference: Hashable, Sendable {
    /// Eight bytes.
    public let oid: [UInt8]
    public let className: GlobalName?
    public let isWeak: Bool
    /// The name of another database.
    public let database: String?
}

extension PickleValue {
    /// Makes what is stored for a reference; nil when there is no such object.
    public typealias ReferenceMaker = (JSONReference) -> PickleValue?

    /// Reads the notation that `PickleJSON` writes (`docs/formats/pickle.md`).
    ///
    /// A plain string is what the record's Python calls `str`. `"@py": 2` at the top says that it is Python 2's, for a value
    /// that comes from another database.
    ///
    /// - Parameter reference: by default a reference is stored as it is given: `(oid, class)`, or the oid alone.
    /// - Throws: `PickleValueError`, also for what stands for something that is not in the text: `@cut`, `@cycle`.
    public init(
        json text: [UInt8], _ style: PickleStyle, reference: ReferenceMaker? = nil
    ) throws(PickleValueError) {
        self = try PickleValue(json: try JSONTree(parsing: text), style, reference: reference)
    }

    public init(
        json tree: JSONTree, _ style: PickleStyle, reference: ReferenceMaker? = nil
    ) throws(PickleValueError) {
        var reader = JSONValueReader(style, isPython2: tree["@py"] == .number("2") || style.isPython2, reference)
        self = try reader.value(tree)
    }
}

private struct JSONValueReader {
    private let style: PickleStyle
    /// Whether a plain string stands for Python 2's `str`.
    private let isPython2: Bool
    private let reference: PickleValue.ReferenceMaker?
    private var depth = 0

    init(_ style: PickleStyle, isPython2: Bool, _ reference: PickleValue.ReferenceMaker?) {
        self.style = style
        self.isPython2 = isPython2
        self.reference = reference
    }

    private func unknown(_ what: String) -> PickleValueError { .unknownNotation("JSON: \(what)") }

    mutating func value(_ tree: JSONTree) throws(PickleValueError) -> PickleValue {
        guard depth < PickleValue.depthLimit else { throw .tooDeep(limit: PickleValue.depthLimit) }
        depth += 1
        defer { depth -= 1 }
        switch tree {
        case .null: return .none
        case .bool(let value): return .bool(value)
        case .number(let text): return try number(text)
        case .string(let bytes): return plain(bytes)
        case .array(let items): return .list(try values(items))
        case .object(let members): return try object(members)
        }
    }

    private mutating func values(_ trees: [JSONTree]) throws(PickleValueError) -> [PickleValue] {
        var values: [PickleValue] = []
        for tree in trees { values.append(try value(tree)) }
        return values
    }

    private func plain(_ bytes: [UInt8]) -> PickleValue { isPython2 ? .nativeString(bytes) : .text(bytes) }

    private func number(_ text: String) throws(PickleValueError) -> PickleValue {
        if text.contains(where: { ".eE".contains($0) }) {
            guard let value = Double(text), value.isFinite else { throw unknown("\(text) is too large a number") }
            return .float(value)
        }
        guard let value = PickleInteger(decimal: Array(text.utf8), isLong: false) else {
            throw unknown("a number of \(text.utf8.count) digits")
        }
        return .integer(value)
    }

    private mutating func object(_ members: [JSONTree.Member]) throws(PickleValueError) -> PickleValue {
        let names = members.map(\.name)
        guard names.contains(where: { $0.hasPrefix("@") }) else {
            guard Set(members.map(\.key)).count == members.count else { throw unknown("an object has a key twice") }
            var entries: [PickleValue.Entry] = []
            for member in members { entries.append(.init(key: plain(member.key), value: try value(member.value))) }
            return .dict(entries)
        }
        var parts: [String: JSONTree] = [:]
        for member in members {
            guard parts.updateValue(member.value, forKey: member.name) == nil else {
                throw unknown("\(quoted(member.name)) comes twice")
            }
        }
        parts["@py"] = nil
        let markers = Set(parts.keys)
        if markers.contains("@reduce") || markers.contains("@cls") { return try instance(parts) }
        if markers.contains("@ref") { return try reference(parts) }
        if markers.contains("@dt") { return try date(parts) }
        guard parts.count == 1, let (marker, content) = parts.first else {
            throw unknown("\(names.map { quoted($0) }.joined(separator: ", ")) do not go together")
        }
        return try one(marker, content)
    }

    private func quoted(_ name: String) -> String { PythonString.literal(name.utf8, limit: 40).text }

    /// An object with one marker.
    private mutating func one(_ marker: String, _ content: JSONTree) throws(PickleValueError) -> PickleValue {
        switch marker {
        case "@t": return .tuple(try values(try array(content, marker)))
        case "@set": return .set(try hashable(try values(try array(content, marker))))
        case "@fset": return .frozenSet(try hashable(try values(try array(content, marker))))
        case "@d": return .dict(try pairs(content, marker))
        case "@b": return .bytes(try base64(content, marker))
        case "@ba": return .byteArray(try base64(content, marker))
        case "@s2b": return .nativeString(try base64(content, marker))
        case "@u": return .text(try string(content, marker))
        case "@s2": return .nativeString(try string(content, marker))
        case "@bi", "@long":
            let digits = try string(content, marker)
            guard let value = PickleInteger(decimal: digits, isLong: marker == "@long") else {
                throw unknown("\(marker) needs decimal digits")
            }
            return .integer(value)
        case "@f":
            switch String(decoding: try string(content, marker), as: UTF8.self) {
            case "inf": return .float(.infinity)
            case "-inf": return .float(-.infinity)
            case "nan": return .float(.nan)
            default: throw unknown("@f is inf, -inf or nan")
            }
        case "@date", "@time":
            let name = String(marker.dropFirst())
            guard let date = PickleDate(name, iso: try string(content, marker)) else {
                throw unknown("\(marker) is no \(name) in ISO 8601")
            }
            return date.value(style, zone: nil)
        case "@pid": return .persistentID(try value(content))
        case "@ext":
            guard case .number(let text) = content, let code = Int(text), (1...Int(Int32.max)).contains(code) else {
                throw unknown("@ext needs a number")
            }
            return .extensionCode(code)
        case "@cut", "@cycle": throw unknown("\(marker) stands for a part that is not in the text")
        case "@kv", "@ks", "@children", "@next", "@first":
            throw unknown("\(marker) is the state of a BTree, which is changed by its keys")
        default: throw unknown("\(quoted(marker)) is no marker")
        }
    }

    // MARK: Parts

    private func array(_ tree: JSONTree, _ marker: String) throws(PickleValueError) -> [JSONTree] {
        guard case .array(let items) = tree else { throw unknown("\(marker) needs an array") }
        return items
    }

    private func string(_ tree: JSONTree, _ marker: String) throws(PickleValueError) -> [UInt8] {
        guard case .string(let bytes) = tree else { throw unknown("\(marker) needs a string") }
        return bytes
    }

    private func base64(_ tree: JSONTree, _ marker: String) throws(PickleValueError) -> [UInt8] {
        guard let bytes = Base64.bytes(try string(tree, marker)) else { throw unknown("\(marker) is no base64") }
        return bytes
    }

    private mutating func pairs(_ tree: JSONTree, _ marker: String) throws(PickleValueError) -> [PickleValue.Entry] {
        var entries: [PickleValue.Entry] = []
        for pair in try array(tree, marker) {
            guard case .array(let two) = pair, two.count == 2 else { throw unknown("\(marker) needs pairs") }
            let key = try value(two[0])
            if let kind = key.unhashableKind { throw .unhashable(kind) }
            entries.append(.init(key: key, value: try value(two[1])))
        }
        return entries
    }

    private func hashable(_ values: [PickleValue]) throws(PickleValueError) -> [PickleValue] {
        if let kind = values.lazy.compactMap(\.unhashableKind).first { throw .unhashable(kind) }
        return values
    }

    private func globalName(_ tree: JSONTree, _ marker: String) throws(PickleValueError) -> GlobalName {
        guard case .array(let parts) = tree, parts.count == 2, let module = parts[0].string, let name = parts[1].string
        else { throw unknown("\(marker) needs [module, name]") }
        return GlobalName(module: module, name: name)
    }

    private func reference(_ parts: [String: JSONTree]) throws(PickleValueError) -> PickleValue {
        guard Set(parts.keys).isSubset(of: ["@ref", "@weak", "@db"]), let content = parts["@ref"] else {
            throw unknown("@ref has @weak or @db beside it, nothing else")
        }
        let fields: [JSONTree]
        if case .array(let items) = content { fields = items } else { fields = [content] }
        guard (1...2).contains(fields.count), let digits = fields[0].string, digits.utf8.count == 16,
            let number = UInt64(digits, radix: 16), digits.first != "+"
        else { throw unknown("@ref needs an object id of 16 hexadecimal digits, or [id, class]") }
        var className: GlobalName?
        if fields.count == 2 {
            guard let dotted = fields[1].string, let dot = dotted.lastIndex(of: ".") else {
                throw unknown("@ref needs a class with its module: module.Class")
            }
            className = GlobalName(
                module: String(dotted[..<dot]), name: String(dotted[dotted.index(after: dot)...]))
        }
        let oid = withUnsafeBytes(of: number.bigEndian) { Array($0) }
        let found = JSONReference(
            oid: oid, className: className, isWeak: parts["@weak"] == .bool(true), database: parts["@db"]?.string)
        if let reference {
            guard let value = reference(found) else { throw unknown("there is no object \(digits)") }
            return value
        }
        return PickleValue(found, style)
    }

    private mutating func date(_ parts: [String: JSONTree]) throws(PickleValueError) -> PickleValue {
        guard Set(parts.keys).isSubset(of: ["@dt", "@tz"]), let content = parts["@dt"] else {
            throw unknown("@dt has @tz beside it, nothing else")
        }
        guard let date = PickleDate("datetime", iso: try string(content, "@dt")) else {
            throw unknown("@dt is no date and time in ISO 8601")
        }
        var zone: PickleValue?
        if let tree = parts["@tz"] { zone = try value(tree) }
        return date.value(style, zone: zone)
    }

    private mutating func instance(_ parts: [String: JSONTree]) throws(PickleValueError) -> PickleValue {
        let known: Set<String> = [
            "@cls", "@reduce", "@old", "@args", "@kwargs", "@items", "@entries", "@s", "@states",
        ]
        if let other = parts.keys.first(where: { !known.contains($0) }) {
            throw unknown("\(quoted(other)) does not belong to an instance")
        }
        var instance: PickleValue.Instance
        if let call = parts["@reduce"] {
            guard parts["@cls"] == nil, parts["@args"] == nil, parts["@kwargs"] == nil, parts["@old"] == nil,
                let callable = call["callable"], let arguments = call["args"],
                case .tuple(let items) = try value(arguments)
            else { throw unknown("@reduce needs a callable and args, a tuple") }
            instance = PickleValue.Instance(.reduce, try value(callable), arguments: items)
        } else {
            guard let named = parts["@cls"] else { throw unknown("an instance without @cls") }
            let callable: PickleValue
            if case .array = named {
                callable = .global(try globalName(named, "@cls"))
            } else {
                callable = try value(named)
            }
            if parts.count == 1, case .global = callable { return callable }
            guard parts.count > 1, callable.role == .callable else { throw unknown("@cls needs [module, name]") }
            let isOld = parts["@old"] == .bool(true)
            instance = PickleValue.Instance(isOld ? .oldStyle : .newObject, callable)
            if let arguments = parts["@args"] { instance.arguments = try values(try array(arguments, "@args")) }
            if let keywords = parts["@kwargs"] {
                guard !isOld, case .dict = try value(keywords) else { throw unknown("@kwargs needs an object") }
                instance.kind = .newObjectEx
                instance.keywords = try value(keywords)
            }
        }
        if let items = parts["@items"] { instance.items = try values(try array(items, "@items")) }
        if let entries = parts["@entries"] { instance.entries = try pairs(entries, "@entries") }
        if let state = parts["@s"] { instance.states = [try value(state)] }
        if let more = parts["@states"] { instance.states += try values(try array(more, "@states")) }
        return .instance(instance)
    }
}

extension PickleValue {
    /// A reference in the form that ZODB gives it.
    public init(_ reference: JSONReference, _ style: PickleStyle) {
        let oid = style.objectID(reference.oid)
        let database = reference.database.map { style.name($0) }
        let id: PickleValue
        if reference.isWeak {
            id = .list([style.name("w"), .tuple([oid] + (database.map { [$0] } ?? []))])
        } else if let database {
            if let name = reference.className {
                id = .list([style.name("m"), .tuple([database, oid, .global(name)])])
            } else {
                id = .list([style.name("n"), .tuple([database, oid])])
            }
        } else if let name = reference.className {
            id = .tuple([oid, .global(name)])
        } else {
            id = oid
        }
        self = .persistentID(id)
    }
}
