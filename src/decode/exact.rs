//! Exact numbers from text: a sign, up to 38 significant digits, a power of ten and what lies below; no float anywhere.

/// The digits that an `i128` can always hold.
const MAX_DIGITS: u32 = 38;

/// The largest exponent that is told apart; beyond it every value is zero or out of range.
const EXPONENT_LIMIT: i64 = 1 << 40;

/// What was cut off below the last kept digit, against half a unit of that digit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tail {
    /// Nothing but zeros.
    #[default]
    Zero,
    /// More than nothing, less than half.
    Below,
    /// Half exactly.
    Half,
    /// More than half.
    Above,
}

/// What to do with digits below the wanted scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rounding {
    /// Refuse them, unless they are zeros.
    Refuse,
    /// Round half to even.
    HalfEven,
    /// Round toward minus infinity.
    Floor,
}

/// Why a number does not fit a scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Misfit {
    /// It has more fraction digits than the scale.
    Inexact,
    /// It has more than 38 digits.
    Overflow,
}

/// A number as its text says it: `±mantissa × 10^exponent`, and a tail below.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Exact {
    negative: bool,
    /// The power of ten of the mantissa's last digit.
    pub(crate) exponent: i64,
    mantissa: u128,
    digits: u32,
    tail: Tail,
    tail_begun: bool,
}

impl Exact {
    /// Zero, of a sign; for digits to be pushed.
    pub(crate) fn signed(negative: bool) -> Self {
        Self { negative, ..Self::default() }
    }

    /// Reads a JSON number (RFC 8259 section 6); the flag says whether it is written as an integer.
    pub(crate) fn from_json(text: &str) -> Option<(Self, bool)> {
        let bytes = text.as_bytes();
        let (negative, rest) = match bytes {
            [b'-', rest @ ..] => (true, rest),
            rest => (false, rest),
        };
        let mut number = Self::signed(negative);
        let (whole, mut rest) = split_digits(rest);
        match whole {
            [] | [b'0', _, ..] => return None,
            whole => number.push_all(whole, false),
        }
        let integer = rest.is_empty();
        if let [b'.', after @ ..] = rest {
            let (fraction, after) = split_digits(after);
            if fraction.is_empty() {
                return None;
            }
            number.push_all(fraction, true);
            rest = after;
        }
        if let [b'e' | b'E', after @ ..] = rest {
            number.exponent += read_exponent(after)?;
            rest = &[];
        }
        rest.is_empty().then_some((number, integer))
    }

    /// Appends digits, of the fraction or of the whole part.
    pub(crate) fn push_all(&mut self, digits: &[u8], fraction: bool) {
        for byte in digits {
            self.push(byte.wrapping_sub(b'0'), fraction);
        }
    }

    fn push(&mut self, digit: u8, fraction: bool) {
        if self.digits < MAX_DIGITS {
            self.mantissa = self.mantissa * 10 + u128::from(digit);
            self.digits += u32::from(self.mantissa != 0);
            self.exponent -= i64::from(fraction);
            return;
        }
        self.exponent += i64::from(!fraction);
        self.tail = match (self.tail_begun, self.tail, digit) {
            (false, _, 5) => Tail::Half,
            (false, _, 6..) => Tail::Above,
            (_, tail, 0) => tail,
            (false, _, _) | (true, Tail::Zero, _) => Tail::Below,
            (true, Tail::Half, _) => Tail::Above,
            (true, tail, _) => tail,
        };
        self.tail_begun = true;
    }

    /// Whether its magnitude is at most `limit`.
    pub(crate) fn is_at_most(&self, limit: u128) -> bool {
        self.magnitude(0)
            .is_ok_and(|(whole, tail)| whole < limit || (whole == limit && tail == Tail::Zero))
    }

    /// The number in units of `10^-scale`.
    ///
    /// # Errors
    /// Which way it does not fit.
    pub(crate) fn at_scale(&self, scale: i64, rounding: Rounding) -> Result<i128, Misfit> {
        let (whole, tail) = self.magnitude(scale)?;
        let up = match (rounding, tail) {
            (_, Tail::Zero) => false,
            (Rounding::Refuse, _) => return Err(Misfit::Inexact),
            (Rounding::HalfEven, Tail::Half) => whole % 2 == 1,
            (Rounding::HalfEven, tail) => tail == Tail::Above,
            (Rounding::Floor, _) => self.negative,
        };
        let value = i128::try_from(whole + u128::from(up)).map_err(|_| Misfit::Overflow)?;
        Ok(if self.negative { -value } else { value })
    }

    /// The magnitude in whole units of `10^-scale`, and what lies below one.
    fn magnitude(&self, scale: i64) -> Result<(u128, Tail), Misfit> {
        if self.mantissa == 0 {
            return Ok((0, Tail::Zero));
        }
        let shift = self.exponent.saturating_add(scale);
        let places = u32::try_from(shift.unsigned_abs()).unwrap_or(u32::MAX);
        if shift == 0 {
            return Ok((self.mantissa, self.tail));
        }
        if shift > 0 {
            let factor = 10u128.checked_pow(places).ok_or(Misfit::Overflow)?;
            let whole = self.mantissa.checked_mul(factor).ok_or(Misfit::Overflow)?;
            return if self.tail == Tail::Zero {
                Ok((whole, Tail::Zero))
            } else {
                Err(Misfit::Overflow)
            };
        }
        // 38 digits moved below 39 places or more are under a tenth of a unit.
        let Some(divisor) = 10u128.checked_pow(places) else { return Ok((0, Tail::Below)) };
        let (whole, rest) = (self.mantissa / divisor, self.mantissa % divisor);
        let sticky = self.tail != Tail::Zero;
        let tail = match rest.cmp(&(divisor / 2)) {
            std::cmp::Ordering::Less if rest == 0 && !sticky => Tail::Zero,
            std::cmp::Ordering::Less => Tail::Below,
            std::cmp::Ordering::Equal if !sticky => Tail::Half,
            std::cmp::Ordering::Equal | std::cmp::Ordering::Greater => Tail::Above,
        };
        Ok((whole, tail))
    }
}

/// Splits the leading ASCII digits off.
pub(crate) fn split_digits(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|b| !b.is_ascii_digit()).unwrap_or(bytes.len());
    bytes.split_at(end)
}

/// Reads the exponent after `e`, clamped; `None` where it is malformed.
fn read_exponent(bytes: &[u8]) -> Option<i64> {
    let (negative, digits) = match bytes {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = digits.iter().fold(0i64, |value, byte| {
        (value * 10 + i64::from(byte.wrapping_sub(b'0'))).min(EXPONENT_LIMIT)
    });
    Some(if negative { -value } else { value })
}
