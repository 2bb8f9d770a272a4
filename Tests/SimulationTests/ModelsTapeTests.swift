import Protection
import Testing
import Units

@testable import Simulation

private func motion(_ generation: LTOGeneration, half: Bool = false, edit: (inout Tuning) -> Void = { _ in })
    -> TapeMotion
{
    var tuning = Tuning()
    edit(&tuning)
    return TapeMotion(generation: generation, halfHeight: half, tuning: tuning)
}

// The figures are those of tape-hardware.md, section 6, and of its table in section 1.
@Suite("Tape motion")
struct ModelsTapeTests {
    @Test func `LTO-9: where a machine begins on its wrap decides, not how many bytes are before it`() {
        let drive = motion(.lto9)
        let cases: [(Int64, Double)] = [
            (9_000_000_000_000, 3.5), (9_032_000_000_000, 45.5), (9_064_000_000_000, 87.5),
        ]
        for (byte, seconds) in cases {
            #expect(abs(drive.locate(from: 0, to: byte).seconds - seconds) < 0.3, "\(byte)")
        }
        // 50 GB further the tape is at 805 m.
        #expect(abs(drive.rewind(from: 9_050_000_000_000).seconds - 84.3) < 0.1)
        #expect(drive.loadTime == .seconds(17) && drive.unloadTime == .seconds(30))
    }

    @Test(arguments: LTOGeneration.allCases, [false, true])
    func `locates and rewinds average what the data sheet says`(_ generation: LTOGeneration, _ half: Bool) {
        let drive = motion(generation, half: half)
        let facts = LTOFacts.of(generation, isHalfHeight: half)
        var (locate, rewind) = (0.0, 0.0)
        for step in 1...4_000 as ClosedRange<Int64> {
            let byte = facts.capacity.count / 4_001 * step
            locate += drive.locate(from: 0, to: byte).seconds / 4_000
            rewind += drive.rewind(from: byte).seconds / 4_000
        }
        #expect(abs(locate / facts.averageLocate.seconds - 1) < 0.06, "\(locate) s")
        #expect(abs(rewind / facts.averageRewind.seconds - 1) < 0.06, "\(rewind) s")
    }

    @Test(arguments: LTOGeneration.allCases)
    func `no movement is longer than the tape, and standing still takes no time`(_ generation: LTOGeneration) {
        let drive = motion(generation)
        let facts = LTOFacts.of(generation)
        let longest = 3 + facts.length / facts.searchSpeed + 0.5 + 2 * facts.searchSpeed / 10 + 1e-6
        for a in stride(from: 0, through: facts.capacity.count, by: Int(facts.capacity.count / 37)) {
            for b in stride(from: 0, through: facts.capacity.count, by: Int(facts.capacity.count / 41)) {
                #expect(drive.locate(from: a, to: b).seconds <= longest)
                #expect((drive.locate(from: a, to: b) == .zero) == (a == b))
            }
            #expect(drive.rewind(from: a).seconds <= 3 + facts.length / facts.rewindSpeed + 1e-6)
        }
        #expect(drive.rewind(from: 0) == .zero)
    }

    @Test func `what lies a little ahead on the same wrap is read through`() {
        // 720 MB at 360 MB/s; a wrap holds 57.7 GB.
        #expect(motion(.lto8).locate(from: 0, to: 720_000_000) == .seconds(2))
        // The same way back: start, turn to read forward, hardly any way.
        let back = motion(.lto8).locate(from: 720_000_000, to: 1).seconds
        #expect(abs(back - (3 + 11.98 / 8.6 + 1.72)) < 0.01)
    }

    @Test func `LTO-8 fed with 500 MB/s streams 12 TB in 9 h 16 min without a back-hitch`() {
        let drive = motion(.lto8)
        #expect(12e12 / drive.sustainedRate(inputRate: 500e6) - 33_333 < 1)
        #expect(drive.backHitches(bytes: 12_000_000_000_000, inputRate: 360e6) == 0)
        #expect(drive.backHitches(bytes: 12_000_000_000_000, inputRate: 112e6) == 0)
        #expect(drive.streamCap(compressionRatio: 1) == 360e6)
    }

    @Test func `LTO-8 fed with 80 MB/s keeps that rate and stops every 22.4 s`() {
        let drive = motion(.lto8)
        #expect(drive.sustainedRate(inputRate: 80e6) == 80e6)
        // 41 h 40 min of one in 22.4 s.
        #expect(drive.backHitches(bytes: 12_000_000_000_000, inputRate: 80e6) == 6_696)
        #expect(drive.backHitches(bytes: 80_000_000 * 3_600, inputRate: 80e6) == 160)
        #expect(drive.backHitches(bytes: 1, inputRate: 80e6) == 0)
        #expect(drive.backHitches(bytes: 1_000, inputRate: 0) == 0)
    }

    @Test func `a back-hitch longer than the buffer lasts costs rate`() {
        let slow = motion(.lto8) { $0.backHitch = .seconds(16) }
        // 512 MB at 112 - 80 MB/s: bursts of 16 s, stops of 16 s.
        #expect(slow.sustainedRate(inputRate: 80e6) == 56e6)
    }

    @Test func `only a blank LTO-9 cartridge has to be optimised first`() {
        for generation in LTOGeneration.allCases {
            #expect(motion(generation).firstLoadTime == (generation == .lto9 ? .minutes(40) : .zero))
        }
    }

    @Test(arguments: [(LTOGeneration.lto8, SimDuration.seconds(30)), (.lto9, .minutes(40) + .seconds(32))])
    func `a run waits for robot, load and first use before the first byte`(
        _ generation: LTOGeneration, _ wait: SimDuration
    ) {
        var installation = Installation()
        installation.addTape(generation: generation, retention: CalendarSpan(4, .weeks))
        let (notebook, _) = installation.run()
        let first = notebook.jobs(.tapeBackup).map(\.transferStarted).min()
        // Saturday at 8.
        #expect(first == .start + .days(5) + .hours(8) + wait)
    }

    @Test func `a library of 24 slots is inventoried in 53 s`() {
        #expect(abs((Tuning().inventoryPerSlot * 24).seconds - 53) < 0.5)
    }
}
