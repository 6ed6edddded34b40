// Decimal numbers of JSON, as Python and numpy round them: to double precision, then to single.
//
// Most have few enough digits for one division in double precision. That may be off by two units
// in the last place, which makes another float only where the double is as near to the middle
// between two floats: those few, and all longer ones, go to std::from_chars.
#pragma once

#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>

namespace larnn {

class Decimal {
 public:
  Decimal(const char* text, const char* end) : at_(text), end_(end) {}

  // Whether a number of JSON's grammar begins here that is finite as a float; `at` is behind it.
  bool read(float& value) {
    const char* start = at_;
    const bool negative = next_is('-');
    if (negative) ++at_;
    const char* whole = at_;
    take_digits();
    if (at_ == whole || (*whole == '0' && at_ - whole > 1)) return false;
    int64_t digits = *whole == '0' ? 0 : at_ - whole, fraction = 0;
    if (next_is('.')) {
      const char* first = ++at_;
      take_digits();
      fraction = at_ - first;
      if (fraction == 0) return false;
      digits += fraction;
    }
    if (digits > kMostDigits || next_is('e') || next_is('E') ||
        !divide(fraction, negative, value)) {
      at_ = start;
      return convert(value);
    }
    return true;
  }

  const char* at() const { return at_; }

 private:
  static constexpr int kMostDigits = 19;  // that fit 64 bits
  static constexpr double kPowers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,
                                       1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19};
  static constexpr double kSmallest = 1.2e-38, kLargest = 3.4e38;  // well inside the normal floats
  static constexpr uint64_t kBelow = (uint64_t{1} << 29) - 1;  // a double's bits below a float's
  static constexpr uint64_t kMiddle = uint64_t{1} << 28, kNear = 4;

  bool next_is(char wanted) const { return at_ != end_ && *at_ == wanted; }

  void take_digits() {
    for (uint64_t eight = 0; end_ - at_ >= 8 && eight_digits(at_, eight); at_ += 8)
      digits_ = digits_ * 100'000'000 + eight;
    for (; at_ != end_ && *at_ >= '0' && *at_ <= '9'; ++at_) digits_ = digits_ * 10 + (*at_ - '0');
  }

  // The value of eight digits at once, the first in the lowest byte; false where one is none.
  static bool eight_digits(const char* text, uint64_t& value) {
    uint64_t each = 0;
    std::memcpy(&each, text, sizeof each);
    each ^= 0x3030303030303030;
    if (((each | (each + 0x7676767676767676)) & 0x8080808080808080) != 0) return false;
    each = (each * 10 + (each >> 8)) & 0x00FF00FF00FF00FF;
    each = (each * 100 + (each >> 16)) & 0x0000FFFF0000FFFF;
    value = (each * 10'000 + (each >> 32)) & 0xFFFFFFFF;
    return true;
  }

  bool divide(int64_t fraction, bool negative, float& value) const {
    const double near = static_cast<double>(digits_) / kPowers[fraction];
    uint64_t bits = 0;
    std::memcpy(&bits, &near, sizeof bits);
    const bool known = (bits & kBelow) - (kMiddle - kNear) > 2 * kNear;
    if (digits_ != 0 && (!known || near < kSmallest || near > kLargest)) return false;
    value = static_cast<float>(negative ? -near : near);
    return true;
  }

  bool convert(float& value) {
    double exact = 0;
    const auto [rest, error] = std::from_chars(at_, end_, exact);
    if (error != std::errc()) return false;
    at_ = rest;
    value = static_cast<float>(exact);
    return std::isfinite(value);
  }

  const char* at_;
  const char* end_;
  uint64_t digits_ = 0;
};

}  // namespace larnn
