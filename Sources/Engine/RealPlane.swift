import DiskImages
public import Files
import GuestFiles
public import Jobs
public import Protection
import StoragePool
public import Units

/// The data plane of machines whose bytes are real: their guests write into image files, their backups go block by block into a
/// storage pool, and what was backed up can be read back.
///
/// Everything lies in one folder: `machines/<name>/` the disks, `pools/<server>/` the pool of each DPM server, `tapes/<library>/` the
/// cartridges of each tape library. Facts are those of the files times the machine's scale. Used by one thread.
public final class RealPlane: LivingPlane {
    let world: World
    let clock: CivilClock
    let folder: String
    let files: any FileSystem
    let access: ImageAccess
    private let seed: UInt64
    var machines: [Int32: RealMachine] = [:]
    /// By DPM server.
    var pools: [Int32: Pool] = [:]
    /// What a server's pool lies on, where that is not in order.
    var poolFiles: [Int32: any FileSystem] = [:]
    var vaults: [Int32: Pool] = [:]
    /// Number in its pool of each recovery point of a copy; and of the newest, the number of the point it is a copy of.
    var copies: [CopyKey: [(at: SimTime, number: Int64)]] = [:]
    var sourceNumbers: [CopyKey: Int64] = [:]
    var rotten: [RottenPlace] = []
    private var load: (any DataPlane)?
    let planted: PlantedBug?
    let tapes: RealTapes
    /// Machines whose data are gone, or are to go.
    private var isDeleted: Set<Int32> = []
    /// Plain bytes per byte on the wire, by machine.
    private var wireRatios: [Double]
    private(set) var server: [Int32]
    private var hasFailed = false
    /// What went wrong beneath and the script did not ask for, in the order of time, with the machine it went wrong for.
    public internal(set) var faults: [(machine: String, at: SimTime, cause: String)] = []

    /// What came of each recovery, in the order of time.
    public internal(set) var recoveries: [RecoveryVerdict] = []

    /// Makes the disks of all real machines, and empty pools.
    /// - Parameters:
    ///   - folder: empty or not there.
    ///   - planted: a fault to be found by those who look for faults.
    /// Faults: those of images and pools; `ENGINE-IMAGE` for an image that cannot be the disk of its machine.
    public init(
        world: World, seed: UInt64, clock: CivilClock, folder: String, files: any FileSystem,
        planted: PlantedBug? = nil
    ) throws(StorageFault) {
        self.planted = planted
        tapes = RealTapes(
            world: world, seed: seed, folder: folder + "/tapes", files: files,
            began: Int64(clock.startDate.daysSince1970) * 86_400, planted: planted)
        (self.world, self.seed, self.clock, self.folder, self.files) = (world, seed, clock, folder, files)
        access = ImageAccess(files, guids: SequentialGUIDs(seed: seed))
        wireRatios = [Double](repeating: 1, count: world.machines.count)
        server = [Int32](repeating: 0, count: world.machines.count)
        for group in world.groups where world.servers[group.server].primary == nil {
            for member in group.members {
                server[Int(member.index)] = group.server.index
                if group.compressesOnWire {
                    wireRatios[Int(member.index)] = max(1, world.machines[member].compressibility.value)
                }
            }
        }
        let isThere = try files.kind(of: folder) == .folder
        let isEmpty = isThere ? try files.list(folder).isEmpty : true
        guard isEmpty else {
            throw StorageFault(
                .badInput, "ENGINE-FOLDER", folder, "the folder for real machines is not empty",
                action: "Name an empty folder or a new one")
        }
        do throws(StorageFault) {
            for path in [folder, folder + "/machines", folder + "/pools"] { try files.makeFolder(path) }
            let maker = MachineMaker(world: world, seed: seed, folder: folder + "/machines", access: access)
            for (index, machine) in world.machines.enumerated() {
                guard let real = machine.real else { continue }
                machines[Int32(index)] = try maker.make(Ref(index), real)
            }
        } catch {
            try? close()
            Self.empty(folder, files)
            if !isThere { try? files.removeFolder(folder) }
            throw error
        }
    }

    /// A folder's name for a noun's. Names hold letters, digits and a few signs, but `..` is one of them and leads elsewhere.
    static func fileName(_ name: String, _ index: Int) -> String {
        name.allSatisfy { $0 == "." } ? "\(index)" : name
    }

