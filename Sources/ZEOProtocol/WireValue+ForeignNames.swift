extension WireValue {
    /// What pickles of clients may name: the paths in filters of undo logs, and what `copy_reg` writes of such an object; a
    /// subclass of bytes.
    ///
    /// Python's servers admit whole modules, builtins among them, and call what is named there. Nothing is called here;
    /// but a pickle with another name is an attack or a mistake, and must not get into a transaction's extension, which
    /// Python reads again from the Data.fs.
    private static let knownNames: Set<String> = [
        "ZopeUndo.Prefix.Prefix", "zodbpickle.binary", "copy_reg._reconstructor", "copyreg._reconstructor",
        "__builtin__.object", "builtins.object",
    ]

    /// A name in it that no client has a reason to send; nil when there is none.
    var foreignName: String? {
        switch self {
        case .none, .bool, .integer, .bigInteger, .float, .bytes, .text, .nativeString: return nil
        case .global(let module, let name):
            return Self.knownNames.contains("\(module).\(name)") ? nil : description
        case .tuple(let elements), .list(let elements): return Self.foreignName(in: elements)
        case .dict(let entries):
            for entry in entries {
                if let name = entry.key.foreignName ?? entry.value.foreignName { return name }
            }
            return nil
        case .instance(let instance):
            return instance.callable.foreignName ?? instance.arguments.foreignName ?? instance.state?.foreignName
                ?? Self.foreignName(in: instance.contents)
        }
    }

    private static func foreignName(in elements: [WireValue]) -> String? {
        for element in elements {
            if let name = element.foreignName { return name }
        }
        return nil
    }
}
