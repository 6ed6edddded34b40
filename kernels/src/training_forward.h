// The forward pass of training: the loop over time, which keeps what the backward pass needs.
#pragma once

#include <cmath>

#include "training_pass.h"

namespace larnn::LARNN_LEVEL {

class Forward final : public Pass {
 public:
  explicit Forward(const Training& training)
      : Pass(training),
        query_scale_(kLog2E * std::sqrt(static_cast<float>(training.heads) / n_)),
        recurrent_(transposed(training.recurrent, 5 * n_, n_)),
        attention_(transposed(training.attention, 4 * n_, n_)),
        output_(transposed(training.output, n_, n_)),
        pair_(transposed(training.pair, 2 * n_, n_)),
        output_bias_(size_),
        pair_bias_(padded(2 * n_)) {
    copy(output_bias_.data(), training.output_bias, n_);
    copy(pair_bias_.data(), training.pair_bias, 2 * n_);
  }

  void run(int first, int count) const override {
    Scratch sums(n_ + padded(4 * n_) + kLanes), query(n_), attended(n_), projected(n_);
    Scratch pair(2 * n_);
    Buffer slots(static_cast<size_t>(2) * k_ * size_);
    const size_t next = static_cast<size_t>(t_.steps + 1) * n_;
    for (int at = 0; at < t_.steps; ++at) {
      for (int i = 0; i < count; ++i)
        copy(sums[i], t_.from_x + step(first + i, at) * 5 * n_, 5 * n_);
      multiply(recurrent_, count, {t_.hiddens + state(first, at), next}, sums.rows(), sums[0],
               sums.stride);
      for (int i = 0; i < count; ++i) {
        const int row = first + i;
        float* kept = t_.query + step(row, at) * n_;
        each(n_, [&](int f) { return elu(load(sums[i] + f)); }, kept);
        each(n_, [&](int f) { return load_first(kept, f) * query_scale_; }, query[i]);
        attend_.forward(size_ / kLanes, over_heads_, query[i],
                        window(row, at, seen(row, at), slots.data()), weights(row, at),
                        attended[i]);
        copy(t_.attended + step(row, at) * n_, attended[i], n_);
      }
      multiply(output_, count, attended.rows(), {output_bias_.data(), 0}, projected[0],
               projected.stride);
      for (int i = 0; i < count; ++i) {
        each(n_, [&](int f) { return elu(load(projected[i] + f)); }, projected[i]);
        copy(t_.projected + step(first + i, at) * n_, projected[i], n_);
      }
      multiply(attention_, count, projected.rows(), sums.rows(n_), sums[0] + n_, sums.stride);
      for (int i = 0; i < count; ++i) move(sums[i] + n_, first + i, at);
      multiply(pair_, count, {t_.cells + state(first, at + 1), next}, {pair_bias_.data(), 0},
               pair[0], pair.stride);
      for (int i = 0; i < count; ++i) {
        enter(pair[i], t_.keys + slot(first + i, k_ + at));
        enter(pair[i] + n_, t_.values + slot(first + i, k_ + at));
      }
    }
  }

 private:
  // Applies the gates: computes the next cell and hidden state, and keeps the gates.
  void move(const float* sums, int row, int at) const {
    float* gates = t_.gates + step(row, at) * 4 * n_;
    const Vec one = broadcast(1.0f);
    for (int gate = 0; gate < 4; ++gate)
      each(
          n_,
          [&](int f) {
            const Vec x = load(sums + gate * n_ + f);
            if (gate != 2) return sigmoid_times(x, one);
            const Vec e = exp(min(10.0f, max(-10.0f, x)) * 2.0f);
            return (e - 1.0f) / (e + 1.0f);
          },
          gates + gate * n_);
    const float *i = gates, *f = i + n_, *g = f + n_, *o = g + n_;
    const float* cell = t_.cells + state(row, at);
    float* next_cell = t_.cells + state(row, at + 1);
    each(
        n_,
        [&](int at_f) {
          return load_first(f, at_f) * load_first(cell, at_f) +
                 load_first(i, at_f) * load_first(g, at_f);
        },
        next_cell);
    each(
        n_, [&](int at_f) { return load_first(o, at_f) * elu(load_first(next_cell, at_f)); },
        t_.hiddens + state(row, at + 1));
  }

  // Writes a key or a value to its place in the queue.
  void enter(const float* projected, float* to) const {
    if (t_.positions != nullptr) return copy(to, projected, n_);
    each(n_, [&](int f) { return activated(load(projected + f)); }, to);
  }

  float query_scale_;
  Matrix recurrent_, attention_, output_, pair_;
  Buffer output_bias_, pair_bias_;
};

}  // namespace larnn::LARNN_LEVEL
