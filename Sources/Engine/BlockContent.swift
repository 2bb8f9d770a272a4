import Files

/// What a guest's block holds: a function of machine, block and version, so that what a disk held at any moment is known without
/// keeping copies. Never all zeros.
struct BlockContent: Hashable, Sendable {
    /// Of a block, bytes; what a storage pool compares and stores as one.
    static let size = 65_536
    private static let header = 32
    private let key: UInt64
    private let machine: UInt64
    /// Of each block, bytes that do not compress.
    private let random: Int

    /// - Parameter compressibility: plain size over compressed size, at least one.
    init(seed: UInt64, machine: Int32, compressibility: Double) {
        key = mixed(seed ^ mixed(UInt64(UInt32(bitPattern: machine))))
        self.machine = UInt64(UInt32(bitPattern: machine))
        let share = Double(Self.size - Self.header) / max(1, compressibility)
        random = Int(share) & ~7
    }

    /// Fills a whole block. `version` is at least one.
    func fill(_ buffer: UnsafeMutableRawBufferPointer, block: Int64, version: UInt64) {
        precondition(buffer.count == Self.size, "a block has \(Self.size) bytes")
        buffer.storeBytes(of: 0x6b63_6f6c_626d_7064, toByteOffset: 0, as: UInt64.self)
        buffer.storeBytes(of: machine.littleEndian, toByteOffset: 8, as: UInt64.self)
        buffer.storeBytes(of: UInt64(block).littleEndian, toByteOffset: 16, as: UInt64.self)
        buffer.storeBytes(of: version.littleEndian, toByteOffset: 24, as: UInt64.self)
        var state = mixed(key ^ mixed(UInt64(block))) ^ mixed(version)
        var place = Self.header
        while place < Self.header + random {
            state &+= 0x9e37_79b9_7f4a_7c15
            buffer.storeBytes(of: mixed(state).littleEndian, toByteOffset: place, as: UInt64.self)
            place += 8
        }
        while place < Self.size {
            buffer.storeBytes(of: 0x2067_6e69_6c6c_6966, toByteOffset: place, as: UInt64.self)
            place += 8
        }
    }
}

/// The finalizer of SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014): every bit of the
/// result depends on every bit of `x`.
func mixed(_ x: UInt64) -> UInt64 {
    var z = x &+ 0x9e37_79b9_7f4a_7c15
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
}
