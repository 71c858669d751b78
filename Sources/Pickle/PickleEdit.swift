/// Changes to a document, collected and then made all at once.
///
///     var edit = PickleEdit(record.document)
///     try edit.setAttribute("title", to: .text("Home"), ofState: record.stateSlot)
///     let edited = try edit.finish()
///
/// Slots and nodes are those of the document that the edit began with. What is not touched keeps its bytes; a change to an
/// equal value is none, and without changes the document comes back as it is. A value shared by several places changes in
/// all of them when it is edited itself (`setEntry`, `insert` …); `replace` changes the one place.
public struct PickleEdit: Sendable {
    public typealias Slot = PickleDocument.Slot

    public let document: PickleDocument
    /// How new values are written.
    public let style: PickleStyle

    /// A value that takes a slot's place.
    struct Replacement: Sendable {
        var value: PickleValue
        var bytes: [UInt8]
    }

    var replacements: [Slot: Replacement] = [:]
    var containers: [ContainerKey: ContainerEdit] = [:]
    /// Names, by the node that has them.
    var names: [PickleDocument.NodeID: GlobalName] = [:]
    /// The first state of instances that have none.
    var newStates: [PickleDocument.NodeID: Replacement] = [:]

    /// An instance may have items and entries; they are edited apart.
    struct ContainerKey: Hashable, Sendable {
        var node: PickleDocument.NodeID
        var kind: ContainerSplices.Kind
    }

    /// - Parameter style: that of the document, as far as it tells, when left out. The caller often knows more: which Python
    ///   the database belongs to.
    public init(_ document: PickleDocument, style: PickleStyle? = nil) {
        self.document = document
        self.style = style ?? PickleStyle(of: document)
    }

    /// Whether nothing would change.
    public var isEmpty: Bool {
        replacements.isEmpty && containers.values.allSatisfy(\.isEmpty) && names.isEmpty && newStates.isEmpty
    }

    /// Puts `value` into this one place. A shared value stays as it is in the others.
    public mutating func replace(_ slot: Slot, with value: PickleValue) throws(PickleEditError) {
        let bytes = try opcodes(value)
        replacements[slot] = nil
        if isEqual(slot, value, bytes), !isChanged(slot, limit: bytes.count + 1) {
            return
        }
        replacements[slot] = Replacement(value: value, bytes: bytes)
    }

    /// Gives every use of a class or function name in the document another one.
    ///
    /// - Returns: how many values have the name.
    @discardableResult
    public mutating func rename(_ old: GlobalName, to new: GlobalName) throws(PickleEditError) -> Int {
        _ = try opcodes(.global(new))
        var count = 0
        for index in document.nodes.indices {
            let node = PickleDocument.NodeID(index: UInt32(truncatingIfNeeded: index))
            guard document.globalName(of: node) == old else { continue }
            count += 1
            names[node] = new == old ? nil : new
        }
        return count
    }

    /// Makes the changes.
    ///
    /// - Returns: the edited document, parsed again; the same one when nothing changes.
    public consuming func finish() throws(PickleEditError) -> PickleDocument {
        try finish(rules: .all)
    }

    func finish(rules: Splicer.Rules) throws(PickleEditError) -> PickleDocument {
        let cuts = try self.cuts()
        guard !cuts.isEmpty else { return document }
        guard !document.usesDuplicate else { throw .notEditable("a pickle with DUP") }
        try checkPlaces()
        let result: PickleDocument
        do throws(PickleError) {
            var splicer = Splicer(document, cuts)
            splicer.rules = rules
            let bytes = try splicer.result()
            result = try PickleDocument(bytes, document.roots.count == 1 ? .one : document.count)
        } catch {
            throw .brokenResult(error)
        }
        guard result.roots.count == document.roots.count else {
            throw .notEditable("a source that ends in bytes of another kind")
        }
        if let key = result.unhashableKey { throw .value(.unhashable(key.kind)) }
        return result
    }

    // MARK: Shared by the kinds of edits

    func opcodes(_ value: PickleValue) throws(PickleEditError) -> [UInt8] {
        do throws(PickleValueError) {
            return try PickleEncoder.opcodes(value, style)
        } catch {
            throw .value(error)
        }
    }

    /// Whether the slot holds this value already: equal when written in the document's style, to the bit.
    func isEqual(_ slot: Slot, _ value: PickleValue, _ bytes: [UInt8]) -> Bool {
        // As many values as the new one could have at most: one for each byte.
        guard let old = try? PickleValue(slot, in: document, limit: bytes.count + 1),
            let oldBytes = try? PickleEncoder.opcodes(old, style)
        else { return false }
        return oldBytes == bytes
    }

