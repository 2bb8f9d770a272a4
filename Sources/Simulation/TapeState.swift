import Jobs
import Kernel
import Protection
import Units

/// One stream of a tape backup: a drive that writes datasource after datasource.
struct TapeStream {
    let group: Ref<ProtectionGroup>
    let goal: Int
    let library: Ref<TapeLibrary>
    var steps = TapeJob()
    /// Datasources still to write, the next one last.
    var queue: [Ref<Machine>]
    var record: JobRecord?
    /// The set being written, or -1.
    var set: Int32 = -1
    /// Plain bytes of the current set that are still to write.
    var left: Int64 = 0
    /// Plain bytes of the part that is being written to this cartridge.
    var part: Int64 = 0
    var expiry: SimTime
    /// The run of the schedule it belongs to; all its streams share tapes.
    var run: Int32
    var drive: Int32 = -1
    var cartridge: Int32 = -1
    var transfer: TransferID?
    var partStarted = SimTime.start
    var generation: Int64
    var attempt: UInt8 = 0
    var waitsForDrive = false
    var waitsForRobot = false
    var failure: Int32 = 0
    /// What the robot is wanted for.
    var robotEnds = TapeJob.Input.mounted

    init(
        group: Ref<ProtectionGroup>, goal: Int, library: Ref<TapeLibrary>, queue: [Ref<Machine>], expiry: SimTime,
        run: Int32, generation: Int64
    ) {
        (self.group, self.goal, self.library, self.queue) = (group, goal, library, queue)
        (self.expiry, self.run, self.generation) = (expiry, run, generation)
    }
}

/// A datasource's set on tape: the recovery point it holds, and where its parts lie.
struct TapeSet {
    /// What of it lies on one cartridge.
    struct Part {
        let cartridge: Int32
        /// Bytes on the cartridge before it; its own there; and plain ones.
        let at: Int64
        let native: Int64
        let plain: Int64
    }
    let machine: Ref<Machine>
    let point: SimTime
    let group: Ref<ProtectionGroup>
    let expiry: SimTime
    let isEncrypted: Bool
    let consistency: Consistency
    var state = TapeSetRecord.State.begun
    var parts: [Part] = []

    init(
        machine: Ref<Machine>, point: SimTime, group: Ref<ProtectionGroup>, expiry: SimTime, isEncrypted: Bool,
        consistency: Consistency
    ) {
        self.consistency = consistency
        (self.machine, self.point, self.group) = (machine, point, group)
        (self.expiry, self.isEncrypted) = (expiry, isEncrypted)
    }

    /// Its cartridges, each once, in the order of its parts.
    var cartridges: [Int32] {
        var found: [Int32] = []
        for part in parts where found.last != part.cartridge { found.append(part.cartridge) }
        return found
    }

    func record(number: Int) -> TapeSetRecord {
        TapeSetRecord(
            number: Int32(number), machine: machine.index, group: group.index, point: point, expiry: expiry,
            isEncrypted: isEncrypted, state: state, cartridges: cartridges,
            plain: Bytes(parts.reduce(0) { $0 + $1.plain }), native: Bytes(parts.reduce(0) { $0 + $1.native }))
    }
}

/// Drives, robots and cartridges as they stand.
struct TapeState {
    var cartridges: [CartridgeStatus] = []
    /// Cartridges of each library, by place in `cartridges`.
    var shelves: [[Int]] = []
    var mounts: [Int32] = []
    var motions: [TapeMotion] = []
    var driveWorks: [Bool] = []
    var driveBusy: [Bool] = []
    var drives: [[Int]] = []
    var driveSlots: [Slots] = []
    var robots: [Slots] = []
    var driveWait: [Double] = []
    var robotWait: [Double] = []
    var driveBound: [Double] = []
    var streams: [TapeStream?] = []
    var free: [Int] = []
    /// Every set of the run, by its number.
    var sets: [TapeSet] = []
    var nextGeneration: Int64 = 0
    var nextRun: Int32 = 0
    var mountCount = 0
    var backHitches = 0
    var writtenOnce: [Bool] = []

    init(world: World, tuning: Tuning) {
        shelves = world.libraries.map { _ in [] }
        drives = world.libraries.map { _ in [] }
        for (d, drive) in world.drives.enumerated() {
            drives[Int(drive.library.index)].append(d)
            motions.append(TapeMotion(generation: drive.generation, halfHeight: drive.isHalfHeight, tuning: tuning))
        }
        for (c, cartridge) in world.cartridges.enumerated() {
            let capacity = LTOFacts.of(cartridge.generation).capacity
            cartridges.append(
                CartridgeStatus(
                    index: Int32(c), library: cartridge.library.index, generation: cartridge.generation,
                    room: Bytes(max(0, capacity.count - tuning.tapeEarlyWarning.count))))
            shelves[Int(cartridge.library.index)].append(c)
        }
        mounts = Array(repeating: 0, count: cartridges.count)
        writtenOnce = Array(repeating: false, count: cartridges.count)
        driveWorks = Array(repeating: true, count: world.drives.count)
        driveBusy = Array(repeating: false, count: world.drives.count)
        driveBound = Array(repeating: 0, count: world.drives.count)
        driveSlots = drives.map { Slots(capacity: $0.count) }
        robots = world.libraries.map { Slots(capacity: $0.isStandalone ? 1 : $0.robots) }
        driveWait = Array(repeating: 0, count: world.libraries.count)
        robotWait = Array(repeating: 0, count: world.libraries.count)
    }

    /// Cartridges per state, in the order of the states.
    func counts() -> [Int64] {
        var counts = [Int64](repeating: 0, count: CartridgeState.allCases.count)
        for cartridge in cartridges { counts[Int(cartridge.state.rawValue)] += 1 }
        return counts
    }

    mutating func addSet(_ set: TapeSet) -> Int32 {
        sets.append(set)
        return Int32(sets.count - 1)
    }

    /// A cartridge is written from its beginning again.
    mutating func loseSets(on cartridge: Int32) {
        for index in sets.indices where sets[index].parts.contains(where: { $0.cartridge == cartridge }) {
            sets[index].state = .overwritten
        }
    }

    mutating func add(_ stream: TapeStream) -> Int {
        if let place = free.popLast() {
            streams[place] = stream
            return place
        }
        streams.append(stream)
        return streams.count - 1
    }
}
