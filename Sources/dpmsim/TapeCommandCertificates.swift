import ArgumentParser
import Files
import Foundation
import Tape
import Units

/// `dpmsim tape certificate`: what encrypts sets and opens them.
struct TapeCertificateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "certificate", abstract: "The library's certificate stores: DPMBackupStore and DPMRestoreStore.",
        discussion:
            "Losing the last certificate that opens a set is losing the set. Export them, and keep the files elsewhere.",
        subcommands: [
            CertificateCreate.self, CertificateImport.self, CertificateExport.self, CertificateList.self,
            CertificateRotate.self, CertificateRemove.self,
        ])
}

private let keyWord = word(KeyedCertificate.NewKey.allCases.map { ($0.rawValue, $0) })
private let storeWord = word([("backup", CertificateStores.Store.backup), ("restore", .restore)])

/// A thumbprint as Windows shows it, with or without blanks.
private let thumbprintText: @Sendable (String) throws -> Thumbprint = { text in
    guard let thumbprint = Thumbprint(text) else { throw ValidationError("A thumbprint has 40 hexadecimal digits.") }
    return thumbprint
}

/// A certificate, for lists.
private struct CertificateFact: Encodable {
    var thumbprint: String, subject: String, store: String, key: String, from: String, until: String
    var hasPrivateKey: Bool

    init(_ certificate: Certificate, in store: CertificateStores.Store, hasKey: Bool) {
        (thumbprint, subject, self.store) = (certificate.thumbprint.description, certificate.subject, store.rawValue)
        (key, hasPrivateKey) = (certificate.key.description, hasKey)
        (from, until) = (timeText(certificate.notBefore), timeText(certificate.notAfter))
    }

    var line: String {
        "\(thumbprint) \(subject), \(key), until \(readableTime(until)), in \(store)"
            + (hasPrivateKey ? "" : ", without its private key")
    }
}

/// What a file with a certificate is read with.
struct CertificateFileOptions: ParsableArguments {
    @Argument(help: "A PEM file, or a PKCS#12 file (.pfx, .p12).", completion: .file()) var file: String
    @Option(help: ArgumentHelp("A file whose first line is its password.", valueName: "file")) var passwordFile: String?

    func read() throws(StorageFault) -> KeyedCertificate {
        let bytes = try contents(of: file)
        var password: String?
        if let passwordFile {
            password = String(
                String(decoding: try contents(of: passwordFile), as: UTF8.self)
                    .split(separator: "\n", omittingEmptySubsequences: false).first ?? "")
        }
        if [".pfx", ".p12"].contains(where: file.lowercased().hasSuffix) {
            return try KeyedCertificate(pkcs12: bytes, password: password ?? "")
        }
        return try KeyedCertificate(pem: bytes, password: password)
    }

    private func contents(of path: String) throws(StorageFault) -> [UInt8] {
        let file = try HostFiles().open(absolute(path), .read)
        defer { file.close() }
        let size = try file.size()
        guard size <= 1 << 20 else {
            throw StorageFault(
                .badInput, "TAPE-CERTIFICATE", path, "it has \(size) bytes", action: "Name a file with one certificate")
        }
        return try file.bytes(Int(size), at: 0)
    }
}

/// `dpmsim tape certificate create`.
struct CertificateCreate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Make a certificate that signs itself, and put it into the backup store.")

    @OptionGroup var options: LibraryOptions
    @Argument(help: "Its common name.") var name: String
    @Option(help: "RSA-3072 or P-256.", transform: keyWord) var key = KeyedCertificate.NewKey.rsa3072
    @Option(help: "For how many days it is valid.") var days = 730

    func run() throws {
        try endingByFault(json: options.json) {
            let made = try options.stores().create(
                name, key: key, from: options.now - 60, until: options.now + Int64(days) * 86_400)
            let fact = CertificateFact(made, in: .backup, hasKey: true)
            try options.tell(fact, [fact.line])
        }
    }
}