    /// Takes away what was made in a folder that was empty.
    static func empty(_ folder: String, _ files: any FileSystem) {
        for name in (try? files.list(folder)) ?? [] {
            let path = folder + "/" + name
            if (try? files.kind(of: path)) == .folder {
                empty(path, files)
                try? files.removeFolder(path)
            } else {
                try? files.remove(path)
            }
        }
    }

    /// Ends the use of all files, also if closing one of them fails; the first fault is thrown.
    public func close() throws(StorageFault) {
        var first: StorageFault?
        func attempt(_ body: () throws(StorageFault) -> Void) {
            do throws(StorageFault) { try body() } catch { first = first ?? error }
        }
        for index in machines.keys.sorted() {
            for disk in machines[index]!.disks { attempt { () throws(StorageFault) in try disk.close() } }
        }
        for pool in allPools { attempt { () throws(StorageFault) in try pool.close() } }
        tapes.close()
        if let first { throw first }
    }

    public func follow(_ load: any DataPlane) { self.load = load }

    /// Real machines, in the order of the scenario.
    public var realMachines: [Ref<Machine>] { machines.keys.sorted().map { Ref(raw: $0) } }
    func isReal(_ machine: Ref<Machine>) -> Bool { machines[machine.index] != nil }

    // MARK: The guest

    func scale(_ machine: Ref<Machine>) -> Int64 { world.machines[machine].real?.scale ?? 1 }

    /// How far the guest is at a moment, by the intensity of the plane it follows.
    func progress(_ machine: Ref<Machine>, at time: SimTime) -> (overwrites: Int64, grown: Int64) {
        guard let load else { preconditionFailure("a real plane follows a load before it is asked") }
        let unit = Int64(BlockContent.size) * scale(machine)
        let grown = load.used(machine, at: time).count - load.used(machine, at: .start).count
        return (load.written(machine, from: .start, to: time).count / unit, grown / unit)
    }

    /// The guest's history at a moment of the past or now; nothing is written.
    func history(_ machine: Ref<Machine>, at time: SimTime) -> GuestHistory {
        let real = machines[machine.index]!
        let (index, epoch) = real.epoch(at: time)
        let (overwrites, grown) = epoch.targets(progress(machine, at: time))
        var history = epoch.start
        if index == real.epochs.count - 1, overwrites >= real.history.overwrites, grown >= real.history.grown {
            history = real.history
        }
        history.advance(real.writes, overwrites: overwrites, grown: grown) { _, _ in }
        return history
    }

    /// What the machine's disks hold at a moment.
    func expected(_ machine: Ref<Machine>) -> (real: RealMachine, at: (SimTime) -> GuestHistory) {
        (machines[machine.index]!, { self.history(machine, at: $0) })
    }

    func live(_ machine: Ref<Machine>, until time: SimTime) throws(StorageFault) {
        let real = machines[machine.index]!
        let (overwrites, grown) = real.epochs[real.epochs.count - 1].targets(progress(machine, at: time))
        try real.live(overwrites: overwrites, grown: grown)
    }

    private func bytes(_ blocks: Int, _ machine: Ref<Machine>) -> Int64 {
        Int64(blocks) * Int64(BlockContent.size) * scale(machine)
    }

    private func facts(_ machine: Ref<Machine>, changed: Int, stored: Int, read: Int) -> TransferFacts {
        let ratio = wireRatios[Int(machine.index)]
        let arriving = bytes(stored, machine)
        let sent = ratio > 1 ? Int64((Double(arriving) / ratio).rounded(.up)) : arriving
        return TransferFacts(
            changed: Bytes(bytes(changed, machine)), sent: Bytes(sent), stored: Bytes(arriving),
            read: Bytes(bytes(read, machine)))
    }

    // MARK: Facts

    public func full(_ machine: Ref<Machine>, at time: SimTime) -> TransferFacts {
        let real = machines[machine.index]!
        if real.snapshot?.at == time {
            real.snapshot!.isWhole = true
            real.snapshot!.blocks = nil
        }
        let blocks = Int(real.used(history(machine, at: time)) / Int64(BlockContent.size))
        return facts(machine, changed: blocks, stored: blocks, read: blocks)
    }

