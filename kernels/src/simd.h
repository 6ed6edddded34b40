// Vectors of floats, as wide as the level for which this file is compiled, in the vector extensions
// of GCC and Clang: + - * / and comparisons work on each lane.
//
// All code that depends on the level is in the namespace LARNN_LEVEL, which the build defines. One
// library contains three copies of that code, and no two of them may share a name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace larnn::LARNN_LEVEL {

#if defined(__AVX512F__)
inline constexpr int kLanes = 16;
inline constexpr int kRowsAtOnce = 8;  // rows of a product that fit into 32 registers
#elif defined(__AVX2__)
inline constexpr int kLanes = 8;
inline constexpr int kRowsAtOnce = 4;  // 16 registers
#elif defined(__aarch64__)
inline constexpr int kLanes = 4;
inline constexpr int kRowsAtOnce = 8;
#else
inline constexpr int kLanes = 4;
inline constexpr int kRowsAtOnce = 4;
#endif

typedef float Vec __attribute__((vector_size(4 * kLanes)));
typedef int32_t VecInt __attribute__((vector_size(4 * kLanes)));
typedef float Unaligned __attribute__((vector_size(4 * kLanes), aligned(4), may_alias));

constexpr int vectors(int count) { return (count + kLanes - 1) / kLanes; }
constexpr int padded(int count) { return vectors(count) * kLanes; }

inline Vec broadcast(float value) { return value - Vec{}; }  // minus 0 is free, plus 0 is not
inline Vec load(const float* from) { return *reinterpret_cast<const Unaligned*>(from); }
inline void store(float* to, Vec value) { *reinterpret_cast<Unaligned*>(to) = value; }

// Loads and stores of the first lanes only. Memory behind them is not touched; their lanes read as
// 0.
#if defined(__AVX512F__)
using Mask = __mmask16;
inline Mask first(int count) { return static_cast<Mask>((1u << count) - 1); }
inline Vec load(const float* from, Mask mask) {
  return reinterpret_cast<Vec>(_mm512_maskz_loadu_ps(mask, from));
}
inline void store(float* to, Vec value, Mask mask) {
  _mm512_mask_storeu_ps(to, mask, reinterpret_cast<__m512>(value));
}
#elif defined(__AVX2__)
using Mask = __m256i;
inline Mask first(int count) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
inline Vec load(const float* from, Mask mask) {
  return reinterpret_cast<Vec>(_mm256_maskload_ps(from, mask));
}
inline void store(float* to, Vec value, Mask mask) {
  _mm256_maskstore_ps(to, mask, reinterpret_cast<__m256>(value));
}
#else
using Mask = size_t;
inline Mask first(int count) { return static_cast<Mask>(count); }
inline Vec load(const float* from, Mask mask) {
  if (mask == kLanes) return load(from);
  Vec value{};
  for (Mask lane = 0; lane < mask; ++lane) value[lane] = from[lane];
  return value;
}
inline void store(float* to, Vec value, Mask mask) {
  if (mask == kLanes) return store(to, value);
  for (Mask lane = 0; lane < mask; ++lane) to[lane] = value[lane];
}
#endif

// Writes `count` floats. value(i) is the vector of those from i on.
template <typename Value>
void each(int count, const Value& value, float* to) {
  int i = 0;
  for (; i + kLanes <= count; i += kLanes) store(to + i, value(i));
  if (i < count) store(to + i, value(i), first(count - i));
}

inline void copy(float* to, const float* from, int count) {
  int i = 0;
  for (; i + kLanes <= count; i += kLanes) store(to + i, load(from + i));
  if (i < count) store(to + i, load(from + i, first(count - i)), first(count - i));
}

// Lane i of the result is lane[i] of the argument.
inline Vec shuffled(Vec value, VecInt lane) {
#if defined(__clang__)
  Vec result;
  for (int i = 0; i < kLanes; ++i) result[i] = value[lane[i]];
  return result;
#else
  return __builtin_shuffle(value, lane);
#endif
}

// The larger and the smaller of the two. If b is not a number, the result is not one either, so
// that a row with such a value shows it.
#if defined(__AVX512F__)
inline Vec max(Vec a, Vec b) { return reinterpret_cast<Vec>(_mm512_max_ps(__m512(a), __m512(b))); }
inline Vec min(Vec a, Vec b) { return reinterpret_cast<Vec>(_mm512_min_ps(__m512(a), __m512(b))); }
#elif defined(__AVX2__)
inline Vec max(Vec a, Vec b) { return reinterpret_cast<Vec>(_mm256_max_ps(__m256(a), __m256(b))); }
inline Vec min(Vec a, Vec b) { return reinterpret_cast<Vec>(_mm256_min_ps(__m256(a), __m256(b))); }
#else
inline Vec max(Vec a, Vec b) { return a > b ? a : b; }
inline Vec min(Vec a, Vec b) { return a < b ? a : b; }
#endif
inline Vec max(float a, Vec b) { return max(broadcast(a), b); }
inline Vec min(float a, Vec b) { return min(broadcast(a), b); }

// The fraction of x above the integer below it, and value · 2^that integer.
#if defined(__AVX512F__)
inline Vec fraction(Vec x) {
  return reinterpret_cast<Vec>(_mm512_reduce_ps(__m512(x), _MM_FROUND_FLOOR));
}
inline Vec scaled(Vec value, Vec x) {
  return reinterpret_cast<Vec>(_mm512_scalef_ps(__m512(value), __m512(x)));
}
#else
// Adding 1.5·2²³ rounds: it moves the fraction out of the mantissa and leaves the integer in the
// low bits. x is limited to the range where the power of two is a normal number.
inline constexpr float kRound = 12582912.0f;
inline Vec normal_exponent(Vec x) { return min(127.0f, max(-126.0f, x)); }
inline Vec fraction(Vec x) {
  const Vec inside = normal_exponent(x);
  return inside - ((inside - 0.5f + kRound) - kRound);
}
inline Vec scaled(Vec value, Vec x) {
  const Vec shifted = normal_exponent(x) - 0.5f + kRound;
  const VecInt power = (reinterpret_cast<VecInt>(shifted) << 23) + (127 << 23);
  return value * reinterpret_cast<Vec>(power);
}
#endif

}  // namespace larnn::LARNN_LEVEL
