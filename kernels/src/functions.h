// exp, and the activations made of it, lane by lane.
#pragma once

#include "simd.h"

namespace larnn::LARNN_LEVEL {

// exp(x) for x from kLeast to kMost, where the result is a normal number. Relative error below
// 1e-7.
//
// exp(x) = 2^m · exp(r), m = round(x / ln 2), |r| ≤ ln 2 / 2. Adding 1.5·2²³ rounds: it pushes the
// fraction out of the mantissa and leaves the integer in the low bits. ln 2 comes in two parts so
// that r is exact; exp(r) is the polynomial of degree 6 that is nearest to it in that interval.
inline constexpr float kLeast = -87.3f, kMost = 88.3f;

inline Vec exp_inside(Vec x) {
  constexpr float kRound = 12582912.0f;
  const Vec shifted = x * 1.44269504f + kRound;
  const Vec m = shifted - kRound;
  const Vec r = (x - m * 0.693359375f) + m * 2.12194440e-4f;
  Vec p = broadcast(0.00138145976f);
  p = p * r + 0.00836871658f;
  p = p * r + 0.041668389f;
  p = p * r + 0.166665211f;
  p = p * r + 0.49999994f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  const VecInt scale = (reinterpret_cast<VecInt>(shifted) << 23) + (127 << 23);
  return p * reinterpret_cast<Vec>(scale);
}

inline Vec exp(Vec x) { return exp_inside(min(kMost, max(kLeast, x))); }

inline Vec exp_below_0(Vec x) { return exp_inside(max(kLeast, x)); }

inline Vec elu(Vec x) { return max(0.0f, x) + (exp_below_0(min(0.0f, x)) - 1.0f); }

// sigmoid(x) · tanh(y), in one division.
inline Vec sigmoid_tanh(Vec x, Vec y) {
  const Vec e = exp_inside(min(10.0f, max(-10.0f, y)) * 2.0f);
  return (e - 1.0f) / ((e + 1.0f) * (1.0f + exp(-x)));
}

// sigmoid(x) · y
inline Vec sigmoid_times(Vec x, Vec y) { return y / (1.0f + exp(-x)); }

}  // namespace larnn::LARNN_LEVEL
