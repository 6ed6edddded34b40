// Multi-head attention of one row over the filled slots of its queue.
//
// Heads are innermost: feature f belongs to head f mod heads. A vector therefore holds one feature
// of many heads, and the scores of the heads are computed side by side, without sums across lanes.
// If there are fewer heads than lanes, and they divide the vector, they share it: the lanes of a
// head are summed once for each slot, and each of them then holds the result.
#pragma once

#include <initializer_list>
#include <limits>
#include <utility>

#include "functions.h"
#include "simd.h"

namespace larnn::LARNN_LEVEL {

// Consecutive slots, oldest first, n floats each.
struct Slots {
  const float* keys;
  const float* values;
  int count;
};

class Attention {
 public:
  Attention(int n, int heads) : n_(n), lanes_(heads), fold_(0), parts_(1) {
    if (heads < kLanes && kLanes % heads == 0 && n % kLanes == 0) {
      lanes_ = kLanes;
      fold_ = heads;
    }
    features_ = n / lanes_;
    if (lanes_ > kLanes && 2 * features_ <= kAtOnce) parts_ = 2;
    attend_ = parts_ == 2 ? choose<2>(features_, std::make_integer_sequence<int, kAtOnce / 2>())
                          : choose<1>(features_, std::make_integer_sequence<int, kAtOnce>());
  }

  // The number of floats that `scores` needs for k slots.
  size_t scores_size(int k) const { return static_cast<size_t>(k) * parts_ * kLanes; }

  // query [n] is already multiplied by log2(e) / √d. The slots of `older` come before those of
  // `newer`, and sums over slots run in that order of age. Writes attended [n], which is zero if no
  // slot is filled.
  void operator()(const float* query, Slots older, Slots newer, float* scores,
                  float* attended) const {
    for (int lane = 0; lane < lanes_; lane += parts_ * kLanes)
      (this->*attend_)(query, older, newer, lane, scores, attended);
  }

 private:
  static constexpr int kAtOnce =
      8;  // features in registers at a time, to hide the latency of additions

  // Computes kParts vectors of heads from `lane` on. kFeatures is the number of features of a head,
  // at most kAtOnce; the features beyond that are read from memory again.
  template <int kParts, int kFeatures>
  void attend(const float* query, Slots older, Slots newer, int lane, float* scores,
              float* attended) const {
    const int n = n_, lanes = lanes_, features = features_;
    Mask mask[kParts];
    Vec q[kParts][kFeatures], largest[kParts];
#pragma GCC unroll 2
    for (int part = 0; part < kParts; ++part) {
      const int at = lane + part * kLanes, left = lanes - at;
      mask[part] = first(left < 0 ? 0 : left < kLanes ? left : kLanes);
      largest[part] = broadcast(-std::numeric_limits<float>::infinity());
#pragma GCC unroll 8
      for (int f = 0; f < kFeatures; ++f) q[part][f] = load(query + f * lanes + at, mask[part]);
    }
    float* score = scores;
    for (const Slots& slots : {older, newer}) {
      const float* key = slots.keys + lane;
      for (int slot = 0; slot < slots.count; ++slot, key += n)
#pragma GCC unroll 2
        for (int part = 0; part < kParts; ++part, score += kLanes) {
          Vec total{};
#pragma GCC unroll 8
          for (int f = 0; f < kFeatures; ++f)
            total += q[part][f] * load(key + f * lanes + part * kLanes, mask[part]);
          if (kFeatures == kAtOnce)
            for (int f = kAtOnce; f < features; ++f)
              total +=
                  load(query + f * lanes + lane, mask[part]) * load(key + f * lanes, mask[part]);
          store(score, total);
          largest[part] = max(largest[part], total);
        }
    }
    const int count = older.count + newer.count;
    if (kParts == 1 && fold_ != 0) largest[0] = fold(scores, count);

    Vec weights[kParts] = {}, total[kParts][kFeatures] = {};
    score = scores;
    for (const Slots& slots : {older, newer}) {
      const float* value = slots.values + lane;
      for (int slot = 0; slot < slots.count; ++slot, value += n)
#pragma GCC unroll 2
        for (int part = 0; part < kParts; ++part, score += kLanes) {
          const Vec weight = exp2(load(score) - largest[part]);
          weights[part] += weight;
          if (kFeatures == kAtOnce) store(score, weight);
#pragma GCC unroll 8
          for (int f = 0; f < kFeatures; ++f)
            total[part][f] += weight * load(value + f * lanes + part * kLanes, mask[part]);
        }
    }
#pragma GCC unroll 2
    for (int part = 0; part < kParts; ++part) {
      const Vec share = count == 0 ? Vec{} : 1.0f / weights[part];
#pragma GCC unroll 8
      for (int f = 0; f < kFeatures; ++f)
        store(attended + f * lanes + lane + part * kLanes, total[part][f] * share, mask[part]);
      if (kFeatures == kAtOnce)
        for (int f = kAtOnce; f < features; ++f)
          store(attended + f * lanes + lane,
                weighted(scores, older, newer, f * lanes + lane, mask[part]) * share, mask[part]);
    }
  }

  // The weighted sum of the values of one feature beyond kAtOnce.
  Vec weighted(const float* weights, Slots older, Slots newer, int at, Mask mask) const {
    Vec total{};
    for (const Slots& slots : {older, newer})
      for (int slot = 0; slot < slots.count; ++slot, weights += kLanes)
        total += load(weights) * load(slots.values + static_cast<size_t>(slot) * n_ + at, mask);
    return total;
  }

  // Where heads share a vector: replaces each lane by the sum over the lanes of its head, and
  // returns the largest scores.
  Vec fold(float* scores, int count) const {
    Vec largest = broadcast(-std::numeric_limits<float>::infinity());
    for (int slot = 0; slot < count; ++slot, scores += kLanes) {
      Vec score = load(scores);
      for (int half = kLanes / 2; half >= fold_; half /= 2) score += swapped(score, half);
      store(scores, score);
      largest = max(largest, score);
    }
    return largest;
  }

  // Swaps lane i with lane i xor half.
  static Vec swapped(Vec value, int half) {
    VecInt lane;
    for (int i = 0; i < kLanes; ++i) lane[i] = i ^ half;
    return shuffled(value, lane);
  }

  using Attend = void (Attention::*)(const float*, Slots, Slots, int, float*, float*) const;

  template <int kParts, int... kLess>
  static Attend choose(int features, std::integer_sequence<int, kLess...>) {
    constexpr Attend kEach[] = {&Attention::attend<kParts, kLess + 1>...};
    constexpr int kMost = sizeof...(kLess);
    return kEach[(features < kMost ? features : kMost) - 1];
  }

  int n_, lanes_, fold_, parts_, features_;
  Attend attend_;
};

}  // namespace larnn::LARNN_LEVEL
