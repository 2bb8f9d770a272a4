import Files
import Synchronization

/// An export as connections use it.
final class NBDServedExport: Sendable {
    let facts: NBDExportFacts
    let device: any BlockDevice
    /// What is being written now. A device leaves overlapping writes to its caller, and a client may send anything.
    private let writing = Monitor<[Range<Int64>]>([])

    init(_ facts: NBDExportFacts, _ device: any BlockDevice) { (self.facts, self.device) = (facts, device) }

    /// Runs `body` while nobody else writes to any part of `range`.
    func writing(
        _ range: Range<Int64>, _ body: () throws(StorageFault) -> Void
    ) throws(StorageFault) {
        writing.when({ now in !now.contains { $0.overlaps(range) } }, { $0.append(range) })
        defer {
            writing.withLock { now in if let place = now.firstIndex(of: range) { now.remove(at: place) } }
            writing.wake()
        }
        try body()
    }
}

/// What a server did so far.
public struct NBDStatistics: Hashable, Sendable {
    /// Clients connected now, and since the start; those turned away because too many were there.
    public var connections = 0
    public var connectionsSoFar = 0
    public var connectionsRefused = 0
    public var requests = 0
    /// Requests answered with an error.
    public var failures = 0
    public var bytesRead: Int64 = 0
    public var bytesWritten: Int64 = 0
    public init() {}
}

/// One client from its greeting to its end. One thread receives; up to `workers` perform and answer, made as they are needed.
///
/// Memory, whatever the client sends: requests in hand hold `NBD.maximumTransfer` bytes together at most, and are 64 at most;
/// each worker has 1 MiB of its own.
final class NBDConnection: Sendable {
    private struct Job {
        var request: NBDRequest
        /// The bytes of a write, from `malloc`.
        var payload: UnsafeMutableRawBufferPointer?
        /// Bytes of memory reckoned for it.
        var weight: Int
    }

    private struct Line {
        var waiting: [Job] = []
        var jobs = 0
        var bytes = 0
        var idleWorkers = 0
        var workers: [OwnThread] = []
        /// No more requests come.
        var hasEnded = false
        /// Nobody can be answered any more.
        var isBroken = false
    }

    private static let jobLimit = 64
    private static let piece = 1 << 20
    private static let optionLimit = 1000
    /// Of one block status reply.
    private static let extentLimit = 8192

    private let socket: NBDSocket
    private let exports: [NBDServedExport]
    private let workerLimit: Int
    private let statistics: Mutex<NBDStatistics>.Reference
    private let line = Monitor(Line())
    private let sending = Mutex<Void>(())

    init(_ socket: NBDSocket, _ exports: [NBDServedExport], workers: Int, _ statistics: Mutex<NBDStatistics>.Reference)
    {
        (self.socket, self.exports, workerLimit, self.statistics) = (socket, exports, workers, statistics)
    }

    /// Returns when the client is gone and everything it asked for is done.
    func serve() {
        defer { socket.shutdown() }
        socket.tune()
        // A client that says nothing must not keep others out; once it is let in, it may be silent for days.
        socket.setTimeout(seconds: 30)
        guard let (handshake, export) = handshake() else { return }
        socket.setTimeout(seconds: 0)
        receive(exports[export], handshake, export)
        line.withLock { $0.hasEnded = true }
        line.wake()
        for worker in line.withLock({ $0.workers }) { worker.join() }
    }

    private func handshake() -> (NBDHandshake, Int)? {
        guard socket.send(NBDMessage.greeting()), let flags = socket.receive(4),
            var handshake = NBDHandshake(clientFlags: flags.big(at: 0), exports: exports.map(\.facts))
        else { return nil }
        for _ in 0..<Self.optionLimit {
            guard let head = socket.receive(16), head.big(UInt64.self, at: 0) == NBD.optionMagic else { return nil }
            let length = head.big(UInt32.self, at: 12)
            guard length <= NBD.maximumOption, let data = socket.receive(Int(length)) else { return nil }
            let (bytes, outcome) = handshake.answer(head.big(at: 8), data)
            guard socket.send(bytes) else { return nil }
            switch outcome {
            case .more: continue
            case .transmission(let export): return (handshake, export)
            case .end: return nil
            }
        }
        return nil
    }

