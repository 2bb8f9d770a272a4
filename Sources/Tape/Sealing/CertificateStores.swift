public import Files
import Glibc

/// The two certificate stores of a server: folders of PEM files, each with a certificate and its private key, named by thumbprint.
/// `DPMBackupStore` encrypts and decrypts, `DPMRestoreStore` only decrypts.
///
/// Any thread may call, also of other programs: files are replaced at once, and nothing is kept in memory. O(files in the store).
public final class CertificateStores: Sendable {
    public enum Store: String, Hashable, Sendable, CaseIterable {
        case backup = "DPMBackupStore"
        case restore = "DPMRestoreStore"
    }

    /// What lies in a store, newest first (by the beginning of validity, then by thumbprint).
    public struct Contents: Sendable {
        public var certificates: [KeyedCertificate] = []
        /// Files that look like certificates of the store and cannot be read.
        public var unreadable: [StorageFault] = []
    }

    private let folder: String
    private let files: any FileSystem
    private let secrets: any SecretSource
    private let password: String?

    /// - Parameters:
    ///   - folder: where the stores' folders lie; it exists.
    ///   - password: private keys are kept encrypted with it; nil keeps them plain, readable by the owner only.
    public init(folder: String, on files: any FileSystem, secrets: any SecretSource, password: String? = nil) {
        (self.folder, self.files, self.secrets, self.password) = (folder, files, secrets, password)
    }

    /// Makes the folders of both stores where they are missing.
    public func prepare() throws(StorageFault) {
        for store in Store.allCases { try files.makeFolder(path(store)) }
        try files.syncFolder(folder)
    }

    /// What a store holds.
    /// - Throws: `TAPE-24072` if it does not exist.
    public func contents(of store: Store) throws(StorageFault) -> Contents {
        guard try files.kind(of: path(store)) == .folder else { throw .noStore(path(store)) }
        var contents = Contents()
        for name in try files.list(path(store)) {
            guard name.hasSuffix(".pem"), let thumbprint = Thumbprint(String(name.dropLast(4))) else { continue }
            do throws(StorageFault) {
                contents.certificates.append(try read(thumbprint, in: store))
            } catch {
                guard error.kind == .badInput || error.kind == .damaged || error.kind == .permission else {
                    throw error
                }
                contents.unreadable.append(error)
            }
        }
        contents.certificates.sort {
            ($0.certificate.notBefore, $1.certificate.thumbprint) > (
                $1.certificate.notBefore, $0.certificate.thumbprint
            )
        }
        return contents
    }

    /// Makes a new certificate that signs itself.
    /// - Parameters:
    ///   - from: Unix seconds, as is `until`.
    @discardableResult public func create(
        _ name: String, key: KeyedCertificate.NewKey, from: Int64, until: Int64, in store: Store = .backup
    ) throws(StorageFault) -> Certificate {
        try insert(.selfSigned(name, key: key, from: from, until: until, secrets: secrets), into: store)
    }

    @discardableResult public func importPEM(
        _ bytes: [UInt8], password: String? = nil, into store: Store
    ) throws(StorageFault) -> Certificate {
        try insert(KeyedCertificate(pem: bytes, password: password), into: store)
    }

    @discardableResult public func importPKCS12(
        _ bytes: [UInt8], password: String, into store: Store
    ) throws(StorageFault) -> Certificate {
        try insert(KeyedCertificate(pkcs12: bytes, password: password), into: store)
    }

    /// Puts a certificate into a store. One that is there already is replaced, but never loses its key.
    @discardableResult public func insert(
        _ keyed: KeyedCertificate, into store: Store
    ) throws(StorageFault) -> Certificate {
        guard try files.kind(of: path(store)) == .folder else { throw .noStore(path(store)) }
        let thumbprint = keyed.certificate.thumbprint
        if !keyed.hasKey, try files.kind(of: path(thumbprint, store)) == .file {
            let there = try read(thumbprint, in: store)
            if there.hasKey { return there.certificate }
        }
        try write(keyed, in: store)
        return keyed.certificate
    }

    /// One certificate, from whichever store has it; the backup store first.
    /// - Throws: `TAPE-NO-CERTIFICATE`.
    public func find(_ thumbprint: Thumbprint) throws(StorageFault) -> (keyed: KeyedCertificate, store: Store) {
        for store in Store.allCases where try files.kind(of: path(thumbprint, store)) == .file {
            return (try read(thumbprint, in: store), store)
        }
        throw .unknown(thumbprint)
    }

