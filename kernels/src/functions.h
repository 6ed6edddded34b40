// 2^x and e^x, and the activations that are made of them, for each lane.
#pragma once

#include "simd.h"

namespace larnn::LARNN_LEVEL {

// 2^x, with a relative error of at most 1.5e-7 where the result is a normal number.
//
// 2^x = 2^floor(x) · 2^r with 0 ≤ r ≤ 1. 2^r is approximated by the closest polynomial of degree 5
// that is 1 at 0.
inline Vec exp2(Vec x) {
  const Vec r = fraction(x);
  Vec p = broadcast(1.86713028e-3f);
  p = p * r + 9.01702978e-3f;
  p = p * r + 5.57999127e-2f;
  p = p * r + 2.40164444e-1f;
  p = p * r + 6.93151295e-1f;
  p = p * r + 1.0f;
  return scaled(p, x);
}

inline constexpr float kLog2E = 1.44269504f;  // e^x = 2^(x · log2 e)

inline Vec exp(Vec x) { return exp2(x * kLog2E); }

inline Vec elu(Vec x) { return x > 0.0f ? x : exp(x) - 1.0f; }

// sigmoid(x) · tanh(y), in one division.
inline Vec sigmoid_tanh(Vec x, Vec y) {
  const Vec e = exp(min(10.0f, max(-10.0f, y)) * 2.0f);
  return (e - 1.0f) / ((e + 1.0f) * (1.0f + exp(-x)));
}

// sigmoid(x) · y
inline Vec sigmoid_times(Vec x, Vec y) { return y / (1.0f + exp(-x)); }

}  // namespace larnn::LARNN_LEVEL
