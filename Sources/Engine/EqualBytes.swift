import Glibc

extension UnsafeMutableRawBufferPointer {
    /// Byte by byte in Swift takes a hundred times as long where nothing is optimized, as in tests.
    func hasSameBytes(as other: UnsafeMutableRawBufferPointer) -> Bool {
        guard count == other.count else { return false }
        guard let ours = baseAddress, let theirs = other.baseAddress else { return true }
        return memcmp(ours, theirs, count) == 0
    }
}
