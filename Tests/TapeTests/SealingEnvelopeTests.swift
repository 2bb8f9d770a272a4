import Files
import Foundation
import Testing

@testable import Tape

@Suite("Sealing: key envelopes")
struct SealingEnvelopeTests {
    @Test func `each certificate an envelope was closed to opens it, RSA and EC alike`() throws {
        let envelope = try SealingKeys.envelope([SealingKeys.rsa, SealingKeys.ec])
        #expect(envelope.thumbprints == [SealingKeys.rsa, SealingKeys.ec].map(\.certificate.thumbprint))
        for keyed in [SealingKeys.rsa, SealingKeys.ec] {
            #expect(try envelope.open(with: [keyed]).bytes == SealingSamples.key.bytes)
            #expect(try envelope.open(with: [SealingKeys.other, keyed]).bytes == SealingSamples.key.bytes)
        }
    }

    @Test func `the openssl program opens our envelopes, for RSA and for EC`() throws {
        let program = try OpenSSLProgram()
        let envelope = try SealingKeys.envelope([SealingKeys.rsa, SealingKeys.ec])
        try program.put(envelope.message, "message.der")
        var expected = SealingSamples.key.bytes + SealingSamples.set.bytes + [UInt8](repeating: 0, count: 14)
        expected.putLittle(UInt32(9), at: 48)
        expected.putLittle(SealingKeys.now, at: 52)
        expected.putLittle(UInt16(1), at: 60)
        for keyed in [SealingKeys.rsa, SealingKeys.ec] {
            try program.put(keyed.pem(withKey: true), "keyed.pem")
            try program.run(
                "cms -decrypt -inform DER -in message.der -recip keyed.pem -inkey keyed.pem -binary -out content")
            #expect(try program.get("content") == expected)
        }
        let printed = try program.run("cms -cmsout -print -inform DER -in message.der -noout")
        for fact in [
            "id-smime-ct-authEnvelopedData", "aes-256-gcm", "rsaesOaep", "sha256",
            "dhSinglePass-stdDH-sha256kdf-scheme",
            "id-aes256-wrap",
        ] { #expect(printed.contains(fact), "\(fact)") }
    }

    @Test(arguments: ["rsa:2048", "ec -pkeyopt ec_paramgen_curve:P-384"])
    func `we open an envelope the openssl program made`(kind: String) throws {
        let program = try OpenSSLProgram()
        let keyed = try KeyedCertificate(pem: SealingKeys.foreign(program, kind))
        var envelope = try SealingKeys.envelope([keyed])
        try program.put(envelope.message, "ours.der")
        try program.run("cms -decrypt -inform DER -in ours.der -recip cert.pem -inkey key.pem -binary -out content")
        let options = kind.hasPrefix("rsa") ? "-keyopt rsa_padding_mode:oaep" : "-keyopt ecdh_kdf_md:sha512"
        try program.run(
            "cms -encrypt -aes-256-gcm -binary -outform DER -in content -out theirs.der -recip cert.pem \(options)")
        envelope.message = try program.get("theirs.der")
        #expect(try envelope.open(with: [keyed]).bytes == SealingSamples.key.bytes)
    }

    @Test func `an envelope without authentication is not accepted`() throws {
        let program = try OpenSSLProgram()
        let keyed = try KeyedCertificate(pem: SealingKeys.foreign(program, "rsa:2048"))
        var envelope = try SealingKeys.envelope([keyed])
        try program.put([UInt8](repeating: 1, count: 62), "content")
        try program.run("cms -encrypt -aes-256-cbc -binary -outform DER -in content -out theirs.der -recip cert.pem")
        envelope.message = try program.get("theirs.der")
        #expect(faultID { () throws(StorageFault) in _ = try envelope.open(with: [keyed]) } == "TAPE-24075")
    }

    @Test func `without a certificate that fits the thumbprints one needs are named`() throws {
        let envelope = try SealingKeys.envelope([SealingKeys.rsa, SealingKeys.ec])
        for openers in [[], [SealingKeys.other]] {
            let fault = #expect(throws: StorageFault.self) { try envelope.open(with: openers) }
            #expect(fault?.id == "TAPE-24071")
            for keyed in [SealingKeys.rsa, SealingKeys.ec] {
                #expect(fault?.cause.contains(keyed.certificate.thumbprint.description) == true)
            }
        }
    }

    @Test func `a certificate whose key is elsewhere is named; another one with a key opens it nevertheless`() throws {
        let envelope = try SealingKeys.envelope([SealingKeys.rsa, SealingKeys.ec])
        let bare = KeyedCertificate(withoutKey: SealingKeys.rsa.certificate)
        let fault = #expect(throws: StorageFault.self) { try envelope.open(with: [bare]) }
        #expect(fault?.id == "TAPE-24078")
        #expect(fault?.object.contains(bare.certificate.thumbprint.description) == true)
        #expect(try envelope.open(with: [bare, SealingKeys.ec]).bytes == SealingSamples.key.bytes)
    }

    @Test func `a certificate with another's key does not open an envelope`() throws {
        for (keyed, wrong) in [
            (SealingKeys.rsa, SealingKeys.make("Wrong", .rsa3072, seed: 8)), (SealingKeys.ec, SealingKeys.other),
        ] {
            let mixed = KeyedCertificate(keyed.certificate, key: wrong.key)
            let envelope = try SealingKeys.envelope([keyed])
            #expect(faultID { () throws(StorageFault) in _ = try envelope.open(with: [mixed]) } == "TAPE-24075")
            #expect(try envelope.open(with: [mixed, keyed]).bytes == SealingSamples.key.bytes)
        }
    }

    @Test func `a key of another set or family is not taken for this one's`() throws {
        let envelope = try SealingKeys.envelope([SealingKeys.ec])
        var others = [envelope, envelope]
        others[0].set = .zero
        others[1].family = 10
        for other in others {
            #expect(faultID { () throws(StorageFault) in _ = try other.open(with: [SealingKeys.ec]) } == "TAPE-24075")
        }
    }

    @Test func `an envelope comes back from its bytes, and what follows them does not matter`() throws {
        var envelope = try SealingKeys.envelope([SealingKeys.ec], span: 3)
        envelope.before = TagHash.of([3])
        let bytes = envelope.encoded()
        #expect(bytes.count == envelope.encodedCount)
        #expect(try SpanEnvelope(decoding: bytes) == envelope)
        #expect(try SpanEnvelope(decoding: bytes + [1, 2, 3]) == envelope)
        let plain = try SpanEnvelope(
            set: SealingSamples.set, family: 1, span: 1, suite: .none, secrets: SeededSecrets(seed: 1))
        #expect(try SpanEnvelope(decoding: plain.encoded()) == plain)
        #expect(faultID { () throws(StorageFault) in _ = try plain.open(with: [SealingKeys.ec]) } == "TAPE-24075")
    }

    @Test func `every changed bit and every cut of an envelope is noticed`() throws {
        let bytes = try SealingKeys.envelope([SealingKeys.ec]).encoded()
        for bit in 0..<8 * bytes.count {
            var changed = bytes
            changed[bit / 8] ^= 1 << UInt8(bit % 8)
            if faultID({ () throws(StorageFault) in _ = try SpanEnvelope(decoding: changed) }) != "TAPE-24075" {
                Issue.record("bit \(bit) may change")
            }
        }
        for count in 0..<bytes.count {
            if faultID({ () throws(StorageFault) in _ = try SpanEnvelope(decoding: Array(bytes[..<count])) })
                != "TAPE-24075"
            {
                Issue.record("\(count) bytes are taken for an envelope")
            }
        }
    }

    @Test func `a changed byte of the message never gives another key, even with a right checksum`() throws {
        let envelope = try SealingKeys.envelope([SealingKeys.ec])
        var outcomes: [String: Int] = [:]
        for index in envelope.message.indices {
            var changed = envelope
            changed.message[index] ^= 1 << UInt8(index % 8)
            do {
                let key = try changed.open(with: [SealingKeys.ec])
                // A few bytes (versions, the form of a parameter) mean nothing to OpenSSL.
                #expect(key.bytes == SealingSamples.key.bytes, "byte \(index)")
                outcomes["opened", default: 0] += 1
            } catch { outcomes[error.id, default: 0] += 1 }
        }
        #expect(Set(outcomes.keys).isSubset(of: ["opened", "TAPE-24071", "TAPE-24075"]))
        #expect(outcomes["opened", default: 0] * 10 < envelope.message.count)
    }

    @Test func `an envelope is closed to nobody only with a reason`() throws {
        #expect(
            faultID { () throws(StorageFault) in
                _ = try SpanEnvelope.wrap(SealingSamples.key, set: .zero, family: 1, created: 0, to: [])
            } == "TAPE-24073")
        let many = [Certificate](repeating: SealingKeys.ec.certificate, count: 65)
        #expect(
            faultID { () throws(StorageFault) in
                _ = try SpanEnvelope.wrap(SealingSamples.key, set: .zero, family: 1, created: 0, to: many)
            } == "TAPE-24074")
    }

    @Test func `what OpenSSL complains of is in the fault`() throws {
        let broken = KeyedCertificate(SealingKeys.ec.certificate, key: SecretBytes(copying: [0x31, 1, 2]))
        let envelope = try SealingKeys.envelope([SealingKeys.ec])
        let fault = #expect(throws: StorageFault.self) { try envelope.open(with: [broken]) }
        #expect(fault?.id == "TAPE-24074")
        #expect(fault?.cause == "its private key could not be read; OpenSSL says: wrong tag")
        #expect(fault?.object == "CN=DPM tape EC")
        let again = #expect(throws: StorageFault.self) { try RecordSealer(nil, prefix: [1]) }
        #expect(again?.cause.hasSuffix("no reason given") == true, "an old complaint is not repeated")
    }
}

