import Protection
import Testing
import Units

@Suite("How long a tape takes: positions, averages, robots")
struct TapeMotionTests {
    static let drives =
        LTOGeneration.allCases.map { LTOFacts.of($0) } + [LTOFacts.lto10Long]
        + [LTOGeneration.lto8, .lto9].map { LTOFacts.of($0, isHalfHeight: true) }

    @Test(
        "averaged over the tape, locates from the load point and rewinds are within 3 % of what is published",
        arguments: drives)
    func averages(_ facts: LTOFacts) {
        let motion = TapeMotion(facts)
        var (locate, rewind) = (0.0, 0.0)
        for step in 1...10_000 as ClosedRange<Int64> {
            let byte = facts.capacity.count / 10_001 * step
            locate += motion.locate(from: 0, to: byte).seconds / 10_000
            rewind += motion.rewind(from: byte).seconds / 10_000
        }
        #expect(abs(locate / facts.averageLocate.seconds - 1) < 0.03, "\(locate) s")
        #expect(abs(rewind / facts.averageRewind.seconds - 1) < 0.03, "\(rewind) s")
    }

    // tape-hardware, section 6: one machine of 50 GB at the beginning, in the middle and at the end of wrap 140.
    @Test(
        "LTO-9: three machines at neighbouring bytes are seconds, a minute and a minute and a half away",
        arguments: [(Int64(9_000), 3.5), (9_032, 45.5), (9_064, 87.5)])
    func neighbours(_ gigabytes: Int64, _ seconds: Double) {
        let motion = TapeMotion(LTOFacts.of(.lto9))
        let located = motion.locate(from: 0, to: gigabytes * 1_000_000_000).seconds
        #expect(abs(located - seconds) < 0.25)
        if gigabytes == 9_000 { #expect(motion.locate(from: 0, to: 9_000_000_000_000) == .milliseconds(3_500)) }
    }

    @Test("LTO-9: the restore of one machine is mounting, locating, reading, rewinding and unloading")
    func restore() {
        let motion = TapeMotion(LTOFacts.of(.lto9))
        #expect(RobotTimes().mount(motion.facts) == .seconds(32))
        #expect(motion.facts.nativeRate.duration(of: .gigabytes(50)) == .seconds(125))
        // At 805 m: 84 s back.
        #expect(abs(motion.rewind(from: 9_050_000_000_000).seconds - 84) < 0.5)
        #expect(
            RobotTimes().dismount(motion, at: 9_050_000_000_000)
                == motion.rewind(from: 9_050_000_000_000) + .seconds(30 + 15))
    }

    @Test("a library of 24 slots is inventoried in 53 s by bar codes, in 8 minutes without, in half an hour by reading")
    func inventories() {
        let times = RobotTimes()
        #expect(times.fastInventory(slots: 24, hasBarcodes: true) == .milliseconds(52_800))
        #expect(times.fastInventory(slots: 24, hasBarcodes: false) == .seconds(480))
        #expect(times.detailedInventory(LTOFacts.of(.lto9), cartridges: 24) == .seconds((15 + 17 + 30 + 15) * 24))
    }

    @Test("the tuning of a run moves the robot too")
    func tuned() {
        var tuning = Tuning()
        tuning.robotMove = .seconds(12)
        #expect(RobotTimes(tuning).mount(LTOFacts.of(.lto8)) == .seconds(27))
    }

    @Test("the long LTO-10 cartridge holds 40 TB in the same drives, with facts of its own")
    func long() {
        let (long, short) = (LTOFacts.lto10Long, LTOFacts.of(.lto10))
        #expect(long.capacity == .terabytes(40) && long.densityCode == 0x63 && long.barcodeSuffix == "PA")
        #expect(long.generation == short.generation && long.nativeRate == short.nativeRate)
        #expect(abs(Double(long.perWrap.count) / 1e9 - 84.7) < 0.1)
        #expect(long.speeds.count == 14 && long.speeds == long.speeds.sorted(by: >))
        #expect(LTOFacts.cartridges.map(\.barcodeSuffix) == ["L5", "L6", "L7", "L8", "L9", "LA", "PA"])
    }

    @Test("what reads what", arguments: LTOGeneration.allCases, LTOGeneration.allCases)
    func reads(_ cartridge: LTOGeneration, _ drive: LTOGeneration) {
        #expect(LTOFacts.canRead(cartridge, in: drive) == LTOFacts.reads(drive).contains(cartridge))
    }
}
