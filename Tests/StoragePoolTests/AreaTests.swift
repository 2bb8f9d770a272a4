import Files
import StoragePool
import Testing
import Units

@Suite("legacy areas and Modern storage") struct AreaTests {
    private typealias Lab = AreaLab

    private func fault(_ body: () throws -> Void) -> StorageFault? {
        do { try body() } catch { return error as? StorageFault }
        return nil
    }

    // MARK: Usage

    @Test("a replica and what its points keep are counted in whole blocks, also if they are compressed")
    func usage() throws {
        let lab = try AreaLab()
        try lab.protect("vm", blocks: 8, of: 40, area: Lab.legacy(20, 10), compression: 1)
        try lab.backUp("vm")
        lab.write("vm", 6..<12)
        try lab.backUp("vm")
        let area = try lab.pool.area("vm")
        // Two were overwritten; the four that were zero had nothing to be kept.
        #expect(area.replica == AreaVolume(size: Lab.blocks(20), used: Lab.blocks(12)))
        #expect(area.points == AreaVolume(size: Lab.blocks(12), used: Lab.blocks(2)))
        #expect(area.datasources == ["vm"] && area.events == [])
        let datasource = try lab.pool.datasource("vm")
        #expect(datasource.held == 14 * Lab.block && datasource.area == area.id && datasource.stored < datasource.held)
        #expect(try lab.differences() == [])
    }

    @Test("a replica that is no recovery point keeps nothing when it is overwritten")
    func replicaOnly() throws {
        let lab = try AreaLab()
        try lab.protect("vm", blocks: 8, area: Lab.legacy(8, 1))
        try lab.backUp("vm", point: false)
        for _ in 0..<3 {
            lab.write("vm", 0..<8)
            try lab.backUp("vm", point: false)
        }
        #expect(try lab.pool.area("vm").points.used == .zero)
        #expect(try lab.differences() == [])
    }

    @Test("the account equals one made from scratch, whatever is done", arguments: 1...2 as ClosedRange<UInt64>)
    func fromScratch(seed: UInt64) throws {
        var random = SplitMix(seed: seed)
        let lab = try AreaLab(seed: seed)
        for index in 0..<4 {
            let area: AreaChoice =
                switch index {
                case 0: Lab.legacy(400, 400, colocation: true)
                case 1: .colocated(with: "vm0")
                case 2: Lab.legacy(60, 30, autogrow: true)
                default: .modern
                }
            try lab.protect(
                "vm\(index)", blocks: 6, of: 20, area: area, compression: random.below(2) == 0 ? nil : 1,
                sharesBlocks: random.below(2) == 0)
        }
        for step in 0..<100 {
            let name = "vm\(random.below(4))"
            switch random.below(8) {
            case 0, 1:
                let points = lab.machines[name]!.points.sorted()
                guard !points.isEmpty else { continue }
                let point = points[random.below(points.count)]
                if random.below(3) > 0 {
                    try lab.prune(name, point)
                } else {
                    try lab.failing(after: 1 + random.below(30), name) { try lab.prune(name, point) }
                }
            case 2: change(lab, name, &random)
            case 3 where step % 10 == 3:
                try lab.pool.close()
                lab.pool = try Pool.open("/pool", on: lab.files)
            default:
                for disk in lab.machines[name]!.disks.keys.sorted() {
                    let count = lab.machines[name]!.disks[disk]!.count
                    let (from, clear) = (random.below(count), random.below(count))
                    lab.write(name, from..<min(count, from + 1 + random.below(5)), disk: disk)
                    if random.below(3) == 0 { lab.machines[name]!.disks[disk]![clear] = 0 }
                }
                let isPoint = random.below(3) > 0
                if random.below(4) == 0 {
                    try lab.failing(after: 1 + random.below(50), name) { try lab.backUp(name, point: isPoint) }
                } else {
                    do { try lab.backUp(name, point: isPoint) } catch {
                        let kind = (error as? StorageFault)?.kind
                        #expect(kind == .outOfSpace && name == "vm2", "seed \(seed), step \(step): \(error)")
                    }
                }
            }
            var found = try lab.differences()
            if step % 20 == 19 { found += try lab.pool.check().map { $0.description } }
            #expect(found == [], "seed \(seed), step \(step)")
            if !found.isEmpty { return }
        }
    }