    public func exportPEM(
        _ thumbprint: Thumbprint, withKey: Bool, password: String? = nil
    ) throws(StorageFault) -> [UInt8] {
        try find(thumbprint).keyed.pem(withKey: withKey, password: password)
    }

    public func exportPKCS12(_ thumbprint: Thumbprint, password: String) throws(StorageFault) -> [UInt8] {
        try find(thumbprint).keyed.pkcs12(password: password)
    }

    /// Moves a certificate with its key to the other store. At a power cut it is in one of them or in both.
    public func move(_ thumbprint: Thumbprint, to target: Store) throws(StorageFault) {
        let source: Store = target == .backup ? .restore : .backup
        guard try files.kind(of: path(thumbprint, source)) == .file else { throw .unknown(thumbprint) }
        try insert(try read(thumbprint, in: source), into: target)
        try remove(thumbprint, from: source)
    }

    /// Puts `new` into the backup store and moves all others there to the restore store: new sets are encrypted to it, old ones stay
    /// readable. At a power cut every key is in one of the stores or in both, and the backup store is never empty.
    public func rotate(to new: KeyedCertificate) throws(StorageFault) {
        guard new.hasKey else { throw .noPrivateKey([new.certificate]) }
        let old = try contents(of: .backup).certificates.map(\.certificate.thumbprint)
        try insert(new, into: .backup)
        for thumbprint in old where thumbprint != new.certificate.thumbprint { try move(thumbprint, to: .restore) }
    }

    /// Takes a certificate out for good. What only it opens can never be read again.
    public func remove(_ thumbprint: Thumbprint, from store: Store) throws(StorageFault) {
        guard try files.kind(of: path(thumbprint, store)) == .file else { throw .unknown(thumbprint) }
        try files.remove(path(thumbprint, store))
        try files.syncFolder(path(store))
    }

    private func path(_ store: Store) -> String { folder.isEmpty ? store.rawValue : "\(folder)/\(store.rawValue)" }

    private func path(_ thumbprint: Thumbprint, _ store: Store) -> String { "\(path(store))/\(thumbprint).pem" }

    private func read(_ thumbprint: Thumbprint, in store: Store) throws(StorageFault) -> KeyedCertificate {
        let path = path(thumbprint, store)
        let file = try files.open(path, .read)
        defer { file.close() }
        let size = try file.size()
        guard size <= KeyedCertificate.largestFile else { throw .certificate("the file has \(size) bytes", path) }
        var bytes = try file.bytes(Int(size), at: 0)
        defer { bytes.withUnsafeMutableBytes { wipe($0) } }
        let keyed: KeyedCertificate
        do throws(StorageFault) {
            keyed = try KeyedCertificate(pem: bytes, password: password)
        } catch {
            throw StorageFault(error.kind, error.id, path, error.cause, action: error.action)
        }
        guard keyed.certificate.thumbprint == thumbprint else {
            throw .certificate("the certificate in it is \(keyed.certificate.thumbprint)", path)
        }
        return keyed
    }

    private func write(_ keyed: KeyedCertificate, in store: Store) throws(StorageFault) {
        let path = path(keyed.certificate.thumbprint, store)
        var bytes = try keyed.pem(withKey: keyed.hasKey, password: password)
        defer { bytes.withUnsafeMutableBytes { wipe($0) } }
        let draft = path + ".new"
        let file = try files.open(draft, .createOrOpen)
        defer { file.close() }
        try file.truncate(to: 0)
        // Before there is a key in it.
        if files.isHost, chmod(draft, 0o600) != 0 { throw .host("restrict", draft, errno) }
        try file.write(bytes, at: 0)
        try file.flush()
        try files.rename(draft, to: path)
        try files.syncFolder(self.path(store))
    }

    private func wipe(_ bytes: UnsafeMutableRawBufferPointer) {
        if let base = bytes.baseAddress { explicit_bzero(base, bytes.count) }
    }
}

extension StorageFault {
    static func noStore(_ path: String) -> StorageFault {
        StorageFault(
            .missing, "TAPE-24072", path, "the certificate store does not exist",
            action: "Make the stores and import a certificate with its private key into DPMBackupStore")
    }

    static func unknown(_ thumbprint: Thumbprint) -> StorageFault {
        StorageFault(
            .missing, "TAPE-NO-CERTIFICATE", "certificate \(thumbprint)", "it is not in the store",
            action: "List the certificates of the stores and name one of them")
    }
}