    // MARK: Receiving

    private func receive(_ export: NBDServedExport, _ handshake: NBDHandshake, _ index: Int) {
        let manner = Manner(
            export: export, isStructured: handshake.hasStructuredReplies, hasContext: handshake.hasContext(index))
        while let head = socket.receive(NBDRequest.length), let request = NBDRequest(head),
            request.command != .disconnect
        {
            let isWrite = request.command == .write
            // The bytes of a write follow its head; where they are too many to be taken in, nothing after them can be found.
            if isWrite, request.count > NBD.maximumTransfer { return }
            let weight = Self.weight(of: request, manner)
            let isBroken = line.when(
                {
                    $0.isBroken
                        || $0.jobs < Self.jobLimit && ($0.bytes == 0 || $0.bytes + weight <= NBD.maximumTransfer)
                },
                { line in
                    line.jobs += 1
                    line.bytes += weight
                    return line.isBroken
                })
            if isBroken { return }
            var job = Job(request: request, payload: nil, weight: weight)
            if isWrite {
                let payload = UnsafeMutableRawBufferPointer.allocate(
                    byteCount: max(1, Int(request.count)), alignment: 4096)
                guard socket.receive(into: .init(rebasing: payload[..<Int(request.count)])) else {
                    payload.deallocate()
                    return
                }
                job.payload = payload
            }
            line.withLock { line in
                line.waiting.append(job)
                if line.idleWorkers < line.waiting.count, line.workers.count < workerLimit {
                    line.workers.append(OwnThread { self.work(manner) })
                }
            }
            line.wake()
        }
    }

    private static func weight(of request: NBDRequest, _ manner: Manner) -> Int {
        switch request.command {
        case .write: return Int(request.count)
        case .read where request.count <= NBD.maximumTransfer && !manner.readsInPieces(request):
            return Int(request.count)
        default: return 0
        }
    }

    // MARK: Working

    /// How one client is served.
    private struct Manner: Sendable {
        var export: NBDServedExport
        var isStructured: Bool
        var hasContext: Bool

        func readsInPieces(_ request: NBDRequest) -> Bool {
            isStructured && !request.has(NBD.CommandFlag.dontFragment)
        }
    }

    private func work(_ manner: Manner) {
        let scratch = Buffer(count: Self.piece)
        while true {
            line.withLock { $0.idleWorkers += 1 }
            let job: Job? = line.when(
                { !$0.waiting.isEmpty || $0.hasEnded },
                { line in
                    line.idleWorkers -= 1
                    return line.waiting.isEmpty ? nil : line.waiting.removeFirst()
                })
            guard let job else { return }
            if !line.withLock({ $0.isBroken }) { perform(job, manner, scratch) }
            job.payload?.deallocate()
            line.withLock { line in
                line.jobs -= 1
                line.bytes -= job.weight
            }
            line.wake()
        }
    }

