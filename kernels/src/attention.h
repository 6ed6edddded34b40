// Multi-head attention of one row over the filled slots of its queue.
//
// Heads are innermost: feature f belongs to head f mod heads. So a vector holds one feature of many
// heads, and their scores come out side by side, with no sum across lanes. Few heads that divide
// the vector share it: their lanes are summed once a slot, and all of them then hold the result.
#pragma once

#include <initializer_list>

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
  Attention(int n, int heads) : n_(n), lanes_(heads), fold_(0) {
    if (heads < kLanes && kLanes % heads == 0 && n % kLanes == 0) {
      lanes_ = kLanes;
      fold_ = heads;
    }
    features_ = n / lanes_;
  }

  // Floats that `scores` needs for k slots.
  size_t scores_size(int k) const { return static_cast<size_t>(k) * padded(lanes_); }

  // query [n], already divided by √d; `older` slots come before `newer`. Writes attended [n], zero
  // where no slot is filled. A sum over slots runs in the order of age, wherever they are kept.
  void operator()(const float* query, Slots older, Slots newer, float* scores,
                  float* attended) const {
    for (int lane = 0; lane < lanes_; lane += kLanes) {
      const Mask mask = first(lanes_ - lane < kLanes ? lanes_ - lane : kLanes);
      float* after = score(query + lane, older.keys + lane, older.count, mask, scores);
      score(query + lane, newer.keys + lane, newer.count, mask, after);
      const Vec share = softmax(scores, older.count + newer.count);
      for (int feature = 0; feature < features_; feature += kFeatures) {
        const int left = features_ - feature, together = left < kFeatures ? left : kFeatures;
        (this->*kSums[together - 1])(scores, older, newer, feature * lanes_ + lane, share, mask,
                                     attended);
      }
    }
  }

 private:
  // Scores of `count` slots, a vector each; returns where they end.
  float* score(const float* query, const float* keys, int count, Mask mask, float* scores) const {
    constexpr int kTogether = 4;
    int slot = 0;
    for (; slot + kTogether <= count; slot += kTogether, scores += kTogether * kLanes)
      score_slots<kTogether>(query, keys + static_cast<size_t>(slot) * n_, mask, scores);
    for (; slot < count; ++slot, scores += kLanes)
      score_slots<1>(query, keys + static_cast<size_t>(slot) * n_, mask, scores);
    return scores;
  }

  template <int kSlots>
  void score_slots(const float* query, const float* keys, Mask mask, float* scores) const {
    Vec total[kSlots] = {};
    for (int feature = 0; feature < features_; ++feature) {
      const Vec q = load(query + feature * lanes_, mask);
      for (int slot = 0; slot < kSlots; ++slot)
        total[slot] += q * load(keys + slot * n_ + feature * lanes_, mask);
    }
    for (int slot = 0; slot < kSlots; ++slot) store(scores + slot * kLanes, folded(total[slot]));
  }

  // The sum over the lanes of each head, in every one of them.
  Vec folded(Vec value) const {
    if (fold_ == 0) return value;
    for (int half = kLanes / 2; half >= fold_; half /= 2) value += swapped(value, half);
    return value;
  }

  // Lane i takes the place of lane i xor half.
  static Vec swapped(Vec value, int half) {
    VecInt lane;
    for (int i = 0; i < kLanes; ++i) lane[i] = i ^ half;
#if defined(__clang__)
    Vec result;
    for (int i = 0; i < kLanes; ++i) result[i] = value[lane[i]];
    return result;
#else
    return __builtin_shuffle(value, lane);
#endif
  }

  // Turns scores into weights that are not yet divided by their sum; returns 1 / sum.
  static Vec softmax(float* scores, int count) {
    if (count == 0) return Vec{};
    Vec largest = load(scores), total{};
    for (int slot = 1; slot < count; ++slot) largest = max(load(scores + slot * kLanes), largest);
    for (int slot = 0; slot < count; ++slot) {
      const Vec weight = exp_below_0(load(scores + slot * kLanes) - largest);
      store(scores + slot * kLanes, weight);
      total += weight;
    }
    return 1.0f / total;
  }

  // The values of some features, weighted: as many sums at once as hide each other's latency.
  template <int kTogether>
  void sum(const float* weights, Slots older, Slots newer, int at, Vec share, Mask mask,
           float* attended) const {
    Vec total[kTogether] = {};
    for (const Slots& slots : {older, newer}) {
      const float* value = slots.values + at;
      for (int slot = 0; slot < slots.count; ++slot, value += n_, weights += kLanes) {
        const Vec weight = load(weights);
        for (int feature = 0; feature < kTogether; ++feature)
          total[feature] += weight * load(value + feature * lanes_, mask);
      }
    }
    for (int feature = 0; feature < kTogether; ++feature)
      store(attended + at + feature * lanes_, total[feature] * share, mask);
  }

  static constexpr int kFeatures = 8;
  using Sum = void (Attention::*)(const float*, Slots, Slots, int, Vec, Mask, float*) const;
  static constexpr Sum kSums[kFeatures] = {
      &Attention::sum<1>, &Attention::sum<2>, &Attention::sum<3>, &Attention::sum<4>,
      &Attention::sum<5>, &Attention::sum<6>, &Attention::sum<7>, &Attention::sum<8>};

  int n_, lanes_, fold_, features_;
};

}  // namespace larnn::LARNN_LEVEL
