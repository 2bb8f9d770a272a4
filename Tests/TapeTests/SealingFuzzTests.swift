import Files
import Foundation
import Glibc
import Testing

@testable import Tape

/// Chance with a seed.
struct SealingChance {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }

    mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(max(1, bound))) }
}

/// Runs cases that each follow from one number. In the suite a few; with `DPMSIM_FUZZ_SECONDS` for so long, noting each case in
/// `dpmsim-fuzz-<name>` of the temporary folder before it begins; `DPMSIM_FUZZ_SEED` and `DPMSIM_FUZZ_CASE` as in the other fuzz tests.
final class SealingFuzz {
    private let name: String
    private let environment = ProcessInfo.processInfo.environment
    private var findings: [String] = []
    private var tally: [String: Int] = [:]
    private var current = 0

    init(_ name: String) { self.name = name }

    /// What is wrong, with the bytes that show it: keys differ from run to run, and with them what a case's number stands for.
    func find(_ text: String, _ bytes: [UInt8] = []) {
        findings.append("\(name) DPMSIM_FUZZ_CASE=\(current): \(text) \(Data(bytes).base64EncodedString())")
    }

    /// The value, or nil after a fault, which is counted.
    func attempt<Value>(_ what: String, _ body: () throws(StorageFault) -> Value) -> Value? {
        do throws(StorageFault) {
            let value = try body()
            tally[what, default: 0] += 1
            return value
        } catch {
            tally["\(what) \(error.id)", default: 0] += 1
            if !error.id.hasPrefix("TAPE-") || error.cause.isEmpty || error.action.isEmpty { find("\(what): \(error)") }
            return nil
        }
    }

    func run(cases: Int, _ body: (inout SealingChance) throws -> Void) throws {
        let seed = environment["DPMSIM_FUZZ_SEED"].flatMap(UInt64.init) ?? 1
        let seconds = environment["DPMSIM_FUZZ_SECONDS"].flatMap(Double.init)
        let only = environment["DPMSIM_FUZZ_CASE"].flatMap(Int.init)
        let note = seconds.map { _ in
            open(
                FileManager.default.temporaryDirectory.appendingPathComponent("dpmsim-fuzz-\(name)").path,
                O_RDWR | O_CREAT, 0o644)
        }
        let (start, memory) = (Self.time(CLOCK_MONOTONIC), Self.peakMemory())
        var (done, longest) = (0, 0.0)
        for number in (only ?? 0)... {
            if only.map({ number > $0 }) ?? seconds.map({ Self.time(CLOCK_MONOTONIC) - start > $0 })
                ?? (number == cases)
            {
                break
            }
            if findings.count > 20 { break }
            current = number
            if let note {
                let line = Array("DPMSIM_FUZZ_SEED=\(seed) DPMSIM_FUZZ_CASE=\(number)          \n".utf8)
                _ = line.withUnsafeBytes { pwrite(note, $0.baseAddress, $0.count, 0) }
            }
            var chance = SealingChance(seed: seed << 32 &+ UInt64(number))
            let before = Self.time(CLOCK_THREAD_CPUTIME_ID)
            try body(&chance)
            let spent = Self.time(CLOCK_THREAD_CPUTIME_ID) - before
            if spent > 5 { find("it took \(spent) s") }
            longest = max(longest, spent)
            done += 1
        }
        if seconds != nil {
            if Self.peakMemory() - memory > 256 << 20 {
                find("memory grew by \((Self.peakMemory() - memory) >> 20) MiB")
            }
            print(
                "\(name): seed \(seed), \(done) cases, longest \(longest) s, memory \(memory >> 20) to \(Self.peakMemory() >> 20) MiB, \(findings.count) findings"
            )
            for (what, count) in tally.sorted(by: { $0.key < $1.key }) { print("  \(count) \(what)") }
        }
        if let note { close(note) }
        #expect(findings.isEmpty, "\(findings.joined(separator: "\n"))")
        #expect(done > 0)
    }