    private func change(_ lab: AreaLab, _ name: String, _ random: inout SplitMix) {
        let disks = lab.machines[name]!.disks
        switch random.below(3) {
        case 0 where disks.count > 1: lab.machines[name]!.disks[disks.keys.sorted()[random.below(disks.count)]] = nil
        case 1 where disks.count < 3:
            let disk = "d\(random.below(1_000_000))"
            lab.machines[name]!.disks[disk] = [Int](repeating: 0, count: 10)
            lab.write(name, 0..<5, disk: disk)
        default:
            let disk = disks.keys.sorted()[random.below(disks.count)]
            let size = 1 + random.below(30)
            lab.machines[name]!.disks[disk] = Array((disks[disk]! + [Int](repeating: 0, count: 30)).prefix(size))
        }
    }

    // MARK: Admission

    @Test("a replica that outgrows its volume is refused with 58, and everything stays as it was")
    func replicaFull() throws {
        let lab = try AreaLab()
        try lab.protect("vm", blocks: 8, of: 40, area: Lab.legacy(10, 20))
        try lab.backUp("vm")
        let before = try (lab.map(without: ["segment"]), lab.pool.areas(), lab.files.used)
        lab.write("vm", 8..<11)
        let fault = fault { try lab.backUp("vm") }
        #expect(fault?.id == "POOL-58" && fault?.kind == .outOfSpace && fault?.object == "replica volume of area vm")
        #expect(fault?.cause.contains("auto-grow is off") == true)
        #expect(try lab.map(without: ["segment"]) == before.0)
        #expect(try lab.pool.areas() == before.1)
        #expect(try lab.pool.check() == [])
        // A block or two of the map's journal may remain; the eleven blocks of data do not.
        #expect(lab.files.used <= before.2 + Lab.block)
        // Two of them fit.
        lab.machines["vm"]!.disks["c"]![10] = 0
        try lab.backUp("vm")
        #expect(try lab.pool.area("vm").replica.used == Lab.blocks(10))
    }

    @Test("recovery points are kept and synchronization stops when their volume is full")
    func pointsFull() throws {
        let lab = try AreaLab()
        try lab.protect("vm", blocks: 8, area: Lab.legacy(8, 6))
        try lab.backUp("vm")
        lab.write("vm", 0..<4)
        try lab.backUp("vm")
        let before = try lab.map(without: ["segment"])
        lab.write("vm", 0..<3)
        #expect(fault { try lab.backUp("vm") }?.id == "POOL-30195")
        #expect(try lab.map(without: ["segment"]) == before)
        #expect(try lab.pool.recoveryPoints(of: "vm").count == 2)
        #expect(try lab.pool.check() == [])
        // Up to the last block, but without a new point: the next would have no room for what is copied for it.
        lab.machines["vm"]!.disks["c"]![0] = lab.machines["vm"]!.states[2]!["c"]![0]
        #expect(fault { try lab.backUp("vm") }?.id == "POOL-214")
        try lab.backUp("vm", point: false)
        #expect(try lab.pool.area("vm").points.used == Lab.blocks(6))
        #expect(try lab.differences() == [])
        // What is overwritten now is of no point; of what is of one nothing fits any more.
        lab.write("vm", 1..<3)
        try lab.backUp("vm", point: false)
        lab.write("vm", 7..<8)
        #expect(fault { try lab.backUp("vm", point: false) }?.id == "POOL-30077")
        // Pruning makes room.
        try lab.prune("vm", 1)
        try lab.backUp("vm")
        #expect(try lab.differences() == [])
    }

    @Test("a volume used beyond 90 % grows with the synchronization that passes it")
    func growth() throws {
        let lab = try AreaLab()
        try lab.protect("vm", blocks: 9, of: 40, area: Lab.legacy(10, 20, autogrow: true))
        try lab.backUp("vm")
        #expect(try lab.pool.area("vm").events == [])
        lab.write("vm", 9..<12)
        try lab.backUp("vm")
        let area = try lab.pool.area("vm")
        #expect(area.replica == AreaVolume(size: Lab.blocks(14), used: Lab.blocks(12)))
        #expect(area.points.size == Lab.blocks(22))
        #expect(area.events.map { $0.code } == [.grown])
        #expect(area.events.first?.before == Lab.blocks(10) && area.events.first?.after == Lab.blocks(14))
        #expect(area.events.first?.time == lab.time && area.events.first?.volume == .replica)
    }

