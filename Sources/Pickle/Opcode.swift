/// The opcodes of pickle protocols 0 to 5, as Python 2, Python 3 and zodbpickle write them.
///
/// Source: the tables of `pickletools.py` of CPython 3.11, and zodbpickle 4.
public enum Opcode: UInt8, Hashable, Sendable, CaseIterable, BitwiseCopyable {
    case mark = 0x28  // (
    case emptyTuple = 0x29  // )
    case stop = 0x2e  // .
    case pop = 0x30  // 0
    case popMark = 0x31  // 1
    case duplicate = 0x32  // 2
    case binBytes = 0x42  // B
    case shortBinBytes = 0x43  // C
    case float = 0x46  // F
    case binFloat = 0x47  // G
    case int = 0x49  // I
    case binInt = 0x4a  // J
    case binInt1 = 0x4b  // K
    case long = 0x4c  // L
    case binInt2 = 0x4d  // M
    case none = 0x4e  // N
    case persistentText = 0x50  // P
    case persistentID = 0x51  // Q
    case reduce = 0x52  // R
    case string = 0x53  // S
    case binString = 0x54  // T
    case shortBinString = 0x55  // U
    case unicode = 0x56  // V
    case binUnicode = 0x58  // X
    case emptyList = 0x5d  // ]
    case append = 0x61  // a
    case build = 0x62  // b
    case global = 0x63  // c
    case dict = 0x64  // d
    case appends = 0x65  // e
    case get = 0x67  // g
    case binGet = 0x68  // h
    case inst = 0x69  // i
    case longBinGet = 0x6a  // j
    case list = 0x6c  // l
    case obj = 0x6f  // o
    case put = 0x70  // p
    case binPut = 0x71  // q
    case longBinPut = 0x72  // r
    case setItem = 0x73  // s
    case tuple = 0x74  // t
    case setItems = 0x75  // u
    case emptyDict = 0x7d  // }
    case proto = 0x80
    case newObject = 0x81
    case extension1 = 0x82
    case extension2 = 0x83
    case extension4 = 0x84
    case tuple1 = 0x85
    case tuple2 = 0x86
    case tuple3 = 0x87
    case newTrue = 0x88
    case newFalse = 0x89
    case long1 = 0x8a
    case long4 = 0x8b
    case shortBinUnicode = 0x8c
    case binUnicode8 = 0x8d
    case binBytes8 = 0x8e
    case emptySet = 0x8f
    case addItems = 0x90
    case frozenSet = 0x91
    case newObjectEx = 0x92
    case stackGlobal = 0x93
    case memoize = 0x94
    case frame = 0x95
    case byteArray8 = 0x96
    case nextBuffer = 0x97
    case readOnlyBuffer = 0x98
}

extension Opcode {
    /// What follows the opcode byte.
    enum Argument {
        case nothing
        /// A fixed number of bytes.
        case fixed(Int)
        /// A little-endian length of so many bytes, then that many bytes.
        case counted(Int)
        /// Text lines, each ended by a line feed.
        case lines(Int)
    }

    var argument: Argument {
        switch self {
        case .proto, .binInt1, .binGet, .binPut, .extension1: .fixed(1)
        case .binInt2, .extension2: .fixed(2)
        case .binInt, .longBinGet, .longBinPut, .extension4: .fixed(4)
        case .binFloat, .frame: .fixed(8)
        case .shortBinBytes, .shortBinString, .shortBinUnicode, .long1: .counted(1)
        case .binBytes, .binString, .binUnicode, .long4: .counted(4)
        case .binBytes8, .binUnicode8, .byteArray8: .counted(8)
        case .int, .long, .float, .string, .unicode, .persistentText, .get, .put: .lines(1)
        case .global, .inst: .lines(2)
        default: .nothing
        }
    }

    /// Python's name of the opcode, as `pickletools` prints it.
    public var name: String {
        switch self {
        case .mark: "MARK"
        case .emptyTuple: "EMPTY_TUPLE"
        case .stop: "STOP"
        case .pop: "POP"
        case .popMark: "POP_MARK"
        case .duplicate: "DUP"
        case .binBytes: "BINBYTES"
        case .shortBinBytes: "SHORT_BINBYTES"
        case .float: "FLOAT"
        case .binFloat: "BINFLOAT"
        case .int: "INT"
        case .binInt: "BININT"
        case .binInt1: "BININT1"
        case .long: "LONG"
        case .binInt2: "BININT2"
        case .none: "NONE"
        case .persistentText: "PERSID"
        case .persistentID: "BINPERSID"
        case .reduce: "REDUCE"
        case .string: "STRING"
        case .binString: "BINSTRING"
        case .shortBinString: "SHORT_BINSTRING"
        case .unicode: "UNICODE"
        case .binUnicode: "BINUNICODE"
        case .emptyList: "EMPTY_LIST"
        case .append: "APPEND"
        case .build: "BUILD"
        case .global: "GLOBAL"
        case .dict: "DICT"
        case .appends: "APPENDS"
        case .get: "GET"
        case .binGet: "BINGET"
        case .inst: "INST"
        case .longBinGet: "LONG_BINGET"
        case .list: "LIST"
        case .obj: "OBJ"
        case .put: "PUT"
        case .binPut: "BINPUT"
        case .longBinPut: "LONG_BINPUT"
        case .setItem: "SETITEM"
        case .tuple: "TUPLE"
        case .setItems: "SETITEMS"
        case .emptyDict: "EMPTY_DICT"
        case .proto: "PROTO"
        case .newObject: "NEWOBJ"
        case .extension1: "EXT1"
        case .extension2: "EXT2"
        case .extension4: "EXT4"
        case .tuple1: "TUPLE1"
        case .tuple2: "TUPLE2"
        case .tuple3: "TUPLE3"
        case .newTrue: "NEWTRUE"
        case .newFalse: "NEWFALSE"
        case .long1: "LONG1"
        case .long4: "LONG4"
        case .shortBinUnicode: "SHORT_BINUNICODE"
        case .binUnicode8: "BINUNICODE8"
        case .binBytes8: "BINBYTES8"
        case .emptySet: "EMPTY_SET"
        case .addItems: "ADDITEMS"
        case .frozenSet: "FROZENSET"
        case .newObjectEx: "NEWOBJ_EX"
        case .stackGlobal: "STACK_GLOBAL"
        case .memoize: "MEMOIZE"
        case .frame: "FRAME"
        case .byteArray8: "BYTEARRAY8"
        case .nextBuffer: "NEXT_BUFFER"
        case .readOnlyBuffer: "READONLY_BUFFER"
        }
    }
}
