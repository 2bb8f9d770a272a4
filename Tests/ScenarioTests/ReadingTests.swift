import Protection
import Scenario
import Testing
import Units

/// Reads one text as `main.yaml`, with other files beside it.
func read(_ text: String, _ others: [String: String] = [:]) -> (Setting?, [String], [Provenance]) {
    let files = MemoryFiles(others.merging(["main.yaml": text]) { $1 })
    let (setting, problems, explained) = ScenarioReader.read(path: "main.yaml", files: files)
    return (setting, problems.map(\.description), explained)
}

let small = """
    servers:
      - name: dpm-01
        pool: [{name: "p-{1..2}", capacity: 4 TB}]
        libraries: [{name: lib-01, slots: 20, drives: {count: 2, generation: LTO-8}, cartridges: {count: 3}}]
        drives: [{name: desk, generation: LTO-7}]
    clusters:
      - {name: cl, nodes: ["node-{01..02}", extra], windows: 2012 R2, volumes: [{name: "csv-{1..2}", capacity: 4 TB}]}
    hosts:
      - {name: "hv-{1..2}", volumes: [{name: d, capacity: 2 TB}]}

    """

@Suite("Reading scenarios")
struct ReadingTests {
    @Test("an almost empty file has the named defaults") func defaults() throws {
        let (setting, problems, explained) = read("name: x\n")
        #expect(problems == [])
        #expect(setting?.duration == .days(28))
        #expect(setting?.seed == 1)
        #expect(setting?.clock.startDate.weekday == .monday)
        #expect(setting?.world.domains.map(\.name) == ["corp"])
        #expect(setting?.tuning == Tuning())
        let duration = explained.first { $0.path == "duration" }
        #expect(duration?.origin == .default(name: "scenario.duration", source: "four weeks of schedules"))
        let retries = explained.first { $0.path == "tuning.auto-rerun-attempts" }
        #expect(retries?.description.contains("dpm-facts 3.6") == true)
    }

    @Test("patterns name nodes, volumes, drives and cartridges") func patterns() throws {
        let world = try #require(read(small).0).world
        #expect(world.clusters[0].nodes.map { world.hosts[$0].name } == ["node-01", "node-02", "extra"])
        #expect(world.volumes.map(\.name) == ["hv-1/d", "hv-2/d", "cl/csv-1", "cl/csv-2"])
        #expect(world.poolVolumes.map(\.name) == ["dpm-01/p-1", "dpm-01/p-2"])
        #expect(world.drives.map(\.name) == ["lib-01/drive-1", "lib-01/drive-2", "desk/drive-1"])
        #expect(world.cartridges.map(\.barcode) == ["LIB001L8", "LIB002L8", "LIB003L8", "DES001L7"])
        #expect(world.libraries.map(\.isStandalone) == [false, true])
    }

