import Files
import Foundation
import Glibc
import Testing

@testable import Tape

@Suite("Sealing: certificate stores")
struct SealingStoreTests {
    private func id(_ body: () throws(StorageFault) -> Void) -> String? { faultID(body) }

    @Test func `a store that is missing, empty, expired or without keys encrypts nothing, each with DPM's number`()
        throws
    {
        let lab = try StoreLab(prepared: false)
        func encrypts(_ now: Int64 = SealingKeys.now) -> String? {
            id { () throws(StorageFault) in _ = try lab.stores.encryptors(at: now) }
        }
        #expect(encrypts() == "TAPE-24072")
        #expect(id { () throws(StorageFault) in _ = try lab.stores.openers() } == "TAPE-24072")
        #expect(id { () throws(StorageFault) in try lab.stores.insert(SealingKeys.ec, into: .backup) } == "TAPE-24072")
        try lab.stores.prepare()
        #expect(encrypts() == "TAPE-24073")
        #expect(try lab.stores.openers().isEmpty)
        // The restore store only decrypts.
        try lab.stores.insert(SealingKeys.rsa, into: .restore)
        #expect(encrypts() == "TAPE-24073")
        try lab.stores.insert(KeyedCertificate(withoutKey: SealingKeys.ec.certificate), into: .backup)
        #expect(encrypts() == "TAPE-24078")
        try lab.stores.insert(SealingKeys.ec, into: .backup)
        #expect(encrypts() == nil)
        #expect(encrypts(SealingKeys.until + 1) == "TAPE-24070")
        #expect(encrypts(SealingKeys.from - 1) == "TAPE-24070")
        let fault = #expect(throws: StorageFault.self) { try lab.stores.encryptors(at: SealingKeys.until + 1) }
        #expect(fault?.cause.contains("\(SealingKeys.ec.certificate.thumbprint) has expired") == true)
        // What has expired still opens.
        #expect(try lab.stores.openers().map(\.certificate.subject) == ["CN=DPM tape EC", "CN=DPM tape RSA"])
    }

    @Test func `all valid certificates of the backup store encrypt, the newest first`() throws {
        let lab = try StoreLab()
        let day: Int64 = 86_400
        var expected: [Certificate] = []
        for (index, (from, until)) in [(0, 100), (10, 50), (20, 30), (40, 400), (60, 90)].enumerated() {
            let keyed = SealingKeys.make(
                "\(index)", .p256, seed: UInt64(index), from: Int64(from) * day, until: Int64(until) * day)
            try lab.stores.insert(keyed, into: .backup)
            if [0, 1, 3].contains(index) { expected.insert(keyed.certificate, at: 0) }
        }
        #expect(try lab.stores.encryptors(at: 45 * day) == expected)
    }

    @Test func `a certificate that runs out is warned of, with the days left, until another one is there`() throws {
        let lab = try StoreLab()
        try lab.stores.insert(SealingKeys.ec, into: .backup)
        func warnings(_ before: Int64) throws -> [String] {
            try lab.stores.warnings(at: SealingKeys.until - before).map { "\($0.id) \($0.severity) \($0.daysLeft)" }
        }
        let day: Int64 = 86_400
        let cases: [(Int64, [String])] = [
            (31 * day, []), (30 * day, []), (30 * day - 1, ["TAPE-24058 warning 29"]),
            (7 * day, ["TAPE-24058 warning 7"]),
            (7 * day - 1, ["TAPE-24059 critical 6"]), (0, ["TAPE-24059 critical 0"]), (-1, []),
        ]
        for (before, expected) in cases { #expect(try warnings(before) == expected) }
        #expect(
            try lab.stores.warnings(at: SealingKeys.until)[0].description.hasPrefix(
                "TAPE-24059 certificate \(SealingKeys.ec.certificate.thumbprint): "))
        try lab.stores.insert(
            SealingKeys.make("Next", .p256, seed: 6, until: SealingKeys.until + 400 * day), into: .backup)
        #expect(try warnings(day).isEmpty)
    }

