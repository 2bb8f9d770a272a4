public import Protection
public import Units

/// What moving a machine's blocks comes to, whether the blocks are numbers or files.
public struct TransferFacts: Hashable, Sendable {
    /// Bytes of changed blocks at the source, page file included.
    public var changed: Bytes
    /// Bytes on the wire: without page file, compressed where the group says so.
    public var sent: Bytes
    /// Bytes of blocks that arrive at the replica, unpacked.
    public var stored: Bytes
    /// Bytes read at the source to find and send them.
    public var read: Bytes
    public init(changed: Bytes, sent: Bytes, stored: Bytes, read: Bytes) {
        (self.changed, self.sent, self.stored, self.read) = (changed, sent, stored, read)
    }
    public static let zero = TransferFacts(changed: .zero, sent: .zero, stored: .zero, read: .zero)
}

/// What a scrub of a pool found damaged of a machine.
public struct PoolDamage: Hashable, Sendable {
    public var machine: Ref<Machine>
    /// The replica sees a block that is not what was stored.
    public var isInReplica: Bool
    /// So do these recovery points.
    public var points: [SimTime]
    public init(machine: Ref<Machine>, isInReplica: Bool, points: [SimTime]) {
        (self.machine, self.isInReplica, self.points) = (machine, isInReplica, points)
    }
}

/// Where a machine's copy outside its own DPM server lies.
public enum CopyPlace: Hashable, Sendable {
    case secondary(Ref<DPMServer>)
    case online(Ref<Vault>)
}

/// What a data plane could not do, as DPM reports it.
public struct PlaneFault: Error, Hashable, Sendable {
    /// DPM's error id.
    public var error: Int32
    /// One sentence without a full stop.
    public var cause: String
    public init(error: Int32, cause: String) { (self.error, self.cause) = (error, cause) }
}

/// Where a machine's bytes are: modelled as numbers, or real in files. A job that asks does not know which.
///
/// A job asks for facts and gives times to what they cost; when that time is over it lets the act be done. Facts may
/// be about the past; times of the acts for one machine never go back. An act that throws has done nothing.
public protocol DataPlane: AnyObject {
    // MARK: Facts
    /// The whole machine as of `time`; holes cost nothing (PRC-1).
    func full(_ machine: Ref<Machine>, at time: SimTime) -> TransferFacts
    /// Blocks changed in a span, each once (PRC-2), without page files (PRC-5).
    func changes(_ machine: Ref<Machine>, since: SimTime, until: SimTime) -> TransferFacts
    /// A consistency check: what it reads on each side, and the differences it sends.
    func check(_ machine: Ref<Machine>, kind: CheckKind, since: SimTime, until: SimTime) -> TransferFacts
    /// Bytes in use on the machine's disks at `time`: what its replica holds.
    func used(_ machine: Ref<Machine>, at time: SimTime) -> Bytes
    /// Bytes the guest writes in a span, counting a block as often as it is written: what a differencing disk may take.
    func written(_ machine: Ref<Machine>, from: SimTime, to: SimTime) -> Bytes

    /// Bytes of blocks the replica had at `since` and has other versions of at `until`, each once: what a recovery point must keep.
    func superseded(_ machine: Ref<Machine>, since: SimTime, until: SimTime) -> Bytes

    /// Bytes of blocks the replica has and the machine does not use any more: a recovery made it smaller.
    func emptied(_ machine: Ref<Machine>, at time: SimTime) -> Bytes

    /// What a recovery moves: bytes of the blocks or files that were asked for, as of its recovery point.
    /// - Throws: what the request names is not there.
    func recoverable(_ order: RecoveryOrder) throws(PlaneFault) -> Bytes

    // MARK: Acts

    /// From now on the guest's writes go to differencing disks, so that what was there can be read in peace (VSS-5).
    func takeSnapshot(_ machine: Ref<Machine>, at time: SimTime) throws(PlaneFault)
    /// What the last facts were about becomes part of the replica, all of it (PRC-1, PRC-2).
    func apply(_ purpose: DiskJob.Purpose, _ machine: Ref<Machine>, at snapshot: SimTime) throws(PlaneFault)
    /// The replica's state is kept as a recovery point (PRC-3).
    func makePoint(_ machine: Ref<Machine>, at snapshot: SimTime) throws(PlaneFault)
    /// The differencing disks are merged (VSS-5).
    func releaseSnapshot(_ machine: Ref<Machine>, at time: SimTime)
    /// A synchronization has ended well: changes are reckoned from its snapshot on.
    func synchronized(_ machine: Ref<Machine>, at snapshot: SimTime)
    /// The computer the machine ran on died, with whatever it knew of changes (PRC-6). A snapshot that was open stays behind.
    func crash(_ machine: Ref<Machine>, at time: SimTime)
    /// Its disks are on another volume from now on, with the bytes they had; what was known of changes is not (LIV-6).
    func moveStorage(_ machine: Ref<Machine>, to volume: Ref<Volume>, at time: SimTime)
    /// Recovery points go that nobody keeps any longer.
    func prune(_ machine: Ref<Machine>, points: [SimTime])
    /// Protection ends, and replica and recovery points go with it.
    func deleteData(_ machine: Ref<Machine>)

