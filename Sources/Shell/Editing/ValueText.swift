internal import ArgumentParser
internal import ObjectGraph
internal import Pickle
internal import ZODB

/// How a value on the command line is to be read.
struct ValueOptions: ParsableArguments {
    @Flag(help: "VALUE is JSON, in the notation that 'get -o json' writes.") var json = false
    @Flag(help: "VALUE is a text as it stands, and no literal.") var text = false

    func validate() throws {
        if json, text { throw ValidationError("--json and --text exclude each other") }
    }
}

/// A value as a command line has it: a Python literal, `@FILE`, `#oid`, or JSON.
struct ValueText {
    let session: Session
    let options: ValueOptions

    /// - Parameters:
    ///   - style: of the record that takes it.
    ///   - old: what is there now: a plain string takes its kind.
    func value(_ word: String, _ style: PickleStyle, replacing old: PickleNode?) throws -> PickleValue {
        do {
            if word.hasPrefix("@"), !session.inputLine.isQuoted(word) {
                let bytes = try FilePaths.read(String(word.dropFirst()))
                if options.json { return try json(bytes, style) }
                return content(bytes, style, replacing: old)
            }
            if options.json { return try json(Array(word.utf8), style) }
            if options.text { return PickleValue(.string(Array(word.utf8)), style, replacing: old) }
            return try literal(word, style, replacing: old)
        } catch let error as PickleValueError {
            throw ShellFailure.usage(
                "\(Diagnostics.clipped(word)): \(error.description)", advice: "--text takes it as it stands")
        }
    }

    private func literal(_ word: String, _ style: PickleStyle, replacing old: PickleNode?) throws -> PickleValue {
        let isQuoted = session.inputLine.isQuoted(word)
        let text = PickleValue(.string(Array(word.utf8)), style, replacing: old)
        if word.hasPrefix("#"), !isQuoted { return .object(try reference(word)) }
        let parsed: PickleValue
        do throws(PickleValueError) {
            parsed = try PickleValueParser.value(parsing: word, style, replacing: old) { number in
                let oid = ObjectID(rawValue: number)
                return exists(oid) ? .object(oid) : nil
            }
        } catch {
            // Quotes say that it is a text, even where the shell has taken them off.
            if isQuoted { return text }
            throw error
        }
        guard isQuoted else { return parsed }
        switch parsed {
        case .none, .bool, .integer, .float:
            throw ShellFailure.usage(
                "'\(word)' in quotes may be meant as a text, or not", advice: "--text for the text; no quotes otherwise"
            )
        default: return parsed
        }
    }

    private func exists(_ oid: ObjectID) -> Bool { (try? session.workspace.editable(oid)) != nil }

    private func reference(_ word: String) throws -> ObjectID {
        let path = try Session.parse(word)
        guard case .object(let oid) = path.origin, path.steps.isEmpty, path.when == nil else {
            throw ShellFailure.usage("\(word) is no object's id", advice: "#1a2b")
        }
        guard exists(oid) else { throw ShellFailure(.noSuchObject(oid), at: word) }
        return oid
    }

    /// A file's content: text where it is text, unless bytes are to be replaced.
    private func content(_ bytes: [UInt8], _ style: PickleStyle, replacing old: PickleNode?) -> PickleValue {
        if case .bytes? = old { return .bytes(bytes) }
        guard String(validating: bytes, as: UTF8.self) != nil else {
            return style.isPython2 ? .nativeString(bytes) : .bytes(bytes)
        }
        return PickleValue(.string(bytes), style, replacing: old)
    }

    private func json(_ text: [UInt8], _ style: PickleStyle) throws -> PickleValue {
        try PickleValue(json: text, style) { reference in
            guard let oid = ObjectID(bytes: reference.oid), !reference.isWeak, reference.database == nil else {
                return PickleValue(reference, style)
            }
            return exists(oid) ? .object(oid) : nil
        }
    }
}
