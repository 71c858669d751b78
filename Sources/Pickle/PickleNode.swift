/// A value of a pickle, one level deep: its children are slots, to be looked up in turn.
public enum PickleNode: Hashable, Sendable {
    case none
    case bool(Bool)
    case integer(PickleInteger)
    case float(Double)
    /// Unicode text: UTF-8, in which Python leaves lone surrogates as three bytes each, so not always valid.
    case text([UInt8])
    /// `bytes` of Python 3, `zodbpickle.binary`: the opcodes `B` and `C`.
    case bytes([UInt8])
    /// A `str` of Python 2: the opcodes `S`, `T` and `U`. Text or data, Python 2 did not say.
    case nativeString([UInt8])
    case byteArray([UInt8])
    case tuple([PickleDocument.Slot])
    case list([PickleDocument.Slot])
    /// In the order of the pickle; a key may come twice, then the last one counts.
    case dict([PickleDocument.Entry])
    case set([PickleDocument.Slot])
    case frozenSet([PickleDocument.Slot])
    /// A class or function by name. Never looked up.
    case global(GlobalName)
    /// A persistent reference: what the pickler gave as the persistent id.
    case persistentID(PickleDocument.Slot)
    /// A persistent id of protocol 0, as text.
    case persistentText([UInt8])
    /// An object that Python would make by calling something.
    case instance(PickleInstance)
    /// A code of the `copyreg` extension registry: what it means only the process that wrote it knew.
    case extensionCode(Int)
    /// Data that protocol 5 sent outside the pickle.
    case outOfBandBuffer
}

/// The name of a class or function.
public struct GlobalName: Hashable, Sendable {
    public let module: String
    public let name: String

    public init(module: String, name: String) {
        self.module = module
        self.name = name
    }
}

extension GlobalName: CustomStringConvertible {
    public var description: String { "\(module).\(name)" }
}

/// An object that Python would make by calling something: what, with what, and what is done to it afterwards.
public struct PickleInstance: Hashable, Sendable {
    public enum Kind: Hashable, Sendable {
        /// `callable(*arguments)`.
        case reduce
        /// `class.__new__(class, *arguments)`.
        case newObject
        /// `class.__new__(class, *arguments, **keywords)`.
        case newObjectEx
        /// An old-style instance of Python 2, by the opcode INST or OBJ.
        case oldStyle
    }

    public let kind: Kind
    /// The callable or class; nil for INST, which has it as a name only.
    public let callable: PickleDocument.Slot?
    /// Its name, when it is a global.
    public let className: GlobalName?
    /// The one slot that holds the argument tuple (`reduce`, `newObject`, `newObjectEx`); nil for `oldStyle`.
    public let argumentTuple: PickleDocument.Slot?
    /// The arguments one by one, when they can be told: the tuple's items, or the items of an old-style instance.
    public let arguments: [PickleDocument.Slot]
    public let keywords: PickleDocument.Slot?
    /// The operands of each BUILD; one at most in what picklers write.
    public let states: [PickleDocument.Slot]
    /// What APPEND, APPENDS and ADDITEMS added.
    public let items: [PickleDocument.Slot]
    /// What SETITEM and SETITEMS set.
    public let entries: [PickleDocument.Entry]
}
