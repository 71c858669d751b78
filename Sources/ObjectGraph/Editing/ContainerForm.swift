internal import Pickle
internal import ZODB

/// How a container that lies in one record keeps its items, with the slot that has to be edited.
enum ContainerForm {
    typealias Slot = PickleDocument.Slot

    /// A dict, or an instance that is one (its entries are set by SETITEMS).
    case dict(Slot, [PickleDocument.Entry])
    /// `OrderedDict([[key, value], …])`, Python 2's form: the list, and its pairs.
    case pairs(Slot, [PickleDocument.Entry])
    /// A list, a tuple, or an instance that is a list.
    case sequence(Slot, [Slot])
    /// A set, or the list that `set` is called with.
    case set(Slot, [Slot])

    var entries: [EntryList.Entry] {
        switch self {
        case .dict(_, let entries), .pairs(_, let entries):
            entries.map { EntryList.Entry(key: $0.key, value: $0.value) }
        case .set(_, let items): items.map { EntryList.Entry(key: $0, value: $0) }
        case .sequence: []
        }
    }

    /// What the subject contains by itself: the value's own items, the dict of a persistent mapping, the list of a
    /// persistent list.
    init?(_ subject: Subject) {
        guard subject.isObject else {
            self.init(subject.slot, in: subject.document)
            return
        }
        if let entries = MappingAdapter.entries(of: subject),
            let slot = subject.attribute("data").flatMap({ Self.isDict($0, subject.document) ? $0 : nil })
                ?? subject.attribute("_container")
        {
            self = .dict(slot, entries)
        } else if let items = SequenceAdapter.elements(of: subject), let slot = subject.attribute("data") {
            self = .sequence(slot, items)
        } else {
            return nil
        }
    }

    init?(_ slot: Slot, in document: PickleDocument) {
        switch document[slot] {
        case .dict(let entries): self = .dict(slot, entries)
        case .list(let items), .tuple(let items): self = .sequence(slot, items)
        case .set(let items), .frozenSet(let items): self = .set(slot, items)
        case .instance(let instance):
            guard let form = Self.form(of: instance, slot, in: document) else { return nil }
            self = form
        default: return nil
        }
    }

    private static func isDict(_ slot: Slot, _ document: PickleDocument) -> Bool {
        if case .dict = document[slot] { true } else { false }
    }

    private static func form(of instance: PickleInstance, _ slot: Slot, in document: PickleDocument) -> ContainerForm? {
        if !instance.entries.isEmpty { return .dict(slot, instance.entries) }
        if !instance.items.isEmpty { return .sequence(slot, instance.items) }
        guard instance.kind == .reduce, let name = instance.className, let first = instance.arguments.first else {
            return nil
        }
        switch name.name {
        case "set", "frozenset":
            return document.sequence(first).map { .set(first, $0) }
        case "OrderedDict":
            var entries: [PickleDocument.Entry] = []
            for pair in document.sequence(first) ?? [] {
                guard let parts = document.sequence(pair), parts.count == 2 else { return nil }
                entries.append(PickleDocument.Entry(key: parts[0], value: parts[1]))
            }
            return .pairs(first, entries)
        case "_reconstructor" where instance.arguments.count == 3:
            let base = instance.arguments[2]
            if case .instance = document[base] { return nil }
            return ContainerForm(base, in: document)
        default:
            return nil
        }
    }
}

extension PickleDocument {
    /// A dict of attributes, as it lies in a state.
    struct AttributeDict {
        var slot: Slot
        var entries: [Entry]
    }

    /// The dicts of a state in one of the usual forms; nil for another. The first is that of the ordinary attributes.
    func attributeDictSlots(_ state: Slot) -> [AttributeDict]? {
        switch self[state] {
        case .none: return []
        case .dict(let entries): return [AttributeDict(slot: state, entries: entries)]
        case .tuple(let parts):
            guard parts.count == 2, case .dict(let slots) = self[parts[1]] else { return nil }
            let second = AttributeDict(slot: parts[1], entries: slots)
            switch self[parts[0]] {
            case .none: return [second]
            case .dict(let entries): return [AttributeDict(slot: parts[0], entries: entries), second]
            default: return nil
            }
        default: return nil
        }
    }
}
