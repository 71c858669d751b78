/// How a record is pickled: the protocol, and which Python must be able to read it.
public struct PickleStyle: Hashable, Sendable {
    /// 0 to 5.
    public var protocolNumber: Int
    /// Whether Python 2 reads it: then `str` and `unicode` are two kinds, and `int` and `long`.
    public var isPython2: Bool

    public init(protocolNumber: Int, isPython2: Bool) {
        precondition((0...5).contains(protocolNumber), "there are protocols 0 to 5")
        self.protocolNumber = protocolNumber
        self.isPython2 = isPython2
    }

    /// What ZODB on Python 3 writes.
    public static let python3 = PickleStyle(protocolNumber: 3, isPython2: false)
    /// What ZODB 3.8 to 5.3 on Python 2 writes, with cPickle.
    public static let python2 = PickleStyle(protocolNumber: 1, isPython2: true)
    /// What ZODB 5.4 and later on Python 2 writes, with zodbpickle.
    public static let zodbpickle2 = PickleStyle(protocolNumber: 3, isPython2: true)

    /// Every kind of value by an opcode of its own. No Python reads all of them.
    static let everyKind = PickleStyle(protocolNumber: 5, isPython2: true)
}

extension PickleStyle {
    /// The style of a document that exists, so that what is put into it can be read by whoever reads it now.
    ///
    /// - Parameter isPython2: what the database says (a file's magic, its other records). Without it the opcodes decide:
    ///   a native string, no PROTO, or a memo that begins at 1 mean Python 2.
    ///
    /// Without PROTO the protocol is 1, or 0 when there are opcodes that only protocol 0 writes.
    public init(of document: PickleDocument, isPython2: Bool? = nil) {
        let source = document.source
        // The state's PROTO, where there are two pickles: it is the state that is edited.
        let start = document.roots.count > 1 ? Int(document.roots[document.roots.count - 2].end) + 1 : 0
        if start + 1 < source.count, source[start] == Opcode.proto.rawValue {
            protocolNumber = Int(source[start + 1])
        } else if source.first == Opcode.proto.rawValue, source.count > 1 {
            protocolNumber = Int(source[1])
        } else {
            protocolNumber = document.hasTextOpcodes ? 0 : 1
        }
        protocolNumber = min(protocolNumber, 5)
        if let isPython2 {
            self.isPython2 = isPython2
        } else {
            self.isPython2 =
                protocolNumber < 2 || document.hasNativeStrings
                || (protocolNumber <= 3 && MemoMap.lowestNumber(of: document) == 1)
        }
    }

    /// A name: an attribute, a key that the code of a class uses. What Python calls `str`.
    public func name(_ name: some StringProtocol) -> PickleValue {
        isPython2 ? .nativeString(name) : .text(name)
    }

    /// The eight bytes of an object id, as references hold them.
    ///
    /// Protocol 3 has `bytes` for them (`zodbpickle.binary` in Python 2), older ones of Python 2 its `str`.
    public func objectID(_ bytes: [UInt8]) -> PickleValue {
        isPython2 && protocolNumber < 3 ? .nativeString(bytes) : .bytes(bytes)
    }
}

extension PickleStyle: CustomStringConvertible {
    public var description: String { "Python \(isPython2 ? 2 : 3) at pickle protocol \(protocolNumber)" }
}

extension PickleDocument {
    /// Whether an opcode made a value that only protocol 0 writes so.
    fileprivate var hasTextOpcodes: Bool {
        nodes.contains { node in
            switch node.opcode {
            case .string, .unicode, .float, .list, .dict, .inst, .persistentText: true
            default: false
            }
        }
    }
}
