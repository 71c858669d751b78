/// Merges two changes of one object, for the classes whose rules are known.
public enum ConflictResolver {
    /// The record that holds both changes.
    /// - Parameters:
    ///   - old: the record that both changes began with.
    ///   - committed: what the one made of it that is committed already.
    ///   - new: what the other one wants to store.
    /// - Returns: nil when the changes cannot be merged, or the class has no rule here: then it is a conflict.
    public static func resolve(old: [UInt8], committed: [UInt8], new: [UInt8]) -> [UInt8]? {
        nil
    }
}
