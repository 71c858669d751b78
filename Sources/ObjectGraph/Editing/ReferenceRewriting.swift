internal import ByteCoding
internal import Pickle
internal import ZODB

/// What becomes of a reference when its record goes elsewhere.
enum ReferenceFate: Hashable {
    case keep
    case lead(ObjectID)
    /// `None` takes its place.
    case blank
}

/// A reference of a record.
struct ReferenceSite {
    var reference: PersistentReference
    var persistentID: PickleDocument.Slot
    /// By a name that means the container: `__parent__`.
    var isUpward: Bool
}

extension ObjectRecord {
    /// Every reference of the record, in the order they are written, once for each time that it was pickled.
    func referenceSites() -> [ReferenceSite] {
        let upward = upwardReferences()
        return document.persistentIDs.compactMap { id in
            PersistentReference(id, in: document).map {
                ReferenceSite(reference: $0, persistentID: id, isUpward: upward.contains(id))
            }
        }
    }

    /// The persistent ids of references by a name that means the container.
    private func upwardReferences() -> Set<PickleDocument.Slot> {
        guard document.source.contains(Array("parent".utf8)) else { return [] }
        var values = RecordValues(Subject(.object(oid, at: serial), record: self))
        var upward: Set<PickleDocument.Slot> = []
        while let element = values.next() {
            guard case .persistentID(let id) = document[element.slot],
                let name = values.components(of: element.index).last, name.isUpward
            else { continue }
            upward.insert(id)
        }
        return upward
    }

    /// The record with its references leading elsewhere. Only the oids change, in place wherever that can be.
    func rewritingReferences(
        style: PickleStyle, _ fate: (ReferenceSite) -> ReferenceFate
    ) throws(PickleEditError) -> [UInt8] {
        var leads: [PickleDocument.Slot: ObjectID] = [:]
        var blanks: Set<PickleDocument.Slot> = []
        for site in referenceSites() {
            switch fate(site) {
            case .keep: continue
            case .blank: blanks.insert(site.persistentID)
            case .lead(let oid):
                guard oid != site.reference.oid, let slot = oidSlot(site.persistentID) else { continue }
                leads[slot] = oid
            }
        }
        guard !leads.isEmpty || !blanks.isEmpty else { return document.source }
        if blanks.isEmpty, let patched = patched(leads) { return patched }
        var edit = PickleEdit(document, style: style)
        if !blanks.isEmpty {
            for element in RecordValues(Subject(.object(oid, at: serial), record: self)) {
                guard case .persistentID(let id) = document[element.slot], blanks.contains(id) else { continue }
                try edit.replace(element.slot, with: .none)
                if let slot = oidSlot(id) { leads[slot] = nil }
            }
        }
        for (slot, oid) in leads { try edit.replace(slot, with: style.objectID(oid.bytes)) }
        return try edit.finish().source
    }

    /// The eight bytes overwritten where they stand; nil when they are spelled otherwise, or also mean something else.
    private func patched(_ leads: [PickleDocument.Slot: ObjectID]) -> [UInt8]? {
        var targets: [PickleDocument.NodeID: ObjectID] = [:]
        for (slot, oid) in leads {
            guard document.contentRange(of: slot)?.count == 8 else { return nil }
            if let other = targets.updateValue(oid, forKey: slot.node), other != oid { return nil }
        }
        // All references by the same eight bytes have to change, and nothing else may use them: an attribute may hold
        // an object's `_p_oid` as plain bytes.
        for id in document.persistentIDs {
            if let slot = oidSlot(id), targets[slot.node] != nil, leads[slot] == nil { return nil }
        }
        for element in RecordValues(Subject(.object(oid, at: serial), record: self)) {
            if targets[element.slot.node] != nil { return nil }
            if let key = element.key, isUsed(targets, in: key) { return nil }
        }
        var bytes = document.source
        for (slot, oid) in leads {
            guard let range = document.contentRange(of: slot) else { return nil }
            bytes.replaceSubrange(range, with: oid.bytes)
        }
        return bytes
    }

    private func isUsed(_ targets: [PickleDocument.NodeID: ObjectID], in key: PickleDocument.Slot) -> Bool {
        if targets[key.node] != nil { return true }
        guard case .tuple(let items) = document[key] else { return false }
        // What a key nests deeper is not looked for: any tuple in a key counts as using them.
        return items.contains { item in
            if case .tuple = document[item] { return true }
            return targets[item.node] != nil
        }
    }

    /// Where a persistent id has the target's eight bytes.
    private func oidSlot(_ id: PickleDocument.Slot) -> PickleDocument.Slot? {
        switch document[id] {
        case .tuple(let parts): return parts.first
        case .list(let parts):
            guard parts.count == 2, case .tuple(let arguments) = document[parts[1]] else { return parts.first }
            return document.isString(parts[0], "w") ? arguments.first : arguments.dropFirst().first
        default: return id
        }
    }
}

extension Component {
    /// A name by which objects refer to what contains them.
    var isUpward: Bool {
        switch self {
        case .attribute("__parent__"), .attribute("aq_parent"), .attribute("__primary_parent__"): true
        default: false
        }
    }
}
