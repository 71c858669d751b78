internal import ZConfig

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// What can be told of an address from outside of the server.
enum ListeningAddress {
    /// Why no server could listen there; nil: one could, or does.
    static func problem(at address: SocketAddress) -> String? {
        switch address {
        case .unixSocket(let path):
            guard path.utf8.count < MemoryLayout.size(ofValue: sockaddr_un().sun_path) else {
                return "the path of a Unix socket has at most 107 bytes"
            }
            return FileAccess.obstacle(toWriting: path).map { "\($0)" }
        case .internet(let host, let port):
            var hints = addrinfo()
            hints.ai_socktype = SocketKind.stream
            hints.ai_flags = AI_NUMERICSERV | AI_PASSIVE
            var found: UnsafeMutablePointer<addrinfo>?
            let result = unsafe getaddrinfo(host.isEmpty ? nil : host, "\(port ?? 0)", &hints, &found)
            guard result == 0 else { return unsafe String(cString: gai_strerror(result)) }
            defer { unsafe freeaddrinfo(found) }
            var problem = EADDRNOTAVAIL
            var next = unsafe found
            while let entry = unsafe next {
                let number = unsafe bindingError(entry.pointee)
                // Used already: by the server that this is about, if by none other.
                if number == 0 || number == EADDRINUSE { return nil }
                problem = number
                unsafe next = entry.pointee.ai_next
            }
            return unsafe String(cString: strerror(problem))
        }
    }

    private static func bindingError(_ entry: addrinfo) -> Int32 {
        let descriptor = socket(entry.ai_family, entry.ai_socktype, 0)
        guard descriptor >= 0 else { return errno }
        defer { close(descriptor) }
        return unsafe bind(descriptor, entry.ai_addr, entry.ai_addrlen) == 0 ? 0 : errno
    }

    /// Whether a server answers: it takes a connection.
    ///
    /// Without TLS it is asked `ruok`, as a monitor does: whoever goes away without a word is noted in the log of some
    /// servers. Behind TLS a server says nothing before its client does.
    static func isAnswering(at address: SocketAddress, inTLS: Bool) -> Bool {
        switch address {
        case .unixSocket(let path): return isAnswering(path, inTLS)
        case .internet(_, port: nil): return true
        case .internet(let host, .some(let port)): return isAnswering(host.isEmpty ? "127.0.0.1" : host, port, inTLS)
        }
    }

    private static func isAnswering(_ path: String, _ inTLS: Bool) -> Bool {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { return false }
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
        let descriptor = socket(AF_UNIX, SocketKind.stream, 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        let isConnected = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                unsafe connect(descriptor, address, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
            }
        }
        if isConnected, !inTLS { askStatus(descriptor) }
        return isConnected
    }

    private static func isAnswering(_ host: String, _ port: Int, _ inTLS: Bool) -> Bool {
        var hints = addrinfo()
        hints.ai_socktype = SocketKind.stream
        hints.ai_flags = AI_NUMERICSERV
        var found: UnsafeMutablePointer<addrinfo>?
        guard unsafe getaddrinfo(host, "\(port)", &hints, &found) == 0 else { return false }
        defer { unsafe freeaddrinfo(found) }
        var next = unsafe found
        while let entry = unsafe next {
            let descriptor = unsafe socket(entry.pointee.ai_family, entry.pointee.ai_socktype, 0)
            if descriptor >= 0 {
                defer { close(descriptor) }
                if unsafe connect(descriptor, entry.pointee.ai_addr, entry.pointee.ai_addrlen) == 0 {
                    if !inTLS { askStatus(descriptor) }
                    return true
                }
            }
            unsafe next = entry.pointee.ai_next
        }
        return false
    }

    /// Takes the answer, whatever it is, until the server hangs up, for at most two seconds of silence.
    private static func askStatus(_ descriptor: Int32) {
        var patience = timeval(tv_sec: 2, tv_usec: 0)
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        guard FileWriting.write([0, 0, 0, 4] + Array("ruok".utf8), to: descriptor) else { return }
        var bytes = [UInt8](repeating: 0, count: 4096)
        while unsafe recv(descriptor, &bytes, bytes.count, 0) > 0 {}
    }
}

enum SocketKind {
    #if canImport(Glibc)
        static let stream = Int32(SOCK_STREAM.rawValue)
        static let datagram = Int32(SOCK_DGRAM.rawValue)
    #else
        static let stream = SOCK_STREAM
        static let datagram = SOCK_DGRAM
    #endif
}
