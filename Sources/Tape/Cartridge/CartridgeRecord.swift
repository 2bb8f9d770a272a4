import Files

/// The header of a stored record: 32 bytes in front of its data. Its checksum begins with the cartridge's GUID, so that a record of
/// another cartridge is not taken for one of this.
struct CartridgeRecord: Hashable {
    static let headerSize = 32
    static let magic: UInt32 = 0x4352_5444  // DTRC
    static let dataKind: UInt8 = 1

    var partition: Int
    var object: Int64
    var epoch: UInt32
    var length: Int
    var dataCRC: UInt32

    /// What the checksums of a cartridge's structures begin with.
    static func seed(_ guid: GUID) -> UInt32 { CRC32C.of(guid.bytes) }

    func put(into target: UnsafeMutableRawBufferPointer, seed: UInt32) {
        target.storeBytes(of: Self.magic.littleEndian, toByteOffset: 0, as: UInt32.self)
        target.storeBytes(of: UInt8(CartridgeLayout.version), toByteOffset: 4, as: UInt8.self)
        target.storeBytes(of: Self.dataKind, toByteOffset: 5, as: UInt8.self)
        target.storeBytes(of: UInt8(partition), toByteOffset: 6, as: UInt8.self)
        target.storeBytes(of: 0, toByteOffset: 7, as: UInt8.self)
        target.storeBytes(of: object.littleEndian, toByteOffset: 8, as: Int64.self)
        target.storeBytes(of: epoch.littleEndian, toByteOffset: 16, as: UInt32.self)
        target.storeBytes(of: UInt32(length).littleEndian, toByteOffset: 20, as: UInt32.self)
        target.storeBytes(of: dataCRC.littleEndian, toByteOffset: 24, as: UInt32.self)
        let crc = CRC32C.of(UnsafeRawBufferPointer(rebasing: target[..<28]), continuing: seed)
        target.storeBytes(of: crc.littleEndian, toByteOffset: 28, as: UInt32.self)
    }

    /// Nil if these are not the 32 bytes of a sound header.
    init?(_ bytes: UnsafeRawBufferPointer, seed: UInt32) {
        func load<T: FixedWidthInteger>(_ offset: Int, _ type: T.Type) -> T {
            T(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: T.self))
        }
        guard bytes.count >= Self.headerSize, load(0, UInt32.self) == Self.magic,
            load(28, UInt32.self)
                == CRC32C.of(UnsafeRawBufferPointer(rebasing: bytes[..<28]), continuing: seed),
            load(4, UInt8.self) == UInt8(CartridgeLayout.version), load(5, UInt8.self) == Self.dataKind
        else { return nil }
        let length = Int(load(20, UInt32.self))
        guard 1...CartridgeLayout.longestRecord ~= length else { return nil }
        self.init(
            partition: Int(load(6, UInt8.self)), object: load(8, Int64.self), epoch: load(16, UInt32.self),
            length: length, dataCRC: load(24, UInt32.self))
    }

    init(partition: Int, object: Int64, epoch: UInt32, length: Int, dataCRC: UInt32) {
        (self.partition, self.object, self.epoch) = (partition, object, epoch)
        (self.length, self.dataCRC) = (length, dataCRC)
    }

    /// What is wrong with a header found where the index has this record; nil if it is the one.
    func difference(from run: CartridgeRun, partition: Int, object: Int64) -> String? {
        if self.partition != partition || self.object != object {
            return "object \(self.object) of partition \(self.partition) lies in its place"
        }
        if epoch != run.stamp { return "a record of another time lies in its place" }
        if length != run.length { return "it has \(length) bytes, its index says \(run.length)" }
        return nil
    }
}
