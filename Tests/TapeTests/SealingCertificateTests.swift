import Files
import Foundation
import Testing

@testable import Tape

@Suite("Sealing: certificates")
struct SealingCertificateTests {
    @Test(arguments: [SealingKeys.rsa, SealingKeys.ec])
    func `a certificate of ours says of itself what the openssl program says of it`(keyed: KeyedCertificate) throws {
        let program = try OpenSSLProgram()
        let certificate = keyed.certificate
        try program.put(certificate.pem(), "cert.pem")
        let printed = try program.run(
            "x509 -in cert.pem -noout -subject -issuer -serial -fingerprint -sha1 -startdate -enddate -nameopt RFC2253 -ext keyUsage,basicConstraints,subjectKeyIdentifier"
        )
        let fingerprint = certificate.thumbprint.bytes.map {
            ($0 < 16 ? "0" : "") + String($0, radix: 16, uppercase: true)
        }
        for line in [
            "subject=\(certificate.subject)", "issuer=\(certificate.issuer)", "serial=\(certificate.serial)",
            "Fingerprint=" + fingerprint.joined(separator: ":"), "notBefore=Nov 14 22:13:20 2023 GMT",
            "notAfter=Nov 13 22:13:20 2024 GMT", "CA:FALSE",
        ] { #expect(printed.contains(line), "\(line) is not in \(printed)") }
        #expect(
            certificate.key
                == (keyed.certificate == SealingKeys.rsa.certificate ? .rsa(bits: 3072) : .ec(curve: "P-256")))
        try program.run("verify -check_ss_sig -attime \(SealingKeys.now) -CAfile cert.pem cert.pem")
        try program.put(keyed.pem(withKey: true), "keyed.pem")
        try program.run("pkey -in keyed.pem -check -noout")
    }

    @Test func `validity begins and ends when it says, and a thumbprint reads as it is written`() throws {
        let certificate = SealingKeys.ec.certificate
        #expect(certificate.notBefore == SealingKeys.from && certificate.notAfter == SealingKeys.until)
        let cases: [(Int64, Bool)] = [(-1, false), (0, true), (365 * 86_400, true), (365 * 86_400 + 1, false)]
        for (offset, valid) in cases { #expect(certificate.isValid(at: SealingKeys.from + offset) == valid) }
        let text = certificate.thumbprint.description
        #expect(text.utf8.count == 40 && text == text.uppercased())
        #expect(Thumbprint(text) == certificate.thumbprint)
        #expect(Thumbprint(text.lowercased()) == certificate.thumbprint)
        for wrong in [
            "", "12", String(text.dropLast()), text + "00", String(text.dropLast()) + "G", "+1" + text.dropFirst(2),
        ] {
            #expect(Thumbprint(wrong) == nil, "\(wrong)")
        }
    }

    @Test(
        arguments: [
            ("", 0, 1), (String(repeating: "x", count: 65), 0, 1), ("a\nb", 0, 1), ("a", 5, 5), ("a", -5, 5),
            ("a", 0, 253_402_300_800),
        ] as [(String, Int64, Int64)])
    func `a certificate with an impossible name or time is not made`(name: String, from: Int64, until: Int64) {
        #expect(
            faultID { () throws(StorageFault) in
                _ = try KeyedCertificate.selfSigned(
                    name, key: .p256, from: from, until: until, secrets: SeededSecrets(seed: 1))
            } == "TAPE-CERTIFICATE")
    }

    @Test func `a foreign certificate that OpenSSL would write otherwise keeps its bytes and its thumbprint`() throws {
        let der = SealingKeys.ec.certificate.der
        var (kept, others) = (0, 0)
        for index in der.indices {
            var changed = der
            changed[index] ^= 1
            guard let read = try? Certificate(der: changed) else { continue }
            kept += 1
            let back = try KeyedCertificate(pem: read.pem()).certificate
            if back != read || back.der != changed || back.thumbprint == SealingKeys.ec.certificate.thumbprint {
                others += 1
            }
        }
        #expect(kept > 50)
        #expect(others == 0)
    }

