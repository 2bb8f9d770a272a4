import Glibc

private let usage = """
    usage: vmimage create    IMAGE GEOMETRY
           vmimage churn     IMAGE GEOMETRY --day D --percent P [--pattern mixed|clustered|random] [--ranges FILE] [--plan]
           vmimage verify    IMAGE GEOMETRY [--churned D:P[:PATTERN],...]
           vmimage compare   IMAGE IMAGE
           vmimage read      FILE... [--threads N]
           vmimage rangecopy SOURCE TARGET RANGES [--sync]
           vmimage warm      SIZE

    GEOMETRY: --machine N [--size 8GiB] [--allocated 2GiB] [--seed 42] [--threads N]
    Makes sparse disk images of virtual machines and their changes, the same for the same numbers, everywhere; and does the
    least that a backup has to do, to compare with. Prints JSON. churn changes the image in place and writes the changed
    ranges to FILE, a line each, "offset length" in bytes, sorted, neighbours joined; with --plan it writes only FILE. verify
    compares an image with what was generated, after the days given. compare also gives what both take on disk.

    """

/// Words without dashes, and the values of options.
private struct Arguments {
    private(set) var words: [String] = []
    private var options: [String: String] = [:]
    private static let flags: Set<String> = ["--sync", "--plan"]

    init(_ all: [String]) {
        var rest = all[...]
        while let word = rest.popFirst() {
            if Self.flags.contains(word) {
                options[word] = ""
            } else if word.hasPrefix("--") {
                guard let value = rest.popFirst() else { stop("\(word) needs a value") }
                options[word] = value
            } else {
                words.append(word)
            }
        }
    }

    func has(_ flag: String) -> Bool { options[flag] != nil }
    func text(_ name: String) -> String? { options[name] }

    func number(_ name: String, _ standard: UInt64? = nil) -> UInt64 {
        guard let text = options[name] else {
            guard let standard else { stop("\(name) is missing") }
            return standard
        }
        guard let number = UInt64(text) else { stop("\(name): expected a number, found '\(text)'") }
        return number
    }

    func size(_ name: String, _ standard: String) -> UInt64 { vmimage.size(options[name] ?? standard) }

    func checkWords(_ count: Int, _ known: [String]) {
        if words.count != count { end(usage) }
        let geometry = ["--machine", "--size", "--allocated", "--seed", "--threads"]
        for name in options.keys.sorted() where !(known + geometry).contains(name) { stop("\(name) is not known here") }
    }
}

