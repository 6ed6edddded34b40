// Multi-head attention of one row over the filled slots of its queue.
//
// Heads are innermost: feature f belongs to head f mod heads. So a vector holds one feature of many
// heads, and their scores come out side by side, with no sum across lanes. Few heads that divide
// the vector share it: their lanes are summed once a slot, and all of them then hold the result.
#pragma once

#include <initializer_list>
#include <limits>

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

  // query [n], already times log2(e) / √d; `older` slots come before `newer`. Writes attended [n],
  // zero where no slot is filled. A sum over slots runs in the order of age, wherever they are kept.
  void operator()(const float* query, Slots older, Slots newer, float* scores,
                  float* attended) const {
    for (int lane = 0; lane < lanes_; lane += kLanes) {
      const Mask mask = first(lanes_ - lane < kLanes ? lanes_ - lane : kLanes);
      Softmax softmax{};
      for (int feature = 0; feature < features_; feature += kFeatures) {
        const auto score = (feature == 0 ? kScore<true> : kScore<false>)[together(feature) - 1];
        softmax.largest = (this->*score)(query, older, newer, feature * lanes_ + lane, mask, scores);
      }
      if (fold_ != 0) softmax.largest = fold(scores, older.count + newer.count);
      for (int feature = 0; feature < features_; feature += kFeatures) {
        const auto sum = (feature == 0 ? kSum<true> : kSum<false>)[together(feature) - 1];
        (this->*sum)(scores, softmax, older, newer, feature * lanes_ + lane, mask, attended);
      }
    }
  }

 private:
  struct Softmax {
    Vec largest;  // of the scores
    Vec share;    // 1 / sum of all weights
  };

  static constexpr int kFeatures = 8;  // at once: as many sums as hide each other's latency

  int together(int feature) const {
    return features_ - feature < kFeatures ? features_ - feature : kFeatures;
  }

  // What some features add to the scores, a vector for each slot; returns the largest so far.
  template <bool kFirst, int kTogether>
  Vec score(const float* query, Slots older, Slots newer, int at, Mask mask, float* scores) const {
    const int n = n_, lanes = lanes_;
    Vec largest = broadcast(-std::numeric_limits<float>::infinity()), q[kTogether];
#pragma GCC unroll 8
    for (int feature = 0; feature < kTogether; ++feature)
      q[feature] = load(query + at + feature * lanes, mask);
    for (const Slots& slots : {older, newer}) {
      const float* key = slots.keys + at;
      for (int slot = 0; slot < slots.count; ++slot, key += n, scores += kLanes) {
        Vec total = kFirst ? Vec{} : load(scores);
#pragma GCC unroll 8
        for (int feature = 0; feature < kTogether; ++feature)
          total += q[feature] * load(key + feature * lanes, mask);
        store(scores, total);
        largest = max(largest, total);
      }
    }
    return largest;
  }

  // Where heads share the vector: sums each one's lanes. Returns the largest scores.
  Vec fold(float* scores, int count) const {
    Vec largest = broadcast(-std::numeric_limits<float>::infinity());
    for (int slot = 0; slot < count; ++slot, scores += kLanes) {
      const Vec score = folded(load(scores));
      store(scores, score);
      largest = max(largest, score);
    }
    return largest;
  }

  // The sum over the lanes of each head, in every one of them.
  Vec folded(Vec value) const {
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

  // The values of some features, weighted. The first ones turn scores into weights on their way.
  template <bool kFirst, int kTogether>
  void sum(float* weights, Softmax& softmax, Slots older, Slots newer, int at, Mask mask,
           float* attended) const {
    const int n = n_, lanes = lanes_;
    const Vec largest = softmax.largest;
    Vec total[kTogether] = {}, all{};
    for (const Slots& slots : {older, newer}) {
      const float* value = slots.values + at;
      for (int slot = 0; slot < slots.count; ++slot, value += n, weights += kLanes) {
        Vec weight = load(weights);
        if (kFirst) {
          weight = exp2(weight - largest);
          store(weights, weight);
          all += weight;
        }
#pragma GCC unroll 8
        for (int feature = 0; feature < kTogether; ++feature)
          total[feature] += weight * load(value + feature * lanes, mask);
      }
    }
    if (kFirst) softmax.share = older.count + newer.count > 0 ? 1.0f / all : Vec{};
#pragma GCC unroll 8
    for (int feature = 0; feature < kTogether; ++feature)
      store(attended + at + feature * lanes, total[feature] * softmax.share, mask);
  }

  using Score = Vec (Attention::*)(const float*, Slots, Slots, int, Mask, float*) const;
  template <bool kFirst>
  static constexpr Score kScore[kFeatures] = {
      &Attention::score<kFirst, 1>, &Attention::score<kFirst, 2>, &Attention::score<kFirst, 3>,
      &Attention::score<kFirst, 4>, &Attention::score<kFirst, 5>, &Attention::score<kFirst, 6>,
      &Attention::score<kFirst, 7>, &Attention::score<kFirst, 8>};
  using Sum = void (Attention::*)(float*, Softmax&, Slots, Slots, int, Mask, float*) const;
  template <bool kFirst>
  static constexpr Sum kSum[kFeatures] = {
      &Attention::sum<kFirst, 1>, &Attention::sum<kFirst, 2>, &Attention::sum<kFirst, 3>,
      &Attention::sum<kFirst, 4>, &Attention::sum<kFirst, 5>, &Attention::sum<kFirst, 6>,
      &Attention::sum<kFirst, 7>, &Attention::sum<kFirst, 8>};

  int n_, lanes_, fold_, features_;
};

}  // namespace larnn::LARNN_LEVEL