    private func perform(_ job: Job, _ manner: Manner, _ scratch: Buffer) {
        statistics.value.withLock { $0.requests += 1 }
        let request = job.request
        let facts = manner.export.facts
        func refuse(_ code: NBD.ErrorCode, _ text: String) { fail(request, manner, code, text) }
        guard let command = request.command else { return refuse(.invalid, "this server does not know the command") }
        guard request.flags & ~request.allowedFlags == 0 else {
            return refuse(.invalid, "the request has flags that were not offered")
        }
        guard command == .flush || request.range(within: facts.size) != nil else {
            let writes = command == .write || command == .writeZeroes
            return refuse(writes ? .noSpace : .invalid, "the range does not lie inside the disk of \(facts.size) bytes")
        }
        let range = request.range(within: facts.size) ?? 0..<0
        if [.write, .writeZeroes, .trim].contains(command) {
            guard facts.isWritable else { return refuse(.permission, "the export is for reading only") }
            let sector = Int64(facts.sectorSize)
            guard range.lowerBound % sector == 0, range.upperBound % sector == 0 else {
                return refuse(.invalid, "the range is not whole sectors of \(sector) bytes")
            }
        }
        do throws(StorageFault) {
            switch command {
            case .read:
                guard request.count <= NBD.maximumTransfer else {
                    return refuse(.invalid, "more than \(NBD.maximumTransfer) bytes were asked for at once")
                }
                return try read(request, range, manner, scratch)
            case .blockStatus:
                guard manner.hasContext, request.count > 0 else {
                    return refuse(.invalid, "block status was not agreed on, or is asked of nothing")
                }
                let extents = try extents(range, of: manner.export, one: request.has(NBD.CommandFlag.requestOne))
                return send(NBDMessage.blockStatus(request.cookie, extents))
            case .write: try write(job, range, manner.export)
            case .writeZeroes where request.has(NBD.CommandFlag.noHole):
                try writeZeroes(range, manner.export, scratch)
            case .writeZeroes, .trim:
                let device = manner.export.device
                if !range.isEmpty {
                    try manner.export.writing(range) { () throws(StorageFault) in try device.discard(range) }
                }
            case .flush: if facts.isWritable { try manner.export.device.flush() }
            case .cache, .disconnect: break
            }
            if facts.isWritable, request.has(NBD.CommandFlag.fua), command != .flush {
                try manner.export.device.flush()
            }
            let isStructured = manner.isStructured
            send(
                isStructured
                    ? NBDMessage.chunk(NBD.Chunk.none, request.cookie, done: true, payload: 0)
                    : NBDMessage.simpleReply(request.cookie))
        } catch {
            refuse(NBD.ErrorCode(error), error.description)
        }
    }

    private func write(_ job: Job, _ range: Range<Int64>, _ export: NBDServedExport) throws(StorageFault) {
        guard let payload = job.payload, !range.isEmpty else { return }
        let bytes = UnsafeRawBufferPointer(rebasing: payload[..<Int(job.request.count)])
        try export.writing(range) { () throws(StorageFault) in try export.device.write(bytes, at: range.lowerBound) }
        statistics.value.withLock { $0.bytesWritten += Int64(bytes.count) }
    }

    /// Zeros that take space, because the client asked for no hole.
    private func writeZeroes(
        _ range: Range<Int64>, _ export: NBDServedExport, _ scratch: Buffer
    ) throws(StorageFault) {
        scratch.bytes.initializeMemory(as: UInt8.self, repeating: 0)
        try export.writing(range) { () throws(StorageFault) in
            for piece in range.pieces(of: Int64(Self.piece)) where !line.withLock({ $0.isBroken }) {
                let bytes = UnsafeRawBufferPointer(scratch[0..<piece.count])
                try export.device.write(bytes, at: piece.lowerBound)
            }
        }
    }

    // MARK: Reading

    private func read(
        _ request: NBDRequest, _ range: Range<Int64>, _ manner: Manner, _ scratch: Buffer
    ) throws(StorageFault) {
        let device = manner.export.device
        statistics.value.withLock { $0.bytesRead += Int64(range.count) }
        guard manner.readsInPieces(request), !range.isEmpty else {
            let own = range.count <= scratch.bytes.count ? nil : Buffer(count: range.count)
            defer { withExtendedLifetime(own) {} }
            let buffer = (own ?? scratch)[0..<range.count]
            try device.read(into: buffer, at: range.lowerBound)
            let head =
                !manner.isStructured
                ? NBDMessage.simpleReply(request.cookie)
                : range.isEmpty
                    ? NBDMessage.chunk(NBD.Chunk.none, request.cookie, done: true, payload: 0)
                    : NBDMessage.data(request.cookie, at: range.lowerBound, count: range.count, done: true)
            send(head, buffer)
            return
        }
        var at = range.lowerBound
        do throws(StorageFault) {
            for part in try Self.parts(of: range, device) {
                let isLast = part.range.upperBound == range.upperBound
                if part.isData {
                    let buffer = scratch[0..<part.range.count]
                    try device.read(into: buffer, at: part.range.lowerBound)
                    send(NBDMessage.data(request.cookie, at: at, count: buffer.count, done: isLast), buffer)
                } else {
                    send(NBDMessage.hole(request.cookie, part.range, done: isLast))
                }
                at = part.range.upperBound
                if line.withLock({ $0.isBroken }) { return }
            }
        } catch {
            statistics.value.withLock { $0.failures += 1 }
            send(NBDMessage.error(request.cookie, NBD.ErrorCode(error), error.description, at: at))
        }
    }

