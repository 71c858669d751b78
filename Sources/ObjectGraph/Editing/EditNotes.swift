internal import ZODB

// What is remembered of an edit beside the record: for naming what was edited, and for doing it again.
extension Workspace {
    /// The object was edited by way of this place.
    func note(_ place: Place, of oid: ObjectID) {
        guard staging[oid] != nil, staging.places[oid] == nil else { return }
        var place = place
        while !place.node.isObject, let parent = place.parent { place = parent }
        // The leaf of a tree goes by the tree's name.
        staging.places[oid] = place
    }

    /// The object is a part of a BTree.
    func note(part oid: ObjectID, of tree: ObjectID) {
        if staging[oid] != nil { staging.trees[oid] = tree }
    }

    /// BTrees of which a part is edited and the root is not.
    ///
    /// The edit is right only while the root leads to that part. `clear` changes the root alone: without a look at it
    /// a key could be written to a leaf that nothing leads to any more. (BTrees does the same by `readCurrent`.)
    var treesReliedOn: [ObjectID] {
        Set(stagedObjects.compactMap { staging.trees[$0.oid] }).filter { staging[$0] == nil }.sorted()
    }
}
