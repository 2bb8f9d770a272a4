/// The value Student's t with that many degrees of freedom stays below with probability `p`; relative error below 1e-10.
///
/// Newton steps, held inside a bracket, on the distribution function from the continued fraction of the incomplete beta
/// function (Abramowitz and Stegun 26.5.8, 26.7.1), from the normal quantile.
/// - Precondition: `p` lies between 0 and 1, `degrees` is at least 1.
public func studentQuantile(_ p: Double, degrees: Int) -> Double {
    precondition(p > 0 && p < 1, "no such probability: \(p)")
    precondition(degrees >= 1, "at least one degree of freedom is needed: \(degrees)")
    if p == 0.5 { return 0 }
    // By symmetry the upper tail alone, where nothing cancels.
    let tail = p < 0.5 ? p : 1 - p
    let sign = p < 0.5 ? -1.0 : 1.0
    let constant = densityConstant(degrees)
    let nu = Double(degrees)
    var low = 0.0
    var high = max(-normalQuantile(tail), 1)
    while upperTail(high, nu, constant) > tail { (low, high) = (high, high * 2) }
    var t = (low + high) / 2
    for _ in 0..<200 {
        let value = upperTail(t, nu, constant)
        if value > tail { low = t } else { high = t }
        let density = constant * portableExp(-(nu + 1) / 2 * portableLog(1 + t * t / nu))
        var next = t + (value - tail) / density
        if !(next > low && next < high) { next = (low + high) / 2 }
        if abs(next - t) <= 1e-15 * abs(next) { return sign * next }
        t = next
    }
    return sign * t
}

/// The density of t at 0: gamma((n + 1) / 2) / (sqrt(n pi) gamma(n / 2)).
private func densityConstant(_ degrees: Int) -> Double {
    let n = Double(degrees)
    // The ratio of gammas, by its recursion in steps of two; far out by its series, which is exact to 1e-16 there.
    if degrees > 2000 {
        let i = 1 / n
        let series = 1 + i * (-1 / 4 + i * (1 / 32 + i * (5 / 128 - i * 21 / 2048)))
        return series / (2 * Double.pi).squareRoot()
    }
    var ratio = degrees % 2 == 1 ? 1 / Double.pi.squareRoot() : Double.pi.squareRoot() / 2
    var k = degrees % 2 == 1 ? 1.0 : 2.0
    while k < n {
        ratio *= (k + 1) / k
        k += 2
    }
    return ratio / (n * Double.pi).squareRoot()
}

/// The probability of more than `t`, for t >= 0: half the incomplete beta function I(x; n/2, 1/2) at x = n / (n + t^2).
private func upperTail(_ t: Double, _ nu: Double, _ constant: Double) -> Double {
    if t == 0 { return 0.5 }
    let x = nu / (nu + t * t)
    let y = t * t / (nu + t * t)
    // x^(n/2) y^(1/2) / B, with 1/B from the constant of the density.
    let front = portableExp(-nu / 2 * portableLog(1 + t * t / nu)) * y.squareRoot() * constant * nu.squareRoot()
    if x < (nu / 2 + 1) / (nu / 2 + 2.5) {
        return front / (nu / 2) * betaFraction(x, nu / 2, 0.5) / 2
    }
    return 0.5 - front / 0.5 * betaFraction(y, 0.5, nu / 2) / 2
}

/// The continued fraction of the incomplete beta function by Lentz's method.
private func betaFraction(_ x: Double, _ a: Double, _ b: Double) -> Double {
    let tiny = 1e-300
    func guarded(_ v: Double) -> Double { abs(v) < tiny ? tiny : v }
    var c = 1.0
    var d = 1 / guarded(1 - (a + b) * x / (a + 1))
    var h = d
    for i in 1...10_000 {
        let m = Double(i)
        let even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d = 1 / guarded(1 + even * d)
        c = guarded(1 + even / c)
        h *= d * c
        let odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        d = 1 / guarded(1 + odd * d)
        c = guarded(1 + odd / c)
        let step = d * c
        h *= step
        if abs(step - 1) < 1e-16 { break }
    }
    return h
}
