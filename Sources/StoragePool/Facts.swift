// What a pool tells of itself: plain values.
public import DiskImages

/// A datasource as DPM means it: what is protected and recovered as one, with all its disks.
public struct Datasource: Hashable, Sendable {
    public let id: Int64
    public let name: String
    /// zstd level, nil for none.
    public let compression: Int?
    /// Whether equal blocks are stored once among the datasources that share.
    public let sharesBlocks: Bool
    /// The legacy volumes it lies in, nil on Modern Backup Storage.
    public let area: Int64?
    /// Epoch of the replica; 0 before the initial replica.
    public let head: Int64
    /// Space taken by its replica and all its recovery points, bytes.
    public let stored: Int64
    /// The same in whole blocks, as if nothing were compressed or shared: what legacy volumes count, bytes.
    public let held: Int64
    /// Seconds since 1970.
    public let created: Int64
}

/// A disk of a datasource at one state.
public struct DiskFacts: Hashable, Sendable {
    public let id: Int64
    public let name: String
    /// Bytes, at that state.
    public let size: Int64
    public let sectorSize: Int
}

/// A recovery point, or the replica's newest state.
public struct RecoveryPoint: Hashable, Sendable {
    /// Its number within the datasource: the epoch of the synchronization that made it.
    public let number: Int64
    /// Seconds since 1970.
    public let time: Int64
    public let kind: SynchronizationKind
    /// Whether it is kept as a recovery point; the replica's newest state may be none.
    public let isRecoveryPoint: Bool
    /// Bytes of blocks that are not zero.
    public let occupied: Int64
    /// Space taken by all the blocks it can see, bytes.
    public let stored: Int64
    public let label: String
}

public enum SynchronizationKind: String, Hashable, Sendable {
    case initialReplica, expressFull, consistencyCheck, repair
}

/// What a synchronization did.
public struct SynchronizationFacts: Hashable, Sendable {
    /// The state it made; the one before if nothing changed and no recovery point was asked for.
    public var point: Int64 = 0
    /// Read from the sources, bytes.
    public var read: Int64 = 0
    /// Of blocks that differ from what the replica held, bytes.
    public var changed: Int64 = 0
    /// Of those, blocks that are zero now, bytes: nothing travels and nothing is stored.
    public var zeroed: Int64 = 0
    /// Space newly taken, bytes.
    public var stored: Int64 = 0
    /// Blocks found equal in another datasource and shared, bytes.
    public var shared: Int64 = 0
    /// Where the replica differed, by disk, coalesced; kept for consistency checks only, up to `differenceLimit`.
    public var differences: [DiskRange] = []
    public var differencesAreCut = false
    /// Read back and compared with the checksums after an initial replica, bytes.
    public var verified: Int64 = 0

    public static let differenceLimit = 10_000
}

/// A part of a disk.
public struct DiskRange: Hashable, Sendable {
    public var disk: String
    public var range: Range<Int64>
    public init(disk: String, range: Range<Int64>) { (self.disk, self.range) = (disk, range) }
}

/// One disk to be synchronized.
public struct DiskSource: Sendable {
    public enum Changes: Sendable {
        /// All that the device holds is compared with the replica by its checksums.
        case everything
        /// Only these bytes may have changed since the last synchronization; in any order, overlapping or not.
        case ranges([Range<Int64>])
    }
    public var name: String
    public var device: any BlockDevice
    public var changes: Changes
    public init(name: String, device: any BlockDevice, changes: Changes = .everything) {
        (self.name, self.device, self.changes) = (name, device, changes)
    }
}

/// How far work has come; called from worker threads, a few times a second's worth of data apart.
public typealias ProgressReport = @Sendable (_ done: Int64, _ total: Int64) -> Void

/// Space, exact at the moment it was asked for.
public struct PoolSpace: Hashable, Sendable {
    public struct Volume: Hashable, Sendable {
        public var number: Int64
        public var path: String
        /// False if its folder is not there.
        public var isPresent: Bool
        /// Of blocks somebody can see, bytes.
        public var live: Int64
        /// Of its file system, bytes.
        public var total: Int64
        public var free: Int64
        public var segments: Int
    }
    public var volumes: [Volume]
    /// Waiting to be given back to the file system, bytes.
    public var pending: Int64
    /// Of the map and its mirror, bytes.
    public var map: Int64
}
