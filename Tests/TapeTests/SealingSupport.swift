import Files
import Foundation
import Testing

@testable import Tape

/// The `openssl` program on files in a folder of its own, as the reader and writer nobody here wrote.
final class OpenSSLProgram {
    struct Failed: Error, CustomStringConvertible { let description: String }
    let folder: URL

    init() throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("dpmsim-sealing-\(getpid())-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    func put(_ bytes: [UInt8], _ name: String) throws { try Data(bytes).write(to: folder.appendingPathComponent(name)) }

    func get(_ name: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: folder.appendingPathComponent(name))) }

    /// Runs it with arguments parted by blanks; returns what it prints.
    @discardableResult func run(_ arguments: String) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["openssl"] + arguments.split(separator: " ").map(String.init)
        process.currentDirectoryURL = folder
        let output = folder.appendingPathComponent("output")
        _ = FileManager.default.createFile(atPath: output.path, contents: nil)
        let handle = try FileHandle(forWritingTo: output)
        (process.standardOutput, process.standardError) = (handle, handle)
        process.standardInput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        try handle.close()
        let text = String(decoding: try get("output"), as: UTF8.self)
        guard process.terminationStatus == 0 else { throw Failed(description: "openssl \(arguments): \(text)") }
        return text
    }
}

/// Certificates and an envelope for tests; keys are made once, as RSA takes its time.
enum SealingKeys {
    static let from: Int64 = 1_700_000_000
    static let until: Int64 = from + 365 * 86_400
    static let now: Int64 = from + 86_400

    static let rsa = make("DPM tape RSA", .rsa3072, seed: 1)
    static let ec = make("DPM tape EC", .p256, seed: 2)
    static let other = make("Another", .p256, seed: 3)

    static func make(
        _ name: String, _ key: KeyedCertificate.NewKey, seed: UInt64, from: Int64 = from, until: Int64 = until
    ) -> KeyedCertificate {
        do {
            return try .selfSigned(name, key: key, from: from, until: until, secrets: SeededSecrets(seed: seed))
        } catch { fatalError("\(error)") }
    }

    static func envelope(
        _ keyed: [KeyedCertificate], span: UInt32 = 1, key: SetKey = SealingSamples.key
    ) throws -> SpanEnvelope {
        var envelope = try SpanEnvelope(
            set: SealingSamples.set, family: 9, span: span, suite: .aes256gcm, secrets: SeededSecrets(seed: 5))
        try envelope.close(key, created: now, to: keyed.map(\.certificate))
        return envelope
    }

    /// A certificate as OpenSSL's program makes it.
    static func foreign(_ program: OpenSSLProgram, _ arguments: String, name: String = "CN=Foreign") throws -> [UInt8] {
        try program.run(
            "req -x509 -newkey \(arguments) -nodes -keyout key.pem -out cert.pem -days 30 -subj /\(name)")
        return try program.get("cert.pem") + program.get("key.pem")
    }
}

extension SecretBytes {
    var copy: [UInt8] {
        do { return try withBytes { (bytes) throws(StorageFault) in Array(bytes) } } catch { fatalError("\(error)") }
    }
}

extension SetKey {
    var bytes: [UInt8] { secret.copy }
}

/// Certificate stores on a simulated disk.
struct StoreLab {
    let disk: SimulatedDisk
    let stores: CertificateStores

    init(_ disk: SimulatedDisk? = nil, password: String? = nil, prepared: Bool = true) throws {
        let disk =
            try disk
            ?? { () throws(StorageFault) in
                let new = SimulatedDisk()
                try new.makeFolder("/server")
                try new.syncFolder("/")
                return new
            }()
        self.disk = disk
        stores = CertificateStores(
            folder: "/server", on: disk, secrets: SeededSecrets(seed: 9), password: password)
        if prepared { try stores.prepare() }
    }

    func thumbprints(_ store: CertificateStores.Store) throws -> Set<Thumbprint> {
        Set(try stores.contents(of: store).certificates.map(\.certificate.thumbprint))
    }
}