    public func changes(_ machine: Ref<Machine>, since: SimTime, until: SimTime) -> TransferFacts {
        let real = machines[machine.index]!
        guard real.snapshot?.at == until else {
            // Of a copy, which has no snapshot of its own.
            let (earlier, later) = (history(machine, at: since), history(machine, at: until))
            let places = later.changed(since: earlier)
            let stored = places.count { $0 >= real.pageFile }
            return facts(machine, changed: places.count, stored: stored, read: places.count)
        }
        let known = tracked(real)
        let blocks = known?.blocks ?? allUsed(real)
        let kept = withoutPageFiles(machine, blocks, real)
        real.snapshot!.blocks = planted == .lostBlock && kept.count > 3 ? Array(kept.dropLast()) : kept
        var facts = facts(machine, changed: blocks.count, stored: kept.count, read: blocks.count)
        if known?.isCoarse ?? true {
            // All of it travels, but the pool stores no block again that it has.
            facts.stored = Bytes(bytes(differing(machine, real, kept, at: until).count, machine))
        }
        return facts
    }

    public func check(_ machine: Ref<Machine>, kind: CheckKind, since: SimTime, until: SimTime) -> TransferFacts {
        let real = machines[machine.index]!
        guard real.snapshot?.at == until else { return changes(machine, since: since, until: until) }
        let known = kind == .heavy ? nil : tracked(real)?.blocks
        let candidates = withoutPageFiles(machine, known ?? allUsed(real), real)
        let differing = differing(machine, real, candidates, at: until)
        real.snapshot!.blocks = differing
        return facts(machine, changed: differing.count, stored: differing.count, read: (known ?? allUsed(real)).count)
    }

    public func used(_ machine: Ref<Machine>, at time: SimTime) -> Bytes {
        Bytes(machines[machine.index]!.used(history(machine, at: time)) * scale(machine))
    }

    public func written(_ machine: Ref<Machine>, from: SimTime, to: SimTime) -> Bytes {
        let (before, after) = (progress(machine, at: from), progress(machine, at: to))
        let count = after.overwrites - before.overwrites + after.grown - before.grown
        return Bytes(bytes(Int(max(0, count)), machine))
    }

    public func superseded(_ machine: Ref<Machine>, since: SimTime, until: SimTime) -> Bytes {
        let real = machines[machine.index]!
        let earlier = history(machine, at: since)
        let places = history(machine, at: until).changed(since: earlier).filter {
            $0 >= real.pageFile && earlier.isUsed($0, real.writes)
        }
        // What rotted was stored anew as it is; the points keep their own, rotten.
        let changed = Set(places.map { real.places[$0] })
        let mended = real.mended(since: since, until: until).filter { !changed.contains($0) }
        return Bytes(bytes(places.count + mended.count, machine))
    }

    /// Blocks the tracker names; nil where it cannot say.
    private func tracked(_ real: RealMachine) -> (blocks: [RealMachine.Place], isCoarse: Bool)? {
        var blocks: [RealMachine.Place] = []
        var isCoarse = false
        let unit = Int64(BlockContent.size)
        for (index, disk) in real.disks.enumerated() {
            guard case .ranges(let ranges, let coarse) = disk.changes else { return nil }
            isCoarse = isCoarse || coarse
            for range in ranges {
                for block in range.lowerBound / unit..<(range.upperBound + unit - 1) / unit {
                    blocks.append(RealMachine.Place(disk: index, block: block))
                }
            }
        }
        return (blocks, isCoarse)
    }

    /// Those of `blocks` in which snapshot and replica differ; all of them where that cannot be found out.
    private func differing(
        _ machine: Ref<Machine>, _ real: RealMachine, _ blocks: [RealMachine.Place], at time: SimTime
    ) -> [RealMachine.Place] {
        do throws(StorageFault) { return try differences(machine, real, blocks) } catch {
            note(machine, time, error)
            return blocks
        }
    }

    private func allUsed(_ real: RealMachine) -> [RealMachine.Place] {
        let history = real.snapshot!.history
        return
            (history.versions.indices.filter {
                history.isUsed($0, real.writes) || real.vacated.contains(real.places[$0])
            }.map { real.places[$0] } + real.imageBlocks)
            .sorted { ($0.disk, $0.block) < ($1.disk, $1.block) }
    }

