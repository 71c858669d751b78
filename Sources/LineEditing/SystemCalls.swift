#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// `write` by another name, for types that have a `write` of their own.
func systemWrite(_ descriptor: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
    write(descriptor, bytes, count)
}

/// Writes all of `text`, as far as the descriptor takes it.
func put(_ text: String, to descriptor: Int32) {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
        let count = rest.withUnsafeBytes { systemWrite(descriptor, $0.baseAddress, $0.count) }
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { return }
        rest = rest.dropFirst(count)
    }
}

enum Input {
    case byte(UInt8)
    case event(EditorEvent)
    case end
    case failed(Int32)
}

/// Waits for a byte of `descriptor` or an event; events come first.
func nextInput(_ descriptor: Int32, _ events: (any EditorEventSource)?) -> Input {
    while true {
        if let event = events?.next() { return .event(event) }
        var waiting = [pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)]
        // A negative descriptor is one that poll ignores.
        waiting.append(pollfd(fd: events?.descriptor ?? -1, events: Int16(POLLIN), revents: 0))
        if poll(&waiting, nfds_t(waiting.count), -1) < 0 {
            if errno == EINTR { continue }
            return .failed(errno)
        }
        // A signal that came while poll returned came before what is typed after it.
        if let event = events?.next() { return .event(event) }
        guard waiting[0].revents != 0 else { continue }
        var byte: UInt8 = 0
        let count = read(descriptor, &byte, 1)
        if count == 1 { return .byte(byte) }
        if count == 0 { return .end }
        // A terminal that went away reads as EIO: the end.
        if errno == EIO { return .end }
        if errno != EINTR, errno != EAGAIN { return .failed(errno) }
    }
}
