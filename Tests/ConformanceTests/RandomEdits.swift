import Pickle
import TestSupport

/// One random edit of a document, told to `PickleEdit` and, in words of its own, to `edits.py`.
struct RandomEdits {
    /// A place of the document: how Python finds it, and what is around it.
    struct Place {
        var path: [(part: String, index: Int)]
        var slot: PickleDocument.Slot
    }

    let document: PickleDocument
    let style: PickleStyle
    private let places: [Place]
    private(set) var operations: [String] = []
    private var edit: PickleEdit
    /// Containers that already have a change: a second would move the places of the first.
    private var changed: Set<PickleDocument.NodeID> = []
    private var values: RandomValue

    init(_ document: PickleDocument, _ style: PickleStyle, _ random: inout RandomNumbers) {
        self.document = document
        self.style = style
        edit = PickleEdit(document, style: style)
        values = RandomValue(style, first: 1_000_000 + random.below(1_000_000_000) * 100)
        places = Self.places(of: document)
    }

    /// All places, as far as they can be looked at in time. A value is entered once, by the first way to it.
    private static func places(of document: PickleDocument) -> [Place] {
        var places: [Place] = []
        var seen: Set<PickleDocument.NodeID> = []
        var queue = document.roots.enumerated().map { Place(path: [("r", $0)], slot: $1) }
        var next = 0
        while next < queue.count, places.count < 3000 {
            let place = queue[next]
            next += 1
            places.append(place)
            guard seen.insert(place.slot.node).inserted else { continue }
            queue += children(of: place, in: document)
        }
        return places
    }

    private static func children(of place: Place, in document: PickleDocument) -> [Place] {
        func part(_ name: String, _ slots: [PickleDocument.Slot], from first: Int = 0) -> [Place] {
            slots.enumerated().map { Place(path: place.path + [(name, first + $0)], slot: $1) }
        }
        switch document[place.slot] {
        case .tuple(let items), .list(let items), .set(let items), .frozenSet(let items): return part("i", items)
        case .dict(let entries): return part("e", entries.flatMap { [$0.key, $0.value] })
        case .persistentID(let id): return part("p", [id])
        case .instance(let instance):
            var made: [Place] = []
            if instance.kind == .oldStyle {
                made = part("m", instance.callable.map { [$0] } ?? []) + part("m", instance.arguments, from: 1)
            } else {
                made = part("m", [instance.callable, instance.argumentTuple, instance.keywords].compactMap { $0 })
            }
            return made + part("i", instance.items) + part("e", instance.entries.flatMap { [$0.key, $0.value] })
                + part("s", instance.states)
        default: return []
        }
    }

    /// Makes up to `count` changes. An edit that is refused counts as none.
    mutating func change(_ count: Int, _ random: inout RandomNumbers) throws(PickleEditError) {
        for _ in 0..<count {
            guard let place = places.randomElement(using: &random) else { return }
            if random.oneIn(40) {
                try rename(&random)
            } else if random.oneIn(3) {
                try replace(place, &random)
            } else {
                try changeInside(place, &random)
            }
        }
    }

    consuming func finish() throws(PickleEditError) -> PickleDocument { try edit.finish() }

    // MARK: The kinds of changes

    private mutating func add(_ operation: String, _ path: [(part: String, index: Int)], _ rest: String = "") {
        let steps = path.map { "[\"\($0.part)\",\($0.index)]" }.joined(separator: ",")
        operations.append("[\"\(operation)\",[\(steps)]\(rest.isEmpty ? "" : ",\(rest)")]")
    }

    private mutating func replace(_ place: Place, _ random: inout RandomNumbers) throws(PickleEditError) {
        let value: PickleValue
        switch document[place.slot] {
        case .global: value = .global("other.module", values.unique())
        case .tuple where place.path.last?.part == "m": value = .tuple([values.value(&random)])
        default: value = isKey(place) ? values.key(&random) : values.value(&random)
        }
        try edit.replace(place.slot, with: value)
        add("replace", place.path, values.json(value))
    }

    private func isKey(_ place: Place) -> Bool {
        place.path.last.map { $0.part == "e" && $0.index % 2 == 0 } ?? false
    }

    private mutating func rename(_ random: inout RandomNumbers) throws(PickleEditError) {
        let names = places.compactMap { place -> GlobalName? in
            if case .global(let name) = document[place.slot] { name } else { nil }
        }
        guard operations.isEmpty, let old = names.randomElement(using: &random) else { return }
        try edit.rename(old, to: GlobalName(module: "new.module", name: "Renamed"))
        let name = "[\"\(old.module)\",\"\(old.name)\"],[\"new.module\",\"Renamed\"]"
        operations.append("[\"name\",\(name)]")
    }

    private mutating func changeInside(_ place: Place, _ random: inout RandomNumbers) throws(PickleEditError) {
        switch document[place.slot] {
        case .list(let items), .tuple(let items):
            guard isEditable(place), changed.insert(place.slot.node).inserted else { return }
            try changeItems(place, place.path, count: items.count, &random)
        case .set(let items), .frozenSet(let items):
            guard changed.insert(place.slot.node).inserted else { return }
            try changeItems(place, place.path, count: items.count, &random)
        case .dict(let entries):
            guard changed.insert(place.slot.node).inserted else { return }
            try changeEntries(place, entries, &random)
        case .instance(let instance): try change(instance, place, &random)
        default: break
        }
    }