    /// Changes bytes as hostile or rotten tapes have them.
    static func mutate(_ bytes: inout [UInt8], _ chance: inout SealingChance, other: [UInt8]) {
        for _ in 0..<[1, 1, 2, 3, 8][chance.below(5)] where !bytes.isEmpty {
            let place = chance.below(bytes.count)
            switch chance.below(10) {
            case 0...2: bytes[place] ^= 1 << UInt8(chance.below(8))
            case 3: bytes[place] = [0, 1, 0x7F, 0x80, 0xFF][chance.below(5)]
            case 4: bytes[place] = UInt8(truncatingIfNeeded: chance.next())
            case 5:
                let value: UInt64 = [0, .max, 1 << 31, 1 << 32, UInt64(bytes.count), chance.next()][chance.below(6)]
                let width = [2, 4, 8][chance.below(3)]
                for index in 0..<min(width, bytes.count - place) {
                    bytes[place + index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * index))
                }
            case 6: bytes.removeLast(chance.below(bytes.count))
            case 7: bytes += (0..<chance.below(40)).map { _ in UInt8(truncatingIfNeeded: chance.next()) }
            case 8:
                let count = min(chance.below(64), bytes.count - place)
                if chance.below(2) == 0 {
                    bytes.removeSubrange(place..<place + count)
                } else {
                    bytes.insert(contentsOf: bytes[place..<place + count], at: chance.below(bytes.count))
                }
            default:
                guard !other.isEmpty else { continue }
                let from = chance.below(other.count)
                let count = min(chance.below(64), other.count - from, bytes.count - place)
                bytes.replaceSubrange(place..<place + count, with: other[from..<from + count])
            }
        }
    }

    /// Puts the right checksum at the end, half of the time, so that what lies behind it is met too.
    static func repair(_ bytes: inout [UInt8], _ chance: inout SealingChance) {
        guard bytes.count > 4, chance.below(2) == 0 else { return }
        bytes.putLittle(CRC32C.of(Array(bytes.dropLast(4))), at: bytes.count - 4)
    }

    private static func time(_ clock: clockid_t) -> Double {
        var time = timespec()
        clock_gettime(clock, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    private static func peakMemory() -> Int {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return usage.ru_maxrss << 10
    }
}

@Suite("Sealing: fuzz of everything that is read from a tape or from a certificate file")
struct SealingFuzzTests {
    @Test func `key envelopes`() throws {
        let fuzz = SealingFuzz("sealing-envelope")
        let samples = [
            try SealingKeys.envelope([SealingKeys.ec]).encoded(),
            try SealingKeys.envelope([SealingKeys.rsa, SealingKeys.ec]).encoded(),
            try SpanEnvelope(set: .zero, family: 1, span: 1, suite: .none, secrets: SeededSecrets(seed: 1)).encoded(),
        ]
        try fuzz.run(cases: 3000) { chance in
            var bytes = samples[chance.below(3)]
            SealingFuzz.mutate(&bytes, &chance, other: samples[chance.below(3)])
            SealingFuzz.repair(&bytes, &chance)
            guard
                let envelope = fuzz.attempt("decode", { () throws(StorageFault) in try SpanEnvelope(decoding: bytes) })
            else { return }
            if envelope.encoded() != Array(bytes.prefix(envelope.encodedCount)) {
                fuzz.find("it is written otherwise than read", bytes)
            }
            let key = fuzz.attempt("open") { () throws(StorageFault) in
                try envelope.open(with: [SealingKeys.ec, SealingKeys.rsa])
            }
            if let key, key.bytes != SealingSamples.key.bytes { fuzz.find("it gives another key", bytes) }
        }
    }

    @Test func `messages of envelopes`() throws {
        let fuzz = SealingFuzz("sealing-message")
        let samples = [
            try SealingKeys.envelope([SealingKeys.ec]), try SealingKeys.envelope([SealingKeys.rsa, SealingKeys.ec]),
        ]
        try fuzz.run(cases: 1000) { chance in
            var envelope = samples[chance.below(2)]
            SealingFuzz.mutate(&envelope.message, &chance, other: samples[0].message)
            let key = fuzz.attempt("open") { () throws(StorageFault) in
                try envelope.open(with: [SealingKeys.rsa, SealingKeys.ec])
            }
            if let key, key.bytes != SealingSamples.key.bytes { fuzz.find("it gives another key", envelope.message) }
        }
    }

    @Test func `seals`() throws {
        let fuzz = SealingFuzz("sealing-seal")
        var seal = try SealingSealTests.seal(3, after: TagHash.of([1]))
        seal.envelope = try SealingKeys.envelope([SealingKeys.ec]).encoded()
        let bytes = seal.encoded()
        try fuzz.run(cases: 3000) { chance in
            var changed = bytes
            SealingFuzz.mutate(&changed, &chance, other: bytes)
            SealingFuzz.repair(&changed, &chance)
            guard let read = fuzz.attempt("decode", { () throws(StorageFault) in try SetSeal(decoding: changed) })
            else { return }
            if !changed.starts(with: read.encoded()) { fuzz.find("it is written otherwise than read", changed) }
            let holds: Void? = fuzz.attempt("verify") { () throws(StorageFault) in
                try read.verify(with: SealingSamples.key)
            }
            if holds != nil, read.chainInput != seal.chainInput { fuzz.find("a forged seal holds", changed) }
        }
    }

    @Test func `records`() throws {
        let fuzz = SealingFuzz("sealing-record")
        let content = try SeededSecrets(seed: 1).bytes(600)
        let sealers = [
            try RecordSealer(SealingSamples.recordKey(), prefix: SealingSamples.prefix),
            try RecordSealer(nil, prefix: SealingSamples.prefix),
        ]
        let sealed = try sealers.map { try SealingSamples.seal($0, SealingSamples.header(1, content), content) }
        try fuzz.run(cases: 3000) { chance in
            let index = chance.below(2)
            var bytes = sealed[index]
            SealingFuzz.mutate(&bytes, &chance, other: sealed[1 - index])
            let opened = fuzz.attempt("open") { () throws(StorageFault) in
                try SealingSamples.open(sealers[index], bytes)
            }
            if opened != nil, bytes != sealed[index] { fuzz.find("a changed record opens", bytes) }
        }
    }

    @Test func `certificates, as DER, as PEM and as PKCS#12`() throws {
        let fuzz = SealingFuzz("sealing-certificate")
        let keyed = [SealingKeys.ec, SealingKeys.rsa]
        let ders = keyed.map(\.certificate.der)
        let pems = [
            try keyed[0].pem(withKey: true), try keyed[1].pem(withKey: true),
            try keyed[0].pem(withKey: true, password: "p"),
        ]
        let pfxs = [try keyed[0].pkcs12(password: "p"), try keyed[1].pkcs12(password: "p")]
        try fuzz.run(cases: 1500) { chance in
            switch chance.below(8) {
            case 0...3:
                var bytes = ders[chance.below(2)]
                SealingFuzz.mutate(&bytes, &chance, other: ders[0])
                guard let read = fuzz.attempt("der", { () throws(StorageFault) in try Certificate(der: bytes) }) else {
                    return
                }
                if read.der != bytes { fuzz.find("a certificate is not what was read", bytes) }
                let message = fuzz.attempt("wrap") { () throws(StorageFault) in
                    try SpanEnvelope.wrap(SealingSamples.key, set: .zero, family: 1, created: 0, to: [read])
                }
                if let message, message.isEmpty { fuzz.find("an empty message") }
            case 4...6:
                var bytes = pems[chance.below(3)]
                SealingFuzz.mutate(&bytes, &chance, other: pems[chance.below(3)])
                guard
                    let read = fuzz.attempt(
                        "pem", { () throws(StorageFault) in try KeyedCertificate(pem: bytes, password: "p") })
                else { return }
                let again = fuzz.attempt("pem again") { () throws(StorageFault) in
                    try KeyedCertificate(pem: read.pem(withKey: read.hasKey))
                }
                if again?.certificate != read.certificate || again?.hasKey != read.hasKey {
                    fuzz.find("it is written otherwise than read", bytes)
                }
            default:
                var bytes = pfxs[chance.below(2)]
                SealingFuzz.mutate(&bytes, &chance, other: pfxs[0])
                let read = fuzz.attempt("pkcs12") { () throws(StorageFault) in
                    try KeyedCertificate(pkcs12: bytes, password: "p")
                }
                if let read, !keyed.contains(where: { $0.certificate == read.certificate }) {
                    fuzz.find("another certificate", bytes)
                }
            }
        }
    }
}
