// What follows an activation, on a row of n floats.
#pragma once

#include <cmath>

#include "buffer.h"
#include "layer.h"
#include "simd.h"

namespace larnn::LARNN_LEVEL {

// x·scale + shift; with layer norm of x at mean 0 and deviation 1.
class Normalisation {
 public:
  Normalisation(Norm norm, Scaling scaling, int n, float epsilon)
      : norm_(norm), n_(n), epsilon_(epsilon), scale_(padded(n)), shift_(padded(n)) {
    if (norm == Norm::kNone) return;
    std::memcpy(scale_.data(), scaling.scale, sizeof(float) * n);
    std::memcpy(shift_.data(), scaling.shift, sizeof(float) * n);
  }

  // In place, on whole vectors.
  void operator()(float* row) const {
    if (norm_ == Norm::kNone) return;
    float mean = 0.0f, factor = 1.0f;
    if (norm_ == Norm::kLayer) {
      mean = total(row, 0.0f, false) / n_;
      factor = 1.0f / std::sqrt(total(row, mean, true) / n_ + epsilon_);
    }
    for (int i = 0; i < n_; i += kLanes) {
      const Vec x = (load(row + i) - mean) * factor;
      store(row + i, x * load(scale_.data() + i) + load(shift_.data() + i));
    }
  }

 private:
  float total(const float* row, float mean, bool squared) const {
    Vec sum{};
    for (int i = 0; i < n_; i += kLanes) {
      const Mask mask = first(n_ - i < kLanes ? n_ - i : kLanes);
      const Vec x = load(row + i, mask) - mean;
      alignas(64) float inside[kLanes] = {};
      store(inside, squared ? x * x : x, mask);
      sum += load(inside);
    }
    float all = 0.0f;
    for (int lane = 0; lane < kLanes; ++lane) all += sum[lane];
    return all;
  }

  Norm norm_;
  int n_;
  float epsilon_;
  Buffer scale_, shift_;
};

}  // namespace larnn::LARNN_LEVEL
