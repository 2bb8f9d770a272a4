public import Units

/// How long a library's robot, its operator and its inventories take. Source: tape-hardware, sections 4 and 5.
public struct RobotTimes: Sendable, Hashable {
    /// Slot, port or drive to another of them.
    public var move: SimDuration
    /// A drive's cartridge to its slot, and the next one into the drive, by a robot with two hands.
    public var exchange = SimDuration.seconds(26)
    /// Inventory by bar codes, a slot.
    public var readLabel: SimDuration
    /// Inventory where labels cannot be read, a slot.
    public var probeSlot = SimDuration.seconds(20)
    /// A person changes the cartridge of a stand-alone drive.
    public var byHand: SimDuration
    public var clean = SimDuration.seconds(180)
    /// After which DPM closes an I/E port that was left open.
    public var portStaysOpen = SimDuration.minutes(10)

    /// Uses of a new cleaning cartridge.
    public static let cleanings = 50

    public init(_ tuning: Tuning = Tuning()) {
        (move, readLabel, byHand) = (tuning.robotMove, tuning.inventoryPerSlot, tuning.operatorTapeChange)
    }

    /// From a cartridge in its slot to a drive that is ready.
    public func mount(_ drive: LTOFacts) -> SimDuration { move + drive.load }

    /// From a drive that stands at a native byte to a cartridge in its slot.
    public func dismount(_ motion: TapeMotion, at byte: Int64) -> SimDuration {
        motion.rewind(from: byte) + motion.unloadTime + move
    }

    public func fastInventory(slots: Int, hasBarcodes: Bool) -> SimDuration {
        (hasBarcodes ? readLabel : probeSlot) * Int64(slots)
    }

    /// Mounts, reads the beginning of and dismounts each cartridge, one drive doing all.
    public func detailedInventory(_ drive: LTOFacts, cartridges: Int) -> SimDuration {
        (mount(drive) + drive.unload + move) * Int64(cartridges)
    }
}
