extension PickleDocument {
    /// What Python refuses although every opcode and argument is whole, and where it stands; nil when there is nothing.
    ///
    /// What a strict `ReferenceScanner` looks for, in documents that are beyond it: texts, and keys that cannot be keys.
    /// (Items put into what holds none are an error of the parser.) Linear in the size of the document.
    public var problem: (problem: ReferenceScanner.Problem, offset: Int)? {
        for record in nodes where !hasReadableText(record) { return (.text, Int(record.start)) }
        return unhashableKey.map { (.container, $0.offset) }
    }

    private func hasReadableText(_ record: NodeRecord) -> Bool {
        let argument = argument(of: record)
        switch record.opcode {
        case .binUnicode, .shortBinUnicode, .binUnicode8, .global:
            return source.withUnsafeBytes { ReferenceScanner.isText($0, argument.lowerBound, argument.count) }
        // Text of protocol 0: Python reads it as ASCII.
        case .inst, .persistentText: return source[argument].allSatisfy { $0 < 0x80 }
        default: return true
        }
    }
}
