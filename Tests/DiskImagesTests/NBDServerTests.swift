import Files
import Foundation
import Glibc
import Synchronization
import Testing

@testable import DiskImages

@Suite("The NBD server and hostile clients")
struct NBDServerTests {
    private typealias Client = NBDTestClient

    private static func server(_ device: any BlockDevice, limit: Int = 16, workers: Int = 4) throws -> NBDServer {
        try NBDServer(
            [NBDExport("r", device), NBDExport("w", device, isWritable: true)], connectionLimit: limit,
            workers: workers)
    }

    @Test(
        "a handshake nobody can follow ends the connection, and the next client is served",
        arguments: [
            ("flags it does not know", [0, 0, 0, 9]),
            ("no option magic", [0, 0, 0, 3] + Client.option(7, magic: 1)),
            ("an option of 4 GiB", [0, 0, 0, 3] + Client.option(7, length: .max)),
            ("an option just too long", [0, 0, 0, 3] + Client.option(99, length: 65_537)),
            ("half an option", [0, 0, 0, 3] + Client.option(7, [1, 2], length: 50)),
            ("an export name nobody has", [0, 0, 0, 3] + Client.option(1, Array("nothing".utf8))),
            ("an export name that is no text", [0, 0, 0, 3] + Client.option(1, [0xFF, 0xFE])),
            ("one byte", [0]), ("nothing", []),
            ("an abort", [0, 0, 0, 3] + Client.option(2)),
        ] as [(String, [UInt8])])
    func malformedHandshakes(_ what: String, _ bytes: [UInt8]) throws {
        let server = try Self.server(MemoryDevice(size: 1 << 20))
        defer { server.stop() }
        let client = Client(port: server.port!)
        _ = client.socket.receive(18)
        #expect(client.socket.send(bytes))
        // Says that nothing more comes, and reads until the server hangs up.
        shutdown(client.socket.descriptor, Int32(SHUT_WR))
        #expect(client.drain() <= 20, "\(what)")
        #expect(Client(port: server.port!).enter("r"), "\(what)")
    }

    @Test("options that make no sense are refused, and haggling goes on")
    func refusedOptions() throws {
        let server = try Self.server(MemoryDevice(size: 1 << 20))
        defer { server.stop() }
        let client = Client(port: server.port!)
        client.greet()
        let table: [(UInt32, [UInt8], UInt32)] = [
            (NBD.Option.go, [], NBD.Reply.invalid), (NBD.Option.go, [0, 0, 0, 9, 1], NBD.Reply.invalid),
            (NBD.Option.go, Client.named("x"), NBD.Reply.unknown),
            (NBD.Option.info, Client.named("r", [1]).dropLast(1) + [], NBD.Reply.invalid),
            (NBD.Option.info, Client.named("r") + [0], NBD.Reply.invalid),
            (NBD.Option.info, [0xFF, 0xFF, 0xFF, 0xFF, 0, 0], NBD.Reply.invalid),
            (NBD.Option.list, [1], NBD.Reply.invalid), (5, [], NBD.Reply.unsupported),
            (11, [], NBD.Reply.unsupported), (0, [], NBD.Reply.unsupported), (.max, [9, 9], NBD.Reply.unsupported),
            (NBD.Option.structuredReply, [0], NBD.Reply.invalid),
            (NBD.Option.setMetaContext, Client.queries("r", ["base:allocation"]), NBD.Reply.invalid),
            (NBD.Option.structuredReply, [], NBD.Reply.ack),
            (NBD.Option.setMetaContext, [], NBD.Reply.invalid),
            (NBD.Option.setMetaContext, Client.queries("x", []), NBD.Reply.unknown),
            (NBD.Option.setMetaContext, [0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF], NBD.Reply.invalid),
            (NBD.Option.listMetaContext, Client.queries("r", ["a:"]) + [1], NBD.Reply.invalid),
        ]
        for (option, data, expected) in table {
            #expect(client.replies(option, data)?.last?.type == expected, "option \(option), data \(data)")
        }
        let all = try #require(client.replies(NBD.Option.listMetaContext, Client.queries("r", [])))
        #expect(all.map(\.type) == [NBD.Reply.metaContext, NBD.Reply.ack])
        let none = try #require(client.replies(NBD.Option.setMetaContext, Client.queries("r", ["qemu:dirty-bitmap:"])))
        #expect(none.map(\.type) == [NBD.Reply.ack])
        let listed = try #require(client.replies(NBD.Option.list))
        #expect(listed.map(\.type) == [NBD.Reply.server, NBD.Reply.server, NBD.Reply.ack])
        let info = try #require(client.replies(NBD.Option.info, Client.named("", [0, 1, 2, 3, 99])))
        #expect(info.map(\.type) == [3, 3, 3, 3, 1])
        #expect(client.replies(NBD.Option.go, Client.named("r"))?.last?.type == NBD.Reply.ack)
    }

