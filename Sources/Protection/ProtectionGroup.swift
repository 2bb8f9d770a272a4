public import Units

/// Times of day on weekdays, as schedules of protection groups are set (PRC-4).
public struct WeeklySchedule: Sendable, Hashable {
    public var times: [TimeOfDay]
    public var weekdays: [Weekday]
    public init(times: [TimeOfDay], weekdays: [Weekday] = Weekday.allCases) {
        (self.times, self.weekdays) = (times.sorted(), weekdays.sorted())
    }
}

/// A span of the day in which jobs may run; may pass midnight.
public struct DailyWindow: Sendable, Hashable {
    public var start: TimeOfDay
    public var duration: SimDuration
    public init(start: TimeOfDay, duration: SimDuration) { (self.start, self.duration) = (start, duration) }
}

/// Short-term protection to disk (GRP-4).
public struct DiskGoal: Sendable, Hashable {
    public enum Synchronization: Sendable, Hashable {
        /// An express full runs just before each recovery point.
        case beforeRecoveryPoint
        /// Every so many minutes; machines get express fulls instead, having no incrementals.
        case every(minutes: Int)
    }
    public var retentionDays: Int
    public var schedule: WeeklySchedule
    public var synchronization = Synchronization.beforeRecoveryPoint
    public init(retentionDays: Int, schedule: WeeklySchedule) {
        (self.retentionDays, self.schedule) = (retentionDays, schedule)
    }
}

/// How often a tape or online backup is taken. Source: dpm-facts 4.1.
public enum BackupFrequency: String, CaseIterable, Sendable, Comparable {
    case daily, weekly, biweekly = "bi-weekly", monthly, quarterly, halfYearly = "half-yearly", yearly
    public static func < (a: Self, b: Self) -> Bool { allCases.firstIndex(of: a)! < allCases.firstIndex(of: b)! }
}

/// One goal of long-term or short-term tape protection, with its schedule (GRP-5).
public struct TapeGoal: Sendable, Hashable {
    public var frequency: BackupFrequency
    public var retention: CalendarSpan
    public var time = TimeOfDay(hour: 8)
    /// The weekday of weekly and rarer backups; monthly and rarer ones run on its first occurrence.
    public var weekday = Weekday.saturday
    public var copies = 1
    public init(frequency: BackupFrequency, retention: CalendarSpan) {
        (self.frequency, self.retention) = (frequency, retention)
    }
}

/// Where and how a group's tape backups are written (GRP-7).
public struct TapeOptions: Sendable, Hashable {
    public enum Encoding: String, CaseIterable, Sendable { case plain, compress, encrypt }
    public var library: Ref<TapeLibrary>
    public var drives = 1
    public var encoding = Encoding.plain
    /// A certificate for encryption is in the backup store.
    public var hasCertificate = true
    /// The certificate's time is over.
    public var isCertificateExpired = false
    /// Groups of one protection group set share tapes (dpm-facts 4.4); nil: no colocation.
    public var colocationSet: String?
    /// How long a shared tape accepts further backups.
    public var writePeriod = SimDuration.days(7)
    /// How far apart expiry dates on one tape may lie.
    public var expiryTolerance = SimDuration.days(7)
    public init(library: Ref<TapeLibrary>) { self.library = library }
}

/// Online protection of the replica to a vault (GRP-3).
public struct OnlineGoal: Sendable, Hashable {
    public var vault: Ref<Vault>
    public var frequency = BackupFrequency.daily
    public var retention: CalendarSpan
    public var time = TimeOfDay(hour: 12)
    public var weekday = Weekday.sunday
    public init(vault: Ref<Vault>, retention: CalendarSpan) { (self.vault, self.retention) = (vault, retention) }
}

/// Rates a group's transfers may take, by working hours (dpm-facts 3.9).
public struct Throttle: Sendable, Hashable {
    public var workRate: ByteRate
    public var otherRate: ByteRate
    public var workHours: DailyWindow
    public var workDays: [Weekday]
    public init(workRate: ByteRate, otherRate: ByteRate, workHours: DailyWindow, workDays: [Weekday]) {
        (self.workRate, self.otherRate, self.workHours, self.workDays) = (workRate, otherRate, workHours, workDays)
    }
}

/// Members, policy and schedule together (GRP-1).
public struct ProtectionGroup: Sendable, Hashable {
    public enum ReplicaCreation: Sendable, Hashable {
        case now
        case at(SimTime)
        /// From removable media, loaded by the operator at this time.
        case manual(loaded: SimTime)
    }
    public var name: String
    public var server: Ref<DPMServer>
    public var members: [Ref<Machine>] = []
    public var disk: DiskGoal?
    public var shortTermTape: TapeGoal?
    public var longTermTape: [TapeGoal] = []
    public var tape: TapeOptions?
    public var online: OnlineGoal?
    /// Pool volumes for the members' replicas; empty: DPM chooses (GRP-8).
    public var volumes: [Ref<PoolVolume>] = []
    /// Legacy storage only: members share one replica and recovery point volume (GRP-2).
    public var isColocated = false
    public var autoGrow = true
    public var replicaCreation = ReplicaCreation.now
    public var automaticChecks = true
    public var scheduledCheck: DailyWindow?
    public var backupWindow: DailyWindow?
    public var throttle: Throttle?
    /// Compression on the wire, off by default (dpm-facts 3.9).
    public var compressesOnWire = false
    /// Start offset of each member after the one before, so that not all start at once.
    public var stagger = SimDuration.zero
    public init(name: String, server: Ref<DPMServer>) { (self.name, self.server) = (name, server) }
}
