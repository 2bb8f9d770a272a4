import Foundation
import Testing

private let longest = 600
/// The only file that reads real time; it decides nothing.
private let wallClock = "Sources/dpmsim/WallClock.swift"
/// Measures how long a case of a fuzz run takes; ends runs, decides no result.
private let fuzzClock = "Tests/BlockDeviceContract/Fuzz.swift"

/// Calls whose answer differs from run to run, so that a result that used one could not be repeated.
private var callPatterns: [(name: String, sign: String, pattern: Regex<Substring>)] {
    [
        ("Date()", "Date", /\bDate\(\)/), ("Date.now", "Date", /\bDate\.now\b/), ("UUID()", "UUID", /\bUUID\(\)/),
        ("CFAbsoluteTimeGetCurrent", "CFAbs", /\bCFAbsoluteTimeGetCurrent\b/),
        (".random(", ".random", /\.random(?:Element)?\((?:in:|using:|\))/),
        (".shuffled()", ".shuffle", /\.shuffled?\(\)/),
        ("SystemRandomNumberGenerator", "SystemRandom", /\bSystemRandomNumberGenerator\b/),
        ("Task.sleep", "Task", /\bTask\.sleep\b/), ("sleep", "sleep(", /\b(?:u|nano)?sleep\(/),
        ("a system clock", "Clock", /\b(?:Continuous|Suspending)Clock\b/),
        ("DispatchTime", "Dispatch", /\bDispatch(?:Wall)?Time\b/),
        ("clock_gettime", "time", /\b(?:clock_gettime|gettimeofday)\(|\btime\(nil/),
        ("systemUptime", "systemUptime", /\bsystemUptime\b/), ("hashValue", "hashValue", /\.hashValue\b/),
    ]
}

private func forbiddenCalls(in file: SourceFile) -> [String] {
    guard file.path != wallClock, file.path != fuzzClock else { return [] }
    // A plain search first: patterns on every line of every file would take a minute.
    let calls = callPatterns.filter { file.code.contains($0.sign) }
    return file.code.split(separator: "\n", omittingEmptySubsequences: false).enumerated().flatMap { index, line in
        calls.filter { line.contains($0.sign) && line.contains($0.pattern) }
            .filter { !($0.name == "UUID()" && file.path.hasPrefix("Tests/")) }
            // Chance from a generator that is given: repeatable by its seed. Not where a run is decided.
            .filter {
                !($0.name == ".random(" && line.contains("using: &")
                    && (file.path.hasPrefix("Tests/") || file.module == "Files"))
            }
            .map { "\(file.path):\(index + 1): \($0.name)" }
    }
}

/// Type names that say nothing about what the type is for. DPM's own names are allowed: they are what people look for.
private func emptyNames(in file: SourceFile) -> [String] {
    guard ["Manager", "Helper", "Util"].contains(where: { file.code.contains($0) }) else { return [] }
    return file.code.matches(
        of: /\b(?:class|struct|enum|protocol|actor|typealias|extension)\s+([A-Za-z_]\w*)/
    ).map { String($0.1) }.filter { name in
        let own = name.replacing("SummaryManager", with: "").replacing("HelperService", with: "")
        return own.contains(/(?:Manager|Helper|Util(?:s|ity|ities)?)(?:[A-Z0-9_]|$)/)
            && !["FileManager"].contains(name)
    }.map { "\(file.path): \($0)" }
}

/// Paths of one machine, which are wrong on every other. Put together here, so that this file has none of them.
private let machinePaths = ["work", "root", "home", "Users", "opt", "var/folders"].map { "/" + $0 + "/" }

private func machinePathProblems(in file: SourceFile) -> [String] {
    let present = machinePaths.filter { file.text.contains($0) }
    guard !present.isEmpty else { return [] }
    return file.lines.enumerated().flatMap { index, line in
        present.filter { path in
            line.ranges(of: path).contains { range in
                guard range.lowerBound > line.startIndex else { return true }
                let before = line[line.index(before: range.lowerBound)]
                return !before.isLetter && !before.isNumber && !".}-_*/".contains(before)
            }
        }.map { "\(file.path):\(index + 1): \($0)" }
    }
}

private func lengthProblem(of file: SourceFile) -> String? {
    let count = file.lines.count - (file.text.hasSuffix("\n") ? 1 : 0)
    return count > longest ? "\(file.path): \(count) lines" : nil
}

@Suite("code keeps to what was agreed") struct CodeTests {
    private let swift = Tree.swiftSources + Tree.swiftTests

    @Test("nothing asks for real time or unseeded chance, but the wall clock")
    func nothingAsksTheMachine() {
        let own = swift.filter { !$0.path.hasPrefix("Tests/TidyTests/") }
        #expect(own.flatMap(forbiddenCalls(in:)) == [])
    }

    @Test("no type is named by a word that fits any type")
    func namesSayWhatTypesAreFor() { #expect(swift.flatMap(emptyNames) == []) }

    @Test("no Swift file is too long to be read in one go")
    func filesAreShort() { #expect(swift.compactMap(lengthProblem) == []) }

    @Test("no kept file names a path of one machine")
    func noFileNamesAMachine() { #expect(Tree.kept.flatMap(machinePathProblems) == []) }

    @Test(
        "a forbidden call is found, in an interpolation too",
        arguments: [
            ("let t = Date()", "Date()"), ("let t = \"\\(Date())\"", "Date()"), ("let id = UUID()", "UUID()"),
            ("let n = Int.random(in: 0...9)", ".random("),
            ("var g = SystemRandomNumberGenerator()", "SystemRandomNumberGenerator"),
            ("try await Task.sleep(for: x)", "Task.sleep"), ("usleep(10)", "sleep"), ("sleep(1)", "sleep"),
            ("let c = ContinuousClock()", "a system clock"), ("clock_gettime(CLOCK_MONOTONIC, &t)", "clock_gettime"),
        ])
    func forbiddenCallsAreFound(text: String, name: String) {
        let found = forbiddenCalls(in: SourceFile(path: "Sources/Kernel/A.swift", text: text))
        #expect(found.contains("Sources/Kernel/A.swift:1: \(name)"))
        #expect(forbiddenCalls(in: SourceFile(path: wallClock, text: text)) == [])
    }

    @Test(
        "what only looks like a forbidden call is none",
        arguments: [
            "// Date()", "/* a /* UUID() */ Date() */", "let s = \"Date()\"", "let s = #\"a\"Date()\"#", "updateDate()",
            "case .random(let times): 1",
        ])
    func likenessesPass(text: String) {
        #expect(forbiddenCalls(in: SourceFile(path: "Sources/Kernel/A.swift", text: text)) == [])
    }

    @Test("an empty name is found, DPM's own names pass")
    func emptyNamesAreFound() {
        let text =
            "struct JobManager {}\nenum StringUtils {}\nclass Helper {}\nstruct SummaryManager {}\nstruct HelperServicePort {}\nenum Utilization {}"
        #expect(
            emptyNames(in: SourceFile(path: "a.swift", text: text)) == [
                "a.swift: JobManager", "a.swift: StringUtils", "a.swift: Helper",
            ])
    }

    @Test("a path of one machine is found, a relative one passes")
    func machinePathsAreFound() {
        for path in machinePaths {
            let bad = SourceFile(path: "a.md", text: "x\nsee \(path)x")
            #expect(machinePathProblems(in: bad) == ["a.md:2: \(path)"])
            #expect(machinePathProblems(in: SourceFile(path: "a.md", text: "Tests\(path)x")) == [])
        }
    }

    @Test("a file that is too long is found")
    func longFilesAreFound() {
        let lines = { SourceFile(path: "a.swift", text: String(repeating: "x\n", count: $0)) }
        #expect(lengthProblem(of: lines(longest)) == nil)
        #expect(lengthProblem(of: lines(longest + 1)) == "a.swift: \(longest + 1) lines")
    }
}
