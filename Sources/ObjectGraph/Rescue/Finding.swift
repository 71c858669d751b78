public import ZODB

/// Something found that belongs to an emergency: where, what, who is affected, and what would end it.
public struct Finding: Sendable {
    public let emergency: Emergency
    /// What is wrong is at this place; not what the remedy edits, which may be another.
    public let place: Place
    public let what: String
    /// Who or what is affected.
    public let consequence: String
    /// Certainly wrong; else it only may be, and whoever runs the site must judge.
    public let isCertain: Bool
    /// nil when something has to be known first, as a user's name: the consequence tells.
    public let remedy: Remedy?

    public var oid: ObjectID { place.node.oid }
}

/// What ends an emergency: edits as anybody could make them one by one.
public struct Remedy: Sendable {
    /// What they do, in words.
    public let what: String
    public let steps: [RescueStep]
}

/// One edit of a remedy.
public enum RescueStep: Sendable {
    /// Takes an item or an attribute out of what holds it, as `rm` and `unset` do: a container's own lists follow.
    case remove(Component, from: Place)
    /// As `set` does.
    case set(RescueValue, at: Component, in: Place)
    /// Takes elements out of a list or tuple, and nothing else: for the lists that a container keeps.
    case removeElements(ElementChoice, of: Place)
    /// Puts an element at the end of a list or tuple.
    case append(RescueValue, to: Place)
    /// Gives a container an empty user folder, of the classic kind, in place of the one that cannot be read.
    case newUserFolder(in: Place)
    /// Gives an object an empty persistent mapping as an attribute, in place of one that cannot be read.
    case newMapping(String, in: Place)
    /// Puts a new user into the table of a classic user folder.
    case newUser(String, RescueValue, roles: [String], in: Place)
    /// Takes traversal hooks out of the table and the list of a container.
    case removeHooks([HookIdentity], from: Place)
}

/// Which elements of a list or tuple a remedy takes out.
public enum ElementChoice: Hashable, Sendable {
    /// Strings of this text.
    case text(String)
    /// Dicts whose `id` is this.
    case id(String)
    /// Dicts whose `id` is this, the first excepted.
    case repeatedID(String)
    /// Whatever has no `id`.
    case withoutID
}

/// A value that a remedy writes.
public indirect enum RescueValue: Hashable, Sendable {
    case bool(Bool)
    case integer(Int)
    /// A string of the database's own Python.
    case string(String)
    /// Bytes that are ASCII text; Python 2 makes no difference.
    case bytes(String)
    case list([RescueValue])
    case tuple([RescueValue])
    /// String keys.
    case dict([RescueEntry])
    /// A reference to an object that is there.
    case reference(ObjectID)
}

public struct RescueEntry: Hashable, Sendable {
    public var key: String
    public var value: RescueValue

    init(_ key: String, _ value: RescueValue) { (self.key, self.value) = (key, value) }
}
