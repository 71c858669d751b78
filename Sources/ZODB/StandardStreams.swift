#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// The three descriptors that a program is started with.
public enum StandardStreams {
    /// Takes the places of those that are closed: to be called before any file is opened.
    ///
    /// A new file gets the lowest free number. Started by `>&-`, a program would open a Data.fs as standard output, and
    /// write its messages over the database. What stands in for a closed one reads as empty, and refuses what is written.
    public static func occupy() {
        for number in 0...2 where fcntl(Int32(number), F_GETFD) < 0 {
            // The lowest free number is this one: those before it are taken by now.
            _ = open("/dev/null", O_RDONLY)
        }
    }
}
