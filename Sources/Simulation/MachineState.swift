import Jobs
import Kernel
import Protection
import Units

/// What changes about a machine while time passes.
struct MachineState {
    var host: Ref<Host>
    /// Where its files lie; storage migration moves all of them.
    var volume: Ref<Volume>
    var isRunning: Bool
    var group: Ref<ProtectionGroup>?
    private(set) var replica = ReplicaState.creationPending
    /// Snapshot time of the last synchronization applied.
    var synchronized = SimTime.never
    var poolVolume: Int32 = -1
    /// Its group has tape goals, and LIV-5 does not forbid them for it.
    var goesToTape = false
    var chain = PointChain()
    /// The recovery of it that runs, or -1.
    var recovery: Int32 = -1
    /// The disk job at work on its replica, or -1: one exclusive operation at a time.
    var job: Int32 = -1
    /// Recovery points that something reads, each as often as it is read: they are not pruned meanwhile (212).
    fileprivate(set) var held: [SimTime] = []
    /// Interned route of its backups; -1 after it moved.
    var route: Int32 = -1
    var checkRoute: Int32 = -1
    var checkKind = CheckKind.heavy
    /// The incident that made the replica inconsistent, or -1.
    var incident: Int32 = -1
    var lastPoint = SimTime.never
    /// Why backups fail since it moved where DPM cannot follow (LIV-3, LIV-4); 0 if nothing speaks against them.
    var moveError: Int32 = 0
    /// An operator stopped its protection: nothing of it is scheduled.
    var isStopped = false
    /// Its data go as soon as its last job has ended.
    var isDeleted = false
    /// What its VSS writer answers; 0 while it works.
    var vssError: Int32 = 0
    /// That error goes when the Summary Manager has run (LIV-9).
    var waitsForSummary = false
    /// How long its replica was inconsistent in all, and since when it is; that time does not count as age of its points.
    var inconsistentFor = SimDuration.zero
    var inconsistentSince = SimTime.never
    /// What the snapshot will be; decided anew when the configuration changes (`reconfigure`).
    var mode: BackupMode
    var consistency: Consistency

    init(host: Ref<Host>, volume: Ref<Volume>, isRunning: Bool, mode: BackupMode, consistency: Consistency) {
        (self.host, self.volume, self.isRunning) = (host, volume, isRunning)
        (self.mode, self.consistency) = (mode, consistency)
    }

    /// - Returns: whether the state is another one.
    fileprivate mutating func become(_ state: ReplicaState) -> Bool {
        let changes = replica != state
        replica = state
        return changes
    }
}

extension RunState {
    /// The only way a replica comes into another state, so that the ledger has all of them.
    mutating func become(_ m: Int, _ state: ReplicaState) {
        guard machines[m].become(state) else { return }
        ledger.note(ReplicaChange(at: agenda.now, machine: Int32(m), state: state))
    }
}

extension RunState {
    /// A tape, a copy or a recovery begins to read a recovery point.
    mutating func hold(_ machine: Ref<Machine>, _ point: SimTime) { machines[machine].held.append(point) }

    /// It has read it; data whose deletion waited for that go now.
    mutating func release(_ machine: Ref<Machine>, _ point: SimTime) {
        guard let index = machines[machine].held.firstIndex(of: point) else {
            preconditionFailure("a recovery point is let go that nobody holds")
        }
        machines[machine].held.remove(at: index)
        let m = Int(machine.index)
        if machines[m].isDeleted, machines[m].held.isEmpty, machines[m].job < 0 { deleteData(m) }
    }
}

extension [MachineState] {
    /// The state of the machine a reference names.
    subscript(machine: Ref<Machine>) -> MachineState {
        get { self[Int(machine.index)] }
        _modify { yield &self[Int(machine.index)] }
    }
}

/// A disk job under way: the pure machine, its record, and what it holds.
struct ActiveJob {
    var machine: Ref<Machine>
    var steps: DiskJob
    var record: JobRecord
    var host: Ref<Host>
    var volume: Ref<Volume>
    var snapshotAt = SimTime.never
    var transfer: TransferID?
    /// Number of the timed step whose end it waits for; the end of any other has been overtaken by a failure.
    var awaited: Int64 = -1
    var facts = TransferFacts.zero
    /// What it waits for, for the report of a stuck run.
    var holdsHostSlot = false
    var holdsServerSlot = false
    var holdsClaim = false
    var waitsFor = Wait.none
    var waitingSince = SimTime.never
    var differencing = Bytes.zero
    var failure: Int32 = 0
    var isCancelled = false
    /// A check is still reading both sides, before it sends what differs.
    var comparing = false
    /// The pool had no room for what it brought.
    var isRefused = false
    enum Wait: UInt8 { case none, hostSlot, serverSlot, claim }
}