    @Test("a volume does not grow by itself twice within 15 minutes")
    func growthPause() throws {
        let lab = try AreaLab()
        try lab.protect("vm", blocks: 10, of: 60, area: Lab.legacy(10, 20, autogrow: true))
        try lab.backUp("vm")
        let grown = lab.time
        #expect(try lab.pool.area("vm").replica.size == Lab.blocks(14))
        lab.write("vm", 10..<15)
        let refused = fault { try lab.backUp("vm") }
        #expect(refused?.id == "POOL-58" && refused?.cause.contains("may grow again in 840 s") == true, "\(refused!)")
        #expect(try lab.pool.area("vm").events.map { $0.code } == [.grown, .growthFailed])
        #expect(try lab.pool.alerts(at: lab.time, volumeThreshold: 90).isEmpty)
        // The other volume has a pause of its own, and the operator need not wait.
        try lab.pool.growArea("vm", points: Lab.blocks(30), at: lab.time)
        lab.time = grown + 839
        #expect(fault { try lab.backUp("vm") }?.id == "POOL-58")
        lab.time = grown + 840
        try lab.backUp("vm")
        let area = try lab.pool.area("vm")
        #expect(area.replica.size == Lab.blocks(18) && area.points.size == Lab.blocks(30))
        #expect(area.events.map { $0.code } == [.grown, .growthFailed, .changed, .growthFailed, .grown])
    }

    @Test("one growth that is not enough remains, so that a later attempt gets further")
    func growthNotEnough() throws {
        let lab = try AreaLab()
        try lab.protect("vm", blocks: 8, of: 60, area: Lab.legacy(10, 4, autogrow: true))
        try lab.backUp("vm")
        lab.write("vm", 8..<18)
        let refused = fault { try lab.backUp("vm") }
        #expect(refused?.id == "POOL-58" && refused?.cause.contains("has just grown") == true, "\(refused!)")
        #expect(try lab.pool.area("vm").replica == AreaVolume(size: Lab.blocks(14), used: Lab.blocks(8)))
        lab.time += 900
        try lab.backUp("vm")
        #expect(try lab.pool.area("vm").replica == AreaVolume(size: Lab.blocks(18), used: Lab.blocks(18)))
        #expect(try lab.pool.alerts(at: lab.time, volumeThreshold: 90).map { $0.id } == [3100])
    }

    @Test("a recovery point volume grows by itself, and without that the synchronization is refused")
    func pointsGrow() throws {
        for autogrow in [true, false] {
            let lab = try AreaLab()
            try lab.protect("vm", blocks: 8, area: Lab.legacy(20, 6, autogrow: autogrow))
            try lab.backUp("vm")
            lab.write("vm", 0..<8)
            let fault = fault { try lab.backUp("vm") }
            let area = try lab.pool.area("vm")
            #expect(fault?.id == (autogrow ? nil : "POOL-30195"))
            #expect(area.points.size == Lab.blocks(autogrow ? 12 : 8))
            #expect(area.points.used == Lab.blocks(autogrow ? 8 : 0))
        }
    }

    // MARK: Sizes

    @Test("areas that the pool cannot give are refused, before and while they grow")
    func capacity() throws {
        let lab = try AreaLab(capacity: 64 << 20)
        let fits = AreaChoice.legacy(
            replica: Bytes(16 << 20), points: Bytes(16 << 20), autogrow: true,
            rules: AreaRules.usual(growthStep: Bytes(40 << 20), overhead: .zero))
        try lab.protect("vm", blocks: 4, of: 2000, area: fits)
        let before = try lab.map()
        #expect(fault { try lab.protect("vm2", blocks: 4, area: fits) }?.id == "POOL-171")
        #expect(try lab.map() == before)
        #expect(fault { try lab.pool.growArea("vm", replica: Bytes(60 << 20), at: 0) }?.id == "POOL-171")
        try lab.backUp("vm")
        lab.write("vm", 0..<950)
        try lab.backUp("vm")
        #expect(try lab.pool.area("vm").events.map { $0.code } == [.growthFailed])
        #expect(try lab.pool.area("vm").replica.size == Bytes(16 << 20))
        #expect(try lab.pool.alerts(at: lab.time, volumeThreshold: 90).map { $0.id } == [3100])
        try lab.pool.setAutogrow(false, area: "vm")
        #expect(try lab.pool.alerts(at: lab.time, volumeThreshold: 90).map { $0.action } == ["Grow it"])
    }