    @Test func `names beyond ASCII and dates beyond 2050 come back`() throws {
        let keyed = SealingKeys.make("Köln, Sicherung ☂", .p256, seed: 4, from: 0, until: 253_402_300_799)
        #expect(keyed.certificate.subject == "CN=Köln\\, Sicherung ☂")
        #expect(keyed.certificate.notBefore == 0 && keyed.certificate.notAfter == 253_402_300_799)
    }

    @Test(arguments: [
        "rsa:2048", "ec -pkeyopt ec_paramgen_curve:P-256", "ec -pkeyopt ec_paramgen_curve:P-384",
        "ec -pkeyopt ec_paramgen_curve:P-521",
    ])
    func `certificates the openssl program made are imported as PEM and PKCS#12, with their keys in every form`(
        kind: String
    ) throws {
        let program = try OpenSSLProgram()
        let pem = try SealingKeys.foreign(program, kind)
        let keyed = try KeyedCertificate(pem: pem)
        #expect(keyed.hasKey && keyed.chain.isEmpty && keyed.certificate.subject == "CN=Foreign")
        // Key first; without a key; encrypted; in the old form; old form encrypted.
        let (certificate, key) = (try program.get("cert.pem"), try program.get("key.pem"))
        #expect(
            try KeyedCertificate(pem: key + certificate).key?.copy
                == keyed.key?.copy)
        #expect(try !KeyedCertificate(pem: certificate).hasKey)
        for form in [
            "pkcs8 -topk8 -in key.pem -out form.pem -passout pass:open",
            "pkey -in key.pem -traditional -aes128 -out form.pem -passout pass:open",
        ] {
            try program.run(form)
            let locked = try certificate + program.get("form.pem")
            #expect(try KeyedCertificate(pem: locked, password: "open").key!.copy == keyed.key!.copy)
            for password in [nil, "", "Open"] {
                #expect(
                    faultID { () throws(StorageFault) in _ = try KeyedCertificate(pem: locked, password: password) }
                        == "TAPE-PASSWORD")
            }
        }
        try program.run("pkcs12 -export -in cert.pem -inkey key.pem -out file.pfx -passout pass:secret")
        let file = try program.get("file.pfx")
        let imported = try KeyedCertificate(pkcs12: file, password: "secret")
        #expect(imported.certificate == keyed.certificate && imported.key!.copy == keyed.key!.copy)
        #expect(
            faultID { () throws(StorageFault) in _ = try KeyedCertificate(pkcs12: file, password: "Secret") }
                == "TAPE-PASSWORD")
    }

    @Test func `the openssl program reads our PEM with a password and our PKCS#12`() throws {
        let program = try OpenSSLProgram()
        for keyed in [SealingKeys.rsa, SealingKeys.ec] {
            try program.put(keyed.pem(withKey: true, password: "gate"), "locked.pem")
            try program.run("pkey -in locked.pem -passin pass:gate -out opened.pem")
            #expect(throws: OpenSSLProgram.Failed.self) { try program.run("pkey -in locked.pem -passin pass:fate") }
            try program.put(keyed.pkcs12(password: "gate"), "file.pfx")
            try program.run("pkcs12 -in file.pfx -passin pass:gate -nodes -out all.pem")
            let back = try KeyedCertificate(pem: program.get("all.pem"))
            #expect(back.certificate == keyed.certificate && back.key!.copy == keyed.key!.copy)
            #expect(
                try KeyedCertificate(pkcs12: keyed.pkcs12(password: ""), password: "").key!.copy
                    == keyed.key!.copy)
        }
    }

    @Test func `a certificate comes with those who issued it, and goes with them`() throws {
        let program = try OpenSSLProgram()
        _ = try SealingKeys.foreign(program, "ec -pkeyopt ec_paramgen_curve:P-256", name: "CN=Root")
        try program.run("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out leaf.key")
        try program.run("req -new -key leaf.key -subj /CN=Leaf -out leaf.csr")
        try program.run("x509 -req -in leaf.csr -CA cert.pem -CAkey key.pem -set_serial 77 -days 10 -out leaf.pem")
        // The issuer in front: the key tells which one is meant.
        let keyed = try KeyedCertificate(
            pem: program.get("cert.pem") + program.get("leaf.pem") + program.get("leaf.key"))
        #expect(
            keyed.certificate.subject == "CN=Leaf" && keyed.certificate.issuer == "CN=Root"
                && keyed.certificate.serial == "4D")
        #expect(keyed.chain.map(\.subject) == ["CN=Root"])
        let back = try KeyedCertificate(pkcs12: keyed.pkcs12(password: "x"), password: "x")
        #expect(back.certificate == keyed.certificate && back.chain == keyed.chain)
        #expect(try KeyedCertificate(pem: keyed.pem(withKey: true)).chain == keyed.chain)
        #expect(try SealingKeys.envelope([keyed]).open(with: [back]).bytes == SealingSamples.key.bytes)
    }

    @Test func `a key whose password would keep the computer busy for hours is refused at once`() throws {
        // 2147483647 rounds of PBKDF2.
        let slow = """
            -----BEGIN ENCRYPTED PRIVATE KEY-----
            MIHuMFkGCSqGSIb3DQEFDTBMMCsGCSqGSIb3DQEFDDAeBAj/DP8VSF8YhAIEf///
            /zAMBggqhkiG9w0CCQUAMB0GCWCGSAFlAwQBKgQQaxAwEnTASLBqSMOhtwGs8gSB
            kCIaC1keym3hKgvpwAwOU9acZu2b9swZh4p9MO54e40FstEYEgEAwgBb4jgp264P
            sGTYpPIJuqk5+QvjSLx+pCqbu8dsOShRBHbvnDpTDUY69HRpDFAuwLcyW+5JPPZu
            BjEnJ+0mUWNztgsyhrW3XyibikEpXGuAHMLgpaB2AadEBBvd1Bg407akJBC3BCZQ
            LA==
            -----END ENCRYPTED PRIVATE KEY-----

            """
        let pem = try SealingKeys.ec.certificate.pem() + Array(slow.utf8)
        let fault = #expect(throws: StorageFault.self) { try KeyedCertificate(pem: pem, password: "p") }
        #expect(fault?.id == "TAPE-CERTIFICATE" && fault?.cause.contains("2147483647 rounds") == true)
    }

    @Test func `what is no usable certificate is refused with a reason`() throws {
        let program = try OpenSSLProgram()
        func cause(_ pem: [UInt8]) -> String? {
            do throws(StorageFault) {
                _ = try KeyedCertificate(pem: pem)
                return nil
            } catch { return error.id + " " + error.cause }
        }
        #expect(cause([]) == "TAPE-CERTIFICATE there is no certificate in the file")
        #expect(cause(Array("hello".utf8)) == "TAPE-CERTIFICATE there is no certificate in the file")
        #expect(cause([UInt8](repeating: 65, count: 1 << 20 + 1))?.contains("more than 1 MiB") == true)
        #expect(try cause(SealingKeys.foreign(program, "rsa:1024"))?.contains("1024 bits") == true)
        #expect(try cause(SealingKeys.foreign(program, "ed25519"))?.contains("neither RSA nor EC") == true)
        #expect(
            try cause(SealingKeys.foreign(program, "ec -pkeyopt ec_paramgen_curve:secp256k1"))?.contains("secp256k1")
                == true)
        let (one, two) = (try SealingKeys.ec.pem(withKey: true), try SealingKeys.other.pem(withKey: true))
        #expect(cause(one + two)?.contains("2 private keys") == true)
        let foreign =
            try SealingKeys.ec.pem(withKey: false)
            + two.drop { _ in false }.suffix(two.count - SealingKeys.other.certificate.pem().count)
        #expect(cause(foreign)?.contains("belongs to none") == true)
        #expect(
            faultID { () throws(StorageFault) in _ = try KeyedCertificate(pkcs12: [1, 2, 3], password: "") }
                == "TAPE-CERTIFICATE")
        #expect(
            faultID { () throws(StorageFault) in
                _ = try KeyedCertificate(withoutKey: SealingKeys.ec.certificate).pkcs12(password: "")
            }
                == "TAPE-24078")
        try program.put(SealingKeys.ec.pem(withKey: true), "keyed.pem")
        try program.run("pkcs12 -export -in keyed.pem -nomac -out file.pfx -passout pass:x")
        let file = try program.get("file.pfx")
        #expect(
            faultID { () throws(StorageFault) in _ = try KeyedCertificate(pkcs12: file, password: "x") }
                == "TAPE-CERTIFICATE")
    }
}
