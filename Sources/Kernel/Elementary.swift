// Logarithm and exponential from IEEE + - * / and bit operations alone, in a fixed order: every machine gives the same
// bits, which no libm promises. The polynomials are those of fdlibm (Sun Microsystems, 1993), e_log.c and e_exp.c.

/// The natural logarithm, within 1 ulp. -infinity at 0, NaN below.
public func portableLog(_ value: Double) -> Double {
    if !(value > 0) { return value == 0 ? -.infinity : .nan }
    if value == .infinity { return value }
    var x = value
    var exponent = 0
    if x < 0x1p-1022 {
        x *= 0x1p54
        exponent = -54
    }
    // Splits x into 2^k * m with m between sqrt(1/2) and sqrt(2).
    let bits = x.bitPattern &+ (0x3FF0_0000_0000_0000 &- 0x3FE6_A09E_0000_0000)
    exponent += Int(bits >> 52) - 0x3FF
    let m = Double(bitPattern: (bits & 0x000F_FFFF_FFFF_FFFF) &+ 0x3FE6_A09E_0000_0000)
    let f = m - 1
    let halfSquare = 0.5 * f * f
    let s = f / (2 + f)
    let z = s * s
    let w = z * z
    let even = w * (3.999999999940941908e-01 + w * (2.222219843214978396e-01 + w * 1.531383769920937332e-01))
    let odd =
        z
        * (6.666666666666735130e-01 + w
            * (2.857142874366239149e-01 + w * (1.818357216161805012e-01 + w * 1.479819860511658591e-01)))
    let k = Double(exponent)
    return s * (halfSquare + (odd + even)) + k * ln2Low - halfSquare + f + k * ln2High
}

/// e to the power of `value`, within 1 ulp (2 ulp where the result is subnormal).
public func portableExp(_ value: Double) -> Double {
    if value.isNaN { return value }
    if value > 709.782712893383973096 { return .infinity }
    if value < -745.13321910194110842 { return 0 }
    if abs(value) < 0x1p-28 { return 1 + value }
    let k = (value * 1.44269504088896338700 + (value < 0 ? -0.5 : 0.5)).rounded(.towardZero)
    let high = value - k * ln2High
    let low = k * ln2Low
    let x = high - low
    let z = x * x
    let series =
        1.66666666666666019037e-01 + z
        * (-2.77777777770155933842e-03 + z
            * (6.61375632143793436117e-05 + z * (-1.65339022054652515390e-06 + z * 4.13813679705723846039e-08)))
    let c = x - z * series
    let y = 1 + (x * c / (2 - c) - low + high)
    return scaled(y, byPowerOfTwo: Int(k))
}

/// `base` to the power of `exponent` for a base that is not negative; relative error about `abs(exponent * log(base))` ulp.
public func portablePower(_ base: Double, _ exponent: Double) -> Double {
    if exponent == 0 || base == 1 { return 1 }
    if exponent == 1 { return base }
    return portableExp(exponent * portableLog(base))
}

private let ln2High = 6.93147180369123816490e-01
private let ln2Low = 1.90821492927058770002e-10

// In two steps where one factor would leave the range of a Double; only the last of them rounds.
private func scaled(_ y: Double, byPowerOfTwo k: Int) -> Double {
    if k > 1023 { return y * 0x1p1023 * powerOfTwo(k - 1023) }
    if k < -1022 { return y * powerOfTwo(k + 200) * 0x1p-200 }
    return y * powerOfTwo(k)
}

private func powerOfTwo(_ k: Int) -> Double { Double(bitPattern: UInt64(k + 1023) << 52) }
