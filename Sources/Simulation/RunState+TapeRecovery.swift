import Jobs
import Kernel
import Protection
import Units

/// How a recovery reads tape: cartridge after cartridge of its set, in one line with the backups for drives and robot (REC-6).
extension RunState {
    /// The next cartridge; one that is away is asked for by name (3314), one that is being written is waited for.
    mutating func requestTape(_ r: Int) {
        let recovery = recoveries[r]!
        let set = tape.sets[Int(recovery.order.set)]
        let part = set.parts[recovery.part]
        let c = Int(part.cartridge)
        let library = Int(world.cartridges[c].library.index)
        recoveries[r]!.cartridge = -1
        if set.state != .whole { return breakRecovery(r, error: 24082) }
        if set.isEncrypted, world.groups[set.group].tape?.hasCertificate != true {
            return breakRecovery(r, error: 24071)
        }
        guard tape.cartridges[c].isInLibrary else { return raise(3314, .library, library) }
        if !recoveries.contains(where: { isAwaitedAway($0, in: library) }) { resolve(3314, .library, library) }
        guard !tape.cartridges[c].isReserved else { return }
        tape.cartridges[c].isReserved = true
        recoveries[r]!.cartridge = Int32(c)
        // After the first cartridge the drive is still its own.
        if recovery.drive >= 0 { return advanceRecovery(r, .tapeGranted) }
        recoveries[r]!.waitsForDrive = true
        recoveries[r]!.waitingSince = agenda.now
        tape.driveSlots[library].note(at: agenda.now)
        if tape.driveSlots[library].request(TapeToken.recovery(r)) { driveGranted(recovery: r) }
    }

    private func isAwaitedAway(_ recovery: ActiveRecovery?, in library: Int) -> Bool {
        guard let recovery, recovery.steps.state == .waitingForTape, recovery.cartridge < 0 else { return false }
        let cartridge = tape.sets[Int(recovery.order.set)].parts[recovery.part].cartridge
        return Int(world.cartridges[Int(cartridge)].library.index) == library
            && !tape.cartridges[Int(cartridge)].isInLibrary
    }

    /// A cartridge has come back, or nobody writes it any more.
    mutating func tapesChanged() {
        for r in recoveries.indices {
            guard let recovery = recoveries[r], recovery.steps.state == .waitingForTape, recovery.cartridge < 0 else {
                continue
            }
            requestTape(r)
        }
    }

    mutating func driveGranted(recovery r: Int) {
        let recovery = recoveries[r]!
        let library = Int(world.cartridges[Int(recovery.cartridge)].library.index)
        tape.driveWait[library] += (agenda.now - recovery.waitingSince).seconds
        recoveries[r]!.waitsForDrive = false
        let free = tape.drives[library].filter { tape.driveWorks[$0] && !tape.driveBusy[$0] }
        guard let drive = free.first(where: { canRead(recovery.cartridge, in: $0) }) else {
            // The drives that could read it are busy, or broken by now.
            giveBackDrive(library)
            return breakRecovery(r, error: 24052)
        }
        tape.driveBusy[drive] = true
        recoveries[r]!.drive = Int32(drive)
        advanceRecovery(r, .tapeGranted)
    }

    private mutating func giveBackDrive(_ library: Int) {
        tape.driveSlots[library].note(at: agenda.now)
        if let next = tape.driveSlots[library].release() { driveGranted(next) }
    }

    // MARK: Robot

    private mutating func askRobot(recovery r: Int, for ending: RecoveryJob.Input) {
        let library = libraryOfDrive(r)
        recoveries[r]!.robotEnds = ending
        recoveries[r]!.waitsForRobot = true
        recoveries[r]!.waitingSince = agenda.now
        tape.robots[library].note(at: agenda.now)
        if tape.robots[library].request(TapeToken.recovery(r)) { robotGranted(recovery: r) }
    }

    private func libraryOfDrive(_ r: Int) -> Int { Int(world.drives[Int(recoveries[r]!.drive)].library.index) }

    mutating func robotGranted(recovery r: Int) {
        let recovery = recoveries[r]!
        let library = libraryOfDrive(r)
        tape.robotWait[library] += (agenda.now - recovery.waitingSince).seconds
        recoveries[r]!.waitsForRobot = false
        let move = world.libraries[library].isStandalone ? tuning.operatorTapeChange : tuning.robotMove
        let eject = recovery.robotEnds == .unloaded ? tape.motions[Int(recovery.drive)].unloadTime : .zero
        recoveryLater(r, recovery.robotEnds, after: eject + move)
    }

    mutating func freeRobot(ofRecovery r: Int) {
        let library = libraryOfDrive(r)
        tape.robots[library].note(at: agenda.now)
        if let next = tape.robots[library].release() { robotGranted(next) }
    }

    // MARK: Steps

    mutating func mountForRecovery(_ r: Int) { askRobot(recovery: r, for: .mounted) }

    mutating func loadForRecovery(_ r: Int) {
        let recovery = recoveries[r]!
        if tape.cartridges[Int(recovery.cartridge)].state == .suspect { return breakRecovery(r, error: 30108) }
        tape.mountCount += 1
        tape.mounts[Int(recovery.cartridge)] += 1
        recoveryLater(r, .loaded, after: tape.motions[Int(recovery.drive)].loadTime)
    }

    mutating func positionForRecovery(_ r: Int) {
        let recovery = recoveries[r]!
        let part = tape.sets[Int(recovery.order.set)].parts[recovery.part]
        recoveryLater(r, .positioned, after: tape.motions[Int(recovery.drive)].locate(from: 0, to: part.at))
    }

    mutating func rewindAfterRecovery(_ r: Int) {
        let recovery = recoveries[r]!
        let part = tape.sets[Int(recovery.order.set)].parts[recovery.part]
        recoveryLater(r, .rewound, after: tape.motions[Int(recovery.drive)].rewind(from: part.at + part.native))
    }

    mutating func unloadAfterRecovery(_ r: Int) {
        let recovery = recoveries[r]!
        if recovery.failure == 0 { recoveries[r]!.part += 1 }
        if recovery.cartridge >= 0 { tape.cartridges[Int(recovery.cartridge)].isReserved = false }
        recoveries[r]!.cartridge = -1
        askRobot(recovery: r, for: .unloaded)
        tapesChanged()
    }

    /// What it waited for or was being served with goes to the next.
    mutating func leaveTapeLines(_ r: Int) {
        let recovery = recoveries[r]!
        if recovery.waitsForDrive {
            tape.driveSlots[Int(world.cartridges[Int(recovery.cartridge)].library.index)]
                .withdraw(TapeToken.recovery(r))
            recoveries[r]!.waitsForDrive = false
        }
        if recovery.waitsForRobot {
            tape.robots[libraryOfDrive(r)].withdraw(TapeToken.recovery(r))
            recoveries[r]!.waitsForRobot = false
        } else if recovery.steps.state == .mounting || recovery.steps.state == .unloading {
            freeRobot(ofRecovery: r)
        }
        if recovery.cartridge >= 0, recovery.drive < 0 {
            tape.cartridges[Int(recovery.cartridge)].isReserved = false
            recoveries[r]!.cartridge = -1
        }
    }

    /// The recovery is over, and its drive is the next one's.
    mutating func giveUpDrive(_ r: Int) {
        let drive = recoveries[r]!.drive
        guard drive >= 0 else { return }
        let library = libraryOfDrive(r)
        recoveries[r]!.drive = -1
        tape.driveBusy[Int(drive)] = false
        giveBackDrive(library)
    }
}
