/// Integers in a structure's bytes. Offsets must lie inside: check sizes first, they are never trusted.
extension [UInt8] {
    public func little<T: FixedWidthInteger>(_ type: T.Type = T.self, at offset: Int) -> T {
        withUnsafeBytes { T(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: T.self)) }
    }

    public func big<T: FixedWidthInteger>(_ type: T.Type = T.self, at offset: Int) -> T {
        withUnsafeBytes { T(bigEndian: $0.loadUnaligned(fromByteOffset: offset, as: T.self)) }
    }

    public mutating func putLittle<T: FixedWidthInteger>(_ value: T, at offset: Int) {
        withUnsafeMutableBytes { $0.storeBytes(of: value.littleEndian, toByteOffset: offset, as: T.self) }
    }

    public mutating func putBig<T: FixedWidthInteger>(_ value: T, at offset: Int) {
        withUnsafeMutableBytes { $0.storeBytes(of: value.bigEndian, toByteOffset: offset, as: T.self) }
    }

    public mutating func put(_ bytes: some Collection<UInt8>, at offset: Int) {
        replaceSubrange(offset..<offset + bytes.count, with: bytes)
    }
}

// The standard library's `withUnsafeBytes` does not throw typed errors.
extension [UInt8] {
    public func withBytes<Result>(
        _ body: (UnsafeRawBufferPointer) throws(StorageFault) -> Result
    ) throws(StorageFault) -> Result {
        try withUnsafeBufferPointer { (buffer) throws(StorageFault) in try body(UnsafeRawBufferPointer(buffer)) }
    }

    public mutating func withMutableBytes<Result>(
        _ body: (UnsafeMutableRawBufferPointer) throws(StorageFault) -> Result
    ) throws(StorageFault) -> Result {
        try withUnsafeMutableBufferPointer { (buffer) throws(StorageFault) in
            try body(UnsafeMutableRawBufferPointer(buffer))
        }
    }
}
