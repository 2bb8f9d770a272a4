import Files
import Testing

@testable import Tape

/// Bytes of hexadecimal digits.
func hex(_ digits: String) -> [UInt8] {
    let digits = Array(digits.utf8)
    return stride(from: 0, to: digits.count, by: 2).map {
        UInt8(String(decoding: digits[$0..<$0 + 2], as: UTF8.self), radix: 16)!
    }
}

/// The id of the fault a call ends with; nil if it ends well.
func faultID(_ body: () throws(StorageFault) -> Void) -> String? {
    do throws(StorageFault) {
        try body()
        return nil
    } catch { return error.id }
}

enum SealingSamples {
    static let set = GUID("2DC27766-F623-4200-9D64-115E9BFD4A08")!
    static let key = SetKey(bytes: (0..<32).map { UInt8($0) })
    static let salt = [UInt8](repeating: 0x5A, count: 32)
    static let prefix: [UInt8] = [1, 2, 3, 4, 5, 6, 7]

    static func recordKey(span: UInt32 = 1) throws -> RecordKey {
        try key.recordKey(salt: salt, set: set, family: 9, span: span)
    }

    static func header(_ counter: UInt32, _ content: [UInt8], span: UInt32 = 1, flag: SealedHeader.Flag = .more)
        -> SealedHeader
    {
        var header = SealedHeader(set: set, span: span, counter: counter)
        header.flag = flag
        header.plainLength = UInt64(content.count)
        header.file = 3
        header.firstByte = 1 << 40
        return header
    }

    static func seal(_ sealer: RecordSealer, _ header: SealedHeader, _ content: [UInt8]) throws -> [UInt8] {
        var target = [UInt8](repeating: 0xEE, count: SealedHeader.overhead + content.count + 5)
        let count = try content.withBytes { (content) throws(StorageFault) in
            try target.withMutableBytes { (target) throws(StorageFault) in
                try sealer.seal(header, content, into: target)
            }
        }
        return Array(target[..<count])
    }

    static func open(_ sealer: RecordSealer, _ sealed: [UInt8]) throws(StorageFault) -> (SealedHeader, [UInt8]) {
        var target = [UInt8](repeating: 0, count: 1 << 16)
        let header = try sealed.withBytes { (sealed) throws(StorageFault) in
            try target.withMutableBytes { (target) throws(StorageFault) in try sealer.open(sealed, into: target) }
        }
        return (header, Array(target[..<Int(header.storedLength)]))
    }
}

@Suite("Sealing of records")
struct SealingRecordTests {
    /// RFC 5869, appendix A, the cases with SHA-256.
    @Test(arguments: [
        (
            "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "000102030405060708090a0b0c", "f0f1f2f3f4f5f6f7f8f9",
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
        ),
        (
            "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f",
            "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
            "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87"
        ),
        (
            "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "",
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
        ),
    ])
    func `HKDF answers as RFC 5869 says`(key: String, salt: String, info: String, expected: String) throws {
        let secret = SecretBytes(copying: hex(key))
        let derived = try HKDF.sha256(
            key: secret, salt: hex(salt), info: hex(info), count: expected.utf8.count / 2)
        #expect(derived.copy == hex(expected))
    }