    @Test("Modern storage does not take what is promised to areas, and no sizes hold for it otherwise")
    func modern() throws {
        let lab = try AreaLab(capacity: 48 << 20)
        try lab.protect("modern", blocks: 100, of: 1000)
        try lab.backUp("modern")
        #expect(try lab.pool.areas() == [] && lab.pool.datasource("modern").area == nil)
        try lab.protect(
            "legacy", blocks: 4,
            area: .legacy(replica: Bytes(12 << 20), points: Bytes(16 << 20), rules: AreaLab.rules))
        lab.write("modern", 100..<900)
        let before = try lab.map(without: ["segment"])
        let refused = fault { try lab.backUp("modern") }
        #expect(refused?.id == "POOL-33515", "\(String(describing: refused))")
        #expect(try lab.map(without: ["segment"]) == before)
        // What is promised is there.
        try lab.backUp("legacy")
        try lab.remove("legacy")
        try lab.backUp("modern")
        #expect(try lab.differences() == [])
    }

    @Test("a recovery point volume shrinks to what it needs and no further, a replica volume never")
    func shrinking() throws {
        let lab = try AreaLab()
        try lab.protect("vm", blocks: 8, area: Lab.legacy(20, 10))
        try lab.backUp("vm")
        lab.write("vm", 0..<3)
        try lab.backUp("vm")
        #expect(fault { try lab.pool.shrinkArea("vm", points: Lab.blocks(5 - 1), at: 7) }?.id == "POOL-160")
        #expect(fault { try lab.pool.shrinkArea("vm", points: Lab.blocks(13), at: 7) }?.id == "POOL-159")
        #expect(fault { try lab.pool.growArea("vm", replica: Lab.blocks(19), at: 7) }?.id == "POOL-159")
        #expect(fault { try lab.pool.growArea("vm", points: Lab.blocks(11), at: 7) }?.id == "POOL-159")
        #expect(fault { try lab.pool.shrinkArea("none", points: .zero, at: 7) }?.id == "POOL-NO-AREA")
        #expect(fault { try lab.pool.growArea("vm", points: Bytes(.max), at: 7) }?.id == "POOL-158")
        try lab.pool.shrinkArea("vm", points: Lab.blocks(5), at: 7)
        let area = try lab.pool.area("vm")
        #expect(area.points.size == Lab.blocks(5))
        #expect(area.events.map { [$0.before, $0.after] } == [[Lab.blocks(12), Lab.blocks(5)]])
        #expect(area.events.first?.code == .changed && area.events.first?.time == 7)
        #expect(try lab.pool.alerts(at: 8, volumeThreshold: 90).map { $0.id } == [3169])
        #expect(fault { try lab.backUp("vm") }?.id == "POOL-214")
        try lab.prune("vm", 1)
        try lab.backUp("vm")
        #expect(try lab.pool.alerts(at: 9, volumeThreshold: 90).isEmpty)
    }

    @Test(
        "sizes and rules that cannot be are refused, and nothing is protected",
        arguments: [
            (AreaChoice.legacy(replica: Lab.blocks(1), points: Lab.blocks(3) - Bytes(1), rules: Lab.rules), "POOL-160"),
            (.legacy(replica: Lab.blocks(1) - Bytes(1), points: Lab.blocks(3), rules: Lab.rules), "POOL-160"),
            (.legacy(replica: Bytes(.max), points: Lab.blocks(3), rules: Lab.rules), "POOL-158"),
            (.legacy(replica: Bytes(1 << 55), points: Lab.blocks(3), rules: Lab.rules), "POOL-171"),
            (
                .legacy(replica: Lab.blocks(1), points: Lab.blocks(1), rules: AreaRules.usual(threshold: 0)),
                "POOL-AREA-RULES"
            ),
            (
                .legacy(replica: Lab.blocks(1), points: Lab.blocks(1), rules: .usual(growthPause: .max)),
                "POOL-AREA-RULES"
            ),
            (.colocated(with: "none"), "POOL-NO-AREA"),
        ])
    func impossible(choice: AreaChoice, id: String) throws {
        let lab = try AreaLab()
        let before = try lab.map()
        #expect(fault { try lab.protect("vm", blocks: 1, area: choice) }?.id == id)
        #expect(try lab.map() == before)
    }