/// Bytes of a size such as 512MiB.
private func size(_ text: String) -> UInt64 {
    for (unit, shift) in [("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40)] where text.hasSuffix(unit) {
        if let number = UInt64(text.dropLast(unit.count)), number < 1 << 24 { return number << UInt64(shift) }
    }
    stop("'\(text)' is not a size: a whole number and KiB, MiB, GiB or TiB are expected")
}

private func layout(_ arguments: Arguments) -> Layout {
    let size = arguments.size("--size", "8GiB") / UInt64(blockSize)
    let allocated = arguments.size("--allocated", "2GiB") / UInt64(blockSize)
    if allocated == 0 || allocated > size { stop("--allocated is not between 4 KiB and --size") }
    return Layout(
        seed: arguments.number("--seed", 42), machine: arguments.number("--machine"), size: size, allocated: allocated)
}

private func churn(_ layout: Layout, _ day: String, _ percent: String, _ pattern: String) -> Churn {
    guard let day = UInt64(day), day > 0 else { stop("a day is a number from 1, not '\(day)'") }
    guard let percent = Double(percent), percent > 0, percent <= 50 else {
        stop("a percentage is above 0 and at most 50, not '\(percent)'")
    }
    guard let pattern = Churn.Pattern(rawValue: pattern) else {
        stop("a pattern is one of \(Churn.Pattern.allCases.map(\.rawValue).joined(separator: ", ")), not '\(pattern)'")
    }
    return Churn(layout: layout, day: day, percent: percent, pattern: pattern)
}

private func thousandths(_ part: UInt64, _ whole: UInt64) -> String {
    let value = (part * 1000 + whole / 2) / whole
    let digits = String(value % 1000)
    return "\(value / 1000).\(String(repeating: "0", count: 3 - digits.count))\(digits)"
}

private func create(_ arguments: Arguments, threads: Int) {
    arguments.checkWords(1, [])
    let layout = layout(arguments)
    Generator(layout: layout, threads: threads).create(arguments.words[0])
    let shares = ContentClass.allCases.map { "\"\($0)\":\(thousandths(layout.blocks(of: $0), layout.allocated))" }
    print(
        "{\"extents\":\(layout.extents.count),\"allocated\":\(layout.allocated * UInt64(blockSize)),"
            + shares.joined(separator: ",") + "}")
}

private func change(_ arguments: Arguments, threads: Int) {
    arguments.checkWords(1, ["--day", "--percent", "--pattern", "--ranges", "--plan"])
    let layout = layout(arguments)
    guard let day = arguments.text("--day"), let percent = arguments.text("--percent") else {
        stop("--day and --percent are needed")
    }
    let churn = churn(layout, day, percent, arguments.text("--pattern") ?? "mixed")
    if !arguments.has("--plan") { Generator(layout: layout, threads: threads).apply(churn, to: arguments.words[0]) }
    let runs = churn.changed.runs()
    if let path = arguments.text("--ranges") {
        guard let file = fopen(path, "w") else {
            stop("\(path) could not be written: \(String(cString: strerror(errno)))")
        }
        for run in runs { fputs("\(run.bytes.offset) \(run.bytes.count)\n", file) }
        if fclose(file) != 0 { stop("\(path) could not be written: \(String(cString: strerror(errno)))") }
    }
    print(
        "{\"writes\":\(churn.writes),\"changed\":\(churn.changed.count * UInt64(blockSize)),\"runs\":\(runs.count),"
            + "\"touched_16KiB\":\(churn.touched(size: 16 << 10)),\"touched_64KiB\":\(churn.touched(size: 64 << 10)),"
            + "\"touched_256KiB\":\(churn.touched(size: 256 << 10))}")
}

private func verify(_ arguments: Arguments, threads: Int) {
    arguments.checkWords(1, ["--churned"])
    let layout = layout(arguments)
    let days = (arguments.text("--churned") ?? "").split(separator: ",").map { item in
        let parts = item.split(separator: ":").map(String.init)
        if parts.count < 2 { stop("--churned takes DAY:PERCENT[:PATTERN], not '\(item)'") }
        return churn(layout, parts[0], parts[1], parts.count > 2 ? parts[2] : "mixed")
    }
    let difference = Generator(layout: layout, threads: threads).firstDifference(arguments.words[0], after: days)
    let file = ImageFile(arguments.words[0])
    print("{\"equal\":\(difference == nil),\"difference\":\(difference ?? -1),\"allocated\":\(file.allocated)}")
    exit(difference == nil ? 0 : 1)
}

private func compare(_ arguments: Arguments, threads: Int) {
    arguments.checkWords(2, [])
    let files = arguments.words.map { ImageFile($0) }
    let difference = Floors.firstDifference(files[0], files[1], threads: threads)
    print(
        "{\"equal\":\(difference == nil),\"difference\":\(difference ?? -1),"
            + "\"allocated\":[\(files[0].allocated),\(files[1].allocated)]}")
    exit(difference == nil ? 0 : 1)
}

@main enum Main {
    static func main() {
        let all = CommandLine.arguments
        let arguments = Arguments(Array(all.dropFirst(2)))
        let threads = Int(arguments.number("--threads", UInt64(max(1, min(8, sysconf(Int32(_SC_NPROCESSORS_ONLN)))))))
        switch all.count > 1 ? all[1] : "" {
        case "create": create(arguments, threads: threads)
        case "churn": change(arguments, threads: threads)
        case "verify": verify(arguments, threads: threads)
        case "compare": compare(arguments, threads: threads)
        case "read":
            arguments.checkWords(max(1, arguments.words.count), [])
            // One thread unless told: the floor is what a plain reader does.
            let count = Int(arguments.number("--threads", 1))
            print("{\"read\":\(arguments.words.reduce(0) { $0 + Floors.read($1, threads: count) })}")
        case "rangecopy":
            arguments.checkWords(3, ["--sync"])
            let words = arguments.words
            let copied = Floors.rangeCopy(words[0], words[1], ranges: words[2], sync: arguments.has("--sync"))
            print("{\"copied\":\(copied)}")
        case "warm":
            arguments.checkWords(1, [])
            print("{\"touched\":\(Floors.warm(Int(size(arguments.words[0]))))}")
        default: end(usage)
        }
    }
}