    /// McGrew and Viega, "The Galois/Counter Mode of Operation", test cases 13 to 16, which NIST SP 800-38D refers to.
    @Test(arguments: [
        ("00", "00", "", "", "", "530f8afbc74536b9a963b4f1c4cb738b"),
        (
            "00", "00", "", "00000000000000000000000000000000", "cea7403d4d606b6e074ec5d3baf39d18",
            "d0d1c8a799996bf0265b98b5d48ab919"
        ),
        (
            "feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888", "",
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad",
            "b094dac5d93471bdec1a502270e3cc6c"
        ),
        (
            "feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
            "feedfacedeadbeeffeedfacedeadbeefabaddad2",
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
            "76fc6ece0f4e1768cddf8853bb2d551b"
        ),
    ])
    func `AES-256-GCM answers as its specification says`(
        key: String, nonce: String, facts: String, plain: String, cipher: String, tag: String
    ) throws {
        func filled(_ digits: String, _ count: Int) -> [UInt8] {
            let bytes = hex(digits)
            return (0..<count).map { bytes[$0 % bytes.count] }
        }
        let gcm = GCM(SecretBytes(copying: filled(key, 32)))
        let (nonce, facts, plain) = (filled(nonce, 12), hex(facts), hex(plain))
        var sealed = [UInt8](repeating: 0, count: plain.count + 16)
        // Twice, as the state is kept from one message to the next.
        for _ in 0..<2 {
            let done = try nonce.withUnsafeBytes { nonce in
                try facts.withUnsafeBytes { facts in
                    try plain.withUnsafeBytes { plain in
                        try sealed.withUnsafeMutableBytes {
                            try gcm.seal(nonce: nonce.baseAddress!, facts: facts, plain, into: $0.baseAddress!)
                        }
                    }
                }
            }
            #expect(done)
            #expect(sealed == hex(cipher) + hex(tag))
        }
        var back = [UInt8](repeating: 0xEE, count: plain.count + 1)
        let fits = try nonce.withUnsafeBytes { nonce in
            try facts.withUnsafeBytes { facts in
                try sealed.withUnsafeBytes { sealed in
                    try back.withUnsafeMutableBytes {
                        try gcm.open(nonce: nonce.baseAddress!, facts: facts, sealed, into: $0.baseAddress)
                    }
                }
            }
        }
        #expect(fits)
        #expect(Array(back.dropLast()) == plain)
    }

