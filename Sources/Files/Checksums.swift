import CHost

/// CRC-32C (Castagnoli, reflected polynomial 0x82F63B78), as VHDX and cartridges use it; `123456789` gives E3069283.
public enum CRC32C {
    public static func of(_ bytes: UnsafeRawBufferPointer, continuing crc: UInt32 = 0) -> UInt32 {
        guard let base = bytes.baseAddress else { return crc }
        return chost_crc32c(crc, base, bytes.count)
    }

    public static func of(_ bytes: [UInt8]) -> UInt32 { bytes.withUnsafeBytes { of($0) } }

    /// The checksum of `bytes` with the four bytes at `field` taken as zero.
    public static func of(_ bytes: [UInt8], zeroing field: Int) -> UInt32 {
        bytes.withUnsafeBytes { all in
            let before = of(UnsafeRawBufferPointer(rebasing: all[..<field]))
            let zeros = withUnsafeBytes(of: UInt32(0)) { of($0, continuing: before) }
            return of(UnsafeRawBufferPointer(rebasing: all[(field + 4)...]), continuing: zeros)
        }
    }
}

/// CRC-32 as in zlib, as Hyper-V's configuration files use it; `123456789` gives CBF43926.
public enum CRC32 {
    private static let table: [UInt32] = (0..<256).map { index in
        (0..<8).reduce(UInt32(index)) { crc, _ in crc & 1 != 0 ? (crc >> 1) ^ 0xEDB8_8320 : crc >> 1 }
    }

    public static func of(_ bytes: some Sequence<UInt8>) -> UInt32 {
        ~bytes.reduce(UInt32.max) { crc, byte in (crc >> 8) ^ table[Int((crc ^ UInt32(byte)) & 0xFF)] }
    }
}

/// XXH3 with 64 bits: finds rot, torn and misplaced blocks; does not stop anybody who forges them.
public enum XXH3 {
    public static func of(_ bytes: UnsafeRawBufferPointer, seed: UInt64 = 0) -> UInt64 {
        guard let base = bytes.baseAddress else { return 0 }
        return chost_xxh3(base, bytes.count, seed)
    }
}

extension UnsafeRawBufferPointer {
    /// Whether every byte is zero. O(count) for zeros, almost nothing else otherwise.
    public var isZero: Bool {
        guard let base = baseAddress else { return true }
        return chost_is_zero(base, count) != 0
    }
}
