public import Units

/// What an operator asks to have back: a machine, as of when, what of it, from where, and where to (REC-1).
public struct RecoveryRequest: Hashable, Sendable {
    /// Where a recovery point lies, in the order in which DPM offers it.
    public enum Source: String, CaseIterable, Hashable, Sendable {
        case disk, secondary, online, tape
    }

    /// What of the machine.
    public enum Selection: Hashable, Sendable {
        /// All its disks, and its configuration.
        case machine
        /// Some of its disks, by place in the machine's list.
        case disks([Int])
        /// Volumes in its disks, counted from 1 over all disks.
        case volumes([Int])
        /// Files and folders, by path from the root of a volume of its disks, counted as above.
        case files(volume: Int, paths: [String])

        /// It looks into the machine's disks, as item-level recovery does (LVL-1, PRE-2).
        public var isItemLevel: Bool {
            switch self {
            case .machine, .disks: false
            case .volumes, .files: true
            }
        }
    }

    public enum Destination: Hashable, Sendable {
        /// The original instance: where it was, in place of what is there (REC-2).
        case original
        /// Another virtual machine on a host, its files in a folder of a volume (REC-3).
        case host(Ref<Host>, volume: Ref<Volume>, folder: String)
        /// Files in a folder of a volume of a protected computer, no machine (REC-4).
        case networkFolder(Ref<Host>, volume: Ref<Volume>, folder: String)
    }

    /// The folder a machine comes to lie in on another host, where none is named.
    public static let usualFolder = "Recovered"

    public var machine: Ref<Machine>
    /// The newest recovery point that is not younger is taken; nil: the newest of all.
    public var asOf: SimTime?
    /// Nil: disk if it is there, and else as DPM offers.
    public var source: Source?
    public var what = Selection.machine
    public var to = Destination.original
    /// Bytes of what is asked for, where the machine's bytes are numbers and not the whole machine is; nil: as much as it uses.
    public var itemBytes: Bytes?
    /// Less bandwidth, at set times of the day (REC-5).
    public var throttle: Throttle?
    /// Snapshots of the storage hardware are mounted at the destination instead of copying over the network (REC-5).
    public var usesSAN = false
    /// Who gets an e-mail when it is over; empty: nobody (REC-5).
    public var notifies = ""

    public init(_ machine: Ref<Machine>, what: Selection = .machine, to: Destination = .original) {
        (self.machine, self.what, self.to) = (machine, what, to)
    }
}