    /// What of `blocks` is to travel: all but what lies wholly in page files now, and what did before and does not any more, for it may
    /// belong to another file by now.
    /// - Rule: PRC-5
    private func withoutPageFiles(
        _ machine: Ref<Machine>, _ blocks: [RealMachine.Place], _ real: RealMachine
    ) -> [RealMachine.Place] {
        var excluded = Set(real.places.prefix(real.pageFile))
        if real.hasFileSystem {
            do throws(StorageFault) { excluded = try pageFiles(real) } catch {
                // Leaving nothing out is always right.
                note(machine, real.snapshot!.at, error)
                excluded = []
            }
        }
        real.snapshot!.excluded = excluded
        let returned = real.excluded.subtracting(excluded)
        let all = returned.isEmpty ? blocks : Array(Set(blocks).union(returned))
        return all.filter { !excluded.contains($0) }.sorted { ($0.disk, $0.block) < ($1.disk, $1.block) }
    }

    /// Blocks of the snapshot that lie wholly in page files, as its file systems say (disk-formats.md 4).
    private func pageFiles(_ real: RealMachine) throws(StorageFault) -> Set<RealMachine.Place> {
        let unit = Int64(BlockContent.size)
        var found: Set<RealMachine.Place> = []
        for (index, disk) in real.disks.enumerated() {
            for range in try PageFiles(of: GuestDisk(try source(disk))).ranges {
                let (first, last) = ((range.lowerBound + unit - 1) / unit, range.upperBound / unit)
                for block in first..<max(first, last) { found.insert(RealMachine.Place(disk: index, block: block)) }
            }
        }
        return found
    }

    /// Those of `blocks` in which snapshot and replica really differ.
    private func differences(
        _ machine: Ref<Machine>, _ real: RealMachine, _ blocks: [RealMachine.Place]
    ) throws(StorageFault) -> [RealMachine.Place] {
        let pool = try pool(of: machine)
        guard let replica = try pool.replica(of: real.name) else { return blocks }
        var differing: [RealMachine.Place] = []
        var damaged: [RealMachine.Place] = []
        let (left, right) = (Buffer(count: BlockContent.size), Buffer(count: BlockContent.size))
        for (index, disk) in real.disks.enumerated() {
            let device = try pool.device(of: real.name, at: replica.number, disk: disk.name)
            for place in blocks where place.disk == index {
                let offset = place.block * Int64(BlockContent.size)
                let count = Int(min(Int64(BlockContent.size), disk.size - offset))
                let (ours, theirs) = (left[0..<count], right[0..<count])
                try source(disk).read(into: ours, at: offset)
                do throws(StorageFault) {
                    try device.read(into: theirs, at: offset)
                    if ours.hasSameBytes(as: theirs) { continue }
                } catch {
                    // A block the pool cannot read is one that differs: the check mends it.
                    guard error.kind == .damaged else { throw error }
                    damaged.append(place)
                }
                differing.append(place)
            }
        }
        // The pool stores a block again that seems equal only if it knows it to be damaged.
        if !damaged.isEmpty { _ = try pool.scrub(workers: 1) }
        real.snapshot!.mended = damaged
        return differing
    }

    private func source(_ disk: MachineDisk) throws(StorageFault) -> any BlockDevice {
        guard let frozen = disk.frozen else { throw noSnapshot(disk.name) }
        return frozen
    }

    private func noSnapshot(_ name: String) -> StorageFault {
        StorageFault(
            .missing, "ENGINE-SNAPSHOT", name, "there is no snapshot to read", action: "Take one first")
    }

    // MARK: Acts

    public func takeSnapshot(_ machine: Ref<Machine>, at time: SimTime) throws(PlaneFault) {
        try reported(machine, time) { () throws(StorageFault) in
            let real = machines[machine.index]!
            real.snapshot = nil
            try live(machine, until: time)
            moveDisks(machine, at: time)
            var taken: [MachineDisk] = []
            do throws(StorageFault) {
                for disk in real.disks {
                    try disk.takeSnapshot(created: created(time))
                    taken.append(disk)
                }
            } catch {
                // All disks of a machine or none.
                for disk in taken { attempt(machine, time) { () throws(StorageFault) in try disk.releaseSnapshot() } }
                throw error
            }
            real.noteFlushed()
            real.snapshot = RealMachine.Snapshot(at: time, history: real.history)
        }
    }

    public func apply(_ purpose: DiskJob.Purpose, _ machine: Ref<Machine>, at snapshot: SimTime) throws(PlaneFault) {
        try reported(machine, snapshot) { () throws(StorageFault) in
            try store(purpose, machine, at: snapshot)
            let real = machines[machine.index]!
            if real.snapshot!.isWhole { real.noteWhole(at: snapshot) }
            real.noteExcluded(real.snapshot!.excluded)
            real.noteMended(real.snapshot!.mended, at: snapshot)
            real.noteReplica(at: snapshot)
        }
    }

