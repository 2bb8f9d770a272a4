import Glibc

/// Memory for blocks and records on their way: page-aligned, zeros, of fixed size, freed with its owner. Not for two threads at once.
///
/// A large one takes memory only where it is written: many that could hold the longest record hold short ones.
public final class Buffer: @unchecked Sendable {
    /// From here on a buffer is mapped from the system, which gives zeros.
    private static let leastMapped = 1 << 16

    public let bytes: UnsafeMutableRawBufferPointer

    public init(count: Int) {
        let count = Swift.max(count, 1)
        guard count >= Self.leastMapped else {
            bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 4096)
            memset(bytes.baseAddress!, 0, count)
            return
        }
        let base = mmap(nil, count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let base, base != MAP_FAILED else { fatalError("no memory for \(count) bytes") }
        bytes = UnsafeMutableRawBufferPointer(start: base, count: count)
    }

    deinit {
        if bytes.count >= Self.leastMapped { munmap(bytes.baseAddress, bytes.count) } else { bytes.deallocate() }
    }

    public subscript(range: Range<Int>) -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(rebasing: bytes[range])
    }
}
