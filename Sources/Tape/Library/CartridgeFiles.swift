public import Files
import Protection
import Units

/// The cartridges of a library as container files (`Cartridge`). Knows which of them this program has loaded.
public final class CartridgeFiles: CartridgeStore {
    private struct Loaded {
        weak var cartridge: Cartridge?
    }
    private let files: any FileSystem
    private let drive: CartridgeDrive
    private var loaded: [String: Loaded] = [:]

    /// - Parameter drive: who loads cartridges, for their memory.
    public init(_ files: any FileSystem, drive: CartridgeDrive = CartridgeDrive(vendor: "DPMSIM", serial: "0")) {
        (self.files, self.drive) = (files, drive)
    }

    public func create(
        _ label: BarcodeLabel, cleanings: Int, at path: String, guids: any GUIDSource, time: Int64
    ) throws(StorageFault) {
        let kind: CartridgeKind =
            switch label.kind {
            case .data: .data
            case .worm: .worm
            case .cleaning: .cleaning
            }
        var design = CartridgeDesign(
            barcode: label.barcode, capacity: label.facts.capacity.count, reserve: Tuning().tapeEarlyWarning.count,
            wraps: label.facts.wraps, kind: kind)
        (design.generation, design.density) = (label.facts.generation, label.facts.densityCode)
        (design.length, design.cleaningUses) = (Int(label.facts.length), cleanings)
        try Cartridge.create(at: path, on: files, design, guids: guids, time: time).abandon()
    }

    public func shell(at path: String) throws(StorageFault) -> CartridgeShell {
        try look(at: path) { (cartridge) throws(StorageFault) in
            let identity = cartridge.identity
            let written = identity.partitions.indices.reduce(0) { $0 + cartridge.end(of: $1).bytes }
            let reserve = identity.reserve * Int64(identity.partitions.count)
            return CartridgeShell(
                identifier: identity.guid, isWriteProtected: cartridge.isWriteProtected, written: written,
                room: max(0, identity.capacity - reserve - written), loads: cartridge.counters.loads,
                cleaningsLeft: Int(cartridge.counters.cleaningUsesLeft))
        }
    }

    public func open(at path: String, writable: Bool) throws(StorageFault) -> any TapeMedium {
        let cartridge = try Cartridge.open(path, on: files, in: drive)
        loaded[path] = Loaded(cartridge: cartridge)
        return cartridge
    }

    public func close(_ medium: any TapeMedium) throws(StorageFault) {
        guard let cartridge = medium as? Cartridge else { return }
        loaded[cartridge.path] = nil
        if !cartridge.isGone { try cartridge.unload() }
    }

    public func isOpen(at path: String) -> Bool { cartridge(at: path) != nil }

    public func erase(at path: String, long: Bool) throws(StorageFault) {
        try look(at: path) { (cartridge) throws(StorageFault) in
            if cartridge.identity.partitions.count > 1 {
                try cartridge.format(partitions: cartridge.identity.partitions)
            } else {
                try cartridge.rewind()
                try cartridge.erase()
            }
        }
    }

    public func setWriteProtected(_ isOn: Bool, at path: String) throws(StorageFault) {
        try look(at: path) { (cartridge) throws(StorageFault) in try cartridge.setWriteProtected(isOn) }
    }

    public func clean(at path: String) throws(StorageFault) -> Int {
        try look(at: path) { (cartridge) throws(StorageFault) in
            do throws(StorageFault) { return try cartridge.clean() } catch {
                throw error.id == "TAPE-CLEANING-EXPIRED" ? StorageFault(error, as: "TAPE-25018") : error
            }
        }
    }

    private func cartridge(at path: String) -> Cartridge? {
        guard let cartridge = loaded[path]?.cartridge, !cartridge.isGone else { return nil }
        return cartridge
    }

    /// Does something with a cartridge that is loaded, or else with its file.
    private func look<R>(at path: String, _ body: (Cartridge) throws(StorageFault) -> R) throws(StorageFault) -> R {
        if let cartridge = cartridge(at: path) { return try body(cartridge) }
        let cartridge = try Cartridge.open(path, on: files)
        defer { cartridge.abandon() }
        return try body(cartridge)
    }
}