    /// Not inside a reference, nor the arguments of a call that makes a set: what is in them is not free.
    private func isEditable(_ place: Place) -> Bool {
        !place.path.dropFirst().contains { $0.part == "p" || $0.part == "m" }
    }

    private mutating func changeItems(
        _ place: Place, _ path: [(part: String, index: Int)], count: Int, _ random: inout RandomNumbers
    ) throws(PickleEditError) {
        var isSet = false
        switch document[place.slot] {
        case .set, .frozenSet, .instance: isSet = true
        default: break
        }
        let isFirst = count > 0 && random.oneIn(4)
        switch random.below(count == 0 ? 2 : 4) {
        case 0, 1:
            let index = random.oneIn(2) ? count : random.below(count + 1)
            var news: [PickleValue] = []
            for offset in 0..<(random.oneIn(4) ? 3 : 1) {
                let value = isSet ? values.key(&random) : values.value(&random)
                try edit.insert(value, at: index + offset, into: place.slot)
                news.append(value)
            }
            add("insert", path + [("i", index)], "[\(news.map { values.json($0) }.joined(separator: ","))]")
        case 2:
            let index = isFirst ? 0 : random.below(count)
            let number = random.oneIn(5) ? count - index : 1
            for _ in 0..<number { try edit.removeItem(at: index, from: place.slot) }
            add("remove", path + [("i", index)], "\(number)")
        default:
            let index = random.below(count)
            let value = isSet ? values.key(&random) : values.value(&random)
            try edit.replaceItem(at: index, with: value, in: place.slot)
            add("replace", path + [("i", index)], values.json(value))
        }
    }

    private mutating func changeEntries(
        _ place: Place, _ entries: [PickleDocument.Entry], _ random: inout RandomNumbers
    ) throws(PickleEditError) {
        switch random.below(entries.isEmpty ? 1 : 4) {
        case 0:
            var texts: [String] = []
            for _ in 0..<(random.oneIn(4) ? 3 : 1) {
                let (key, value) = (values.key(&random), values.value(&random))
                try edit.setEntry(key, to: value, in: place.slot)
                texts += [values.json(key), values.json(value)]
            }
            add("insert", place.path + [("e", entries.count * 2)], "[\(texts.joined(separator: ","))]")
        case 1:
            let index = random.below(entries.count)
            try edit.removeEntry(at: index, from: place.slot)
            add("remove", place.path + [("e", index * 2)], "2")
        case 2:
            let index = random.below(entries.count)
            guard let key = try? PickleValue(entries[index].key, in: document) else { return }
            try edit.removeEntry(key, from: place.slot)
            add("remove", place.path + [("e", index * 2)], "2")
        default:
            let index = random.below(entries.count)
            guard let key = try? PickleValue(entries[index].key, in: document) else { return }
            let value = values.value(&random)
            try edit.setEntry(key, to: value, in: place.slot)
            add("replace", place.path + [("e", index * 2 + 1)], values.json(value))
        }
    }

    private mutating func change(
        _ instance: PickleInstance, _ place: Place, _ random: inout RandomNumbers
    ) throws(PickleEditError) {
        // A set of the protocols that have no opcode for it is a call with a list.
        if ["set", "frozenset"].contains(instance.className?.name), let list = instance.arguments.first,
            case .list(let items) = document[list]
        {
            guard changed.insert(list.node).inserted else { return }
            return try changeItems(place, place.path + [("m", 1), ("i", 0)], count: items.count, &random)
        }
        guard changed.insert(place.slot.node).inserted else { return }
        if instance.kind != .reduce || !instance.items.isEmpty || !instance.entries.isEmpty, random.oneIn(3) {
            if random.oneIn(2) {
                return try changeInstanceItems(place, instance.items.count, &random)
            }
            return try changeEntries(place, instance.entries, &random)
        }
        let name = values.unique()
        let (key, value) = (style.name(name), values.value(&random))
        guard let state = instance.states.last else {
            try edit.setAttribute(name, to: value, of: place.slot)
            return add("build", place.path, values.json(.dict([.init(key: key, value: value)])))
        }
        guard case .dict(let entries) = document[state], changed.insert(state.node).inserted else { return }
        try edit.setAttribute(name, to: value, of: place.slot)
        let path = place.path + [("s", instance.states.count - 1), ("e", entries.count * 2)]
        add("insert", path, "[\(values.json(key)),\(values.json(value))]")
    }

    private mutating func changeInstanceItems(
        _ place: Place, _ count: Int, _ random: inout RandomNumbers
    ) throws(PickleEditError) {
        if count > 0, random.oneIn(2) {
            let index = random.below(count)
            try edit.removeItem(at: index, from: place.slot)
            add("remove", place.path + [("i", index)], "1")
        } else {
            let index = random.below(count + 1)
            let value = values.value(&random)
            try edit.insert(value, at: index, into: place.slot)
            add("insert", place.path + [("i", index)], "[\(values.json(value))]")
        }
    }
}
