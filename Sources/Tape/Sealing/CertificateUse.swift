public import Files

/// What the backup store held when a job began. A writer takes it at its start and confirms it before it finishes.
public struct EncryptionBasis: Hashable, Sendable {
    /// To which envelopes are closed, newest first.
    public let certificates: [Certificate]
    let thumbprints: [Thumbprint]
}

/// That a certificate which encrypts runs out soon.
public struct CertificateWarning: Hashable, Sendable, CustomStringConvertible {
    public enum Severity: String, Hashable, Sendable { case warning, critical }
    public let certificate: Certificate
    /// Whole days until it is not valid any more.
    public let daysLeft: Int

    public var severity: Severity { daysLeft < CertificateStores.criticalDays ? .critical : .warning }
    /// DPM's number: 24058 first, 24059 when it becomes urgent.
    public var id: String { severity == .critical ? "TAPE-24059" : "TAPE-24058" }
    public var description: String {
        "\(id) certificate \(certificate.thumbprint): it is about to expire, \(daysLeft) "
            + "\(daysLeft == 1 ? "day is" : "days are") left. Put a new one into DPMBackupStore and move it to DPMRestoreStore."
    }
}

extension CertificateStores {
    /// DPM's pages name no figures; these are ours: a month to act in, a week when it presses.
    public static let warningDays = 30
    public static let criticalDays = 7

    /// The certificates a set that is written now is encrypted to: all valid ones of the backup store, newest first. Each of them
    /// opens it. A valid one whose private key is elsewhere counts, if another's is here.
    /// - Parameter now: Unix seconds.
    /// - Throws: `TAPE-24072` no store, `TAPE-24073` nothing in it, `TAPE-24070` nothing valid now, `TAPE-24078` no private key.
    public func encryptors(at now: Int64) throws(StorageFault) -> [Certificate] {
        try basis(at: now).certificates
    }

    /// As `encryptors`, to be confirmed when the job ends.
    public func basis(at now: Int64) throws(StorageFault) -> EncryptionBasis {
        let contents = try contents(of: .backup)
        guard !contents.certificates.isEmpty else {
            if let fault = contents.unreadable.first { throw fault }
            throw .noCertificate(Store.backup.rawValue)
        }
        let valid = contents.certificates.filter { $0.certificate.isValid(at: now) }
        guard !valid.isEmpty else { throw .expired(contents.certificates.map(\.certificate), now) }
        guard valid.contains(where: \.hasKey) else { throw .noPrivateKey(valid.map(\.certificate)) }
        return EncryptionBasis(
            certificates: valid.prefix(SpanEnvelope.mostRecipients).map(\.certificate),
            thumbprints: contents.certificates.map(\.certificate.thumbprint).sorted())
    }

    /// Whether the backup store still is what it was when the job began. That a certificate has run out since is no change.
    /// - Throws: `TAPE-24060` naming what came and went.
    public func confirm(_ basis: EncryptionBasis) throws(StorageFault) {
        let now = Set(try contents(of: .backup).certificates.map(\.certificate.thumbprint))
        let then = Set(basis.thumbprints)
        guard now != then else { return }
        let gone = then.subtracting(now).sorted().map { "\($0) is gone" }
        let come = now.subtracting(then).sorted().map { "\($0) has come" }
        throw StorageFault(
            .busy, "TAPE-24060", Store.backup.rawValue,
            "the certificates were changed while the job ran: " + (gone + come).joined(separator: ", "),
            action: "Run the job again")
    }

    /// Which certificates of the backup store run out within `warningDays`, the most urgent first; without those that are replaced
    /// already, another one being valid for longer.
    public func warnings(at now: Int64) throws(StorageFault) -> [CertificateWarning] {
        let valid = try contents(of: .backup).certificates.map(\.certificate).filter { $0.isValid(at: now) }
        guard let last = valid.map(\.notAfter).max(), last - now < Int64(Self.warningDays) * 86_400 else { return [] }
        return valid.map { CertificateWarning(certificate: $0, daysLeft: Int(($0.notAfter - now) / 86_400)) }
            .sorted { ($0.daysLeft, $0.certificate.thumbprint) < ($1.daysLeft, $1.certificate.thumbprint) }
    }

    /// All certificates that may open envelopes, expired ones too: backup store first, each once, one with a key before one
    /// without. Files that cannot be read are passed over.
    /// - Throws: `TAPE-24072` if neither store exists.
    public func openers() throws(StorageFault) -> [KeyedCertificate] {
        var openers: [KeyedCertificate] = []
        var places: [Thumbprint: Int] = [:]
        var missing: StorageFault?
        var found = false
        for store in Store.allCases {
            do throws(StorageFault) {
                for keyed in try contents(of: store).certificates {
                    if let place = places[keyed.certificate.thumbprint] {
                        if !openers[place].hasKey { openers[place] = keyed }
                    } else {
                        places[keyed.certificate.thumbprint] = openers.count
                        openers.append(keyed)
                    }
                }
                found = true
            } catch {
                guard error.id == "TAPE-24072" else { throw error }
                missing = missing ?? error
            }
        }
        if !found, let missing { throw missing }
        return openers
    }
}

extension StorageFault {
    static func expired(_ certificates: [Certificate], _ now: Int64) -> StorageFault {
        let names = certificates.map { certificate in
            certificate.notAfter < now
                ? "\(certificate.thumbprint) has expired" : "\(certificate.thumbprint) is not valid yet"
        }
        return StorageFault(
            .badInput, "TAPE-24070", CertificateStores.Store.backup.rawValue,
            "no certificate is valid: " + names.joined(separator: ", "),
            action:
                "Create a certificate or import a valid one into DPMBackupStore, and move the old ones to DPMRestoreStore"
        )
    }
}
