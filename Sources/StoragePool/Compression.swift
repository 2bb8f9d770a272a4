import CZstd
import Files

/// zstd, one context a worker: making one costs more than compressing a block with it.
final class Compressor {
    private let context: OpaquePointer
    private let level: Int32

    /// Room for the worst case of compressing `count` bytes.
    static func bound(_ count: Int) -> Int { ZSTD_compressBound(count) }

    init(level: Int) {
        context = ZSTD_createCCtx()!
        self.level = Int32(level)
    }

    deinit { ZSTD_freeCCtx(context) }

    /// The size of the compressed form in `target`; nil if it does not fit.
    func compress(_ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer) -> Int? {
        let size = ZSTD_compressCCtx(
            context, target.baseAddress, target.count, source.baseAddress, source.count, level)
        return ZSTD_isError(size) != 0 ? nil : size
    }
}

final class Decompressor {
    private let context = ZSTD_createDCtx()!

    deinit { ZSTD_freeDCtx(context) }

    /// Whether `source` decompresses to exactly `target.count` bytes.
    func decompress(_ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer) -> Bool {
        let size = ZSTD_decompressDCtx(context, target.baseAddress, target.count, source.baseAddress, source.count)
        return ZSTD_isError(size) == 0 && size == target.count
    }
}