    // MARK: Copies

    /// A recovery point becomes one of the copy too; what changed `since` the copy's newest, or all if there is none (`never`).
    func copyPoint(
        _ machine: Ref<Machine>, at point: SimTime, since: SimTime, to copy: CopyPlace
    ) throws(PlaneFault)
    /// Recovery points of the copy go that nobody keeps any longer.
    func pruneCopies(_ machine: Ref<Machine>, points: [SimTime], in copy: CopyPlace)

    // MARK: Faults of the media

    /// Bytes of so many stored blocks of replica and recovery points turn into others; `chance` says which.
    func rotPool(_ machine: Ref<Machine>, blocks: Int, chance: UInt64, at time: SimTime)
    /// Bytes on the cartridge turn into others.
    func rotTape(_ cartridge: Ref<Cartridge>)
    /// All that the DPM server's pool holds is read and proved, and what is damaged is told, machine by machine.
    func scrub(_ server: Ref<DPMServer>, at time: SimTime) -> [PoolDamage]
    /// The DPM server loses its power in the middle of a write to its pool, which recovers by itself; `chance` says where.
    func tearPool(_ server: Ref<DPMServer>, chance: UInt64, at time: SimTime)
    /// The disks under the DPM server's pool take no more bytes, or do again.
    func setPoolDisksFull(_ server: Ref<DPMServer>, _ isFull: Bool, at time: SimTime)

    // MARK: Tape

    /// A part of a set has come onto a cartridge, behind what is on it.
    func writeToTape(_ part: TapePart) throws(PlaneFault)
    /// A set that was begun is not ended: `part` is what of its last stretch had come onto the cartridge.
    func breakSet(_ part: TapePart)
    /// The cartridge is written from its beginning again; what it held is gone.
    func eraseTape(_ cartridge: Ref<Cartridge>)

    /// The database of a DPM server is lost: what it knew of recovery points and sets is looked for in its pool and on its tapes.
    func rebuild(_ server: Ref<DPMServer>, at time: SimTime) -> RebuiltDatabase

    // MARK: Recovery

    /// What was asked for is where it was asked to be, all of it; or, after a fault, nothing of it is.
    func recover(_ order: RecoveryOrder, at time: SimTime) throws(PlaneFault)
}

/// Of numbers nothing has to be done.
extension DataPlane {
    public func emptied(_ machine: Ref<Machine>, at time: SimTime) -> Bytes { .zero }
    public func takeSnapshot(_ machine: Ref<Machine>, at time: SimTime) throws(PlaneFault) {}
    public func apply(_ purpose: DiskJob.Purpose, _ machine: Ref<Machine>, at snapshot: SimTime) throws(PlaneFault) {}
    public func makePoint(_ machine: Ref<Machine>, at snapshot: SimTime) throws(PlaneFault) {}
    public func releaseSnapshot(_ machine: Ref<Machine>, at time: SimTime) {}
    public func synchronized(_ machine: Ref<Machine>, at snapshot: SimTime) {}
    public func crash(_ machine: Ref<Machine>, at time: SimTime) {}
    public func moveStorage(_ machine: Ref<Machine>, to volume: Ref<Volume>, at time: SimTime) {}
    public func prune(_ machine: Ref<Machine>, points: [SimTime]) {}
    public func deleteData(_ machine: Ref<Machine>) {}
    public func copyPoint(
        _ machine: Ref<Machine>, at point: SimTime, since: SimTime, to copy: CopyPlace
    ) throws(PlaneFault) {}
    public func pruneCopies(_ machine: Ref<Machine>, points: [SimTime], in copy: CopyPlace) {}
    public func rotPool(_ machine: Ref<Machine>, blocks: Int, chance: UInt64, at time: SimTime) {}
    public func rotTape(_ cartridge: Ref<Cartridge>) {}
    public func scrub(_ server: Ref<DPMServer>, at time: SimTime) -> [PoolDamage] { [] }
    public func tearPool(_ server: Ref<DPMServer>, chance: UInt64, at time: SimTime) {}
    public func setPoolDisksFull(_ server: Ref<DPMServer>, _ isFull: Bool, at time: SimTime) {}
    public func writeToTape(_ part: TapePart) throws(PlaneFault) {}
    public func breakSet(_ part: TapePart) {}
    public func eraseTape(_ cartridge: Ref<Cartridge>) {}
    public func rebuild(_ server: Ref<DPMServer>, at time: SimTime) -> RebuiltDatabase { RebuiltDatabase() }
    public func recover(_ order: RecoveryOrder, at time: SimTime) throws(PlaneFault) {}
}

/// A plane whose guests write as much, and when, as another plane says.
public protocol LivingPlane: DataPlane {
    /// Before anything else is asked.
    func follow(_ load: any DataPlane)
}
