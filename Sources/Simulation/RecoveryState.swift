import Jobs
import Kernel
import Protection
import Units

/// A recovery under way: the pure machine, its records, and what it holds.
struct ActiveRecovery {
    let order: RecoveryOrder
    let server: Int
    /// Where it writes.
    let host: Ref<Host>
    let volume: Ref<Volume>
    let bytes: Int64
    /// The copy it reads, where that is its source; -1 elsewhere.
    let copy: Int
    /// The line of the script that asked for it, and its incident.
    let line: Int
    let incident: Int
    var steps: RecoveryJob
    var record: JobRecord
    var report: RecoveryRecord
    var transfer: TransferID?
    /// Number of the timed step whose end it waits for.
    var awaited: Int64 = -1
    var failure: Int32 = 0
    var waitsForSlot = false
    var holdsSlot = false
    /// Room it has taken on its volume, for good once it is done.
    var room: Int64 = 0
    /// It moved so many bytes so far.
    var moved: Int64 = 0

    /// The part of the set that is read, and what it is read with.
    var part = 0
    var drive: Int32 = -1
    var cartridge: Int32 = -1
    var waitsForDrive = false
    var waitsForRobot = false
    var robotEnds = RecoveryJob.Input.mounted
    var waitingSince = SimTime.never

    var machine: Ref<Machine> { order.request.machine }
    /// It puts the machine back to where it was, in place of what is there.
    var isInPlace: Bool { order.request.to == .original }
}

/// Who waits for a drive or a robot: streams of backups and recoveries in one line.
enum TapeToken {
    static func stream(_ s: Int) -> Int64 { Int64(s) }
    static func recovery(_ r: Int) -> Int64 { -1 - Int64(r) }
}

extension RunState {
    mutating func driveGranted(_ token: Int64) {
        token >= 0 ? driveGranted(stream: Int(token)) : driveGranted(recovery: Int(-1 - token))
    }

    mutating func robotGranted(_ token: Int64) {
        token >= 0 ? robotGranted(stream: Int(token)) : robotGranted(recovery: Int(-1 - token))
    }
}