    /// What the snapshot is to bring becomes the replica in the pool.
    func store(_ purpose: DiskJob.Purpose, _ machine: Ref<Machine>, at snapshot: SimTime) throws(StorageFault) {
        let real = machines[machine.index]!
        guard real.snapshot != nil else { throw noSnapshot(real.name) }
        let pool = try pool(of: machine)
        let isKnown = try pool.datasources().contains { $0.name == real.name }
        if isKnown {
            try removeUnknownPoints(real, pool)
        } else {
            _ = try pool.add(real.name, time: seconds(snapshot))
        }
        let isFirst = try pool.replica(of: real.name) == nil
        var sources: [DiskSource] = []
        for (index, disk) in real.disks.enumerated() {
            let changes: DiskSource.Changes =
                if let blocks = real.snapshot!.blocks { .ranges(ranges(blocks, index, disk.size)) } else {
                    .everything
                }
            sources.append(DiskSource(name: disk.name, device: try source(disk), changes: changes))
        }
        // Which blocks a check compares is decided before, so that page files stay out of it.
        let kind: SynchronizationKind = isFirst ? .initialReplica : .expressFull
        _ = try pool.synchronize(
            real.name, sources, kind: kind, at: seconds(snapshot), recoveryPoint: false)
    }

    public func makePoint(_ machine: Ref<Machine>, at snapshot: SimTime) throws(PlaneFault) {
        try reported(machine, snapshot) { () throws(StorageFault) in
            let real = machines[machine.index]!
            var sources: [DiskSource] = []
            for disk in real.disks {
                sources.append(DiskSource(name: disk.name, device: try source(disk), changes: .ranges([])))
            }
            let facts = try pool(of: machine).synchronize(
                real.name, sources, at: seconds(snapshot), recoveryPoint: true,
                label: PointLabel.text(snapshot, clock))
            real.notePoint(at: snapshot, number: facts.point)
        }
    }

    public func releaseSnapshot(_ machine: Ref<Machine>, at time: SimTime) {
        let real = machines[machine.index]!
        // What the guest wrote meanwhile went to the differencing disks.
        attempt(machine, time) { () throws(StorageFault) in try live(machine, until: time) }
        for disk in real.disks { attempt(machine, time) { () throws(StorageFault) in try disk.releaseSnapshot() } }
        real.snapshot = nil
        moveDisks(machine, at: time)
    }

    public func synchronized(_ machine: Ref<Machine>, at snapshot: SimTime) {
        for disk in machines[machine.index]!.disks {
            attempt(machine, snapshot) { () throws(StorageFault) in try disk.confirm() }
        }
    }

    public func crash(_ machine: Ref<Machine>, at time: SimTime) {
        let real = machines[machine.index]!
        attempt(machine, time) { () throws(StorageFault) in
            try live(machine, until: time)
            if planted == .forgottenCrash { for disk in real.disks { try disk.forgetChanges() } }
        }
        for disk in real.disks { disk.crash() }
        real.snapshot = nil
    }

    public func prune(_ machine: Ref<Machine>, points: [SimTime]) {
        let real = machines[machine.index]!
        for time in points {
            guard let number = real.removePoint(at: time), planted != .keptPoint else { continue }
            attempt(machine, time) { () throws(StorageFault) in
                try pool(of: machine).prune(real.name, point: number)
            }
        }
    }

    /// Points that the books do not have: their deletion failed, or their making failed after they were there.
    private func removeUnknownPoints(_ real: RealMachine, _ pool: Pool) throws(StorageFault) {
        guard planted != .keptPoint else { return }
        let known = Set(real.points.map(\.number))
        for point in try pool.recoveryPoints(of: real.name) where !known.contains(point.number) {
            try pool.prune(real.name, point: point.number)
        }
    }

    public func deleteData(_ machine: Ref<Machine>) {
        let real = machines[machine.index]!
        real.removePoints()
        real.noteReplica(at: nil)
        isDeleted.insert(machine.index)
        attempt(machine, real.wholeAt.last ?? .start) { () throws(StorageFault) in try deleteAgain(machine) }
    }

    private func deleteAgain(_ machine: Ref<Machine>) throws(StorageFault) {
        let (real, pool) = (machines[machine.index]!, try pool(of: machine))
        guard try pool.datasources().contains(where: { $0.name == real.name }) else { return }
        if isDeleted.contains(machine.index) { try pool.remove(real.name) } else { try removeUnknownPoints(real, pool) }
    }