/// `dpmsim tape certificate import`.
struct CertificateImport: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Put a certificate with its private key into a store.")

    @OptionGroup var options: LibraryOptions
    @OptionGroup var source: CertificateFileOptions
    @Option(help: "backup or restore.", transform: storeWord) var store = CertificateStores.Store.backup

    func run() throws {
        try endingByFault(json: options.json) {
            let keyed = try source.read()
            let made = try options.stores().insert(keyed, into: store)
            let fact = CertificateFact(made, in: store, hasKey: keyed.hasKey)
            try options.tell(fact, [fact.line])
        }
    }
}

/// `dpmsim tape certificate export`.
struct CertificateExport: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export", abstract: "Write a certificate to a PEM file, with its private key if asked for.")

    @OptionGroup var options: LibraryOptions
    @Argument(help: "Its thumbprint.", transform: thumbprintText) var thumbprint: Thumbprint
    @Option(help: ArgumentHelp("The new file.", valueName: "file")) var to: String
    @Flag(help: "With its private key, readable by you only.") var withKey = false

    func run() throws {
        try endingByFault(json: options.json) {
            let bytes = try options.stores().exportPEM(thumbprint, withKey: withKey)
            let file = try HostFiles().open(absolute(to), .create)
            if withKey { chmod(absolute(to), 0o600) }
            try file.write(bytes, at: 0)
            try file.flush()
            try options.tell(["file": to], ["\(thumbprint) is in \(to)."])
        }
    }
}

/// `dpmsim tape certificate list`.
struct CertificateList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List both stores, and what runs out soon.")

    @OptionGroup var options: LibraryOptions

    private struct Fact: Encodable { var certificates: [CertificateFact], warnings: [String] }

    func run() throws {
        try endingByFault(json: options.json) {
            let stores = try options.stores()
            var facts: [CertificateFact] = []
            for store in CertificateStores.Store.allCases {
                let contents = try stores.contents(of: store)
                facts += contents.certificates.map { CertificateFact($0.certificate, in: store, hasKey: $0.hasKey) }
                if let fault = contents.unreadable.first { throw fault }
            }
            let warnings = try stores.warnings(at: options.now).map(\.description)
            try options.tell(
                Fact(certificates: facts, warnings: warnings),
                (facts.isEmpty ? ["There are no certificates."] : facts.map(\.line)) + warnings)
        }
    }
}

/// `dpmsim tape certificate rotate`.
struct CertificateRotate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rotate",
        abstract: "Make or import a new certificate for what is written from now on; older ones only decrypt.")

    @OptionGroup var options: LibraryOptions
    @Argument(help: "The common name of a new certificate.") var name: String
    @Option(help: "RSA-3072 or P-256.", transform: keyWord) var key = KeyedCertificate.NewKey.rsa3072
    @Option(help: "For how many days it is valid.") var days = 730

    func run() throws {
        try endingByFault(json: options.json) {
            let keyed = try KeyedCertificate.selfSigned(
                name, key: key, from: options.now - 60, until: options.now + Int64(days) * 86_400,
                secrets: HostSecrets())
            try options.stores().rotate(to: keyed)
            let fact = CertificateFact(keyed.certificate, in: .backup, hasKey: true)
            try options.tell(fact, [fact.line, "All others are in the restore store now."])
        }
    }
}

/// `dpmsim tape certificate remove`.
struct CertificateRemove: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Take a certificate out of a store, for good.",
        discussion: "What only it opens can never be read again.")

    @OptionGroup var options: LibraryOptions
    @Argument(help: "Its thumbprint.", transform: thumbprintText) var thumbprint: Thumbprint
    @Option(help: "backup or restore.", transform: storeWord) var store: CertificateStores.Store

    func run() throws {
        try endingByFault(json: options.json) {
            try options.stores().remove(thumbprint, from: store)
            try options.tell(["thumbprint": thumbprint.description], ["\(thumbprint) is gone from \(store.rawValue)."])
        }
    }
}
