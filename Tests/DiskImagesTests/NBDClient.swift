import Files
import Foundation
import Glibc
import Synchronization

@testable import DiskImages

/// A raw client of a server on loopback, that can also say what no client should.
final class NBDTestClient {
    let socket: NBDSocket

    init(port: Int) {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        inet_pton(AF_INET, "127.0.0.1", &address.sin_addr)
        socket = NBDSocket(Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0))
        let code = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket.descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        precondition(code == 0, "no connection")
        socket.setTimeout(seconds: 20)
    }

    /// Reads the greeting and sends flags.
    @discardableResult
    func greet(flags: UInt32 = 3) -> Bool {
        guard socket.receive(18) != nil else { return false }
        var out: [UInt8] = []
        out.appendBig(flags)
        return socket.send(out)
    }

    static func option(_ option: UInt32, _ data: [UInt8] = [], magic: UInt64 = NBD.optionMagic, length: UInt32? = nil)
        -> [UInt8]
    {
        var out: [UInt8] = []
        out.appendBig(magic)
        out.appendBig(option)
        out.appendBig(length ?? UInt32(data.count))
        return out + data
    }

    static func request(
        _ type: UInt16, _ offset: UInt64 = 0, _ count: UInt32 = 0, flags: UInt16 = 0, cookie: UInt64 = 7,
        magic: UInt32 = NBD.requestMagic, data: [UInt8] = []
    ) -> [UInt8] {
        var out: [UInt8] = []
        out.appendBig(magic)
        out.appendBig(flags)
        out.appendBig(type)
        out.appendBig(cookie)
        out.appendBig(offset)
        out.appendBig(count)
        return out + data
    }

    /// The types of the replies to an option up to the last; nil if the connection ended.
    func replies(_ option: UInt32, _ data: [UInt8] = []) -> [(type: UInt32, data: [UInt8])]? {
        guard socket.send(Self.option(option, data)) else { return nil }
        var all: [(UInt32, [UInt8])] = []
        while true {
            guard let head = socket.receive(20) else { return nil }
            let type = head.big(UInt32.self, at: 12)
            guard let data = socket.receive(Int(head.big(UInt32.self, at: 16))) else { return nil }
            all.append((type, data))
            if type == NBD.Reply.ack || type & 1 << 31 != 0 { return all }
        }
    }

    /// The data of GO, INFO for a name and some requests.
    static func named(_ name: String, _ wanted: [UInt16] = []) -> [UInt8] {
        var out: [UInt8] = []
        out.appendBig(UInt32(name.utf8.count))
        out += Array(name.utf8)
        out.appendBig(UInt16(wanted.count))
        for one in wanted { out.appendBig(one) }
        return out
    }

    static func queries(_ name: String, _ queries: [String]) -> [UInt8] {
        var out: [UInt8] = []
        out.appendBig(UInt32(name.utf8.count))
        out += Array(name.utf8)
        out.appendBig(UInt32(queries.count))
        for query in queries {
            out.appendBig(UInt32(query.utf8.count))
            out += Array(query.utf8)
        }
        return out
    }

    /// Into transmission, with structured replies and block status if wanted.
    func enter(_ name: String, structured: Bool = true) -> Bool {
        guard greet() else { return false }
        if structured {
            _ = replies(NBD.Option.structuredReply)
            _ = replies(NBD.Option.setMetaContext, Self.queries(name, ["base:allocation"]))
        }
        return replies(NBD.Option.go, Self.named(name))?.last?.type == NBD.Reply.ack
    }

    /// How many bytes come until the server hangs up.
    func drain() -> Int {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        var total = 0
        while true {
            let count = recv(socket.descriptor, &buffer, buffer.count, 0)
            if count <= 0 { return total }
            total += count
        }
    }

    /// One simple reply's error, nil at the connection's end.
    func simpleError() -> UInt32? { socket.receive(16)?.big(UInt32.self, at: 4) }

    /// The chunks of one structured reply.
    func chunks() -> [(type: UInt16, data: [UInt8])]? {
        var all: [(UInt16, [UInt8])] = []
        while true {
            guard let head = socket.receive(20), head.big(UInt32.self, at: 0) == NBD.chunkMagic,
                let data = socket.receive(Int(head.big(UInt32.self, at: 16)))
            else { return nil }
            all.append((head.big(at: 6), data))
            if head.big(UInt16.self, at: 4) & NBD.Chunk.done != 0 { return all }
        }
    }
}

/// Runs a program; its status, and what it said.
func runTool(_ arguments: [String]) throws -> (status: Int32, output: String) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = arguments
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    try process.run()
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: output, as: UTF8.self))
}

/// Refuses every call with one fault while told to.
final class RefusingDevice: BlockDevice {
    let base: any BlockDevice
    private let fault = Mutex<StorageFault?>(nil)
    init(_ base: any BlockDevice) { self.base = base }
    var name: String { base.name }
    var size: Int64 { base.size }
    var sectorSize: Int { base.sectorSize }
    func refuse(_ fault: StorageFault?) { self.fault.withLock { $0 = fault } }
    private func step() throws(StorageFault) { if let fault = fault.withLock({ $0 }) { throw fault } }
    func allocatedRanges(in range: Range<Int64>) throws(StorageFault) -> [Range<Int64>] {
        try base.allocatedRanges(in: range)
    }
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(StorageFault) {
        try step()
        try base.read(into: buffer, at: offset)
    }
    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(StorageFault) {
        try step()
        try base.write(bytes, at: offset)
    }
    func discard(_ range: Range<Int64>) throws(StorageFault) {
        try step()
        try base.discard(range)
    }
    func flush() throws(StorageFault) {
        try step()
        try base.flush()
    }
}
