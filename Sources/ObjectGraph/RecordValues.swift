internal import Pickle
internal import ZODB

/// Every value inside a record, with the way to it: attributes, keys, elements, whatever a pickle nests.
///
/// A value that appears in several places comes once for each place when it is a leaf; a container is entered once,
/// so that cycles end and shared parts are not walked twice. Nothing recurses: a pickle may nest a million deep.
struct RecordValues: Sequence, IteratorProtocol {
    struct Element {
        let slot: PickleDocument.Slot
        /// For `components(of:)` and `place(of:from:)`.
        let index: Int
        /// The key of an entry, itself a value that a search may look at; nil for others.
        let key: PickleDocument.Slot?
    }

    private enum Step {
        case attribute(PickleDocument.Slot)
        case state
        case argument(Int)
        case entry(key: PickleDocument.Slot, ordinal: Int)
        case element(Int)
    }

    private struct Link {
        var parent: Int32
        var slot: PickleDocument.Slot
        var step: Step
    }

    private let record: ObjectRecord
    private var links: [Link] = []
    /// Links still to be given, the next one last.
    private var stack: [Int32] = []
    private var entered: Set<PickleDocument.NodeID> = []

    private var document: PickleDocument { record.document }

    init(_ subject: Subject) {
        record = subject.record
        if subject.isObject { pushRoots(of: subject) } else { push(children(of: subject.slot, parent: -1)) }
    }

    mutating func next() -> Element? {
        guard let index = stack.popLast() else { return nil }
        let link = links[Int(index)]
        push(children(of: link.slot, parent: index))
        var key: PickleDocument.Slot?
        if case .entry(let slot, _) = link.step { key = slot }
        return Element(slot: link.slot, index: Int(index), key: key)
    }

    // MARK: What there is

    private mutating func pushRoots(of subject: Subject) {
        var roots: [Link] = []
        func add(_ step: Step, _ slot: PickleDocument.Slot) { roots.append(Link(parent: -1, slot: slot, step: step)) }
        func add(_ entries: [EntryList.Entry]) {
            for (index, entry) in entries.enumerated() { add(.entry(key: entry.key, ordinal: index), entry.value) }
        }
        // What the object contains goes by the names it has in a listing.
        if let entries = MappingAdapter.entries(of: subject) {
            add(entries.map { EntryList.Entry(key: $0.key, value: $0.value) })
            enter(subject.attribute("data") ?? subject.attribute("_container"))
        } else if let elements = SequenceAdapter.elements(of: subject) {
            for (index, slot) in elements.enumerated() { add(.element(index), slot) }
            enter(subject.attribute("data"))
        } else if let kind = BTreeState.Kind(record), case .leaf(let leaf)? = try? BTreePart(record, kind) {
            add(leaf.entries)
            enter(leafItems(kind))
        }
        for attribute in subject.attributes { add(.attribute(attribute.key), attribute.value) }
        for (index, slot) in Workspace.arguments(of: subject).enumerated() { add(.argument(index), slot) }
        for slot in subject.oddStates { add(.state, slot) }
        push(roots)
    }

    /// The tuple of a leaf's keys and values: `((key, value, …), next)`, and in a tree of one leaf `((that,),)`.
    private func leafItems(_ kind: BTreeState.Kind) -> PickleDocument.Slot? {
        var state = record.stateSlot
        for _ in 0..<(kind.isTree ? 2 : 0) {
            guard let inner = document.sequence(state)?.first else { return nil }
            state = inner
        }
        return document.sequence(state)?.first
    }

    private mutating func enter(_ slot: PickleDocument.Slot?) {
        if let slot { entered.insert(slot.node) }
    }

    private mutating func push(_ children: [Link]) {
        guard links.count + children.count < Int(Int32.max) else { return }
        for child in children.reversed() {
            stack.append(Int32(links.count))
            links.append(child)
        }
    }

    private mutating func children(of slot: PickleDocument.Slot, parent: Int32) -> [Link] {
        let contents = ValueAdapter.contents(of: slot, in: document)
        var instance: PickleInstance?
        if case .instance(let value) = document[slot] { instance = value }
        guard contents != nil || instance != nil, entered.insert(slot.node).inserted else { return [] }
        var children: [Link] = []
        func add(_ step: Step, _ slot: PickleDocument.Slot) {
            children.append(Link(parent: parent, slot: slot, step: step))
        }
        switch contents {
        case .mapping(let entries)?:
            for (index, entry) in entries.enumerated() { add(.entry(key: entry.key, ordinal: index), entry.value) }
        case .set(let elements)?:
            for (index, element) in elements.enumerated() { add(.entry(key: element, ordinal: index), element) }
        case .sequence(let elements)?:
            for (index, element) in elements.enumerated() { add(.element(index), element) }
        case nil: break
        }
        guard let instance else { return children }
        for state in instance.states {
            guard let dicts = document.attributeDicts(state) else {
                add(.state, state)
                continue
            }
            for entry in dicts.joined() { add(.attribute(entry.key), entry.value) }
        }
        for (index, argument) in instance.arguments.enumerated() { add(.argument(index), argument) }
        return children
    }

    // MARK: The way

    /// The steps from the subject to a value.
    func components(of index: Int) -> [Component] { way(to: index).map { component(of: $0.step) } }

    /// The value as a place below the subject's.
    func place(of index: Int, from start: Place) -> Place {
        way(to: index).reduce(start) { place, link in
            let isItem = if case .attribute = component(of: link.step) { false } else { true }
            return place.child(
                Node(component(of: link.step), link.slot, in: record, at: start.at, kind: isItem ? .item : .attribute))
        }
    }

    private func way(to index: Int) -> [Link] {
        var way: [Link] = []
        var index = index
        while links.indices.contains(index) {
            way.append(links[index])
            index = Int(links[index].parent)
        }
        return way.reversed()
    }

    private func component(of step: Step) -> Component {
        switch step {
        case .attribute(let key):
            let bytes = document.stringBytes(key) ?? []
            return .attribute(String(decoding: bytes, as: UTF8.self))
        case .state: return .attribute(Workspace.stateName)
        case .argument(let index): return .attribute(Workspace.argumentName(index))
        case .element(let index): return .key(.integer(PickleInteger(Int64(index))))
        case .entry(let key, let ordinal):
            guard let literal = PythonLiteral(key, in: document) else { return .ordinal(ordinal) }
            // Without a look at the other keys: spelled so that nothing else can be meant.
            if case .text(let bytes) = literal, bytes.contains(where: { $0 >= 0x80 }) { return .key(literal) }
            return Component(itemKey: literal)
        }
    }
}
