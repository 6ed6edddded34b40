// What the forward and the backward pass of training share.
#pragma once

#include <cmath>
#include <vector>

#include "layer.h"
#include "over_time.h"
#include "product.h"
#include "training.h"
#include "training_attention.h"

namespace larnn::LARNN_LEVEL {

// The derivatives of activations, computed from their results.
inline Vec elu_slope(Vec activated) {
  return activated > 0.0f ? broadcast(1.0f) : activated + 1.0f;
}
inline Vec sigmoid_slope(Vec activated) { return activated * (1.0f - activated); }
inline Vec tanh_slope(Vec activated) { return 1.0f - activated * activated; }

// The matrix of the backward pass of weights [outputs, inputs].
inline Matrix backward_matrix(const float* weights, int outputs, int inputs) {
  return {outputs, weights, inputs};
}

// What both passes share: where the tensors of a row are, and the window of a step.
class Pass : public TrainingPass {
 protected:
  explicit Pass(const Training& training)
      : t_(training),
        n_(training.n),
        k_(training.window_size),
        size_(padded(training.n)),
        over_heads_(training.heads),
        attend_(attention_for(vectors(training.n))) {}

  size_t step(int row, int at) const { return static_cast<size_t>(row) * t_.steps + at; }
  size_t state(int row, int at) const {
    return (static_cast<size_t>(row) * (t_.steps + 1) + at) * n_;
  }
  size_t slot(int row, int at) const {
    return (static_cast<size_t>(row) * (k_ + t_.steps) + at) * size_;
  }
  float* weights(int row, int at) const { return t_.weights + step(row, at) * k_ * kLanes; }
  int seen(int row, int at) const {
    const int64_t filled = t_.filled[row] + at;
    return filled < k_ ? static_cast<int>(filled) : k_;
  }

  // The last `count` slots before step `at`. With positions they are computed into `scratch`, which
  // has room for 2 · k · size floats; otherwise they are used in place.
  Window window(int row, int at, int count, float* scratch) const {
    const size_t first = slot(row, at + k_ - count);
    if (t_.positions == nullptr) return {t_.keys + first, t_.values + first, count};
    const size_t of_values = static_cast<size_t>(k_) * size_;
    for (int i = 0; i < count; ++i) {
      const float* position = t_.positions + static_cast<size_t>(2) * (k_ - count + i) * n_;
      place(t_.keys + first + i * size_, position, scratch + i * size_);
      place(t_.values + first + i * size_, position + n_, scratch + of_values + i * size_);
    }
    return {scratch, scratch + of_values, count};
  }

  void place(const float* projected, const float* position, float* to) const {
    each(n_, [&](int i) { return activated(load(projected + i) + load_first(position, i)); }, to);
  }
  Vec activated(Vec x) const { return t_.activate ? elu(x) : x; }
  Vec slope(Vec activated) const { return t_.activate ? elu_slope(activated) : broadcast(1.0f); }

  // The vector from i on, of n floats in all: nothing behind them is read.
  Vec load_first(const float* from, int i) const {
    return n_ - i >= kLanes ? load(from + i) : load(from + i, first(n_ - i));
  }

  const Training& t_;
  int n_, k_, size_;
  OverHeads over_heads_;
  AttentionWays attend_;
};

// One line of floats for each row of the tile, zero at first.
class Scratch {
 public:
  explicit Scratch(size_t width)
      : stride(padded(static_cast<int>(width))), data_(kTileRows * stride) {}
  float* operator[](int row) { return data_.data() + row * stride; }
  Rows rows(int from = 0) { return {data_.data() + from, stride}; }
  const size_t stride;

 private:
  Buffer data_;
};

}  // namespace larnn::LARNN_LEVEL
