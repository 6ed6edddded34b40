// The normalisation that follows an activation, of a row of n floats.
#pragma once

#include <cmath>

#include "buffer.h"
#include "layer.h"
#include "simd.h"

namespace larnn::LARNN_LEVEL {

// Computes x·scale + shift. With layer norm, x is first brought to mean 0 and deviation 1.
class Normalisation {
 public:
  Normalisation(Norm norm, Scaling scaling, int n, float epsilon)
      : norm_(norm), n_(n), epsilon_(epsilon), scale_(padded(n)), shift_(padded(n)) {
    if (norm == Norm::kNone) return;
    std::memcpy(scale_.data(), scaling.scale, sizeof(float) * n);
    std::memcpy(shift_.data(), scaling.shift, sizeof(float) * n);
  }

  // Writes n normalised floats. value(i) is the vector of those from i on.
  template <typename Value>
  void operator()(const Value& value, float* to) const {
    if (norm_ == Norm::kNone) return each(n_, value, to);
    if (norm_ == Norm::kAffine)
      return each(n_, [&](int i) { return value(i) * load(&scale_[i]) + load(&shift_[i]); }, to);
    each(n_, value, to);
    const float mean = total(to, 0.0f, false) / n_;
    const float factor = 1.0f / std::sqrt(total(to, mean, true) / n_ + epsilon_);
    each(
        n_,
        [&](int i) {
          const Vec x = (load(to + i, mask(i)) - mean) * factor;
          return x * load(&scale_[i]) + load(&shift_[i]);
        },
        to);
  }

 private:
  float total(const float* row, float mean, bool squared) const {
    Vec sum{};
    for (int i = 0; i < n_; i += kLanes) {
      const Vec x = load(row + i, mask(i)) - mean;
      alignas(64) float inside[kLanes] = {};
      store(inside, squared ? x * x : x, mask(i));
      sum += load(inside);
    }
    float all = 0.0f;
    for (int lane = 0; lane < kLanes; ++lane) all += sum[lane];
    return all;
  }

  Mask mask(int i) const { return first(n_ - i < kLanes ? n_ - i : kLanes); }

  Norm norm_;
  int n_;
  float epsilon_;
  Buffer scale_, shift_;
};

}  // namespace larnn::LARNN_LEVEL
