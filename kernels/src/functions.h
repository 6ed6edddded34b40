// exp, and the activations made of it, lane by lane.
#pragma once

#include "simd.h"

namespace larnn::LARNN_LEVEL {

// Relative error below 1e-7. x is clamped to where the result is a normal number.
//
// exp(x) = 2^m · exp(r), m = round(x / ln 2), |r| ≤ ln 2 / 2. Adding 1.5·2²³ rounds: it pushes the
// fraction out of the mantissa and leaves the integer in the low bits. ln 2 comes in two parts so
// that r is exact; exp(r) is the Taylor polynomial of degree 7, good to 6e-9 in that interval.
inline Vec exp(Vec x) {
  constexpr float kRound = 12582912.0f;
  x = clamp(x, -87.3f, 88.3f);
  const Vec shifted = x * 1.44269504f + kRound;
  const Vec m = shifted - kRound;
  const Vec r = (x - m * 0.693359375f) + m * 2.12194440e-4f;
  Vec p = broadcast(1.0f / 5040);
  p = p * r + 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  const VecInt exponent = (reinterpret_cast<VecInt>(shifted) - 0x4B400000 + 127) << 23;
  return p * reinterpret_cast<Vec>(exponent);
}

inline Vec elu(Vec x) { return x > Vec{} ? x : exp(x) - 1.0f; }

// sigmoid(x) · tanh(y), in one division.
inline Vec sigmoid_tanh(Vec x, Vec y) {
  const Vec e = exp(clamp(y, -10.0f, 10.0f) * 2.0f);
  return (e - 1.0f) / ((e + 1.0f) * (1.0f + exp(-x)));
}

// sigmoid(x) · y
inline Vec sigmoid_times(Vec x, Vec y) { return y / (1.0f + exp(-x)); }

}  // namespace larnn::LARNN_LEVEL
