import Protection
import Testing
import Units

extension PRERules {
    @Test("PRE-2 obeyed and broken: files and folders need the Hyper-V role")
    func itemLevel() {
        #expect(world().itemLevelRefusal(on: .dpm1) == nil)
        #expect(
            world { $0.servers[.dpm1].hasHyperVRole = false }.itemLevelRefusal(on: .dpm1)?.description
                == "error 958 (PRE-2) DPM server dpm1: Files and folders of machines cannot be browsed: it does not have the "
                + "Hyper-V role. Install the Hyper-V role on it, or recover the whole machine.")
    }

    @Test(
        "PRE-8 obeyed: needed space is disk size times churn rate times window",
        arguments: [
            // The worked examples of dpm-facts 2.8: 3 % a day and 3 % an hour over 8 hours.
            (Fraction(partsPerBillion: 1_250_000), Bytes.gigabytes(1)), (.percent(3), .gigabytes(24)),
            (.zero, .zero),
        ]) func space(_ churn: Fraction, _ needed: Bytes)
    {
        #expect(differencingSpace(initialSize: .gigabytes(100), churnPerHour: churn, window: .hours(8)) == needed)
    }

    @Test("PRE-8 obeyed: a machine writes no more than its disks hold")
    func capped() {
        let machine = SmallWorld.machine("alpha", .h1, .local1)
        #expect(machine.differencingSpace(over: .hours(8)) == .gigabytes(1))
        #expect(machine.differencingSpace(over: .days(90)) == .gigabytes(100))
        #expect(machine.differencingSpace(over: .zero) == .zero)
    }

    @Test("PRE-8 broken: too little space for the machines backed up together fails with the numbers")
    func tooLittle() {
        let small = world()
        let both: [Ref<Machine>] = [.alpha, .beta]
        #expect(
            small.differencingRefusal(of: .csv1, free: .gigabytes(2), machines: both, window: .hours(8)) == nil)
        #expect(
            small.differencingRefusal(of: .csv1, free: .megabytes(1_500), machines: both, window: .hours(8))?
                .description
                == "error 30115 (PRE-8) volume csv1: 2 machines backed up at the same time for 8 h need 2 GB of differencing "
                + "space, and 1.5 GB is free. Free space on the volume, back up fewer of its machines at a time, or choose a "
                + "quieter time.")
        #expect(
            small.differencingRefusal(of: .csv1, free: .zero, machines: [.beta], window: .hours(8))?.cause
                == "1 machine backed up at the same time for 8 h needs 1 GB of differencing space, and 0 B is free")
    }

    @Test(
        "PRE-9 obeyed: a SCSI controller, another release, or an offline backup",
        arguments: [
            { $0.hosts[.n1].windows = .ws2012R2 }, { $0.machines[.beta].scsiController = false },
            {
                $0.hosts[.n1].windows = .ws2012R2
                $0.machines[.beta].scsiController = false
                $0.machines[.beta].dynamicDisks = true
            },
        ] as [@Sendable (inout World) -> Void])
    func scsi(_ change: @Sendable (inout World) -> Void) {
        #expect(world(change).backupObstacle(for: .beta, on: .n1) == nil)
    }

    @Test("PRE-9 broken: event 10103 on a 2012 R2 host without a SCSI controller")
    func noSCSI() {
        let refusal = world {
            $0.hosts[.n1].windows = .ws2012R2
            $0.machines[.beta].scsiController = false
        }.backupObstacle(for: .beta, on: .n1)
        #expect(
            refusal?.description
                == "error 10103 (PRE-9) machine beta: It has no SCSI controller, which an online backup on Windows Server 2012 "
                + "R2 needs. Add a SCSI controller to the machine; it may stay empty.")
    }

    @Test("PRE-10 obeyed: a hardware provider, and a volume that is no CSV, back up in parallel")
    func parallel() {
        #expect(world { $0.volumes[.csv1].vssProvider = .hardware }.parallelSnapshots(on: .csv1, Tuning()) == nil)
        #expect(world().parallelSnapshots(on: .local1, Tuning()) == nil)
    }

    @Test("PRE-10 broken: the software provider backs a CSV up one at a time")
    func claim() {
        #expect(world().parallelSnapshots(on: .csv1, Tuning()) == 1)
        #expect(world().busyVolumeRefusal(.csv1).id == 32612)
    }

    @Test("PRE-11 obeyed: each machine of a crashed node is checked, with RCT only what changed")
    func crash() {
        #expect(world().consequence(of: .crash, for: .beta, on: .n1) == (false, .rct, 30155))
        let old = world { $0.hosts[.n1].windows = .ws2012R2 }
        #expect(old.consequence(of: .crash, for: .beta, on: .n1) == (true, .heavy, 30155))
    }

    @Test("PRE-12 obeyed and broken: only a restart with a BitLocker volume under the machine brings a check")
    func bitLocker() {
        #expect(world().restartEvent(for: .beta) == .cleanRestart)
        let locked = world { $0.volumes[.csv1].isBitLockered = true }
        #expect(locked.restartEvent(for: .beta) == .bitLockerRestart)
        #expect(locked.restartEvent(for: .alpha) == .cleanRestart)
        #expect(locked.consequence(of: .bitLockerRestart, for: .beta, on: .n1) == (false, .rct, 30151))
        #expect(TrackingEvent.bitLockerRestart.consequence(hasRCT: false) == (true, .heavy, 30151))
    }

    @Test("PRE-13 broken: the backup fails with the first thing missing; a machine elsewhere does not care")
    func shareAtBackup() {
        let small = world { $0.fileServers[.fs1].hasVSSAgentService = false }
        #expect(small.backupObstacle(for: .gamma, on: .h1)?.id == 30114)
        #expect(small.backupObstacle(for: .alpha, on: .h1) == nil)
    }

    @Test("PRE-14 broken: nothing is recovered to a computer that uses remote shares")
    func recoveryTarget() {
        #expect(world().recoveryRefusal(to: .n1) == nil)
        #expect(
            world().recoveryRefusal(to: .h1)?.description
                == "error (PRE-14) host h1: It uses remote SMB shares, and recovery to such a computer is not supported. "
                + "Recover to a host with its own storage.")
    }

    @Test("PRE-15 obeyed and broken: 259 characters can be mounted, 260 cannot")
    func longPath() {
        let path = String(repeating: "x", count: 259)
        #expect(longPathWarning(machine: "alpha", componentPaths: ["C:\\short", path]) == nil)
        #expect(
            longPathWarning(machine: "alpha", componentPaths: [path, path + "y"])?.cause
                == "It was recovered, but cannot be mounted: a path has 260 characters and must have fewer than 260 (\(path)y)"
        )
    }

    @Test("SCN-1 and SCN-2 broken: a backup asks the agent of the host where the machine is now")
    func agentAtBackup() {
        let small = world { $0.hosts[.n2].agent = .restartPending }
        #expect(small.backupObstacle(for: .beta, on: .n1) == nil)
        #expect(small.backupObstacle(for: .beta, on: .n2)?.id == 48)
    }

    @Test("LVL-2 broken: the agent in a machine cannot be reached while it is off")
    func guestOff() {
        let small = world {
            $0.machines[.alpha].level = .guest
            $0.machines[.alpha].power = .off
        }
        #expect(
            small.backupObstacle(for: .alpha, on: .h1)?.description
                == "error 41 (LVL-2) machine alpha: The agent in it cannot be reached while it is off. Start the machine."
        )
    }

    @Test("LVL-1 and LVL-2: what each level recovers")
    func levels() {
        #expect(Machine.Level.host.recovers == [.wholeMachine, .filesAndFolders])
        #expect(Machine.Level.guest.recovers == [.filesAndFolders, .applicationItem])
    }
}
