internal import ZConfig

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Musl)
    internal import Musl
#endif

/// Whether a server answers at an address: it takes a connection. What it says first is not waited for: behind TLS it
/// says nothing before its client does.
enum ListeningAddress {
    static func isAnswering(at address: SocketAddress) -> Bool {
        switch address {
        case .unixSocket(let path): return isAnswering(path)
        case .internet(_, port: nil): return true
        case .internet(let host, .some(let port)): return isAnswering(host.isEmpty ? "127.0.0.1" : host, port)
        }
    }

    private static func isAnswering(_ path: String) -> Bool {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { return false }
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
        let descriptor = socket(AF_UNIX, SocketKind.stream, 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                unsafe connect(descriptor, address, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
            }
        }
    }

    private static func isAnswering(_ host: String, _ port: Int) -> Bool {
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
                if unsafe connect(descriptor, entry.pointee.ai_addr, entry.pointee.ai_addrlen) == 0 { return true }
            }
            unsafe next = entry.pointee.ai_next
        }
        return false
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