    @Test("machines take nodes, hosts and volumes in turn") func placement() throws {
        let text =
            small + """
                machines:
                  - {name: "c-{1..4}", cluster: cl, size: 10 GB}
                  - {name: "h-{1..3}", host: "hv-*", size: 10 GB}
                  - {name: own, host: hv-1, volume: d, disks: [{size: 1 GB}, {size: 2 GB, volume: cl/csv-2, format: vhd}]}
                """
        let (setting, problems, _) = read(text)
        #expect(problems == [])
        let world = try #require(setting).world
        let places = world.machines.map { "\(world.hosts[$0.host].name) \(world.volumes[$0.homeVolume].name)" }
        #expect(
            places == [
                "node-01 cl/csv-1", "node-02 cl/csv-2", "extra cl/csv-1", "node-01 cl/csv-2", "hv-1 hv-1/d",
                "hv-2 hv-2/d",
                "hv-1 hv-1/d", "hv-1 hv-1/d",
            ])
        #expect(world.volumes[world.machines[7].disks[1].volume].name == "cl/csv-2")
        // A hypervisor of 2012 R2 does not track changes; one of 2016 does.
        #expect(world.machines.map(\.hasRCT) == [false, false, false, false, true, true, true, true])
    }

    @Test("a machine's own words win over its template, and that over its template's template") func templates() throws
    {
        let text =
            small + """
                templates:
                  base: {guest: linux, churn: 10 %, size: 50 GB, host: hv-1}
                  busy: {template: base, churn: 20 GB, profile: office}
                machines:
                  - {name: a, template: busy, used: 50 %}
                  - {name: b, template: busy, guest: windows-2019, size: 80 GB}
                """
        let machines = try #require(read(text).0).world.machines
        #expect(machines.map(\.guest) == [.linux, .windows2019])
        #expect(machines.map(\.fileSystems) == [[.ext4], [.ntfs]])
        #expect(machines.map(\.usedSize) == [.gigabytes(25), .gigabytes(80)])
        #expect(machines.map(\.churn.perDay) == [.gigabytes(20), .gigabytes(20)])
        #expect(machines[0].churn.hours != Array(repeating: 1, count: 24))
    }

    @Test("members are all, names, wildcards, or who runs where") func members() throws {
        let text =
            small + """
                machines:
                  - {name: "web-{1..3}", cluster: cl, size: 10 GB}
                  - {name: "sql-{1..2}", host: hv-1, size: 10 GB}
                groups:
                  - {name: a, members: all}
                  - {name: b, members: ["sql-*", web-2, "WEB-{2..3}"]}
                  - {name: c, members: {clusters: cl, except: web-1}}
                  - {name: d, members: {hosts: hv-1, machines: web-1}}
                """
        let (setting, problems, _) = read(text)
        #expect(problems == [])
        let world = try #require(setting).world
        let members = world.groups.map { $0.members.map { world.machines[$0].name } }
        #expect(
            members == [
                ["web-1", "web-2", "web-3", "sql-1", "sql-2"], ["sql-1", "sql-2", "web-2", "web-3"],
                ["web-2", "web-3"],
                ["web-1", "sql-1", "sql-2"],
            ])
    }

    @Test("a group's options are taken over, each as it is said") func groupOptions() throws {
        let text =
            small + """
                vaults: [{name: v, rate: 1 Gbit/s}]
                machines: [{name: a, host: hv-1, size: 10 GB}]
                groups:
                  - name: g
                    members: a
                    disk: {retention: 2 weeks, times: ["20:00", "08:00"], weekdays: [Fri, Mon], synchronization: 15 min}
                    short-term-tape: {frequency: daily, retention: 2 weeks, copies: 2}
                    long-term-tape: [{frequency: monthly, retention: 5 years, time: "09:30", weekday: Sun}]
                    tape: {library: desk, encoding: encrypt, certificate: no, colocation: set-1, write-period: 3 d}
                    online: {vault: v, retention: 3360 d, frequency: weekly}
                    volumes: p-2
                    colocated: yes
                    auto-grow: no
                    replica-creation: {manual: day 2 09:00}
                    automatic-checks: no
                    scheduled-check: 04:00 .. 06:00
                    window: 20:00-06:00
                    throttle: {work-rate: 10 Mbit/s, other-rate: 1 Gbit/s, work-days: [Mon, Tue]}
                    wire-compression: yes
                    stagger: 30 s
                """
        let (setting, problems, _) = read(text)
        #expect(problems == [])
        let group = try #require(setting).world.groups[0]
        #expect(group.disk?.retentionDays == 14)
        #expect(group.disk?.schedule.weekdays == [.monday, .friday])
        #expect(group.disk?.schedule.times.map(\.description) == ["08:00", "20:00"])
        #expect(group.disk?.synchronization == .every(minutes: 15))
        #expect(group.shortTermTape?.copies == 2)
        #expect(group.longTermTape.map(\.retention.description) == ["5 years"])
        #expect(group.tape?.colocationSet == "set-1")
        #expect(group.tape?.hasCertificate == false)
        #expect(group.online?.frequency == .weekly)
        #expect(group.volumes == [Ref(1)])
        #expect(group.replicaCreation == .manual(loaded: SimTime(nanoseconds: 33 * 3_600_000_000_000)))
        #expect(group.backupWindow == DailyWindow(start: TimeOfDay(hour: 20), duration: .hours(10)))
        #expect(group.throttle?.workDays == [.monday, .tuesday])
        #expect(group.stagger == .seconds(30))
        #expect(group.isColocated && !group.autoGrow && !group.automaticChecks && group.compressesOnWire)
    }

    @Test("a line of the script for several objects is a line for each") func script() throws {
        let text =
            small + """
                machines: [{name: "a-{1..3}", cluster: cl, size: 10 GB}]
                script:
                  - {crash: "node-*", every: exponential 90 d, lasts: uniform 10 min .. 4 h}
                  - {migration: "a-*", to: "hv-*", storage: [hv-1/d, hv-2/d], at: 2026-01-12 02:00}
                  - {robot-jam: lib-01, every: weibull 90 d shape 1.5, lasts: lognormal 2 h variation 0.5}
                  - {drive-failure: "lib-01/*", at: day 1, lasts: normal 2 h deviation 30 min}
                """
        let (setting, problems, _) = read(text)
        #expect(problems == [])
        let script = try #require(setting).script
        #expect(script.count == 8)
        #expect(script[0].timing == .random(.exponential(mean: .days(90))))
        #expect(script[1].lasts == .uniform(from: .minutes(10), to: .hours(4)))
        #expect(script[4].happening == .migration(Ref(2), to: Ref(0), storage: Ref(0)))
        #expect(script[3].timing == .at(SimTime(nanoseconds: 7 * 86_400_000_000_000 + 7_200_000_000_000)))
        #expect(script[5].timing == .random(.weibull(shape: 1.5, scale: .days(90))))
        #expect(script[7].lasts == .normal(mean: .hours(2), deviation: .minutes(30)))
    }

    @Test("what a file includes comes first, and what the file says itself wins") func includes() throws {
        let (setting, problems, explained) = read(
            "include: [parts/base.yaml, parts/more.yaml]\nduration: 365 d\ntuning: {parallel-copies-per-server: 3}\nhosts: [{name: z}]\n",
            [
                "parts/base.yaml":
                    "name: base\nduration: 7 d\ntuning: {parallel-copies-per-server: 2, auto-rerun-attempts: 5}\nhosts: [{name: a}]\n",
                "parts/more.yaml": "include: base.yaml\nhosts: [{name: b}]\n",
            ])
        #expect(problems == [])
        #expect(setting?.name == "base")
        #expect(setting?.duration == .days(365))
        #expect(setting?.tuning.parallelCopiesPerServer == 3)
        #expect(setting?.tuning.autoRerunAttempts == 5)
        #expect(setting?.world.hosts.map(\.name) == ["a", "b", "z"])
        let name = explained.first { $0.path == "name" }
        #expect(name?.origin == .file(Spot(file: "parts/base.yaml", line: 1, column: 7)))
    }

    @Test("lists are explained as they stand, and no value twice") func explained() {
        let (_, _, explained) = read(
            "servers: [{name: \"dpm-{1..2}\"}]\nhosts: [{name: hv}, {name: h2}]\nvmm: [{name: v, hosts: [hv, h2]}]\n")
        #expect(explained.count { $0.path == "servers[0].nic" } == 1)
        #expect(explained.first { $0.path == "vmm[0].hosts" }?.value == "[hv, h2]")
        #expect(Set(explained).count == explained.count)
    }

    @Test("a hundred thousand machines are read from one line") func many() throws {
        let (setting, problems, explained) = read(
            small + "machines: [{name: \"m-{1..100000}\", cluster: cl, size: 1 GB}]\n")
        #expect(problems == [])
        #expect(setting?.world.machines.count == 100_000)
        #expect(explained.count < 500)
    }

    @Test("the scenarios that come with the program are sound", arguments: ["", "/learn"])
    func shipped(_ folder: String) {
        let files = Folder(path: scenarios + folder)
        #expect(!files.names(".yaml").isEmpty)
        for name in files.names(".yaml") {
            let (setting, problems, _) = ScenarioReader.read(path: name + ".yaml", files: files)
            #expect(setting != nil)
            #expect(problems.map(\.description) == [])
        }
    }

    @Test("the capacity scenario has 800 machines of 100 GB, each different") func capacity() throws {
        let (setting, _, _) = ScenarioReader.read(path: "capacity-800.yaml", files: Folder(path: scenarios))
        let world = try #require(setting).world
        #expect(world.machines.count == 800)
        #expect(world.machines.allSatisfy { $0.protectedSize == .gigabytes(100) })
        #expect(Set(world.machines).count == 800)
        #expect(world.clusters.map(\.nodes.count) == [8, 8])
        #expect(world.poolVolumes.reduce(Bytes.zero) { $0 + $1.capacity } == .terabytes(120))
        #expect(Set(world.groups.flatMap(\.members)).count == 800)
    }
}

@Suite("Files on disk")
struct DiskFilesTests {
    @Test("what is not a plain file is refused, not read without end", arguments: ["/dev/zero", "/", "/nowhere"])
    func devices(_ path: String) { #expect(throws: UnreadableFile.self) { try DiskFiles().bytes(of: path) } }
}
