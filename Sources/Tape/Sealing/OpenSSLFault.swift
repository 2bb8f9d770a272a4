import COpenSSL
import Files

/// What OpenSSL says went wrong in this thread since it was last asked; empties its queue of errors.
enum OpenSSL {
    static func reason() -> String {
        var reasons: [String] = []
        while true {
            let code = ERR_get_error()
            if code == 0 { break }
            var text = [CChar](repeating: 0, count: 256)
            if let reason = ERR_reason_error_string(code) {
                reasons.append(String(cString: reason))
            } else {
                ERR_error_string_n(code, &text, text.count)
                reasons.append(String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self))
            }
        }
        // The oldest is the cause; the later ones only say who passed it on.
        return reasons.first ?? "no reason given"
    }

    /// Forgets errors of calls whose failure was an answer.
    static func forget() { ERR_clear_error() }

    static func check(_ result: Int32, _ object: String, _ what: String) throws(StorageFault) {
        guard result > 0 else { throw .engine(object, what) }
    }

    static func need<Value>(_ value: Value?, _ object: String, _ what: String) throws(StorageFault) -> Value {
        guard let value else { throw .engine(object, what) }
        return value
    }

    /// The bytes a memory BIO holds.
    static func bytes(of memory: OpaquePointer) -> [UInt8] {
        var start: UnsafeMutablePointer<UInt8>?
        let count = BIO_ctrl(memory, BIO_CTRL_INFO, 0, &start)
        guard let start, count > 0 else { return [] }
        return [UInt8](UnsafeBufferPointer(start: start, count: count))
    }

    /// A memory BIO to write into; free it with `BIO_free`.
    static func memory() throws(StorageFault) -> OpaquePointer {
        try need(BIO_new(BIO_s_mem()), "OpenSSL", "no memory for a stream")
    }

    /// A memory BIO that reads a copy of `bytes`; free it with `BIO_free`, which wipes it.
    static func memory(_ bytes: some Collection<UInt8>) throws(StorageFault) -> OpaquePointer {
        let memory = try memory()
        var contiguous = Array(bytes)
        defer { contiguous.withUnsafeMutableBytes { OPENSSL_cleanse($0.baseAddress, $0.count) } }
        guard contiguous.isEmpty || BIO_write(memory, contiguous, Int32(contiguous.count)) == contiguous.count else {
            BIO_free(memory)
            throw .engine("OpenSSL", "no memory for a stream")
        }
        return memory
    }

    /// DER by an `i2d_` function.
    static func der(
        _ object: String, _ encode: (UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>?) -> Int32
    ) throws(StorageFault) -> [UInt8] {
        let count = encode(nil)
        try check(count, object, "it could not be encoded")
        var bytes = [UInt8](repeating: 0, count: Int(count))
        let written = bytes.withUnsafeMutableBufferPointer { buffer in
            var place = buffer.baseAddress
            return encode(&place)
        }
        guard written == count else { throw .engine(object, "it could not be encoded") }
        return bytes
    }

    /// Parses DER by a `d2i_` function; nil unless it takes all of `bytes`. The reason stays in OpenSSL's queue: use or forget it.
    static func parse(
        _ bytes: UnsafeRawBufferPointer, _ decode: (UnsafeMutablePointer<UnsafePointer<UInt8>?>, Int) -> OpaquePointer?,
        free: (OpaquePointer) -> Void
    ) -> OpaquePointer? {
        guard let start = bytes.bindMemory(to: UInt8.self).baseAddress else { return nil }
        forget()
        var place: UnsafePointer<UInt8>? = start
        guard let parsed = decode(&place, bytes.count) else { return nil }
        guard place == start + bytes.count else {
            free(parsed)
            return nil
        }
        return parsed
    }
}

extension StorageFault {
    /// The encryption engine failed; OpenSSL's own reason is in the cause.
    static func engine(_ object: String, _ what: String) -> StorageFault {
        StorageFault(
            .device, "TAPE-24074", object, "\(what); OpenSSL says: \(OpenSSL.reason())",
            action: "Check the certificate and its key, then run the job again")
    }
}
