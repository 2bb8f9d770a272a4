/// The means of `batches` equal runs of consecutive values; what does not fill a batch is left off at the front, where
/// the warm-up is.
/// - Precondition: at least one batch, and no more batches than values.
public func batchMeans(_ values: [Double], batches: Int) -> [Double] {
    precondition(batches > 0 && batches <= values.count, "\(values.count) values do not make \(batches) batches")
    let size = values.count / batches
    let skipped = values.count - size * batches
    return (0..<batches).map { b in
        let first = skipped + b * size
        return values[first..<first + size].reduce(0, +) / Double(size)
    }
}

/// How many values at the front are warm-up, by MSER-5; nil if the run is too short to say.
///
/// Batches of 5; the cut that makes the standard error of what remains least (White, Cobb, Spratt, "A comparison of five
/// steady-state truncation heuristics", WSC 2000). A cut past the middle is refused: the run was too short.
public func warmUp(_ values: [Double]) -> Int? {
    let n = values.count / 5
    guard n >= 4 else { return nil }
    var sum = 0.0
    var squares = 0.0
    var best = (error: Double.infinity, cut: 0)
    // The mean as origin keeps the difference of squares from losing digits.
    let origin = values.reduce(0, +) / Double(values.count)
    for cut in stride(from: n - 1, through: 0, by: -1) {
        let mean = values[cut * 5..<cut * 5 + 5].reduce(0) { $0 + ($1 - origin) } / 5
        sum += mean
        squares += mean * mean
        let kept = Double(n - cut)
        let error = max(squares - sum * sum / kept, 0) / (kept * kept)
        // Two batches at the end may agree by chance; they prove nothing.
        if kept >= 3, error <= best.error { best = (error, cut) }
    }
    return best.cut * 2 <= n ? best.cut * 5 : nil
}