    // MARK: Colocation

    @Test("colocated datasources share one area, and its volumes hold both")
    func colocation() throws {
        let lab = try AreaLab()
        try lab.protect("a", blocks: 6, area: Lab.legacy(16, 8, colocation: true))
        try lab.protect("b", blocks: 8, of: 20, area: .colocated(with: "a"))
        try lab.protect("alone", blocks: 6, area: Lab.legacy(6, 8))
        #expect(fault { try lab.protect("c", blocks: 1, area: .colocated(with: "alone")) }?.id == "POOL-31251")
        for name in ["a", "b", "alone"] { try lab.backUp(name) }
        for name in ["a", "b", "alone"] {
            lab.write(name, 0..<3)
            try lab.backUp(name)
        }
        let shared = try lab.pool.area("a")
        #expect(shared.datasources == ["a", "b"] && shared.replica.used == Lab.blocks(14))
        #expect(shared.points.used == Lab.blocks(6))
        // One of them fills it for both.
        lab.write("b", 8..<11)
        #expect(fault { try lab.backUp("b") }?.id == "POOL-58")
        lab.write("a", 0..<3)
        #expect(fault { try lab.backUp("a") }?.id == "POOL-30195")
        // Pruning in another area makes no room here, in this one it does.
        try lab.prune("alone", 1)
        #expect(try lab.pool.area("alone").points.used == .zero && lab.pool.area("a") == shared)
        #expect(fault { try lab.backUp("a") }?.id == "POOL-30195")
        let alone = try lab.pool.area("alone")
        for place in 8..<11 { lab.machines["b"]!.disks["c"]![place] = 0 }
        try lab.prune("b", 1)
        try lab.backUp("a")
        #expect(try lab.pool.area("alone") == alone && lab.differences() == [])
        // The area outlives the one it is named for, and ends with the last.
        try lab.remove("a")
        #expect(try lab.pool.area("a").datasources == ["b"] && lab.differences() == [])
        _ = try lab.pool.add("a", area: Lab.legacy(1, 1), time: lab.time)
        #expect(try lab.pool.areas().map { $0.name } == ["a", "a (2)", "alone"])
        try lab.remove("b")
        #expect(try lab.pool.areas().map { $0.name } == ["a (2)", "alone"])
        try lab.remove("a")
        try lab.remove("alone")
        #expect(try lab.pool.areas() == [])
        #expect(try !lab.map().contains { $0.hasPrefix("area") })
    }

    // MARK: Volumes

    @Test("volumes of the pool raise alerts by their real space, and when they are missing")
    func volumes() throws {
        let lab = try AreaLab()
        try lab.pool.addVolume("/second", time: lab.time)
        #expect(try lab.pool.alerts(at: 0, volumeThreshold: 90).isEmpty)
        lab.files.capacity = lab.files.used * 10 / 9 - 1
        #expect(try lab.pool.alerts(at: 0, volumeThreshold: 90).map { $0.id } == [33515, 33515])
        lab.files.setContents("/big", [UInt8](repeating: 1, count: 160 << 20))
        lab.files.capacity = lab.files.used + (12 << 20)
        let alerts = try lab.pool.alerts(at: 0, volumeThreshold: 90)
        #expect(alerts.map { $0.id } == [33514, 33514])
        #expect(alerts.map { $0.object } == ["volume 0 at /pool", "volume 1 at /second"])
        lab.files.capacity = 1 << 40
        try lab.pool.close()
        try lab.files.rename("/second", to: "/elsewhere")
        lab.pool = try Pool.open("/pool", on: lab.files)
        #expect(
            try lab.pool.alerts(at: 0, volumeThreshold: 90).map { [$0.id.description, $0.object] } == [
                ["33518", "volume 1 at /second"]
            ])
    }
}
