public import Units

/// The guest's operating system, as far as backup cares (VSS-1, VSS-3).
public enum GuestSystem: String, CaseIterable, Sendable {
    case windows2000 = "windows-2000", windows2003 = "windows-2003", windows2008 = "windows-2008",
        windows2012R2 = "windows-2012r2", windows2016 = "windows-2016", windows2019 = "windows-2019", linux, other
}

public enum GuestFileSystem: String, CaseIterable, Sendable { case ntfs, refs, fat32, ext4, xfs }

/// A virtual hard disk, or a pass-through disk.
public struct VirtualDisk: Sendable, Hashable {
    public enum Format: String, CaseIterable, Sendable { case vhd, vhdx, passThrough = "pass-through" }
    public var format: Format
    /// Where the file lies; for a pass-through disk, the volume of the machine's configuration.
    public var volume: Ref<Volume>
    public var size: Bytes
    /// Blocks the guest has written; what a full replica holds.
    public var used: Bytes
    public init(format: Format, volume: Ref<Volume>, size: Bytes, used: Bytes) {
        (self.format, self.volume, self.size, self.used) = (format, volume, size, used)
    }
}

/// How a machine's guest writes: how much a day, where, and when.
public struct Churn: Sendable, Hashable {
    /// Bytes written a day on average, counting a block as often as it is written.
    public var perDay: Bytes
    /// The blocks most writes fall on, evenly; what is written over and over is sent once.
    public var workingSet: Bytes
    /// Weight of each hour of the day; only ratios count. 24 values.
    public var hours: [Double]
    /// Weight of each day of the week from Monday; their mean is taken as one. 7 values.
    public var weekdays: [Double]
    /// Coefficient of variation of one day's writes against the average.
    public var variation: Double
    public init(perDay: Bytes, workingSet: Bytes) {
        (self.perDay, self.workingSet) = (perDay, workingSet)
        hours = Array(repeating: 1, count: 24)
        weekdays = Array(repeating: 1, count: 7)
        variation = 0
    }
}

/// State of Hyper-V Replica for a machine on the secondary site (REP-2).
public enum ReplicationState: String, CaseIterable, Sendable {
    case normal, critical, resynchronizing, resyncRequired = "resync-required", initialReplication =
        "initial-replication",
        initialReplicationPending = "initial-replication-pending", applyingLogs = "applying-logs", applyFailed =
        "apply-failed",
        migrating, failoverInProgress = "failover-in-progress", failedOver = "failed-over"
}

/// A machine whose disks are files, really written, backed up and recovered.
public struct RealData: Sendable, Hashable {
    /// The image its first disk begins as, which is never modified; nil for a disk of blocks that only the program knows.
    public var image: String?
    /// The file system its first disk is made with, in a partition and with files in it; nil for none.
    public var fileSystem: GuestFileSystem?
    /// Bytes of the scenario that one byte of the files stands for, at least one.
    public var scale: Int64 = 1
    /// File systems a disk can be made with.
    public static let fileSystems: [GuestFileSystem] = [.ntfs, .fat32, .ext4]
    /// Of a disk's file, bytes: what can be written and verified in the course of a run.
    public static let largestDisk: Int64 = 64 << 30
    public init() {}
}

/// A protected or protectable virtual machine.
public struct Machine: Sendable, Hashable {
    public enum Power: String, CaseIterable, Sendable { case running, off, saved }
    /// Where the agent sits that protects it (LVL-1, LVL-2).
    public enum Level: String, CaseIterable, Sendable { case host, guest }
    public var name: String
    /// Where it runs when the scenario starts.
    public var host: Ref<Host>
    public var disks: [VirtualDisk]
    public var level = Level.host
    public var power = Power.running
    public var guest = GuestSystem.windows2016
    public var fileSystems: [GuestFileSystem] = [.ntfs]
    /// The backup integration service is on (VSS-1).
    public var backupIntegration = true
    /// Integration components are of the host's version (PRE-7).
    public var integrationMatches = true
    public var dynamicDisks = false
    /// Each volume's shadow storage is assigned to itself (VSS-1).
    public var shadowStorageOnItself = true
    /// Its cluster resource group is online.
    public var resourceGroupOnline = true
    public var scsiController = true
    /// Blocks of page files, left out of incremental transfers (PRC-5).
    public var pageFile = Bytes.zero
    /// Configuration version 6.2 or later: changes are tracked by the hypervisor (dpm-facts 5.5).
    public var hasRCT = true
    public var churn: Churn
    /// Yearly growth of used bytes.
    public var growthPerYear = Fraction.zero
    /// Plain size over compressed size, one or more; on tape and on the wire.
    public var compressibility = Fraction.one
    /// Not nil for a replica machine of Hyper-V Replica.
    public var replication: ReplicationState?
    /// Nil for a machine whose bytes are numbers.
    public var real: RealData?
    public init(name: String, host: Ref<Host>, disks: [VirtualDisk], churn: Churn) {
        (self.name, self.host, self.disks, self.churn) = (name, host, disks, churn)
    }

    /// Virtual size of the disks DPM can protect at host level.
    public var protectedSize: Bytes { disks.reduce(.zero) { $1.format == .passThrough ? $0 : $0 + $1.size } }
    /// Bytes a full replica holds.
    public var usedSize: Bytes { disks.reduce(.zero) { $1.format == .passThrough ? $0 : $0 + $1.used } }
    /// The volume of its first disk, which carries snapshot and transfer.
    public var homeVolume: Ref<Volume> { disks[0].volume }
}
