import Files
import Glibc

/// A stream socket. Receiving and sending may go on in two threads; it is closed when nobody holds it any more, so that
/// `shutdown` can come from any thread at any time.
final class NBDSocket: Sendable {
    let descriptor: Int32

    init(_ descriptor: Int32) { self.descriptor = descriptor }
    deinit { close(descriptor) }

    /// Fills `buffer`; false if the connection ended or failed before.
    func receive(into buffer: UnsafeMutableRawBufferPointer) -> Bool {
        var done = 0
        while done < buffer.count {
            let count = recv(descriptor, buffer.baseAddress! + done, buffer.count - done, 0)
            if count < 0, errno == EINTR { continue }
            if count <= 0 { return false }
            done += count
        }
        return true
    }

    func receive(_ count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        return bytes.withUnsafeMutableBytes { receive(into: $0) } ? bytes : nil
    }

    /// Sends all of `bytes`; false if the connection ended or failed. `more` says that the rest of a message follows at once.
    func send(_ bytes: UnsafeRawBufferPointer, more: Bool = false) -> Bool {
        let flags = Int32(MSG_NOSIGNAL) | (more ? Int32(MSG_MORE) : 0)
        var done = 0
        while done < bytes.count {
            let count = Glibc.send(descriptor, bytes.baseAddress! + done, bytes.count - done, flags)
            if count < 0, errno == EINTR { continue }
            if count <= 0 { return false }
            done += count
        }
        return true
    }

    func send(_ bytes: [UInt8], more: Bool = false) -> Bool { bytes.withUnsafeBytes { send($0, more: more) } }

    /// Ends the connection in both directions; whoever waits on it returns.
    func shutdown() { _ = Glibc.shutdown(descriptor, Int32(SHUT_RDWR)) }

    /// How long one receive or send may wait, seconds; 0 for as long as it takes.
    func setTimeout(seconds: Int) {
        var time = timeval(tv_sec: seconds, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(descriptor, SOL_SOCKET, option, &time, socklen_t(MemoryLayout<timeval>.size))
        }
    }

    /// Small replies go out at once, and a peer that vanished is noticed in the end. Of no effect on unix sockets.
    func tune() {
        var on: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &on, socklen_t(MemoryLayout<Int32>.size))
    }
}

/// Where a server listens.
public enum NBDAddress: Hashable, Sendable {
    /// TCP on 127.0.0.1; port 0 lets the system choose.
    case loopback(port: Int)
    /// TCP on a numeric IPv4 address of this computer, for those who mean it: the protocol has neither passwords nor encryption.
    case address(String, port: Int)
    /// A socket in the file system, at most 107 bytes of path, for this user only.
    case unix(path: String)
}

extension NBDSocket {
    /// A listening socket; for TCP with its port.
    static func listening(at address: NBDAddress, backlog: Int) throws(StorageFault) -> (socket: NBDSocket, port: Int?)
    {
        switch address {
        case .loopback(let port): return try listening(host: "127.0.0.1", port: port, backlog)
        case .address(let host, let port): return try listening(host: host, port: port, backlog)
        case .unix(let path): return (try listening(path: path, backlog), nil)
        }
    }

    private static func listening(
        host: String, port: Int, _ backlog: Int
    ) throws(StorageFault) -> (NBDSocket, Int?) {
        let object = "\(host):\(port)"
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        guard inet_pton(AF_INET, host, &address.sin_addr) == 1, let number = UInt16(exactly: port) else {
            throw StorageFault(
                .badInput, "NBD-ADDRESS", object, "this is no IPv4 address with a port from 0 to 65535",
                action: "Give a numeric address of this computer, such as 127.0.0.1")
        }
        address.sin_port = number.bigEndian
        let socket = try open(AF_INET, object)
        var on: Int32 = 1
        setsockopt(socket.descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
        let length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(socket.descriptor, $0, length) }
        }
        guard bound == 0, listen(socket.descriptor, Int32(backlog)) == 0 else { throw refused(object, errno) }
        var chosen = sockaddr_in()
        var size = length
        let asked = withUnsafeMutablePointer(to: &chosen) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(socket.descriptor, $0, &size) }
        }
        guard asked == 0 else { throw refused(object, errno) }
        return (socket, Int(UInt16(bigEndian: chosen.sin_port)))
    }

    private static func listening(path: String, _ backlog: Int) throws(StorageFault) -> NBDSocket {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        let room = MemoryLayout.size(ofValue: address.sun_path)
        guard !bytes.isEmpty, bytes.count < room, !bytes.contains(0) else {
            throw StorageFault(
                .badInput, "NBD-ADDRESS", path, "the path of a socket has 1 to \(room - 1) bytes",
                action: "Choose a shorter path")
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let socket = try open(AF_UNIX, path)
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(socket.descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard bound == 0 else { throw refused(path, errno) }
        // Nobody can connect before `listen`, so there is no moment at which others could.
        guard chmod(path, 0o600) == 0, listen(socket.descriptor, Int32(backlog)) == 0 else {
            let code = errno
            unlink(path)
            throw refused(path, code)
        }
        return socket
    }

    private static func open(_ family: Int32, _ object: String) throws(StorageFault) -> NBDSocket {
        let flags = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let descriptor = socket(family, flags, 0)
        guard descriptor >= 0 else { throw refused(object, errno) }
        return NBDSocket(descriptor)
    }

    private static func refused(_ object: String, _ code: Int32) -> StorageFault {
        let text = String(cString: strerror(code))
        return StorageFault(
            code == EADDRINUSE ? .busy : code == EACCES ? .permission : .device, "NBD-LISTEN", object,
            "the server cannot listen there: \(text) (errno \(code))",
            action: "Choose another address, or stop what uses this one")
    }

    /// The next client; nil if there is none to be had now, with the reason.
    func accept() -> (socket: NBDSocket?, code: Int32) {
        let descriptor = Glibc.accept(self.descriptor, nil, nil)
        guard descriptor >= 0 else { return (nil, errno) }
        // Swift's C library module lacks `accept4`.
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        return (NBDSocket(descriptor), 0)
    }
}