    @Test("an old client that knows only the export name gets its 134 bytes, and simple replies")
    func oldClient() throws {
        let device = MemoryDevice(size: 1 << 20)
        try device.write([UInt8](repeating: 5, count: 512), at: 512)
        let server = try Self.server(device)
        defer { server.stop() }
        let client = Client(port: server.port!)
        client.greet(flags: 0)
        #expect(client.socket.send(Client.option(1, Array("r".utf8))))
        let facts = try #require(client.socket.receive(134))
        #expect(facts.big(UInt64.self, at: 0) == 1 << 20)
        #expect(client.socket.send(Client.request(0, 510, 4)))
        #expect(client.simpleError() == 0)
        #expect(client.socket.receive(4) == [0, 0, 5, 5])
        #expect(client.socket.send(Client.request(0, 1 << 20, 1)))
        #expect(client.simpleError() == 22)
    }

    @Test(
        "a request that cannot be met is answered with its error, and the next one is served",
        arguments: [
            ("read past the end", "r", Client.request(0, 1 << 20, 1), 22),
            ("read far past the end", "r", Client.request(0, .max, 4096), 22),
            ("read of 4 GiB", "r", Client.request(0, 0, .max), 22),
            ("read with a flag nobody offered", "r", Client.request(0, 0, 512, flags: 16), 22),
            (
                "write where nothing may be written", "r",
                Client.request(1, 0, 512, data: .init(repeating: 1, count: 512)), 1
            ),
            ("write past the end", "w", Client.request(1, 1 << 20, 512, data: .init(repeating: 1, count: 512)), 28),
            (
                "write that wraps round", "w",
                Client.request(1, .max - 511, 512, data: .init(repeating: 1, count: 512)), 28
            ),
            ("write of half a sector", "w", Client.request(1, 0, 256, data: .init(repeating: 1, count: 256)), 22),
            ("write between sectors", "w", Client.request(1, 1, 512, data: .init(repeating: 1, count: 512)), 22),
            ("zeros past the end", "w", Client.request(6, 0, .max), 28),
            ("zeros where nothing may be written", "r", Client.request(6, 0, 512), 1),
            ("trim past the end", "w", Client.request(4, 4096, 1 << 20), 22),
            ("trim where nothing may be written", "r", Client.request(4, 0, 512), 1),
            ("fast zeros, which were not offered", "w", Client.request(6, 0, 512, flags: 16), 22),
            ("an unknown command", "r", Client.request(8, 0, 0), 22),
            ("another unknown command", "w", Client.request(.max, .max, .max, flags: .max), 22),
            ("block status of nothing", "r", Client.request(7, 0, 0), 22),
            ("block status past the end", "r", Client.request(7, 0, .max), 22),
        ] as [(String, String, [UInt8], UInt32)])
    func malformedRequests(_ what: String, _ export: String, _ request: [UInt8], _ code: UInt32) throws {
        let device = MemoryDevice(size: 1 << 20)
        let server = try Self.server(device)
        defer { server.stop() }
        for structured in [true, false] {
            let client = Client(port: server.port!)
            #expect(client.enter(export, structured: structured))
            #expect(client.socket.send(request))
            if structured {
                let chunks = try #require(client.chunks(), "\(what)")
                #expect(chunks.last?.type == NBD.Chunk.error && chunks.last?.data.big(at: 0) == code, "\(what)")
                #expect((chunks.last?.data.count ?? 0) > 6, "\(what): a text")
                #expect(client.socket.send(Client.request(0, 0, 512)))
                #expect(client.chunks()?.map(\.type) == [NBD.Chunk.offsetData], "\(what)")
            } else {
                #expect(client.simpleError() == code, "\(what)")
                #expect(client.socket.send(Client.request(0, 0, 512)))
                #expect(client.simpleError() == 0, "\(what)")
                #expect(client.socket.receive(512)?.count == 512)
            }
        }
        #expect(try device.allocatedRanges(in: 0..<1 << 20).isEmpty, "\(what): nothing was written")
    }

