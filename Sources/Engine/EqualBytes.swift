import Glibc

extension UnsafeRawBufferPointer {
    /// Byte by byte in Swift takes a hundred times as long where nothing is optimized, as in tests.
    func hasSameBytes(as other: UnsafeRawBufferPointer) -> Bool {
        guard count == other.count else { return false }
        guard let ours = baseAddress, let theirs = other.baseAddress else { return true }
        return memcmp(ours, theirs, count) == 0
    }
}

extension UnsafeMutableRawBufferPointer {
    /// As of the read-only one.
    func hasSameBytes(as other: UnsafeMutableRawBufferPointer) -> Bool {
        UnsafeRawBufferPointer(self).hasSameBytes(as: UnsafeRawBufferPointer(other))
    }
}