    /// `range` cut into holes and data of at most 1 MiB each. Holes under 4 KiB are not worth a message of their own.
    private static func parts(
        of range: Range<Int64>, _ device: any BlockDevice
    ) throws(StorageFault) -> [(range: Range<Int64>, isData: Bool)] {
        let least: Int64 = 4096
        var data: [Range<Int64>] = []
        if range.count < 65_536 {
            data = [range]
        } else {
            for found in try device.allocatedRanges(in: range) {
                let part = found.clamped(to: range)
                if let last = data.last, part.lowerBound - last.upperBound < least {
                    data[data.count - 1] = last.lowerBound..<part.upperBound
                } else if !part.isEmpty {
                    data.append(part)
                }
            }
        }
        var parts: [(range: Range<Int64>, isData: Bool)] = []
        var at = range.lowerBound
        for part in data {
            if at < part.lowerBound { parts.append((at..<part.lowerBound, false)) }
            for piece in part.pieces(of: Int64(piece)) { parts.append((piece, true)) }
            at = part.upperBound
        }
        if at < range.upperBound { parts.append((at..<range.upperBound, false)) }
        return parts
    }

    /// What lies in `range`, from its beginning on: all of it, or less where it is in many pieces or `one` is asked for.
    private func extents(
        _ range: Range<Int64>, of export: NBDServedExport, one: Bool
    ) throws(StorageFault) -> [NBDExtent] {
        let sector = Int64(export.facts.sectorSize)
        var extents: [NBDExtent] = []
        func add(_ length: Int64, _ flags: UInt32) {
            guard length > 0 else { return }
            if let last = extents.last, last.flags == flags {
                extents[extents.count - 1].length += UInt32(length)
            } else {
                extents.append(NBDExtent(length: UInt32(length), flags: flags))
            }
        }
        for step in range.pieces(of: 256 << 20) {
            var at = step.lowerBound
            for found in try export.device.allocatedRanges(in: step) {
                let start = max(at, found.lowerBound / sector * sector)
                let end = min(step.upperBound, (found.upperBound + sector - 1) / sector * sector)
                guard start < end else { continue }
                add(start - at, NBD.State.hole | NBD.State.zero)
                add(end - start, 0)
                at = end
            }
            add(step.upperBound - at, NBD.State.hole | NBD.State.zero)
            if extents.count > (one ? 1 : Self.extentLimit) { break }
        }
        return Array(extents.prefix(one ? 1 : Self.extentLimit))
    }

    // MARK: Answering

    private func fail(_ request: NBDRequest, _ manner: Manner, _ code: NBD.ErrorCode, _ text: String) {
        statistics.value.withLock { $0.failures += 1 }
        send(
            manner.isStructured
                ? NBDMessage.error(request.cookie, code, text) : NBDMessage.simpleReply(request.cookie, code))
    }

    private func send(_ head: [UInt8], _ data: UnsafeMutableRawBufferPointer? = nil) {
        let sent = sending.withLock { _ in
            guard let data, data.count > 0 else { return socket.send(head) }
            return socket.send(head, more: true) && socket.send(UnsafeRawBufferPointer(data))
        }
        if !sent {
            line.withLock { $0.isBroken = true }
            line.wake()
            // The receiving thread may be waiting for a request that will never come.
            socket.shutdown()
        }
    }
}

extension Range<Int64> {
    /// Consecutive parts of `length` each, the last one perhaps shorter.
    func pieces(of length: Int64) -> some Sequence<Range<Int64>> {
        stride(from: lowerBound, to: upperBound, by: Int64.Stride(length)).lazy.map { [upperBound] start in
            start..<Swift.min(upperBound, start + length)
        }
    }
}
