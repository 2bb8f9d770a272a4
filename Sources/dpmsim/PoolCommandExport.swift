import ArgumentParser
import DiskImages
import Files
import Foundation
import StoragePool
import Units

/// `dpmsim pool cat`: bytes of a recovery point.
struct PoolCat: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cat", abstract: "Write the bytes of a disk at a recovery point to standard output.")

    @OptionGroup var options: PoolOptions
    @Argument(help: "The datasource.") var name: String
    @Option(help: PointChoice.help) var point = PointChoice.newest
    @Option(help: ArgumentHelp("Which, if there are several.", valueName: "disk")) var disk: String?
    @Option(help: ArgumentHelp("Where to begin.", valueName: "bytes")) var offset = ByteCount(0)
    @Option(help: ArgumentHelp("How much; to the end if left out.", valueName: "bytes")) var length: ByteCount?

    func run() throws {
        try options.read { pool in
            let device = try pool.device(of: name, at: try point.number(in: pool, of: name), disk: disk)
            let start = offset.count
            let count = length?.count ?? max(0, device.size - start)
            guard start <= device.size, count <= device.size - start else {
                throw StorageFault(
                    .badInput, "DISK-RANGE", device.name,
                    "\(count) bytes at \(start) do not lie inside the disk, which has \(device.size) bytes",
                    action: "Ask for a range inside the disk")
            }
            let size: Int64 = 4 << 20
            let buffer = Buffer(count: Int(size))
            var at = start
            while at < start + count {
                let part = buffer[0..<Int(min(size, start + count - at))]
                try device.read(into: part, at: at)
                try write(UnsafeRawBufferPointer(part))
                at += Int64(part.count)
            }
        }
    }

    private func write(_ bytes: UnsafeRawBufferPointer) throws(StorageFault) {
        var rest = bytes
        while !rest.isEmpty {
            let count = Foundation.write(1, rest.baseAddress, rest.count)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw .host("write", "standard output", errno) }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }
}

/// Where a server listens, as options.
struct ServerOptions: ParsableArguments {
    @Option(help: ArgumentHelp("On 127.0.0.1; a free one if left out.", valueName: "port")) var port: Int?
    @Option(
        help: ArgumentHelp("Listen on a socket in the file system instead, for this user only.", valueName: "path"),
        completion: .file())
    var socket: String?

    func validate() throws {
        if port != nil, socket != nil { throw ValidationError("choose --port or --socket") }
        if let port, !(0...65_535 ~= port) { throw ValidationError("there is no port \(port)") }
    }

    var address: NBDAddress {
        socket.map { .unix(path: absolute($0)) } ?? .loopback(port: port ?? 0)
    }

    /// What a server that was killed left behind: a socket nobody listens at.
    private func removeIfStale(_ path: String) throws(StorageFault) {
        var status = stat()
        var address = sockaddr_un()
        let bytes = Array(path.utf8)
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK,
            bytes.count < MemoryLayout.size(ofValue: address.sun_path)
        else { return }
        let descriptor = Foundation.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return }
        defer { Foundation.close(descriptor) }
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let answer = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard answer != 0, errno == ECONNREFUSED else { return }
        try HostFiles().remove(path)
    }

    private struct ExportFact: Encodable {
        var name: String, uri: String, size: Int64, isWritable: Bool
    }

    /// Serves until Control-C (or SIGTERM, SIGHUP), then ends all connections.
    func serve(_ exports: [NBDExport], json: Bool) throws {
        Interrupt.hold()
        if let socket { try removeIfStale(absolute(socket)) }
        let server = try NBDServer(exports, at: address)
        defer { server.stop() }
        let facts = exports.map {
            ExportFact(
                name: $0.name, uri: server.uri($0.name), size: $0.device.size, isWritable: $0.isWritable)
        }
        if json { try JSONOutput.print(facts) } else { facts.forEach { Terminal.output.line($0.uri) } }
        Interrupt.wait()
    }
}

/// `dpmsim pool nbd`: recovery points for any tool.
struct PoolNBD: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "nbd", abstract: "Offer the disks of a recovery point by NBD, for reading, until Control-C.",
        discussion: "Prints an address for each disk, for qemu-img, nbdcopy, nbdfuse, nbd-client and the like.")

    @OptionGroup var options: PoolOptions
    @Argument(help: "The datasource.") var name: String
    @Option(help: PointChoice.help) var point = PointChoice.newest
    @OptionGroup var server: ServerOptions

    func run() throws {
        try options.read { pool in
            let number = try point.number(in: pool, of: name)
            var exports: [NBDExport] = []
            for disk in try pool.disks(of: name, at: number) {
                let device = try pool.device(of: name, at: number, disk: disk.name)
                exports.append(NBDExport(disk.name, device, description: device.name))
            }
            try server.serve(exports, json: options.json)
        }
    }
}