    /// Deletes what should be gone and is not, because deleting it failed.
    public func finishDeleting() throws(StorageFault) {
        guard hasFailed else { return }
        for machine in realMachines { try deleteAgain(machine) }
        // What was left half-way, a pool finishes when it is opened.
        for index in pools.keys.sorted() { try reopen(Ref(raw: index), on: poolFiles[index] ?? files) }
    }

    /// Differencing disks that a failure left behind, and that were found and merged at the next snapshot.
    public var leftovers: Int { machines.values.reduce(0) { $0 + $1.disks.reduce(0) { $0 + $1.leftovers } } }

    /// Differencing disks that are there, of backups under way or left behind.
    public var differencingDisks: Int {
        machines.values.reduce(0) { $0 + $1.disks.reduce(0) { $0 + $1.differencingDisks } }
    }

    /// What the pools' own checks find wrong with them.
    public func check() throws(StorageFault) -> [String] {
        var found: [String] = []
        for pool in allPools { found += try pool.check().map(\.description) }
        return found
    }

    /// What a machine's replica and recovery points take in its pool, bytes of whole blocks times its scale.
    public func held(_ machine: Ref<Machine>) throws(StorageFault) -> Bytes {
        let pool = try pool(of: machine)
        let name = world.machines[machine].name
        let found = try pool.datasources().first { $0.name == name }
        return Bytes((found?.held ?? 0) * scale(machine))
    }

    // MARK: Beneath

    /// The pool of the DPM server that protects a machine; made when it is first asked for.
    func pool(of machine: Ref<Machine>) throws(StorageFault) -> Pool {
        try pool(of: server[Int(machine.index)])
    }

    func pool(of server: Int32) throws(StorageFault) -> Pool {
        if let pool = pools[server] { return pool }
        let pool = try openOrCreate(poolPath(server), on: poolFiles[server] ?? files)
        pools[server] = pool
        return pool
    }

    func isProtected(_ machine: Ref<Machine>, by server: Ref<DPMServer>) -> Bool {
        self.server[Int(machine.index)] == server.index
    }

    func poolPath(_ server: Int32) -> String {
        folder + "/pools/" + Self.fileName(world.servers[Int(server)].name, Int(server))
    }

    private var allPools: [Pool] {
        pools.keys.sorted().map { pools[$0]! } + vaults.keys.sorted().map { vaults[$0]! }
    }

    /// The pool in a folder of ours, also if its making failed after it was there, or half-way.
    func openOrCreate(_ path: String, on files: any FileSystem) throws(StorageFault) -> Pool {
        do throws(StorageFault) { return try Pool.open(path, on: files) } catch {
            guard error.id == "POOL-NOT-POOL" else { throw error }
        }
        Self.empty(path, files)
        return try Pool.create(at: path, on: files, guids: access.guids, time: seconds(.start))
    }

    private func ranges(_ blocks: [RealMachine.Place], _ disk: Int, _ size: Int64) -> [Range<Int64>] {
        let unit = Int64(BlockContent.size)
        return blocks.compactMap { place in
            guard place.disk == disk else { return nil }
            return place.block * unit..<min(size, (place.block + 1) * unit)
        }
    }

    func reported(
        _ machine: Ref<Machine>, _ time: SimTime, _ body: () throws(StorageFault) -> Void
    ) throws(PlaneFault) {
        do throws(StorageFault) { try body() } catch {
            note(machine, time, error)
            throw PlaneFault(error)
        }
    }

    /// For acts that have no job that could fail.
    func attempt(_ machine: Ref<Machine>, _ time: SimTime, _ body: () throws(StorageFault) -> Void) {
        do throws(StorageFault) { try body() } catch { note(machine, time, error) }
    }

    func note(_ machine: Ref<Machine>, _ time: SimTime, _ fault: StorageFault) {
        hasFailed = true
        if isAskedFor(machine, fault) { return }
        faults.append((world.machines[machine].name, time, fault.description))
    }

    func seconds(_ time: SimTime) -> Int64 {
        Int64(clock.startDate.daysSince1970) * 86_400 + time.nanoseconds / 1_000_000_000
    }

    /// Seconds since 2000-01-01, as VHD notes them.
    func created(_ time: SimTime) -> UInt32 { UInt32(clamping: seconds(time) - 946_684_800) }
}
