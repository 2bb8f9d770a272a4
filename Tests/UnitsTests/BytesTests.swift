import Testing
import Units

@Suite("Sizes in bytes")
struct BytesTests {
    @Test(
        arguments: [
            ("100 GB", 100_000_000_000), ("1.5 TiB", 1_649_267_441_664), ("0 B", 0), ("0.5 kB", 500),
            ("1GiB", 1_073_741_824),
        ] as [(String, Int64)])
    func `are read exactly`(text: String, count: Int64) { #expect(Bytes(text)?.count == count) }
}
