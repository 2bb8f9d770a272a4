public import Files
import Glibc
import Synchronization

/// A disk that a server offers.
public struct NBDExport: Sendable {
    /// What clients ask for; the first export is also the one without a name. At most 4096 bytes.
    public var name: String
    public var device: any BlockDevice
    public var isWritable: Bool
    /// For people, in lists.
    public var description: String

    public init(_ name: String, _ device: any BlockDevice, isWritable: Bool = false, description: String = "") {
        (self.name, self.device, self.isWritable, self.description) = (name, device, isWritable, description)
    }
}

/// Offers disks by the NBD protocol (`proto.md` of NetworkBlockDevice/nbd, fixed newstyle), so that `qemu-img`, `nbdcopy`,
/// `nbdfuse` and the like read or write them. Without passwords or encryption, hence on this computer only unless asked.
///
/// What clients send is checked before it is used. Memory: 36 MiB for each connection at most, with four
/// workers, and what the device answers when asked what is allocated in 256 MiB.
public final class NBDServer: Sendable {
    /// The port chosen; nil on a unix socket.
    public let port: Int?
    private let address: NBDAddress
    private let core: Core
    private let acceptor: OwnThread
    private let isStopped = Atomic<Bool>(false)

    /// Listens and serves from now on, in threads of its own, until `stop`.
    /// - `connectionLimit`: clients at a time; further ones are turned away.
    /// - `workers`: threads for the requests of one client, besides the one that receives them.
    /// Faults: `NBD-EXPORTS`, `NBD-ADDRESS`, `NBD-LISTEN`.
    public init(
        _ exports: [NBDExport], at address: NBDAddress = .loopback(port: 0), connectionLimit: Int = 16, workers: Int = 4
    ) throws(StorageFault) {
        precondition(connectionLimit > 0 && workers > 0, "a server serves somebody")
        let names = exports.map(\.name)
        guard !exports.isEmpty, Set(names).count == names.count,
            !names.contains(where: { $0.utf8.count > NBD.maximumString || $0.utf8.contains(0) })
        else {
            throw StorageFault(
                .badInput, "NBD-EXPORTS", names.joined(separator: ", "),
                "there is no export, or two have one name, or a name is longer than \(NBD.maximumString) bytes",
                action: "Give each export a name of its own")
        }
        let (socket, port) = try NBDSocket.listening(at: address, backlog: connectionLimit)
        let served = exports.map { export in
            NBDServedExport(
                NBDExportFacts(
                    name: export.name, description: export.description, size: export.device.size,
                    isWritable: export.isWritable, sectorSize: export.device.sectorSize), export.device)
        }
        let core = Core(socket, served, connectionLimit: connectionLimit, workers: workers)
        (self.port, self.address, self.core) = (port, address, core)
        acceptor = OwnThread { core.accept() }
    }

    deinit { stop() }

    /// Ends all connections and returns when nothing of the server runs any more. Writes that had arrived are done or not.
    public func stop() {
        guard !isStopped.exchange(true, ordering: .acquiringAndReleasing) else { return }
        core.stop()
        acceptor.join()
        core.endConnections()
        if case .unix(let path) = address { unlink(path) }
    }

    public var statistics: NBDStatistics { core.statistics.value.withLock { $0 } }

    /// What to give to a client for an export: `nbd://127.0.0.1:10809/name` or `nbd+unix:///name?socket=path`.
    public func uri(_ export: String) -> String {
        let name = Self.escaped(export, keeping: "/")
        switch address {
        case .loopback: return "nbd://127.0.0.1:\(port ?? 0)/\(name)"
        case .address(let host, _): return "nbd://\(host):\(port ?? 0)/\(name)"
        case .unix(let path): return "nbd+unix:///\(name)?socket=\(Self.escaped(path, keeping: "/"))"
        }
    }

    private static func escaped(_ text: String, keeping: String) -> String {
        let plain = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~\(keeping)".utf8)
        return text.utf8.map { byte in
            if plain.contains(byte) { return String(UnicodeScalar(byte)) }
            let digits = String(byte, radix: 16, uppercase: true)
            return digits.utf8.count == 1 ? "%0" + digits : "%" + digits
        }.joined()
    }
}

/// What the threads of a server share; they outlive the `NBDServer` that nobody holds only until it has stopped them.
private final class Core: Sendable {
    private struct Client {
        var socket: NBDSocket
        var thread: OwnThread
        var hasEnded = false
    }

    private struct Clients {
        var present: [Int: Client] = [:]
        var next = 0
        var isStopping = false
    }

    let statistics = Mutex<NBDStatistics>.Reference(NBDStatistics())
    private let listener: NBDSocket
    private let exports: [NBDServedExport]
    private let connectionLimit: Int
    private let workers: Int
    private let clients = Mutex(Clients())

    init(_ listener: NBDSocket, _ exports: [NBDServedExport], connectionLimit: Int, workers: Int) {
        (self.listener, self.exports, self.connectionLimit, self.workers) =
            (listener, exports, connectionLimit, workers)
    }

    func accept() {
        while true {
            let (socket, code) = listener.accept()
            if clients.withLock({ $0.isStopping }) { return }
            if let socket {
                welcome(socket)
            } else if ![EINTR, ECONNABORTED, EPROTO].contains(code) {
                // Out of descriptors or memory, which ends when somebody gives some back; `stop` ends the wait.
                var wait = pollfd(fd: listener.descriptor, events: 0, revents: 0)
                poll(&wait, 1, 100)
            }
        }
    }

    private func welcome(_ socket: NBDSocket) {
        reap()
        clients.withLock { clients in
            guard clients.present.count < connectionLimit else {
                statistics.value.withLock { $0.connectionsRefused += 1 }
                return
            }
            statistics.value.withLock { statistics in
                statistics.connections += 1
                statistics.connectionsSoFar += 1
            }
            clients.next += 1
            let number = clients.next
            let connection = NBDConnection(socket, exports, workers: workers, statistics)
            // The lock is held until the thread is entered, so that its end finds the entry.
            let thread = OwnThread {
                connection.serve()
                self.statistics.value.withLock { $0.connections -= 1 }
                self.clients.withLock { $0.present[number]?.hasEnded = true }
            }
            clients.present[number] = Client(socket: socket, thread: thread)
        }
    }

    /// Forgets those that are gone, which closes their sockets.
    private func reap() {
        let gone = clients.withLock { clients in
            let gone = clients.present.filter(\.value.hasEnded)
            for number in gone.keys { clients.present[number] = nil }
            return gone.values.map(\.thread)
        }
        for thread in gone { thread.join() }
    }

    func stop() {
        clients.withLock { $0.isStopping = true }
        listener.shutdown()
    }

    /// Once nobody is accepted any more.
    func endConnections() {
        let all = clients.withLock { clients in
            let all = clients.present.values.map { $0 }
            clients.present = [:]
            return all
        }
        for client in all { client.socket.shutdown() }
        for client in all { client.thread.join() }
    }
}

extension Mutex where Value: Sendable {
    /// A mutex that several objects hold.
    final class Reference: Sendable {
        let value: Mutex<Value>
        init(_ value: Value) { self.value = Mutex(value) }
    }
}
