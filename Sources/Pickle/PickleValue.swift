/// A value by itself, apart from any pickle: what is to be written into one.
///
/// A tree without sharing: what was shared in a document is here twice. It is written by `PickleEncoder` and put into
/// a document by `PickleEdit`.
public indirect enum PickleValue: Hashable, Sendable {
    case none
    case bool(Bool)
    case integer(PickleInteger)
    case float(Double)
    /// UTF-8, lone surrogates as three bytes each.
    case text([UInt8])
    /// `bytes` of Python 3; in Python 2 `zodbpickle.binary`, which protocols below 3 do not have.
    case bytes([UInt8])
    /// A `str` of Python 2.
    case nativeString([UInt8])
    case byteArray([UInt8])
    case tuple([PickleValue])
    case list([PickleValue])
    /// In this order; a key that comes twice is written twice, and then the last one counts.
    case dict([Entry])
    case set([PickleValue])
    case frozenSet([PickleValue])
    case global(GlobalName)
    /// A persistent reference: what the pickler would give as the persistent id.
    case persistentID(PickleValue)
    /// A persistent id of protocol 0, as text.
    case persistentText([UInt8])
    case instance(Instance)
    case extensionCode(Int)

    public struct Entry: Hashable, Sendable {
        public var key: PickleValue
        public var value: PickleValue

        public init(key: PickleValue, value: PickleValue) {
            self.key = key
            self.value = value
        }
    }

    /// An object that Python makes by calling something. The parts are applied in the order of the properties.
    public struct Instance: Hashable, Sendable {
        public var kind: PickleInstance.Kind
        /// The callable or class, as a rule a global.
        public var callable: PickleValue
        public var arguments: [PickleValue]
        /// For `newObjectEx` only: a dict.
        public var keywords: PickleValue?
        /// Given to `append` or `add`.
        public var items: [PickleValue]
        public var entries: [Entry]
        /// The operand of each BUILD.
        public var states: [PickleValue]

        public init(
            _ kind: PickleInstance.Kind, _ callable: PickleValue, arguments: [PickleValue] = [],
            keywords: PickleValue? = nil, items: [PickleValue] = [], entries: [Entry] = [], states: [PickleValue] = []
        ) {
            self.kind = kind
            self.callable = callable
            self.arguments = arguments
            self.keywords = keywords
            self.items = items
            self.entries = entries
            self.states = states
        }
    }

    /// Deeper trees are neither read nor written: whoever walks one recurses.
    public static let depthLimit = 200
}

extension PickleValue {
    public static func integer(_ value: Int) -> PickleValue { .integer(PickleInteger(Int64(value))) }
    public static func text(_ value: some StringProtocol) -> PickleValue { .text(Array(value.utf8)) }
    public static func nativeString(_ value: some StringProtocol) -> PickleValue { .nativeString(Array(value.utf8)) }

    public static func global(_ module: String, _ name: String) -> PickleValue {
        .global(GlobalName(module: module, name: name))
    }

    /// `callable(*arguments)`, kept as a call.
    public static func call(_ module: String, _ name: String, _ arguments: PickleValue...) -> PickleValue {
        .instance(Instance(.reduce, .global(module, name), arguments: arguments))
    }

    /// The bytes of a string of any kind; nil for what is none.
    public var stringBytes: [UInt8]? {
        switch self {
        case .text(let bytes), .bytes(let bytes), .nativeString(let bytes): bytes
        default: nil
        }
    }

    /// The value as a document of its own, for whatever reads documents: text, JSON, comparing.
    ///
    /// Every kind keeps its own opcode there, so the document is for looking at and not for storing.
    public func document() throws(PickleValueError) -> PickleDocument {
        let bytes = try PickleEncoder.pickle(self, .everyKind)
        do throws(PickleError) {
            return try PickleDocument(bytes)
        } catch {
            throw .notAPickle(error)
        }
    }
}

/// A value that cannot be made of what was given, or not be written as it was asked for.
public enum PickleValueError: Error, Hashable, Sendable {
    case tooDeep(limit: Int)
    case tooManyValues(limit: Int)
    /// A value that contains itself.
    case cyclic
    /// What has no meaning outside its pickle, or is not read yet, in words.
    case notDetachable(String)
    /// A kind of value that the Python which reads the record has not, or cannot read at this protocol.
    case unreadable(kind: String, PickleStyle)
    /// A class or function name that a pickle cannot hold.
    case invalidName(GlobalName)
    /// A list, dict or set as a dict's key or in a set.
    case unhashable(String)
    /// JSON or Python text that does not say a value: what is wrong, and where in it (in bytes).
    case malformed(String, offset: Int)
    /// JSON that is well formed but not the notation of values; the marker or type at fault, in words.
    case unknownNotation(String)
    case notAPickle(PickleError)
}

extension PickleValueError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .tooDeep(let limit): "values are nested more than \(limit) deep"
        case .tooManyValues(let limit): "more than \(limit) values"
        case .cyclic: "the value contains itself"
        case .notDetachable(let what): "\(what) cannot be copied"
        case .unreadable(let kind, let style): "\(kind) cannot be stored here: the record is read by \(style)"
        case .invalidName(let name): "\(PythonString.escaped(name.description.utf8)) is no name that a pickle can hold"
        case .unhashable(let kind): "a \(kind) can be neither a key nor in a set"
        case .malformed(let reason, let offset): "\(reason) at offset \(offset)"
        case .unknownNotation(let what): what
        case .notAPickle(let error): error.description
        }
    }
}