    @Test func `a certificate store that changes while a job runs makes the job fail`() throws {
        let lab = try StoreLab()
        try lab.stores.insert(SealingKeys.ec, into: .backup)
        let basis = try lab.stores.basis(at: SealingKeys.now)
        #expect(basis.certificates == [SealingKeys.ec.certificate])
        try lab.stores.confirm(basis)
        try lab.stores.insert(SealingKeys.rsa, into: .restore)
        try lab.stores.confirm(basis)
        try lab.stores.rotate(to: SealingKeys.rsa)
        let fault = #expect(throws: StorageFault.self) { try lab.stores.confirm(basis) }
        #expect(fault?.id == "TAPE-24060")
        #expect(fault?.cause.contains("\(SealingKeys.ec.certificate.thumbprint) is gone") == true)
        #expect(fault?.cause.contains("\(SealingKeys.rsa.certificate.thumbprint) has come") == true)
        try lab.stores.confirm(lab.stores.basis(at: SealingKeys.now))
    }

    @Test(arguments: [nil, "at rest"])
    func `certificates are created, imported, listed, exported, moved and removed`(password: String?) throws {
        let lab = try StoreLab(password: password)
        let made = try lab.stores.create("Made", key: .p256, from: SealingKeys.from, until: SealingKeys.until)
        let pem = try lab.stores.importPEM(
            SealingKeys.ec.pem(withKey: true, password: "p"), password: "p", into: .backup)
        let pfx = try lab.stores.importPKCS12(SealingKeys.other.pkcs12(password: "q"), password: "q", into: .restore)
        #expect(try lab.thumbprints(.backup) == [made.thumbprint, pem.thumbprint])
        #expect(try lab.thumbprints(.restore) == [pfx.thumbprint])
        #expect(try lab.stores.contents(of: .backup).certificates.allSatisfy(\.hasKey))
        #expect(
            lab.disk.paths == [
                "server/DPMBackupStore/\(min(made.thumbprint, pem.thumbprint)).pem",
                "server/DPMBackupStore/\(max(made.thumbprint, pem.thumbprint)).pem",
                "server/DPMRestoreStore/\(pfx.thumbprint).pem",
            ])
        for path in lab.disk.paths {
            let text = String(decoding: lab.disk.contents(path)!, as: UTF8.self)
            #expect(text.contains("BEGIN ENCRYPTED PRIVATE KEY") == (password != nil))
            #expect(text.contains("BEGIN PRIVATE KEY") == (password == nil))
        }
        let exported = try lab.stores.exportPEM(pem.thumbprint, withKey: true)
        #expect(try KeyedCertificate(pem: exported).key!.copy == SealingKeys.ec.key!.copy)
        #expect(try !KeyedCertificate(pem: lab.stores.exportPEM(pem.thumbprint, withKey: false)).hasKey)
        #expect(
            try KeyedCertificate(pkcs12: lab.stores.exportPKCS12(pfx.thumbprint, password: "z"), password: "z")
                .certificate == pfx)
        try lab.stores.move(pfx.thumbprint, to: .backup)
        #expect(try lab.thumbprints(.restore).isEmpty && lab.thumbprints(.backup).count == 3)
        try lab.stores.remove(pfx.thumbprint, from: .backup)
        for wrong in [
            id { () throws(StorageFault) in try lab.stores.remove(pfx.thumbprint, from: .backup) },
            id { () throws(StorageFault) in try lab.stores.move(pfx.thumbprint, to: .restore) },
            id { () throws(StorageFault) in _ = try lab.stores.find(pfx.thumbprint) },
        ] { #expect(wrong == "TAPE-NO-CERTIFICATE") }
    }

    @Test func `a certificate imported again without its key keeps it`() throws {
        let lab = try StoreLab()
        try lab.stores.insert(SealingKeys.ec, into: .backup)
        try lab.stores.importPEM(SealingKeys.ec.pem(withKey: false), into: .backup)
        #expect(try lab.stores.find(SealingKeys.ec.certificate.thumbprint).keyed.hasKey)
        // And one without a key gets it when it comes.
        try lab.stores.insert(KeyedCertificate(withoutKey: SealingKeys.other.certificate), into: .restore)
        #expect(try !lab.stores.openers().allSatisfy(\.hasKey))
        try lab.stores.insert(SealingKeys.other, into: .restore)
        #expect(try lab.stores.openers().allSatisfy(\.hasKey))
    }

    @Test func `a set written with A opens after the change to B, and names A when A is gone`() throws {
        let lab = try StoreLab()
        let a = try lab.stores.create("A", key: .rsa3072, from: SealingKeys.from, until: SealingKeys.until)
        var old = try SpanEnvelope(
            set: SealingSamples.set, family: 9, span: 1, suite: .aes256gcm, secrets: SeededSecrets(seed: 1))
        try old.close(SealingSamples.key, created: SealingKeys.now, to: lab.stores.encryptors(at: SealingKeys.now))

        try lab.stores.rotate(to: SealingKeys.ec)
        #expect(try lab.thumbprints(.restore) == [a.thumbprint])
        #expect(try lab.stores.encryptors(at: SealingKeys.now) == [SealingKeys.ec.certificate])
        var new = old
        try new.close(SealingSamples.key, created: SealingKeys.now, to: lab.stores.encryptors(at: SealingKeys.now))
        #expect(new.thumbprints == [SealingKeys.ec.certificate.thumbprint])
        for envelope in [old, new] {
            #expect(
                try SpanEnvelope(decoding: envelope.encoded()).open(with: lab.stores.openers()).bytes
                    == SealingSamples.key.bytes)
        }
        try lab.stores.remove(a.thumbprint, from: .restore)
        let fault = #expect(throws: StorageFault.self) { try old.open(with: lab.stores.openers()) }
        #expect(fault?.id == "TAPE-24071")
        #expect(fault?.cause.contains(a.thumbprint.description) == true)
        #expect(fault?.cause.contains(SealingKeys.ec.certificate.thumbprint.description) == false)
        #expect(try new.open(with: lab.stores.openers()).bytes == SealingSamples.key.bytes)
    }

    @Test func `wherever the power goes during a rotation, no key is lost and the backup store encrypts`() throws {
        let first = try StoreLab()
        try first.stores.insert(SealingKeys.ec, into: .backup)
        let whole = first.disk.copy()
        try StoreLab(whole, prepared: false).stores.rotate(to: SealingKeys.other)
        let calls = whole.writeCalls
        #expect(calls > 8)
        for call in 1...calls {
            for loss in [SimulatedDisk.Loss.none, .all, .torn(seed: UInt64(call)), .torn(seed: UInt64(call) + 1000)] {
                let lab = try StoreLab(first.disk.copy(), prepared: false)
                lab.disk.cutAt = call
                #expect(id { () throws(StorageFault) in try lab.stores.rotate(to: SealingKeys.other) } == "DISK-CUT")
                lab.disk.powerCut(loss)
                let openers = try lab.stores.openers()
                #expect(
                    openers.contains { $0.certificate == SealingKeys.ec.certificate && $0.hasKey },
                    "call \(call), \(loss)")
                #expect(try !lab.stores.encryptors(at: SealingKeys.now).isEmpty, "call \(call), \(loss)")
                for store in CertificateStores.Store.allCases {
                    #expect(try lab.stores.contents(of: store).unreadable.isEmpty, "call \(call), \(loss)")
                }
                try lab.stores.rotate(to: SealingKeys.other)
                #expect(try lab.thumbprints(.backup) == [SealingKeys.other.certificate.thumbprint])
                #expect(try lab.thumbprints(.restore) == [SealingKeys.ec.certificate.thumbprint])
            }
        }
    }

    @Test(arguments: [EIO, ENOSPC], [false, true])
    func `a disk that fails is told of, and the certificate that was there stays`(code: Int32, forEver: Bool) throws {
        let first = try StoreLab()
        try first.stores.insert(SealingKeys.ec, into: .backup)
        for call in 1...16 {
            let lab = try StoreLab(first.disk.copy(), prepared: false)
            lab.disk.fault = SimulatedDisk.Fault(call: call, onlyWrites: false, code: code, forEver: forEver)
            let failed = id { () throws(StorageFault) in try lab.stores.rotate(to: SealingKeys.other) }
            lab.disk.fault = nil
            #expect(failed == nil || failed?.hasPrefix("FILE-") == true, "call \(call): \(failed ?? "")")
            let openers = try lab.stores.openers()
            #expect(openers.contains { $0.certificate == SealingKeys.ec.certificate && $0.hasKey }, "call \(call)")
        }
    }

    @Test func `a damaged file does not stand in the way of the others, and is told of`() throws {
        let lab = try StoreLab()
        try lab.stores.insert(SealingKeys.ec, into: .backup)
        let path = "/server/DPMBackupStore/\(SealingKeys.ec.certificate.thumbprint).pem"
        let bytes = lab.disk.contents(path)!
        lab.disk.setContents(path, Array("rubbish".utf8))
        #expect(
            id { () throws(StorageFault) in _ = try lab.stores.encryptors(at: SealingKeys.now) } == "TAPE-CERTIFICATE")
        try lab.stores.insert(SealingKeys.rsa, into: .backup)
        #expect(try lab.stores.encryptors(at: SealingKeys.now) == [SealingKeys.rsa.certificate])
        let contents = try lab.stores.contents(of: .backup)
        #expect(contents.unreadable.map(\.object) == [path])
        #expect(try lab.stores.openers().map(\.certificate) == [SealingKeys.rsa.certificate])
        // A file under another's name is not that certificate.
        lab.disk.setContents(path, try SealingKeys.other.pem(withKey: true))
        #expect(try lab.stores.contents(of: .backup).unreadable.count == 1)
        lab.disk.setContents(path, bytes)
        #expect(try lab.stores.contents(of: .backup).unreadable.isEmpty)
        // Other files and drafts are left alone.
        lab.disk.setContents("/server/DPMBackupStore/README.txt", [1])
        lab.disk.setContents(path + ".new", [1])
        #expect(try lab.stores.contents(of: .backup).certificates.count == 2)
        // Keys under another password are not readable.
        let other = CertificateStores(folder: "/server", on: lab.disk, secrets: SeededSecrets(seed: 1), password: "x")
        #expect(try other.openers().count == 2)
        let locked = try StoreLab(password: "right")
        try locked.stores.insert(SealingKeys.ec, into: .backup)
        let wrong = CertificateStores(
            folder: "/server", on: locked.disk, secrets: SeededSecrets(seed: 1), password: "wrong")
        #expect(id { () throws(StorageFault) in _ = try wrong.encryptors(at: SealingKeys.now) } == "TAPE-PASSWORD")
    }

    @Test func `on the computer's own disk only the owner reads a key`() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("dpmsim-stores-\(getpid())").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let stores = CertificateStores(folder: folder, on: HostFiles(), secrets: HostSecrets())
        try stores.prepare()
        let made = try stores.create("Host", key: .p256, from: SealingKeys.from, until: SealingKeys.until)
        var status = stat()
        #expect(stat("\(folder)/DPMBackupStore/\(made.thumbprint).pem", &status) == 0)
        #expect(status.st_mode & 0o777 == 0o600)
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: folder + "/DPMBackupStore") == [
                "\(made.thumbprint).pem"
            ])
        #expect(try stores.openers().map(\.certificate) == [made])
    }
}
