import Files

/// Goes through the records of a span in their order: reads ahead, lets threads open them, and gives them back one
/// after the other.
struct SpanPass {
    enum Next { case go, stop }

    let span: SpanInput
    let keys: SpanKeys
    let workers: Int
    /// Plain bytes that are wanted; nil if that is not known. Little is read with few threads and little memory.
    var wanted: Int64?

    /// - Parameters:
    ///   - plain: the file's byte with which record `object` begins, on a plain set; nil for sealed records.
    ///   - deliver: called by the threads with what authentic records hold.
    ///   - more: asked for each record just read whether to read on behind it; its header is not yet authenticated.
    ///   - collect: gets each record in order, opened.
    /// - Throws: what `deliver` and `collect` throw.
    func run(
        _ objects: Range<Int64>, plain: Int64? = nil, deliver: RecordOpener.Delivery?, more: (ReadSlot) -> Next,
        collect: (ReadSlot) throws(StorageFault) -> Next
    ) throws(StorageFault) {
        guard !objects.isEmpty else { return }
        let tape = span.tape
        let maximum = min(tape.maximumRecord, span.entry.recordLength)
        // What is asked for is at most as much as is there.
        let records = min(wanted.map { $0 / Int64(maximum) + 2 } ?? .max, Int64(objects.count))
        let workers = Int(min(Int64(workers), records))
        let ring = Ring((0..<Int(min(Int64(2 * workers + 2), records + 1))).map { _ in ReadSlot(maximum: maximum) })
        let keys = keys
        let threads = (0..<workers).map { _ in
            OwnThread {
                do throws(StorageFault) {
                    let opener = try RecordOpener(keys, deliver)
                    while let (slot, number) = ring.take() {
                        try opener.work(on: slot)
                        ring.finish(number)
                    }
                } catch {
                    ring.halt(error)
                }
            }
        }
        defer { for thread in threads { thread.join() } }
        do throws(StorageFault) {
            try tape.locate(object: objects.lowerBound, partition: 0)
            var object = objects.lowerBound
            var at = plain ?? 0
            reading: while object < objects.upperBound {
                if ring.isFull, try collectOne(ring, collect) == .stop { break }
                guard let slot = ring.vacant() else { break }
                slot.object = object
                slot.fault = nil
                slot.header = nil
                do throws(StorageFault) {
                    guard case .record(let count) = try tape.read(into: slot.input.bytes) else { break reading }
                    slot.count = min(count, maximum)
                    if plain != nil {
                        slot.kind = .plain(at)
                        at += Int64(slot.count)
                    } else {
                        slot.sort()
                    }
                } catch {
                    slot.kind = .damaged
                    slot.fault = error
                    at += plain == nil ? 0 : Int64(span.entry.recordLength)
                    // A medium that did not move on cannot be read further.
                    guard tape.position.object > object else { throw error }
                }
                object += 1
                let next = more(slot)
                if case .sealed = slot.kind {
                    ring.publish()
                } else if case .plain = slot.kind {
                    ring.publish()
                } else {
                    ring.publish(worked: true)
                }
                if next == .stop { break }
            }
            ring.close()
            while ring.waiting > 0 { if try collectOne(ring, collect) == .stop { break } }
            // Threads that still work on what nobody waits for must end before their buffers go.
            if ring.waiting > 0 { ring.abandon() }
        } catch {
            ring.halt(error)
            throw error
        }
    }

    private func collectOne(
        _ ring: Ring<ReadSlot>, _ collect: (ReadSlot) throws(StorageFault) -> Next
    ) throws(StorageFault) -> Next {
        guard let slot = try ring.collect() else { return .stop }
        let next = try collect(slot)
        ring.release()
        return next
    }
}
