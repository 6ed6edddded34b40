// Decimal numbers of JSON, rounded as Python and numpy do: to double precision, then to single.
//
// Most numbers have few enough digits for one division in double precision. The quotient may be
// off by two units in the last place. That changes the float only where the quotient is as close
// to the midpoint of two floats; std::from_chars converts those few, and all longer numbers. This
// takes half the time of std::from_chars alone.
#pragma once

#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>

namespace larnn {

// Parses eight digits at once; false where one of the characters is no digit.
inline bool parse_eight_digits(const char* text, uint64_t& value) {
  uint64_t bytes = 0;
  std::memcpy(&bytes, text, sizeof bytes);
  bytes ^= 0x3030303030303030;
  if (((bytes | (bytes + 0x7676767676767676)) & 0x8080808080808080) != 0) return false;
  bytes = (bytes * 10 + (bytes >> 8)) & 0x00FF00FF00FF00FF;
  bytes = (bytes * 100 + (bytes >> 16)) & 0x0000FFFF0000FFFF;
  value = (bytes * 10'000 + (bytes >> 32)) & 0xFFFFFFFF;
  return true;
}

// Appends the digits from `at` on to `value`, modulo 2^64, and returns where they end.
inline const char* parse_digits(const char* at, const char* end, uint64_t& value) {
  for (uint64_t eight = 0; end - at >= 8 && parse_eight_digits(at, eight); at += 8)
    value = value * 100'000'000 + eight;
  for (; at != end && *at >= '0' && *at <= '9'; ++at) value = value * 10 + (*at - '0');
  return at;
}

// Computes mantissa / 10^scale as a float, for a scale of 19 at most. False where the quotient is
// too close to the midpoint of two floats. No such quotient leaves the range of normal floats.
inline bool divide(uint64_t mantissa, int64_t scale, float& value) {
  static constexpr double kPowers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,
                                       1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19};
  constexpr uint64_t kExtraBits = (uint64_t{1} << 29) - 1;  // a double has them and a float has not
  constexpr uint64_t kMidpoint = uint64_t{1} << 28, kMargin = 4;
  const double quotient = static_cast<double>(mantissa) / kPowers[scale];
  uint64_t bits = 0;
  std::memcpy(&bits, &quotient, sizeof bits);
  value = static_cast<float>(quotient);
  return (bits & kExtraBits) - (kMidpoint - kMargin) > 2 * kMargin;
}

// Reads the number that begins at `at`, which then is where the number ends. False where no number
// of JSON's grammar begins there, or where it is not finite as a float.
inline bool read_decimal(const char*& at, const char* end, float& value) {
  constexpr int64_t kMostDigits = 19;  // those that fit 64 bits
  const auto next_is = [end](const char* place, char wanted) {
    return place != end && *place == wanted;
  };
  const bool negative = next_is(at, '-');
  const char* whole = at + (negative ? 1 : 0);
  uint64_t mantissa = 0;
  const char* rest = parse_digits(whole, end, mantissa);
  int64_t digits = rest - whole, scale = 0;
  if (digits == 0 || (*whole == '0' && digits > 1)) return false;
  if (next_is(rest, '.')) {
    const char* fraction = rest + 1;
    rest = parse_digits(fraction, end, mantissa);
    scale = rest - fraction;
    if (scale == 0) return false;
    digits = scale + (*whole == '0' ? 0 : digits);
  }
  const bool has_exponent = next_is(rest, 'e') || next_is(rest, 'E');
  if (!has_exponent && digits <= kMostDigits && divide(mantissa, scale, value)) {
    if (negative) value = -value;
    at = rest;
    return true;
  }
  double exact = 0;
  const auto [behind, error] = std::from_chars(at, end, exact);
  at = behind;
  value = static_cast<float>(exact);
  return error == std::errc() && std::isfinite(value);
}

}  // namespace larnn
