import BlockDeviceContract
import Files
import Foundation
import Glibc
import Testing

@testable import Tape

extension Fuzz {
    /// With the bytes that show it: keys differ from run to run, and with them what a case's number stands for.
    func find(_ text: String, _ bytes: [UInt8]) { find("\(text) \(Data(bytes).base64EncodedString())") }
}

enum SealingFuzz {
    /// Changes bytes as hostile or rotten tapes have them.
    static func mutate(_ bytes: inout [UInt8], _ chance: inout ContractRandom, other: [UInt8]) {
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
    static func repair(_ bytes: inout [UInt8], _ chance: inout ContractRandom) {
        guard bytes.count > 4, chance.below(2) == 0 else { return }
        bytes.putLittle(CRC32C.of(Array(bytes.dropLast(4))), at: bytes.count - 4)
    }
}

@Suite("Sealing: fuzz of everything that is read from a tape or from a certificate file")
struct SealingFuzzTests {
    @Test func `key envelopes`() throws {
        let fuzz = Fuzz("sealing-envelope", cases: 3000)
        let samples = [
            try SealingKeys.envelope([SealingKeys.ec]).encoded(),
            try SealingKeys.envelope([SealingKeys.rsa, SealingKeys.ec]).encoded(),
            try SpanEnvelope(set: .zero, family: 1, span: 1, suite: .none, secrets: SeededSecrets(seed: 1)).encoded(),
        ]
        fuzz.run { chance in
            var bytes = samples[chance.below(3)]
            SealingFuzz.mutate(&bytes, &chance, other: samples[chance.below(3)])
            SealingFuzz.repair(&bytes, &chance)
            guard
                let envelope = fuzz.attempt("decode", { try SpanEnvelope(decoding: bytes) })
            else { return }
            if envelope.encoded() != Array(bytes.prefix(envelope.encodedCount)) {
                fuzz.find("it is written otherwise than read", bytes)
            }
            let key = fuzz.attempt("open") {
                try envelope.open(with: [SealingKeys.ec, SealingKeys.rsa])
            }
            if let key, key.bytes != SealingSamples.key.bytes { fuzz.find("it gives another key", bytes) }
        }
    }

    @Test func `messages of envelopes`() throws {
        let fuzz = Fuzz("sealing-message", cases: 1000)
        let samples = [
            try SealingKeys.envelope([SealingKeys.ec]), try SealingKeys.envelope([SealingKeys.rsa, SealingKeys.ec]),
        ]
        fuzz.run { chance in
            var envelope = samples[chance.below(2)]
            SealingFuzz.mutate(&envelope.message, &chance, other: samples[0].message)
            let key = fuzz.attempt("open") {
                try envelope.open(with: [SealingKeys.rsa, SealingKeys.ec])
            }
            if let key, key.bytes != SealingSamples.key.bytes { fuzz.find("it gives another key", envelope.message) }
        }
    }

    @Test func `seals`() throws {
        let fuzz = Fuzz("sealing-seal", cases: 3000)
        var seal = try SealingSealTests.seal(3, after: TagHash.of([1]))
        seal.envelope = try SealingKeys.envelope([SealingKeys.ec]).encoded()
        let bytes = seal.encoded()
        fuzz.run { chance in
            var changed = bytes
            SealingFuzz.mutate(&changed, &chance, other: bytes)
            SealingFuzz.repair(&changed, &chance)
            guard let read = fuzz.attempt("decode", { try SetSeal(decoding: changed) })
            else { return }
            if !changed.starts(with: read.encoded()) { fuzz.find("it is written otherwise than read", changed) }
            let holds: Void? = fuzz.attempt("verify") {
                try read.verify(with: SealingSamples.key)
            }
            if holds != nil, read.chainInput != seal.chainInput { fuzz.find("a forged seal holds", changed) }
        }
    }

    @Test func `records`() throws {
        let fuzz = Fuzz("sealing-record", cases: 3000)
        let content = try SeededSecrets(seed: 1).bytes(600)
        let sealers = [
            try RecordSealer(SealingSamples.recordKey(), prefix: SealingSamples.prefix),
            try RecordSealer(nil, prefix: SealingSamples.prefix),
        ]
        let sealed = try sealers.map { try SealingSamples.seal($0, SealingSamples.header(1, content), content) }
        fuzz.run { chance in
            let index = chance.below(2)
            var bytes = sealed[index]
            SealingFuzz.mutate(&bytes, &chance, other: sealed[1 - index])
            let opened = fuzz.attempt("open") {
                try SealingSamples.open(sealers[index], bytes)
            }
            if opened != nil, bytes != sealed[index] { fuzz.find("a changed record opens", bytes) }
        }
    }

    @Test func `certificates, as DER, as PEM and as PKCS#12`() throws {
        let fuzz = Fuzz("sealing-certificate", cases: 1500)
        let keyed = [SealingKeys.ec, SealingKeys.rsa]
        let ders = keyed.map(\.certificate.der)
        let pems = [
            try keyed[0].pem(withKey: true), try keyed[1].pem(withKey: true),
            try keyed[0].pem(withKey: true, password: "p"),
        ]
        let pfxs = [try keyed[0].pkcs12(password: "p"), try keyed[1].pkcs12(password: "p")]
        fuzz.run { chance in
            switch chance.below(8) {
            case 0...3:
                var bytes = ders[chance.below(2)]
                SealingFuzz.mutate(&bytes, &chance, other: ders[0])
                guard let read = fuzz.attempt("der", { try Certificate(der: bytes) }) else {
                    return
                }
                if read.der != bytes { fuzz.find("a certificate is not what was read", bytes) }
                let message = fuzz.attempt("wrap") {
                    try SpanEnvelope.wrap(SealingSamples.key, set: .zero, family: 1, created: 0, to: [read])
                }
                if let message, message.isEmpty { fuzz.find("an empty message") }
            case 4...6:
                var bytes = pems[chance.below(3)]
                SealingFuzz.mutate(&bytes, &chance, other: pems[chance.below(3)])
                guard
                    let read = fuzz.attempt(
                        "pem", { try KeyedCertificate(pem: bytes, password: "p") })
                else { return }
                let again = fuzz.attempt("pem again") {
                    try KeyedCertificate(pem: read.pem(withKey: read.hasKey))
                }
                if again?.certificate != read.certificate || again?.hasKey != read.hasKey {
                    fuzz.find("it is written otherwise than read", bytes)
                }
            default:
                var bytes = pfxs[chance.below(2)]
                SealingFuzz.mutate(&bytes, &chance, other: pfxs[0])
                let read = fuzz.attempt("pkcs12") {
                    try KeyedCertificate(pkcs12: bytes, password: "p")
                }
                if let read, !keyed.contains(where: { $0.certificate == read.certificate }) {
                    fuzz.find("another certificate", bytes)
                }
            }
        }
    }
}
