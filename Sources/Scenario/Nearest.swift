/// The known word most like `word`, if one is like enough to be meant: letters left out, added, exchanged or swapped.
func nearest(to word: String, among known: some Sequence<String>) -> String? {
    let typed = Array(word.lowercased().utf8.prefix(64))
    guard !typed.isEmpty else { return nil }
    var best: (distance: Int, word: String)?
    var tried = 0
    for candidate in known {
        tried += 1
        // A hint is not worth a long search among very many names.
        guard tried <= 5_000 else { break }
        let letters = Array(candidate.lowercased().utf8.prefix(64))
        let allowed = max(1, max(typed.count, letters.count) / 3)
        guard abs(typed.count - letters.count) <= allowed else { continue }
        let distance = editDistance(typed, letters)
        if distance <= allowed, distance < best?.distance ?? .max { best = (distance, candidate) }
    }
    return best?.word
}

/// Optimal string alignment distance.
func editDistance(_ a: [UInt8], _ b: [UInt8]) -> Int {
    var before: [Int] = []
    var last = Array(0...b.count)
    for i in 0..<a.count {
        var row = [i + 1]
        for j in 0..<b.count {
            var cost = min(last[j] + (a[i] == b[j] ? 0 : 1), last[j + 1] + 1, row[j] + 1)
            if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { cost = min(cost, before[j - 1] + 1) }
            row.append(cost)
        }
        (before, last) = (last, row)
    }
    return last[b.count]
}

/// `Did you mean X?`, or else what is known.
func suggestion(for word: String, among known: [String], kind: String) -> String {
    if let near = nearest(to: word, among: known) { return "Did you mean \(near)?" }
    guard !known.isEmpty else { return "The scenario has no \(kind)" }
    let shown = known.prefix(12).joined(separator: ", ")
    return "Known: " + shown + (known.count > 12 ? " and \(known.count - 12) more" : "")
}
