#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// The environment that programs get which we start: our own, without the passwords that were given to us in it.
///
/// A pager, an editor and `ssh` have no use for them, and their environment can be read where ours cannot.
public enum ChildEnvironment {
    private static let prefix = "ZEOSHELL_", secret = "PASSWORD"

    /// As the call that starts a process takes it: pointers into our environment, nil at the end. Good until the environment
    /// is changed.
    public static func entries() -> [UnsafeMutablePointer<CChar>?] {
        var entries: [UnsafeMutablePointer<CChar>?] = []
        var next = unsafe environ
        while let entry = unsafe next.pointee {
            unsafe next += 1
            if unsafe !isSecret(entry) { unsafe entries.append(entry) }
        }
        unsafe entries.append(nil)
        return unsafe entries
    }

    private static func isSecret(_ entry: UnsafeMutablePointer<CChar>) -> Bool {
        guard unsafe strncmp(entry, prefix, prefix.utf8.count) == 0 else { return false }
        let name = unsafe String(cString: entry).prefix { $0 != "=" }
        return name.contains(secret)
    }
}