    @Test func `a sealed record is, byte for byte, what another program computes from the written format`() throws {
        let content = Array("tape".utf8)
        let encrypted = try RecordSealer(SealingSamples.recordKey(), prefix: SealingSamples.prefix)
        let sealed = try SealingSamples.seal(encrypted, SealingSamples.header(7, content, flag: .lastOfSet), content)
        #expect(sealed == hex(Self.goldenEncrypted))
        let plain = try RecordSealer(nil, prefix: SealingSamples.prefix)
        #expect(
            try SealingSamples.seal(plain, SealingSamples.header(7, content, flag: .lastOfSet), content)
                == hex(Self.goldenPlain))
        #expect(try SealingSamples.key.authenticate(content) == hex(Self.goldenSeal))
    }

    @Test(arguments: [true, false], [0, 1, 15, 16, 17, 4096, 60_000])
    func `what is sealed opens again`(encrypted: Bool, count: Int) throws {
        let content = try SeededSecrets(seed: UInt64(count)).bytes(count)
        let sealer = try RecordSealer(encrypted ? SealingSamples.recordKey() : nil, prefix: SealingSamples.prefix)
        let opener = try RecordSealer(encrypted ? SealingSamples.recordKey() : nil, prefix: SealingSamples.prefix)
        for counter in [UInt32(0), 1, 500, .max] {
            var header = SealingSamples.header(counter, content)
            if counter == 500 { (header.compression, header.plainLength) = (.zstd, 1_000_000) }
            if count == 0 { (header.compression, header.plainLength) = (.zeros, 1 << 50) }
            let sealed = try SealingSamples.seal(sealer, header, content)
            #expect(sealed.count == content.count + SealedHeader.overhead)
            let (found, back) = try SealingSamples.open(opener, sealed)
            header.suite = encrypted ? .aes256gcm : .none
            header.storedLength = UInt32(content.count)
            #expect(found == header)
            #expect(back == content)
        }
    }

    @Test func `content that already lies in its place is sealed there`() throws {
        let content = try SeededSecrets(seed: 4).bytes(1000)
        for key in [try SealingSamples.recordKey(), nil] {
            let expected = try SealingSamples.seal(
                RecordSealer(key, prefix: SealingSamples.prefix), SealingSamples.header(0, content), content)
            var place = [UInt8](repeating: 0, count: 1080)
            place.put(content, at: 64)
            let sealer = try RecordSealer(key, prefix: SealingSamples.prefix)
            let count = try place.withMutableBytes { (place) throws(StorageFault) in
                try sealer.seal(
                    SealingSamples.header(0, content), UnsafeRawBufferPointer(rebasing: place[64..<1064]), into: place)
            }
            #expect(count == 1080)
            #expect(place == expected)
        }
    }

    @Test(arguments: [true, false])
    func `every single changed bit of header, content and tag is refused, and nothing is given out`(encrypted: Bool)
        throws
    {
        let content = try SeededSecrets(seed: 1).bytes(100)
        let key = encrypted ? try SealingSamples.recordKey() : nil
        let sealer = try RecordSealer(key, prefix: SealingSamples.prefix)
        let sealed = try SealingSamples.seal(sealer, SealingSamples.header(2, content), content)
        var undetected: [Int] = []
        var leaked: [Int] = []
        for bit in 0..<8 * sealed.count {
            var changed = sealed
            changed[bit / 8] ^= 1 << UInt8(bit % 8)
            var target = [UInt8](repeating: 0, count: 1 << 12)
            let id = faultID { () throws(StorageFault) in
                _ = try changed.withBytes { (changed) throws(StorageFault) in
                    try target.withMutableBytes { (target) throws(StorageFault) in
                        try sealer.open(changed, into: target)
                    }
                }
            }
            if id != "TAPE-RECORD-TAG" { undetected.append(bit) }
            if target.contains(where: { $0 != 0 }) { leaked.append(bit) }
        }
        #expect(undetected.isEmpty)
        #expect(leaked.isEmpty)
    }

    @Test func `a record of another length than its header tells is refused`() throws {
        let content = [UInt8](repeating: 7, count: 50)
        for key in [try SealingSamples.recordKey(), nil] {
            let sealer = try RecordSealer(key, prefix: SealingSamples.prefix)
            let sealed = try SealingSamples.seal(sealer, SealingSamples.header(0, content), content)
            for count in 0..<sealed.count {
                #expect(
                    faultID { () throws(StorageFault) in _ = try SealingSamples.open(sealer, Array(sealed[..<count])) }
                        == "TAPE-RECORD-TAG")
            }
            #expect(
                faultID { () throws(StorageFault) in _ = try SealingSamples.open(sealer, sealed + [0]) }
                    == "TAPE-RECORD-TAG")
            var small = [UInt8](repeating: 0, count: 49)
            let id = faultID { () throws(StorageFault) in
                _ = try sealed.withBytes { (sealed) throws(StorageFault) in
                    try small.withMutableBytes { (small) throws(StorageFault) in try sealer.open(sealed, into: small) }
                }
            }
            #expect(id == "TAPE-24074")
        }
    }

    @Test func `keys of other sets, families, spans and salts, other prefixes and other suites do not open a record`()
        throws
    {
        let content = Array("secret".utf8)
        let samples = SealingSamples.self
        let sealed = try samples.seal(
            RecordSealer(samples.recordKey(), prefix: samples.prefix), samples.header(0, content), content)
        let plain = try samples.seal(RecordSealer(nil, prefix: samples.prefix), samples.header(0, content), content)
        let right = try samples.recordKey()
        let others: [(RecordKey?, [UInt8], [UInt8])] = [
            (
                try SetKey(bytes: [UInt8](repeating: 0, count: 32)).recordKey(
                    salt: samples.salt, set: samples.set, family: 9, span: 1), samples.prefix, sealed
            ),
            (
                try samples.key.recordKey(salt: samples.prefix, set: samples.set, family: 9, span: 1), samples.prefix,
                sealed
            ),
            (try samples.key.recordKey(salt: samples.salt, set: .zero, family: 9, span: 1), samples.prefix, sealed),
            (
                try samples.key.recordKey(salt: samples.salt, set: samples.set, family: 8, span: 1), samples.prefix,
                sealed
            ),
            (
                try samples.key.recordKey(salt: samples.salt, set: samples.set, family: 9, span: 2), samples.prefix,
                sealed
            ),
            (right, [1, 2, 3, 4, 5, 6, 8], sealed), (nil, samples.prefix, sealed), (right, samples.prefix, plain),
        ]
        for (key, prefix, record) in others {
            let opener = try RecordSealer(key, prefix: prefix)
            #expect(faultID { () throws(StorageFault) in _ = try samples.open(opener, record) } == "TAPE-RECORD-TAG")
        }
        #expect(try samples.open(RecordSealer(right, prefix: samples.prefix), sealed).1 == content)
    }

    @Test func `a sealer takes no counter twice, but may end a span with a counter that another record had`() throws {
        let sealer = try RecordSealer(SealingSamples.recordKey(), prefix: SealingSamples.prefix)
        func seal(_ counter: UInt32, _ flag: SealedHeader.Flag = .more) -> String? {
            faultID { () throws(StorageFault) in
                var target = [UInt8](repeating: 0, count: 100)
                _ = try [UInt8]([1]).withBytes { (content) throws(StorageFault) in
                    try target.withMutableBytes { (target) throws(StorageFault) in
                        try sealer.seal(SealingSamples.header(counter, [1], flag: flag), content, into: target)
                    }
                }
            }
        }
        #expect(seal(0) == nil)
        #expect(seal(4) == nil)
        #expect(seal(4) == "TAPE-24074")
        #expect(seal(3) == "TAPE-24074")
        #expect(seal(4, .lastOfSpan) == nil)
        #expect(seal(4, .lastOfSpan) == "TAPE-24074")
        #expect(seal(5) == nil)
    }

    @Test func `a header no writer writes is neither sealed nor read`() throws {
        let changes: [(String, (inout SealedHeader) -> Void)] = [
            ("span 0", { $0.span = 0 }),
            ("a hash of the span before in record 1", { $0.before = 1 }),
            ("a hash of the span before span 1", { ($0.before, $0.counter) = (1, 0) }),
            ("bytes beyond any file", { $0.firstByte = .max }),
            ("zeros with content", { $0.compression = .zeros }),
            ("stored content of another length", { $0.plainLength = 5 }),
            ("compressed content of too much", { ($0.compression, $0.plainLength) = (.zstd, 1_044_481) }),
        ]
        for (what, change) in changes {
            var header = SealingSamples.header(1, [9])
            change(&header)
            let sealer = try RecordSealer(nil, prefix: SealingSamples.prefix)
            #expect(throws: StorageFault.self, "\(what)") { try SealingSamples.seal(sealer, header, [9]) }
            var bytes = [UInt8](repeating: 0, count: 64)
            header.storedLength = 1
            bytes.withUnsafeMutableBytes { header.put(into: $0) }
            let id = faultID { () throws(StorageFault) in
                _ = try bytes.withBytes { (bytes) throws(StorageFault) in try SealedHeader(bytes) }
            }
            #expect(id == "TAPE-RECORD-TAG", "\(what)")
        }
    }

    @Test func `chance with a seed repeats itself, chance of the computer does not`() throws {
        #expect(try SeededSecrets(seed: 1).bytes(100) == SeededSecrets(seed: 1).bytes(100))
        #expect(try SeededSecrets(seed: 1).bytes(32) != SeededSecrets(seed: 2).bytes(32))
        let host = HostSecrets()
        #expect(try host.bytes(32) != host.bytes(32))
        #expect(try host.bytes(0).isEmpty)
        let seeded = SeededSecrets(seed: 1)
        #expect(Set(try (0..<1000).map { _ in try seeded.bytes(7) }).count == 1000)
    }

    @Test func `a tag hash is SHA-256 of what was added, and copies go their own ways`() {
        var hash = TagHash()
        #expect(hash.digest() == hex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"))
        hash.add(Array("a".utf8))
        var copy = hash
        copy.add(Array("x".utf8))
        hash.add(Array("bc".utf8))
        #expect(hash.digest() == hex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"))
        #expect(copy.digest() == TagHash.of(Array("ax".utf8)))
    }

    /// Made by a Python program with PyPI's cryptography and xxhash.
    static let goldenEncrypted =
        "44504d52010100016677c22d23f600429d64115e9bfd4a08010000000700000000000000000100000400000000000000040000000300000000000000000000005e3656f07592b5af38476c6958a3831a9fb34c30"
    static let goldenPlain =
        "44504d52010000016677c22d23f600429d64115e9bfd4a08010000000700000000000000000100000400000000000000040000000300000000000000000000007461706520b37684c66ee4a1de4685d14f71d38e"
    static let goldenSeal = "516b5f6a11ecdfb80bcc1e99cead7f3e44f2b9f7a37be647722050c6777f1703"
}
