import Kernel

/// A random installation with real small disks, and what happens to it: lines of a scenario file, so that what fails can be made
/// smaller line by line and kept.
struct FuzzScenario: Hashable, Sendable {
    var seed: UInt64
    var days: Int
    var pool: String
    var windows: String
    var provider: String
    var retention: Int
    var times: String
    var options: [String]
    /// A tape library, vault and secondary server; nil for none.
    var library: String?
    var vault: String?
    var secondary: String?
    var tuning: String?
    var machines: [String]
    var script: [String]

    /// - Parameter seed: of everything in it.
    init(seed: UInt64) {
        var dice = RandomStream(seed: seed, name: "fuzz")
        func pick(_ words: [String]) -> String { words[dice.below(words.count)] }
        self.seed = seed
        days = 3 + dice.below(6)
        pool = pick(["modern", "modern", "legacy"])
        windows = pick(["2012 R2", "2016", "2016", "2019"])
        provider = pick(["hardware", "software"])
        retention = 1 + dice.below(4)
        times = pick(["\"20:00\"", "[\"08:00\", \"20:00\"]", "[\"00:10\", \"12:00\", \"18:30\"]"])
        options = []
        if dice.below(3) == 0, times == "\"20:00\"" {
            options.append("window: 19:00 .. \(pick(["19:40", "22:00", "04:00"]))")
        }
        if dice.below(3) == 0 { options.append("stagger: \(dice.below(20)) min") }
        if dice.below(4) == 0 { options.append("wire-compression: yes") }
        if dice.below(6) == 0 { options.append("automatic-checks: no") }
        machines = []
        script = []
        for number in 1...1 + dice.below(4) { machines.append(Self.machine(number, &dice)) }
        for _ in 0..<dice.below(7) { script.append(Self.line(days: days, machines: machines.count, &dice)) }
        addCopies()
    }