@Suite("Sealing: seals, sequence and chain")
struct SealingSealTests {
    static let tape = [UInt8](repeating: 4, count: 1024)

    static func seal(_ number: UInt32, after chain: [UInt8]) throws -> SetSeal {
        var seal = SetSeal(
            set: SealingSamples.set, number: number, span: 1, records: 10, storedBytes: 1 << 33, plainBytes: 1 << 34,
            isEncrypted: true, isLastSpan: true)
        seal.tags = TagHash.of([UInt8(number)])
        seal.tape = TagHash.of(tape)
        seal.catalog = TagHash.of([1])
        seal.chain = chain
        try seal.authenticate(with: SealingSamples.key)
        return seal
    }

    static func seals(_ count: UInt32) throws -> (seals: [SetSeal], newest: [UInt8]) {
        var value = SealChain.start(tapeBlock: tape)
        var seals: [SetSeal] = []
        for number in 1...count {
            seals.append(try seal(number, after: value))
            value = SealChain.next(after: value, seals[seals.count - 1])
        }
        return (seals, value)
    }

    @Test func `a seal comes back from its bytes with its envelope`() throws {
        var seal = try Self.seal(7, after: TagHash.of([2]))
        #expect(try SetSeal(decoding: seal.encoded()) == seal)
        seal.envelope = try SealingKeys.envelope([SealingKeys.ec]).encoded()
        let bytes = seal.encoded()
        #expect(try SetSeal(decoding: bytes + [0, 0]) == seal)
        #expect(
            try SpanEnvelope(decoding: SetSeal(decoding: bytes).envelope).open(with: [SealingKeys.ec]).bytes
                == SealingSamples.key.bytes)
    }

    @Test func `every changed bit and every cut of a seal is noticed`() throws {
        let bytes = try Self.seal(7, after: TagHash.of([2])).encoded()
        for bit in 0..<8 * bytes.count {
            var changed = bytes
            changed[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(faultID { () throws(StorageFault) in _ = try SetSeal(decoding: changed) } == "TAPE-SEAL")
        }
        for count in bytes.indices {
            #expect(
                faultID { () throws(StorageFault) in _ = try SetSeal(decoding: Array(bytes[..<count])) } == "TAPE-SEAL")
        }
    }

    @Test func `whoever forges a seal's checksum still lacks the key`() throws {
        let seal = try Self.seal(7, after: TagHash.of([2]))
        try seal.verify(with: SealingSamples.key)
        let changes: [(inout SetSeal) -> Void] = [
            { $0.set = .zero }, { $0.number += 1 }, { $0.span += 1 }, { $0.records += 1 }, { $0.storedBytes += 1 },
            { $0.plainBytes += 1 }, { $0.tags[31] ^= 1 }, { $0.tape[0] ^= 1 }, { $0.catalog[0] ^= 1 },
            { $0.chain[0] ^= 1 },
            { $0.authenticator[0] ^= 1 }, { $0.isEncrypted = false }, { $0.isLastSpan = false },
        ]
        for (index, change) in changes.enumerated() {
            var forged = seal
            change(&forged)
            let read = try SetSeal(decoding: forged.encoded())
            #expect(
                faultID { () throws(StorageFault) in try read.verify(with: SealingSamples.key) } == "TAPE-SEAL",
                "change \(index)")
        }
        let other = SetKey(bytes: [UInt8](repeating: 1, count: 32))
        #expect(faultID { () throws(StorageFault) in try seal.verify(with: other) } == "TAPE-SEAL")
    }

    @Test func `a set taken out, swapped, replaced or cut off, and a tape rolled back, break the chain`() throws {
        let (seals, newest) = try Self.seals(4)
        #expect(try SealChain.check(seals, tapeBlock: Self.tape, newest: newest) == newest)
        func id(_ seals: [SetSeal], _ newest: [UInt8]?, tape: [UInt8] = Self.tape) -> String? {
            faultID { () throws(StorageFault) in try SealChain.check(seals, tapeBlock: tape, newest: newest) }
        }
        for index in 0..<4 {
            var without = seals
            without.remove(at: index)
            #expect(id(without, newest) == "TAPE-CHAIN", "set \(index)")
            var replaced = seals
            replaced[index].plainBytes += 1
            #expect(id(replaced, newest) == "TAPE-CHAIN", "set \(index)")
        }
        var swapped = seals
        swapped.swapAt(1, 2)
        #expect(id(swapped, newest) == "TAPE-CHAIN")
        #expect(id(seals, newest, tape: [5]) == "TAPE-CHAIN")
        // Cut off at the end: only who knows the newest value sees it.
        #expect(id(Array(seals[..<3]), nil) == nil)
        #expect(id(Array(seals[..<3]), newest) == "TAPE-CHAIN")
        #expect(id([], newest) == "TAPE-CHAIN")
        // A tape that has more than the catalog knows is whole.
        #expect(try id(seals, Self.seals(2).newest) == nil)
        #expect(id(seals, SealChain.start(tapeBlock: Self.tape)) == nil)
    }

    private func tag(_ number: UInt8) -> [UInt8] { [UInt8](repeating: number, count: 16) }

    /// Feeds counters to a sequence; the id of the first fault.
    private func feed(_ headers: [SealedHeader], _ sequence: inout SpanSequence) -> String? {
        var sequence = sequence
        return faultID { () throws(StorageFault) in
            for header in headers {
                try tag(UInt8(header.counter & 255)).withBytes { (tag) throws(StorageFault) in
                    try sequence.accept(header, tag: tag)
                }
            }
            try sequence.end()
        }
    }

    @Test func `dropped, repeated, reordered, foreign and missing records of a span are each noticed`() throws {
        func header(_ counter: UInt32, _ change: (inout SealedHeader) -> Void = { _ in }) -> SealedHeader {
            var header = SealedHeader(set: SealingSamples.set, span: 1, counter: counter)
            if counter == 4 { header.flag = .lastOfSet }
            change(&header)
            return header
        }
        let whole = (0..<5).map { header($0) }
        var sequence = SpanSequence(set: SealingSamples.set, span: 1, before: [UInt8](repeating: 0, count: 32))
        #expect(feed(whole, &sequence) == nil)
        for index in 0..<5 {
            var dropped = whole
            dropped.remove(at: index)
            #expect(
                feed(dropped, &sequence) == (index == 4 ? "TAPE-SET-TRUNCATED" : "TAPE-RECORD-ORDER"),
                "\(index) dropped")
            var repeated = whole
            repeated.insert(whole[index], at: index)
            #expect(feed(repeated, &sequence) == "TAPE-RECORD-ORDER", "\(index) repeated")
            guard index < 4 else { continue }
            var reordered = whole
            reordered.swapAt(index, index + 1)
            #expect(feed(reordered, &sequence) == "TAPE-RECORD-ORDER", "\(index) reordered")
            #expect(feed(Array(whole[..<index]), &sequence) == "TAPE-SET-TRUNCATED", "cut after \(index)")
        }
        #expect(feed(whole + [header(5)], &sequence) == "TAPE-RECORD-ORDER")
        #expect(feed([header(0) { $0.set = .zero }], &sequence) == "TAPE-SPAN-WRONG")
        #expect(feed([header(0) { $0.span = 2 }], &sequence) == "TAPE-SPAN-WRONG")
    }

    @Test func `a span binds itself to the one before it, and its last record tells what was in it`() throws {
        var first = SpanSequence(set: SealingSamples.set, span: 1, before: [UInt8](repeating: 0, count: 32))
        var record = SealedHeader(set: SealingSamples.set, span: 1, counter: 0)
        record.plainLength = 1000
        try tag(1).withBytes { (tag) throws(StorageFault) in try first.accept(record, tag: tag) }
        let summary = first.summary
        #expect(summary == SpanSummary(tags: TagHash.of(tag(1)), records: 1, plainBytes: 1000))
        #expect(try SpanSummary(decoding: summary.encoded()) == summary)
        #expect(
            faultID { () throws(StorageFault) in try first.finish(summary, expected: summary) } == "TAPE-SET-TRUNCATED")
        record = SealedHeader(set: SealingSamples.set, span: 1, counter: 1)
        record.flag = .lastOfSpan
        try tag(2).withBytes { (tag) throws(StorageFault) in try first.accept(record, tag: tag) }
        try first.finish(summary, expected: summary)
        var wrong = summary
        wrong.records = 2
        #expect(
            faultID { () throws(StorageFault) in try first.finish(wrong, expected: summary) } == "TAPE-RECORD-ORDER")

        let hash = first.tags.digest()
        record = SealedHeader(set: SealingSamples.set, span: 2, counter: 0)
        record.flag = .lastOfSet
        var second = SpanSequence(set: SealingSamples.set, span: 2, before: hash)
        #expect(feed([record], &second) == "TAPE-SPAN-WRONG")
        record.before = second.binding
        #expect(feed([record], &second) == nil)
        #expect(second.binding == hash.little(UInt64.self, at: 0))
    }

    @Test(arguments: [0, 43, 45])
    func `a last record of another length is none`(count: Int) {
        #expect(
            faultID { () throws(StorageFault) in _ = try SpanSummary(decoding: [UInt8](repeating: 0, count: count)) }
                == "TAPE-RECORD-ORDER")
    }
}
