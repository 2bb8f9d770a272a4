import CZstd
import Files

/// zstd for one thread: making a context costs more than compressing a record with it.
final class ZstdCompressor {
    private let context: OpaquePointer
    private let level: Int32

    init(level: Int32) {
        context = ZSTD_createCCtx()!
        self.level = level
    }

    deinit { ZSTD_freeCCtx(context) }

    /// The size of the compressed form in `target`; nil if it does not fit.
    func compress(_ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer) -> Int? {
        let size = ZSTD_compressCCtx(
            context, target.baseAddress, target.count, source.baseAddress, source.count, level)
        return ZSTD_isError(size) != 0 ? nil : size
    }
}

final class ZstdDecompressor {
    private let context = ZSTD_createDCtx()!

    deinit { ZSTD_freeDCtx(context) }

    /// Whether `source` decompresses to exactly `target.count` bytes. Nothing is written behind `target`, whatever
    /// `source` says.
    func decompress(_ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer) -> Bool {
        let size = ZSTD_decompressDCtx(context, target.baseAddress, target.count, source.baseAddress, source.count)
        return ZSTD_isError(size) == 0 && size == target.count
    }
}
