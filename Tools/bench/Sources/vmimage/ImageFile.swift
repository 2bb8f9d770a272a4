import Glibc
import Synchronization

/// Prints to the error output and ends.
func end(_ text: String) -> Never {
    var text = text
    text.withUTF8 { _ = Glibc.write(2, $0.baseAddress, $0.count) }
    exit(2)
}

/// Says what went wrong and ends.
func stop(_ message: String) -> Never { end("vmimage: \(message)\n") }

/// Linux's numbers, which Swift's C library module lacks.
private let seekData: Int32 = 3
private let seekHole: Int32 = 4

/// Bytes from `offset` to before `end`.
struct ByteRange: Equatable {
    var offset: Int
    var end: Int
    var count: Int { end - offset }
}

/// An open image file. A failed call ends the program: it is a measuring tool, with nothing to save.
struct ImageFile {
    let descriptor: Int32
    let path: String

    init(_ path: String, _ flags: Int32 = O_RDONLY) {
        self.path = path
        descriptor = open(path, flags | O_CLOEXEC, 0o644)
        if descriptor < 0 { fail("could not be opened") }
    }

    func fail(_ what: String) -> Never { stop("\(path) \(what): \(String(cString: strerror(errno)))") }

    func close() { _ = Glibc.close(descriptor) }

    func read(_ target: UnsafeMutableRawPointer, _ count: Int, at offset: Int) {
        var done = 0
        while done < count {
            let got = pread(descriptor, target + done, count - done, offset + done)
            if got == 0 { stop("\(path) ends before offset \(offset + count)") }
            if got < 0 { fail("could not be read") }
            done += got
        }
    }

    func write(_ source: UnsafeRawPointer, _ count: Int, at offset: Int) {
        var done = 0
        while done < count {
            let put = pwrite(descriptor, source + done, count - done, offset + done)
            if put <= 0 { fail("could not be written") }
            done += put
        }
    }

    func resize(_ size: Int) { if ftruncate(descriptor, size) != 0 { fail("could not be resized") } }

    func flush() { if fdatasync(descriptor) != 0 { fail("could not be flushed") } }

    var status: stat {
        var result = stat()
        if fstat(descriptor, &result) != 0 { fail("could not be looked at") }
        return result
    }
    var size: Int { status.st_size }
    /// What it takes on its file system.
    var allocated: Int { Int(status.st_blocks) * 512 }

    /// What is not a hole, sorted.
    func dataRanges() -> [ByteRange] {
        var result: [ByteRange] = []
        var place = 0
        let size = self.size
        while place < size {
            let data = lseek(descriptor, place, seekData)
            if data < 0 {
                if errno == ENXIO { break }
                fail("could not be searched for holes")
            }
            let hole = lseek(descriptor, data, seekHole)
            if hole < 0 { fail("could not be searched for holes") }
            result.append(ByteRange(offset: data, end: hole))
            place = hole
        }
        return result
    }
}

/// A buffer of whole pages, never freed: the program ends soon.
func pages(_ count: Int) -> UnsafeMutableRawPointer {
    var memory: UnsafeMutableRawPointer?
    guard posix_memalign(&memory, 4096, count) == 0, let memory else { stop("there is no memory for \(count) bytes") }
    return memory
}

/// Calls `body` for each of `count` pieces on `threads` threads. `body` is made once a thread, with buffers of its own.
func share(_ count: Int, threads: Int, _ worker: @escaping @Sendable () -> (Int) -> Void) {
    final class Job: Sendable {
        let next = Atomic<Int>(0)
        let count: Int
        let worker: @Sendable () -> (Int) -> Void
        init(_ count: Int, _ worker: @escaping @Sendable () -> (Int) -> Void) {
            self.count = count
            self.worker = worker
        }
        func run() {
            let body = worker()
            while true {
                let piece = next.add(1, ordering: .relaxed).oldValue
                if piece >= count { return }
                body(piece)
            }
        }
    }
    let job = Job(count, worker)
    let others = (1..<max(1, threads)).map { _ in
        var thread = pthread_t()
        let code = pthread_create(
            &thread, nil,
            { argument in
                Unmanaged<Job>.fromOpaque(argument!).takeRetainedValue().run()
                return nil
            }, Unmanaged.passRetained(job).toOpaque())
        if code != 0 { stop("no thread could be made") }
        return thread
    }
    job.run()
    for thread in others { pthread_join(thread, nil) }
}

/// Ranges cut into pieces of at most `limit` bytes, at multiples of it.
func pieces(_ ranges: [ByteRange], _ limit: Int) -> [ByteRange] {
    var result: [ByteRange] = []
    for range in ranges {
        var place = range.offset
        while place < range.end {
            let end = min(range.end, (place / limit + 1) * limit)
            result.append(ByteRange(offset: place, end: end))
            place = end
        }
    }
    return result
}

/// What is in either list, sorted and without overlaps.
func union(_ a: [ByteRange], _ b: [ByteRange]) -> [ByteRange] {
    var result: [ByteRange] = []
    for range in (a + b).sorted(by: { $0.offset < $1.offset }) {
        if let last = result.last, range.offset <= last.end {
            result[result.count - 1].end = max(last.end, range.end)
        } else {
            result.append(range)
        }
    }
    return result
}

/// The least offset that any thread reported.
final class FirstOffset: Sendable {
    private let least: Atomic<Int>
    init(_ start: Int?) { least = Atomic(start ?? Int.max) }

    func report(_ offset: Int) { least.min(offset, ordering: .relaxed) }
    func isBefore(_ offset: Int) -> Bool { least.load(ordering: .relaxed) <= offset }
    var offset: Int? {
        let value = least.load(ordering: .relaxed)
        return value == Int.max ? nil : value
    }
}