    /// Tapes, vaults and secondary servers, from dice of their own.
    private mutating func addCopies() {
        var dice = RandomStream(seed: seed, name: "fuzz copies")
        func pick(_ words: [String]) -> String { words[dice.below(words.count)] }
        if dice.below(3) > 0 {
            let generation = pick(["LTO-5", "LTO-8"])
            library =
                "{name: lib, slots: 24, drives: {count: \(1 + dice.below(2)), generation: \(generation)}, "
                + "cartridges: {count: \(4 + dice.below(20))}}"
            // Of a short tape a set soon needs a second one.
            if generation == "LTO-5", dice.below(3) > 0 {
                tuning = "{tape-early-warning: \(1_500 - 20 - dice.below(150)) GB}"
            }
            var words = ["library: lib", "encoding: \(pick(["plain", "compress", "encrypt", "encrypt"]))"]
            if dice.below(2) == 0 { words.append("drives: 2") }
            if dice.below(2) == 0 {
                words.append("colocation: all")
                words.append("write-period: \(1 + dice.below(9)) d")
                words.append("expiry-tolerance: \(1 + dice.below(9)) d")
            }
            let goal =
                "frequency: \(pick(["daily", "daily", "weekly"])), retention: \(pick(["1 weeks", "2 weeks"])), "
                + "time: \(pick(["\"20:20\"", "\"23:00\"", "\"02:00\""])), weekday: \(pick(["Tue", "Thu"]))"
                + (dice.below(5) == 0 ? ", copies: 2" : "")
            options.append("long-term-tape: {\(goal)}\n    tape: {\(words.joined(separator: ", "))}")
            if dice.below(4) == 0 { days += 7 }
            for _ in 0..<dice.below(4) { script.append(tapeLine(&dice, isEncrypted: words[1].hasSuffix("encrypt"))) }
        }
        if dice.below(4) == 0 {
            vault = "{name: azure, rate: \(pick(["1 Gbit/s", "100 Mbit/s"]))}"
            options.append("online: {vault: azure, retention: 30 d, time: \(pick(["\"12:00\"", "\"21:00\""]))}")
        }
        if dice.below(5) == 0 {
            secondary =
                "{name: copies, server: dpm-2, members: all, disk: {retention: \(1 + dice.below(5)) d, times: "
                + "\(pick(["\"22:00\"", "\"20:10\"", "\"04:00\""]))}}"
        }
        if dice.below(8) == 0 {
            script.append("{database-loss: dpm, \(moment(&dice)), lasts: \(1 + dice.below(300)) min}")
        }
        if dice.below(2) == 0 { for _ in 0...dice.below(3) { script.append(recoveryLine(&dice)) } }
    }

    private func moment(_ dice: inout RandomStream) -> String {
        "at: day \(1 + dice.below(days)) \(String(format2: dice.below(24))):\(String(format2: dice.below(60)))"
    }

    private func recoveryLine(_ dice: inout RandomStream) -> String {
        func pick(_ words: [String]) -> String { words[dice.below(words.count)] }
        var words = ["recover: vm-\(1 + dice.below(machines.count))", moment(&dice)]
        words.append(
            pick([
                "", "", "to: hv, storage: data", "to: hv, storage: data, into: back",
                "to: hv, storage: data, into: back, disks: 1",
            ]))
        words.append(pick(["", "", "", "from: tape", "from: online", "from: secondary"]))
        if dice.below(3) == 0 { words.append("as-of: day \(1 + dice.below(days)) 23:00") }
        return "{\(words.filter { !$0.isEmpty }.joined(separator: ", "))}"
    }

    private func tapeLine(_ dice: inout RandomStream, isEncrypted: Bool) -> String {
        let machine = "vm-\(1 + dice.below(machines.count))"
        let step =
            "when: tape backup.transfer of \(machine) at \(dice.below(100)) %, after: day \(1 + dice.below(days))"
        let time = dice.below(4) == 0 ? moment(&dice) : step
        let lasts = "lasts: \(1 + dice.below(300)) min"
        return switch dice.below(isEncrypted ? 8 : 7) {
        case 0, 1: "{drive-failure: lib/drive-1, \(time), \(lasts)}"
        case 2: "{server-outage: dpm, \(time), \(lasts)}"
        case 3: "{robot-jam: lib, \(time), \(lasts)}"
        case 4: "{cartridge-missing: \"LIB00\(1 + dice.below(4))*\", \(time), \(lasts)}"
        case 5: "{cartridge-damaged: \"LIB00\(1 + dice.below(4))*\", \(time)}"
        case 6: "{pool-volume-outage: dpm/p, \(time), \(lasts)}"
        default: "{certificate-missing: g, \(time), \(lasts)}"
        }
    }

    private static func machine(_ number: Int, _ dice: inout RandomStream) -> String {
        func pick(_ words: [String]) -> String { words[dice.below(words.count)] }
        var words = [
            "name: vm-\(number)", pick(["cluster: cl", "cluster: cl", "host: hv"]), "data: real", "scale: 20000",
        ]
        if dice.below(5) == 0 {
            words.append("disks: [{size: 60 GB, used: 40 %}, {size: 40 GB, used: 30 %, format: vhd}]")
        } else {
            words.append("size: \(40 + 20 * dice.below(5)) GB")
            words.append("used: \(10 + dice.below(80)) %")
            words.append("format: \(pick(["vhdx", "vhdx", "vhd"]))")
        }
        words.append("churn: \(dice.below(40)) %")
        words.append("working-set: \(5 + dice.below(90)) %")
        if dice.below(2) == 0 { words.append("growth: \(dice.below(900)) %") }
        if dice.below(2) == 0 { words.append("page-file: 2 GB") }
        if dice.below(3) == 0 { words.append("compressibility: \(1 + dice.below(4))") }
        if dice.below(4) == 0 { words.append("rct: \(pick(["yes", "no"]))") }
        if dice.below(5) == 0 { words.append("guest: linux") }
        if dice.below(6) == 0 { words.append("variation: 0.5") }
        return "{\(words.joined(separator: ", "))}"
    }

    private static func line(days: Int, machines: Int, _ dice: inout RandomStream) -> String {
        func pick(_ words: [String]) -> String { words[dice.below(words.count)] }
        let machine = "vm-\(1 + dice.below(machines))"
        let node = pick(["node-1", "node-2", "hv"])
        let lasts = "lasts: \(1 + dice.below(300)) min"
        let moment =
            "at: day \(1 + dice.below(days)) \(String(format2: dice.below(24))):\(String(format2: dice.below(60)))"
        let backup = "at: day \(1 + dice.below(days)) 20:\(String(format2: dice.below(15)))"
        let step = "when: express full.\(pick(["snapshot", "transfer", "transfer", "apply"])) of \(machine)"
        let time = pick([moment, backup, backup, "every: exponential \(8 + dice.below(60)) h", step])
        return switch dice.below(16) {
        case 0...2: "{crash: \(node), \(time), \(lasts)}"
        case 3: "{maintenance: \(node), \(time), \(lasts)}"
        case 4: "{restart: \(node), \(time), \(lasts)}"
        case 5: "{server-outage: dpm, \(time), \(lasts)}"
        case 6: "{pool-volume-outage: dpm/p, \(time), \(lasts)}"
        case 7: "{volume-full: cl/csv-1, \(time), \(lasts)}"
        case 8: "{snapshots-full: cl/csv-1, \(time), \(lasts)}"
        case 9: "{vss-failure: \(machine), \(time), \(lasts)}"
        case 10: "{partition: \(node), \(time), \(lasts)}"
        case 11: "{run-check: \(machine), \(moment)}"
        case 12: "{run-backup: \(machine), \(moment)}"
        case 13: "{stop-protection: \(machine), \(moment), data: \(pick(["keep", "delete"]))}"
        case 14: "{migration: \(machine), to: \(pick(["node-1", "node-2"])), \(time)}"
        default: "{migration: \(machine), to: \(pick(["node-1", "node-2"])), storage: cl/csv-2, \(time)}"
        }
    }

    private static func name(of machine: String) -> String {
        String(machine.dropFirst("{name: ".count).prefix { $0 != "," })
    }

    /// The scenario file.
    var text: String {
        let lines = { (items: [String]) in items.map { "  - \($0)\n" }.joined() }
        return """
            name: fuzz \(seed)
            duration: \(days) d
            seed: \(seed)
            servers:
              - {name: dpm, version: 2019, pool: [{name: p, kind: \(pool), capacity: 20 TB}]\(library.map { ", libraries: [\($0)]" } ?? "")}
            \(secondary == nil ? "" : "  - {name: dpm-2, primary: dpm, version: 2019, pool: [{name: p, kind: \(pool), capacity: 20 TB}]}\n")\(vault.map { "vaults: [\($0)]\n" } ?? "")\(tuning.map { "tuning: \($0)\n" } ?? "")\
            clusters:
              - name: cl
                nodes: "node-{1..2}"
                windows: "\(windows)"
                volumes: [{name: csv-1, capacity: 6 TB, vss: \(provider)}, {name: csv-2, capacity: 6 TB, vss: \(provider)}]
            hosts:
              - {name: hv, windows: "\(windows)", volumes: [{name: data, capacity: 6 TB}]}
            machines:
            \(lines(machines))groups:
              - name: g
                members: all
                disk: {retention: \(retention) d, times: \(times)}
            \(options.map { "    \($0)\n" }.joined())\(secondary.map { "  - \($0)\n" } ?? "")\(script.isEmpty ? "" : "script:\n" + lines(script))
            """
    }

    /// Scenarios a step smaller, the boldest first.
    var smaller: [FuzzScenario] {
        var found: [FuzzScenario] = []
        func without(_ list: WritableKeyPath<FuzzScenario, [String]>, atLeast least: Int) {
            let items = self[keyPath: list]
            guard items.count > least else { return }
            if items.count > 3 {
                for half in [Array(items.prefix(items.count / 2)), Array(items.suffix((items.count + 1) / 2))] {
                    var copy = self
                    copy[keyPath: list] = half
                    found.append(copy)
                }
            }
            for index in items.indices {
                var copy = self
                copy[keyPath: list].remove(at: index)
                found.append(copy)
            }
        }
        // One machine alone, then one less; what happens to the others goes with them.
        for keeps in [true, false] where machines.count > 1 {
            for machine in machines {
                var copy = self
                copy.machines = machines.filter { ($0 == machine) == keeps }
                let gone = machines.filter { !copy.machines.contains($0) }.map(Self.name(of:))
                copy.script.removeAll { line in gone.contains { name in line.contains(name) } }
                found.append(copy)
            }
        }
        without(\.script, atLeast: 0)
        without(\.options, atLeast: 0)
        for path in [\FuzzScenario.secondary, \.vault, \.tuning, \.library] where self[keyPath: path] != nil {
            var copy = self
            copy[keyPath: path] = nil
            found.append(copy)
        }
        if days > 1 {
            for fewer in Set([1, days / 2, days - 1]).sorted() where fewer < days {
                var copy = self
                copy.days = fewer
                found.append(copy)
            }
        }
        if times.hasPrefix("[") {
            var copy = self
            copy.times = "\"20:00\""
            found.append(copy)
        }
        // Attributes of machines, from the last.
        for (index, machine) in machines.enumerated() where !machine.contains("[") {
            let words = machine.dropFirst().dropLast().components(separatedBy: ", ")
            for drop in words.indices.dropFirst(4).reversed() where !words[drop].hasPrefix("size") {
                var copy = self
                copy.machines[index] =
                    "{" + words.enumerated().filter { $0.offset != drop }.map(\.element).joined(separator: ", ") + "}"
                found.append(copy)
            }
        }
        return found
    }
}

extension String {
    /// Two digits.
    fileprivate init(format2 number: Int) { self = number < 10 ? "0\(number)" : "\(number)" }
}

extension Substring {
    fileprivate func components(separatedBy separator: String) -> [String] {
        var parts: [String] = []
        var rest = self
        while let range = rest.firstRange(of: separator) {
            parts.append(String(rest[..<range.lowerBound]))
            rest = rest[range.upperBound...]
        }
        return parts + [String(rest)]
    }
}
