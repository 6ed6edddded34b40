// Attention of one row and one step in training: forward, where the weights are kept, and backward.
//
// Heads are innermost and divide the lanes of a vector, so lane l of every vector belongs to head
// l mod heads. A score is the sum over the lanes of its head, and each of these lanes holds it.
#pragma once

#include <limits>

#include "functions.h"
#include "simd.h"

namespace larnn::LARNN_LEVEL {

// Replaces each lane by the sum over the lanes of its head.
class OverHeads {
 public:
  explicit OverHeads(int heads) {
    for (int half = kLanes / 2; half >= heads; half /= 2, ++count_)
      for (int i = 0; i < kLanes; ++i) lane_[count_][i] = i ^ half;
  }
  Vec operator()(Vec x) const {
    for (int i = 0; i < count_; ++i) x += shuffled(x, lane_[i]);
    return x;
  }

 private:
  int count_ = 0;
  VecInt lane_[4];
};

// The slots that a step attends to, oldest first, of `vectors` whole vectors each.
struct Window {
  const float *keys, *values;
  int count;
};

// kVectors is the number of vectors of a slot, or 0 if it is known only at run time, as `vectors`.
template <int kVectors>
struct TrainingAttention {
  // query and attended have the size of a slot; the query is multiplied by log2(e) / √d. Writes
  // weights [count, lanes] and attended.
  static void forward(int vectors, const OverHeads& over_heads, const float* query, Window window,
                      float* weights, float* attended) {
    const int size = kVectors ? kVectors : vectors;
    Vec largest = broadcast(-std::numeric_limits<float>::infinity());
    const float* key = window.keys;
    for (int slot = 0; slot < window.count; ++slot, key += size * kLanes) {
      Vec total{};
      for (int v = 0; v < size; ++v) total += load(query + v * kLanes) * load(key + v * kLanes);
      total = over_heads(total);
      store(weights + slot * kLanes, total);
      largest = max(largest, total);
    }
    Vec sum{};
    for (int slot = 0; slot < window.count; ++slot) {
      const Vec weight = exp2(load(weights + slot * kLanes) - largest);
      store(weights + slot * kLanes, weight);
      sum += weight;
    }
    for (int v = 0; v < size; ++v) store(attended + v * kLanes, Vec{});
    const float* value = window.values;
    for (int slot = 0; slot < window.count; ++slot, value += size * kLanes) {
      const Vec weight = load(weights + slot * kLanes) / sum;
      store(weights + slot * kLanes, weight);
      for (int v = 0; v < size; ++v) add(attended + v * kLanes, weight * load(value + v * kLanes));
    }
  }

  // Adds to d_keys and d_values [count, size], and writes d_query. Here the query is not
  // multiplied; `scale` is 1 / √d, and `d_scores` [count, lanes] is scratch memory.
  static void backward(int vectors, const OverHeads& over_heads, float scale, const float* query,
                       Window window, const float* weights, const float* d_attended,
                       float* d_scores, float* d_keys, float* d_values, float* d_query) {
    const int size = kVectors ? kVectors : vectors;
    Vec mean{};
    for (int slot = 0; slot < window.count; ++slot) {
      const size_t at = static_cast<size_t>(slot) * size * kLanes;
      const Vec weight = load(weights + slot * kLanes);
      Vec total{};
      for (int v = 0; v < size; ++v) {
        const Vec d = load(d_attended + v * kLanes);
        total += d * load(window.values + at + v * kLanes);
        add(d_values + at + v * kLanes, weight * d);
      }
      total = over_heads(total);
      store(d_scores + slot * kLanes, total);
      mean += weight * total;
    }
    for (int v = 0; v < size; ++v) store(d_query + v * kLanes, Vec{});
    for (int slot = 0; slot < window.count; ++slot) {
      const size_t at = static_cast<size_t>(slot) * size * kLanes;
      const Vec d_score =
          load(weights + slot * kLanes) * (load(d_scores + slot * kLanes) - mean) * scale;
      for (int v = 0; v < size; ++v) {
        add(d_query + v * kLanes, d_score * load(window.keys + at + v * kLanes));
        add(d_keys + at + v * kLanes, d_score * load(query + v * kLanes));
      }
    }
  }

 private:
  static void add(float* to, Vec value) { store(to, load(to) + value); }
};

// The functions that were compiled for slots of one size.
struct AttentionWays {
  decltype(&TrainingAttention<0>::forward) forward;
  decltype(&TrainingAttention<0>::backward) backward;
};

template <int kVectors>
constexpr AttentionWays ways() {
  return {TrainingAttention<kVectors>::forward, TrainingAttention<kVectors>::backward};
}

inline AttentionWays attention_for(int vectors) {
  switch (vectors) {
    case 1:
      return ways<1>();
    case 2:
      return ways<2>();
    case 3:
      return ways<3>();
    case 4:
      return ways<4>();
    default:
      return ways<0>();
  }
}

}  // namespace larnn::LARNN_LEVEL
