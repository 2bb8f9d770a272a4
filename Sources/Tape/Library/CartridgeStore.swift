public import Files

/// A cartridge as its chip and its shell show it without the tape being read.
public struct CartridgeShell: Hashable, Sendable {
    /// The cartridge's own, which stays when its label is replaced.
    public var identifier: GUID
    public var isWriteProtected: Bool
    /// Native bytes on it, and left before early warning.
    public var written: Int64
    public var room: Int64
    /// Times a drive has loaded it.
    public var loads: Int64
    /// Of a cleaning cartridge.
    public var cleaningsLeft: Int

    public init(
        identifier: GUID, isWriteProtected: Bool = false, written: Int64 = 0, room: Int64,
        loads: Int64 = 0, cleaningsLeft: Int = 0
    ) {
        (self.identifier, self.isWriteProtected) = (identifier, isWriteProtected)
        (self.written, self.room, self.loads, self.cleaningsLeft) = (written, room, loads, cleaningsLeft)
    }
}

/// Cartridges in files, as a library needs them. The label is the file's name: what a file says of itself may be an older one. Each call leaves the file as it was or as it is to be, whenever the power goes.
public protocol CartridgeStore: AnyObject {
    /// A blank cartridge; a cleaning cartridge has `cleanings` uses.
    /// - Throws: `FILE-EXISTS` if there is a file.
    func create(
        _ label: BarcodeLabel, cleanings: Int, at path: String, guids: any GUIDSource, time: Int64
    ) throws(StorageFault)
    func shell(at path: String) throws(StorageFault) -> CartridgeShell
    /// Loads it as a drive would, at the beginning of the tape.
    /// - Throws: `TAPE-BUSY` if it is loaded already.
    func open(at path: String, writable: Bool) throws(StorageFault) -> any TapeMedium
    /// Gives back what `open` gave, durably; without it what was not flushed is lost.
    func close(_ medium: any TapeMedium) throws(StorageFault)
    /// Whether this program has it loaded. A loaded cartridge's shell can be looked at all the same.
    func isOpen(at path: String) -> Bool
    /// Everything on it goes; with `long` it is overwritten too.
    func erase(at path: String, long: Bool) throws(StorageFault)
    func setWriteProtected(_ isOn: Bool, at path: String) throws(StorageFault)
    /// Takes one use off a cleaning cartridge and returns those left.
    /// - Throws: `TAPE-25018` if there were none.
    func clean(at path: String) throws(StorageFault) -> Int
}