    @Test(
        "what follows nothing can be made of ends the connection, and the server lives",
        arguments: [
            ("no request magic", Client.request(0, magic: 1)),
            ("a write of more than 32 MiB", Client.request(1, 0, 32 << 20 | 1)),
            ("a write cut off", Client.request(1, 0, 4096, data: [1, 2, 3])),
            ("half a request", Array(Client.request(0).dropLast(5))),
            ("a disconnect", Client.request(2)),
        ] as [(String, [UInt8])])
    func brokenStreams(_ what: String, _ bytes: [UInt8]) throws {
        let device = MemoryDevice(size: 64 << 20)
        let server = try Self.server(device)
        defer { server.stop() }
        let client = Client(port: server.port!)
        #expect(client.enter("w"))
        #expect(client.socket.send(bytes))
        shutdown(client.socket.descriptor, Int32(SHUT_WR))
        #expect(client.socket.receive(1) == nil, "\(what)")
        #expect(try device.allocatedRanges(in: 0..<64 << 20).isEmpty, "\(what): nothing was written")
        #expect(Client(port: server.port!).enter("r"), "\(what)")
    }

    @Test("random bytes after any prefix of a good session do no harm", arguments: [1, 2, 3, 4])
    func fuzz(_ seed: UInt64) throws {
        let server = try Self.server(MemoryDevice(size: 1 << 20), limit: 64)
        defer { server.stop() }
        var state = seed &* 0x9E37_79B9_7F4A_7C15
        func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state >> 33
        }
        let session: [UInt8] =
            [0, 0, 0, 3] + Client.option(8) + Client.option(10, Client.queries("w", ["base:allocation"]))
            + Client.option(7, Client.named("w", [3]))
            + Client.request(1, 0, 512, data: .init(repeating: 3, count: 512)) + Client.request(7, 0, 1 << 20)
            + Client.request(0, 0, 65_536) + Client.request(4, 0, 4096) + Client.request(3)
        for _ in 0..<60 {
            var bytes = session
            for _ in 0..<1 + next() % 4 { bytes[Int(next()) % bytes.count] = UInt8(truncatingIfNeeded: next()) }
            let client = Client(port: server.port!)
            _ = client.socket.send(bytes)
            shutdown(client.socket.descriptor, Int32(SHUT_WR))
            #expect(client.drain() >= 18, "seed \(seed)")
        }
        #expect(Client(port: server.port!).enter("w"), "seed \(seed)")
    }

    @Test("a read in pieces names holes, and one that may not be cut comes whole")
    func pieces() throws {
        let device = MemoryDevice(size: 8 << 20)
        try device.write([UInt8](repeating: 9, count: 65_536), at: 65_536)
        let server = try Self.server(device)
        defer { server.stop() }
        let client = Client(port: server.port!)
        #expect(client.enter("r"))
        #expect(client.socket.send(Client.request(0, 0, 4 << 20)))
        let chunks = try #require(client.chunks())
        #expect(chunks.map(\.type) == [NBD.Chunk.offsetHole, NBD.Chunk.offsetData, NBD.Chunk.offsetHole])
        #expect(chunks[1].data.big(UInt64.self, at: 0) == 65_536 && chunks[1].data.count == 65_544)
        #expect(client.socket.send(Client.request(0, 0, 4 << 20, flags: NBD.CommandFlag.dontFragment)))
        let whole = try #require(client.chunks())
        #expect(whole.map(\.type) == [NBD.Chunk.offsetData] && whole[0].data.count == 4 << 20 + 8)
        #expect(client.socket.send(Client.request(7, 0, 8 << 20)))
        let status = try #require(client.chunks())
        #expect(status[0].data.count == 4 + 3 * 8)
        #expect(client.socket.send(Client.request(7, 0, 8 << 20, flags: NBD.CommandFlag.requestOne)))
        #expect(client.chunks()?[0].data.suffix(8) == [0, 1, 0, 0, 0, 0, 0, 3])
    }

    @Test("many clients at once, each with 40 requests on their way, get their own bytes")
    func parallel() throws {
        let device = MemoryDevice(size: 16 << 20)
        let server = try Self.server(device, limit: 32)
        defer { server.stop() }
        let port = server.port!
        let wrong = Mutex(0)
        let threads = (0..<24).map { number in
            OwnThread {
                let client = Client(port: port)
                var failed = !client.enter("w", structured: number % 2 == 0)
                let base = UInt64(number) * 40 * 4096
                for index in 0..<40 as Range<UInt64> {
                    let data = [UInt8](repeating: UInt8(number) &+ UInt8(index), count: 4096)
                    failed =
                        failed
                        || !client.socket.send(
                            Client.request(1, base + index * 4096, 4096, cookie: index, data: data))
                }
                for _ in 0..<40 where !failed {
                    failed =
                        number % 2 == 0 ? client.chunks()?.map(\.type) != [NBD.Chunk.none] : client.simpleError() != 0
                }
                if failed { wrong.withLock { $0 += 1 } }
            }
        }
        for thread in threads { thread.join() }
        #expect(wrong.withLock { $0 } == 0)
        for number in 0..<24 {
            for index in 0..<40 {
                let bytes = try device.bytes(4096, at: Int64((number * 40 + index) * 4096))
                #expect(bytes == [UInt8](repeating: UInt8(number) &+ UInt8(index), count: 4096))
            }
        }
        #expect(server.statistics.connectionsSoFar == 24 && server.statistics.bytesWritten == 24 * 40 * 4096)
    }

    @Test("one client too many is turned away, and the place of one that left is free")
    func limit() throws {
        let server = try Self.server(MemoryDevice(size: 1 << 20), limit: 2)
        defer { server.stop() }
        let first = Client(port: server.port!)
        #expect(first.enter("r"))
        do {
            let second = Client(port: server.port!)
            #expect(second.enter("r"))
            #expect(Client(port: server.port!).enter("r") == false)
            #expect(second.socket.send(Client.request(2)))
            #expect(second.socket.receive(1) == nil)
        }
        var tries = 0
        while !Client(port: server.port!).enter("r"), tries < 1000 { tries += 1 }
        #expect(tries < 1000)
        #expect(first.socket.send(Client.request(3)))
        #expect(first.chunks()?.map(\.type) == [NBD.Chunk.none])
    }

    @Test("stop ends clients in the middle of anything, and the port is free again")
    func stops() throws {
        let device = MemoryDevice(size: 64 << 20)
        let server = try Self.server(device)
        let port = server.port!
        let silent = Client(port: port)
        let haggling = Client(port: port)
        haggling.greet()
        let writing = Client(port: port)
        #expect(writing.enter("w"))
        _ = writing.socket.send(Client.request(1, 0, 32 << 20, data: [1]))
        // Asks for much and reads nothing, so that the server's sending stands still.
        let deaf = Client(port: port)
        #expect(deaf.enter("r", structured: false))
        for _ in 0..<8 { _ = deaf.socket.send(Client.request(0, 0, 16 << 20)) }
        server.stop()
        server.stop()
        #expect(server.statistics.connections == 0)
        #expect(writing.socket.receive(1) == nil && haggling.socket.receive(1) == nil)
        _ = silent
        let again = try NBDServer([NBDExport("r", device)], at: .loopback(port: port))
        again.stop()
    }

    @Test("addresses and exports that cannot be are refused with their fault")
    func refusedSetups() throws {
        let device = MemoryDevice(size: 512)
        func fault(_ exports: [NBDExport], _ address: NBDAddress) -> String? {
            do throws(StorageFault) {
                try NBDServer(exports, at: address).stop()
                return nil
            } catch { return error.id }
        }
        let one = [NBDExport("a", device)]
        #expect(fault([], .loopback(port: 0)) == "NBD-EXPORTS")
        #expect(fault(one + one, .loopback(port: 0)) == "NBD-EXPORTS")
        #expect(fault(one, .loopback(port: 65_536)) == "NBD-ADDRESS")
        #expect(fault(one, .address("example", port: 0)) == "NBD-ADDRESS")
        #expect(fault(one, .unix(path: String(repeating: "x", count: 200))) == "NBD-ADDRESS")
        let server = try NBDServer(one)
        defer { server.stop() }
        #expect(fault(one, .loopback(port: server.port!)) == "NBD-LISTEN")
        #expect(server.uri("a b/ö") == "nbd://127.0.0.1:\(server.port!)/a%20b/%C3%B6")
    }
}
