import Protection
import Testing
import Units

@Suite("LVL: host level and guest level")
struct LVLRules {
    @Test("LVL-1 obeyed: a guest of any kind at host level")
    func lvl1obeyed() {
        let found = findings { $0.machines[.alpha].guest = .other }
        #expect(found == [])
    }

    @Test("LVL-1 broken: a machine without disks")
    func lvl1broken() {
        let found = findings { $0.machines[.alpha].disks = [] }
        #expect(
            found == [
                "error (LVL-1) machine alpha: It has no disk. Give it a disk."
            ])
    }

    @Test("LVL-2 obeyed: a Windows guest with an agent in it, on a host without one")
    func lvl2obeyed() {
        let found = findings {
            $0.machines[.alpha].level = .guest
            $0.groups[.gold].members = [.alpha]
            $0.hosts[.h1].agent = .absent
        }
        #expect(found == [])
    }

    @Test("LVL-2 broken: a Linux guest at guest level")
    func lvl2broken() {
        let found = findings {
            $0.machines[.alpha].level = .guest
            $0.machines[.alpha].guest = .linux
        }
        #expect(
            found == [
                "error (LVL-2) machine alpha: The agent for guest level does not run on linux. Protect it at "
                    + "host level."
            ])
    }

    @Test("LVL-3 obeyed: a pass-through disk at guest level")
    func lvl3obeyed() {
        let found = findings {
            $0.machines[.alpha].level = .guest
            $0.machines[.alpha].disks[0].format = .passThrough
        }
        #expect(found == [])
    }

    @Test("LVL-3 broken: one pass-through disk of two at host level")
    func lvl3broken() {
        let found = findings {
            $0.machines[.alpha].disks.append(
                VirtualDisk(format: .passThrough, volume: .local1, size: .gigabytes(50), used: .gigabytes(50)))
        }
        #expect(
            found == [
                "error (LVL-3) disk 2 of machine alpha: It is a pass-through disk, which host level cannot back "
                    + "up. Protect its data at guest level; the machine's VHD files are protected without it."
            ])
    }

    @Test("LVL-3 broken: nothing but a pass-through disk at host level")
    func lvl3broken2() {
        let found = findings { $0.machines[.alpha].disks[0].format = .passThrough }
        #expect(
            found == [
                "error (LVL-3) machine alpha: All its disks are pass-through disks, which host level cannot back "
                    + "up. Protect the data at guest level, with an agent in the machine."
            ])
    }
}
