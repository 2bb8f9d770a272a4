import Kernel
import Protection
import Simulation
import Testing
import Units

/// Nothing is lost or made on the way: checked after every event, and by the audit at the end.
@Suite("Conservation")
struct ConservationTests {
    @Test("a quiet week adds up on every line of the audit")
    func quietWeek() {
        let (_, outcome) = Installation().run()
        for line in outcome.audit { #expect(line.holds, "\(line)") }
        #expect(outcome.audit.count >= 10)
    }

    @Test("whatever fails, and whenever, the books balance", arguments: 0..<200)
    func randomTrouble(seed: Int) {
        var dice = RandomStream(seed: UInt64(seed), name: "trouble")
        var installation = Installation(
            machines: 2 + dice.below(8), days: 9, pool: dice.below(3) == 0 ? .legacy : .modern,
            poolSize: dice.below(4) == 0 ? .gigabytes(420) : .terabytes(4))
        installation.addTape(
            drives: 1 + dice.below(2), tapes: 1 + dice.below(6), generation: dice.below(2) == 0 ? .lto5 : .lto8,
            retention: CalendarSpan(1, .weeks))
        installation.setting.seed = UInt64(seed)
        var group = installation.setting.world.groups[0]
        group.tape!.drives = 2
        group.longTermTape[0].frequency = .daily
        group.compressesOnWire = dice.below(2) == 0
        group.isColocated = dice.below(2) == 0
        group.stagger = .minutes(Int64(dice.below(20)))
        if dice.below(2) == 0 { group.backupWindow = DailyWindow(start: TimeOfDay(hour: 19), duration: .minutes(90)) }
        if dice.below(2) == 0 { group.tape!.colocationSet = "shared" }
        if dice.below(2) == 0 { group.tape!.encoding = .compress }
        installation.setting.world.groups[0] = group
        installation.addCopies(online: dice.below(2) == 0, secondary: dice.below(2) == 0)
        for m in installation.setting.world.machines.indices {
            installation.setting.world.machines[m].compressibility = Fraction(
                partsPerBillion: 1_000_000_000 + Int64(dice.below(2_000_000_000)))
            installation.setting.world.machines[m].growthPerYear = .percent(Int64(dice.below(200)))
            installation.setting.world.machines[m].pageFile = .gigabytes(Int64(dice.below(5)))
            installation.setting.world.machines[m].hasRCT = dice.below(2) == 0
            installation.setting.world.machines[m].backupIntegration = dice.below(4) > 0
        }
        if dice.below(2) == 0 { installation.setting.world.volumes[0].vssProvider = .software }
        let happenings: [Happening] = [
            .nodeCrash(Ref(0)), .maintenance(Ref(1)), .nodeRestart(Ref(0)), .linkOutage(Ref(0)), .serverOutage(Ref(0)),
            .driveFailure(Ref(0)), .robotJam(Ref(0)), .poolVolumeOutage(Ref(0)), .volumeFull(Ref(0)),
            .migration(Ref(0), to: Ref(1), storage: nil), .migration(Ref(1), to: Ref(2), storage: Ref(1)),
        ]
        for happening in happenings {
            let mean = SimDuration.hours(Int64(20 + dice.below(80)))
            installation.setting.script.append(
                ScriptLine(
                    happening, .random(.exponential(mean: mean)),
                    lasts: .uniform(from: .minutes(5), to: .hours(Int64(2 + dice.below(6))))))
        }
        let (notebook, outcome) = installation.run()
        #expect(notebook.jobs.contains { $0.status == .completed }, "seed \(seed): nothing was ever completed")
        for line in outcome.audit { #expect(line.holds, "seed \(seed): \(line)") }
        #expect(outcome.end == .horizon, "seed \(seed): \(outcome.end)")
    }
}
