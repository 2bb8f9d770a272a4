import COpenSSL

/// SHA-256 of what is added to it. A value: a copy goes its own way.
public struct TagHash: Sendable {
    /// Owns OpenSSL's state; changed only by its single owner.
    private final class State: @unchecked Sendable {
        let context: OpaquePointer

        init(copying other: State? = nil) {
            guard let context = EVP_MD_CTX_new() else { preconditionFailure("no memory for a digest") }
            self.context = context
            let begun =
                other.map { EVP_MD_CTX_copy_ex(context, $0.context) } ?? EVP_DigestInit_ex(context, EVP_sha256(), nil)
            precondition(begun == 1, "OpenSSL has SHA-256")
        }

        deinit { EVP_MD_CTX_free(context) }
    }
    private var state = State()

    public init() {}

    /// Adds a tag, or any bytes.
    public mutating func add(_ tag: UnsafeRawBufferPointer) {
        if !isKnownUniquelyReferenced(&state) { state = State(copying: state) }
        let done = EVP_DigestUpdate(state.context, tag.baseAddress, tag.count)
        precondition(done == 1, "a digest in memory does not fail")
    }

    public mutating func add(_ bytes: [UInt8]) { bytes.withUnsafeBytes { add($0) } }

    /// The 32 bytes so far; more may be added.
    public func digest() -> [UInt8] {
        let copy = State(copying: state)
        var bytes = [UInt8](repeating: 0, count: 32)
        let done = EVP_DigestFinal_ex(copy.context, &bytes, nil)
        precondition(done == 1, "a digest in memory does not fail")
        return bytes
    }

    /// SHA-256 of `bytes`.
    public static func of(_ bytes: [UInt8]) -> [UInt8] {
        var hash = TagHash()
        hash.add(bytes)
        return hash.digest()
    }
}