    /// Whether anything in the slot's value is to change. It holds no more than `limit` values.
    private func isChanged(_ slot: Slot, limit: Int) -> Bool {
        guard !isEmpty else { return false }
        let nodes = Set(containers.keys.map(\.node)).union(names.keys).union(newStates.keys)
        var stack = [slot]
        var remaining = limit * 2
        while let slot = stack.popLast() {
            remaining -= 1
            if remaining < 0 || nodes.contains(slot.node) || replacements[slot] != nil { return true }
            for step in document.steps(of: slot.node) { stack += document.operands(of: step) }
        }
        return false
    }

    private func cuts() throws(PickleEditError) -> [Splicer.Cut] {
        var cuts: [Splicer.Cut] = []
        for (slot, replacement) in replacements {
            cuts.append(Splicer.Cut(range: slot.range, bytes: replacement.bytes))
        }
        for (key, edit) in containers where !edit.isEmpty {
            cuts += ContainerSplices(document, key.node, key.kind, style, edit).cuts()
        }
        for (node, name) in names { cuts.append(try renaming(node, name)) }
        for (node, state) in newStates {
            guard let end = document.definingSlot(of: node)?.range.upperBound else { continue }
            cuts.append(
                Splicer.Cut(
                    range: end..<end, bytes: state.bytes + [Opcode.build.rawValue], belongsToPrevious: true,
                    order: ContainerSplices.stateOrder))
        }
        return try Self.sorted(cuts)
    }

    /// The opcode that makes the name, not the PUT behind it: every GET then has the new name.
    private func renaming(_ node: PickleDocument.NodeID, _ name: GlobalName) throws(PickleEditError) -> Splicer.Cut {
        let record = document.nodes[Int(node.index)]
        let range = document.start(of: node)..<document.argumentEnd(of: node)
        switch record.opcode {
        case .inst:
            return Splicer.Cut(range: range, bytes: [record.opcode.rawValue] + "\(name.module)\n\(name.name)\n".utf8)
        case .stackGlobal:
            // The module and the name stand before it, as texts.
            let first = document.constructorOperands(of: record).first
            let start = first?.range.lowerBound ?? range.lowerBound
            return Splicer.Cut(range: start..<range.upperBound, bytes: try opcodes(.global(name)))
        default:
            return Splicer.Cut(range: range, bytes: try opcodes(.global(name)))
        }
    }

    /// In the order of the source. Where empty ranges and others meet, what belongs to the value before comes first.
    static func sorted(_ cuts: [Splicer.Cut]) throws(PickleEditError) -> [Splicer.Cut] {
        func rank(_ cut: Splicer.Cut) -> (Int, Int, Int, Int) {
            (cut.range.lowerBound, cut.range.upperBound, cut.belongsToPrevious ? 0 : 1, cut.order)
        }
        let sorted = cuts.sorted { rank($0) < rank($1) }
        for (cut, next) in zip(sorted, sorted.dropFirst()) {
            let overlaps = next.range.lowerBound < cut.range.upperBound
            // An addition to a value that goes.
            let isLost =
                next.belongsToPrevious && !cut.range.isEmpty && cut.range.upperBound == next.range.lowerBound
            guard !overlaps, !isLost else { throw .overlapping(offset: next.range.lowerBound) }
        }
        return sorted
    }

    /// Python refuses a call whose callable or arguments are of another kind.
    private func checkPlaces() throws(PickleEditError) {
        guard !replacements.isEmpty else { return }
        for record in document.nodes {
            let needs: [(place: String, needs: String, PickleValue.Role)]
            switch record.opcode {
            case .reduce:
                needs = [("what is called", "a name", .callable), ("the arguments of a call", "a tuple", .tuple)]
            case .newObject:
                needs = [("a class", "a name", .callable), ("the arguments of a class", "a tuple", .tuple)]
            case .newObjectEx:
                needs = [
                    ("a class", "a name", .callable), ("the arguments of a class", "a tuple", .tuple),
                    ("the keyword arguments of a class", "a dict", .dict),
                ]
            case .obj: needs = [("a class", "a name", .callable)]
            case .stackGlobal: needs = [("a module's name", "text", .text), ("a name", "text", .text)]
            default: continue
            }
            for (slot, rule) in zip(document.constructorOperands(of: record), needs) {
                guard let replacement = replacements[slot], replacement.value.role != rule.2 else { continue }
                throw .unfitting(place: rule.place, needs: rule.needs)
            }
        }
    }
}

extension PickleValue {
    /// What it can stand for in a place that takes one kind only.
    enum Role { case callable, tuple, dict, text, other }

    var role: Role {
        switch self {
        case .global, .persistentID, .persistentText, .extensionCode, .instance: .callable
        case .tuple: .tuple
        case .dict: .dict
        case .text: .text
        default: .other
        }
    }
}
